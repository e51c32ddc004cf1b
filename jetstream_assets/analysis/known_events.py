"""The events that a plan's enrollments follow from: read if need be, and how they would be noticed.

Belongs here: reading both kinds of events for a plan, and what is not known when one is refused.
Does not: the days of one kind (`event_days`), the units that follow (`enrollments`).
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlglot import exp

from jetstream_assets.analysis.enrollment_failures import no_enrollments, no_exposures
from jetstream_assets.analysis.event_days import (
    EventDays,
    digests,
    enrollment_event_days,
    exposure_event_days,
)
from jetstream_assets.errors import QueryError
from jetstream_assets.experiments.failures import Failure
from jetstream_assets.experiments.fingerprints import enrollments_fingerprint
from jetstream_assets.sql.enrollments import StoredEvents
from jetstream_assets.warehouse.base import Written

if TYPE_CHECKING:
    from collections.abc import Callable

    from jetstream_assets.analysis.options import AnalysisOptions
    from jetstream_assets.experiments.plan import AnalysisPlan
    from jetstream_assets.warehouse.base import Warehouse


@dataclass(frozen=True)
class KnownEvents:
    """What is stored of a plan's events.

    Args:
        stored: The stored days; what is None is read from its source.
        fingerprint: Digest of everything that decides the enrollments that follow, apart from what
            they read of their sources themselves.
        written: What had to be read.
        failures: What could not be read.
        warnings: Sentences on changes that were not followed.
    """

    stored: StoredEvents
    fingerprint: str
    written: tuple[Written, ...] = ()
    failures: tuple[Failure, ...] = ()
    warnings: tuple[str, ...] = ()


def read_events(plan: AnalysisPlan, warehouse: Warehouse, options: AnalysisOptions) -> KnownEvents:
    """Read what is missing of a plan's events up to its date.

    Enrollments that are asked for once, and everything when nothing stored is to be used, are left
    to the enrollments' own query.
    """
    asked = enrollments_fingerprint(plan.settled)
    if options.is_full:
        return KnownEvents(StoredEvents(), _digest(asked, "from sources"))
    exposures = _read(plan, warehouse, options, exposure_event_days, no_exposures)
    enrollments = _NOTHING
    if plan.settled.is_folded:
        enrollments = _read(plan, warehouse, options, enrollment_event_days, no_enrollments)
    both = (enrollments, exposures)
    return KnownEvents(
        StoredEvents(enrollments.relation, exposures.relation),
        _digest(asked, *(kind.digest for kind in both)),
        tuple(written for kind in both for written in kind.written),
        tuple(failure for kind in both for failure in kind.failures),
        tuple(warning for kind in both for warning in kind.warnings),
    )


@dataclass(frozen=True)
class _Kind:
    """What is stored of one kind of events."""

    relation: exp.Table | None = None
    digest: str = ""
    written: tuple[Written, ...] = ()
    failures: tuple[Failure, ...] = ()
    warnings: tuple[str, ...] = ()


_NOTHING = _Kind()


def _read(
    plan: AnalysisPlan,
    warehouse: Warehouse,
    options: AnalysisOptions,
    days_of: Callable[[AnalysisPlan], EventDays],
    failed: Callable[[AnalysisPlan, QueryError], Failure],
) -> _Kind:
    last = plan.experiment.timeline.last_enrollment_date
    try:
        days = days_of(plan)
        read = days.read_missing(warehouse, options.lookback)
    except QueryError as error:
        return _Kind(digest="refused", failures=(failed(plan, error),))
    digest = digests(days, read.stored, [last])[last]
    return _Kind(days.relation, digest, read.written, warnings=read.warnings)


def _digest(*parts: str) -> str:
    return hashlib.sha256("|".join(parts).encode()).hexdigest()[:32]
