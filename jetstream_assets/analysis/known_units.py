"""Which units and exposures are known by a date, and the digests by which others would be noticed.

Belongs here: what a scan of a source's days joins with. Does not: computing the enrollments
(`enrollments`), reading their events (`event_days`).

A unit's branch and enrollment date follow from events of that date and before, so the units that
enrolled by a day are the same whichever later date they are asked on. Whether a unit is excluded
may change while units enroll; excluded units are known, too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from jetstream_assets.analysis.event_days import (
    digests,
    enrollment_event_days,
    exposure_event_days,
)
from jetstream_assets.analysis.slices import enrollment_slice
from jetstream_assets.warehouse.tables import ResultTable

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date

    from sqlglot import exp

    from jetstream_assets.experiments.plan import AnalysisPlan
    from jetstream_assets.warehouse.base import Warehouse


def known_units(plan: AnalysisPlan) -> exp.Table:
    """The units enrolled by the plan's date, one row each, as a table in a tree.

    Columns: those of `sql.enrollments.enrollments_query`, analysis_id, branch and enrollment_date
    among them. It is the slice that `enrollments.ensure_enrollments` makes sure of.
    """
    return enrollment_slice(plan, ResultTable.ENROLLMENTS).reference


def units_marks(
    plan: AnalysisPlan, warehouse: Warehouse, untils: Sequence[date]
) -> dict[date, str]:
    """For each date the digest of everything that decides which units are enrolled by it.

    It is that of the stored days of enrollment events up to the date; where enrollment is asked for
    once, that of the enrollments. The enrollments have been made sure of before.
    """
    if plan.settled.is_folded:
        events = enrollment_event_days(plan)
        return digests(events, events.stored(warehouse), untils)
    stored = warehouse.provenance(enrollment_slice(plan, ResultTable.ENROLLMENTS))
    return dict.fromkeys(untils, stored.fingerprint if stored else "")


def exposures_mark(plan: AnalysisPlan, warehouse: Warehouse) -> str:
    """The digest of everything that decides which exposures are known by the plan's date.

    The enrollments tell of exposures up to the last enrollment date; a window looks through the
    rows of an exposure signal anew, which may come later.
    """
    events = exposure_event_days(plan)
    return digests(events, events.stored(warehouse), [plan.date])[plan.date]
