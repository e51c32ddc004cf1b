"""How many units of each branch enrolled and were first exposed on each day.

Belongs here: the query over a cell's enrollments. Does not: totals and what was expected
(`report.overview`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlglot import exp

from jetstream_assets.analysis.enrollments import available_bases
from jetstream_assets.analysis.slices import enrollment_slice
from jetstream_assets.analysis.stage import stored_failures
from jetstream_assets.experiments.appraisal import Units, UnitsOfDay
from jetstream_assets.experiments.metrics import AnalysisBasis
from jetstream_assets.warehouse.tables import ResultTable

if TYPE_CHECKING:
    from jetstream_assets.experiments.plan import AnalysisPlan
    from jetstream_assets.warehouse.base import Warehouse

_DAYS = (("enrolled", "enrollment_date"), ("exposed", "exposure_date"))


def units_by_day(plan: AnalysisPlan, warehouse: Warehouse) -> Units | None:
    """The units of the plan's enrollments by branch and day; None where none are stored."""
    target = enrollment_slice(plan, ResultTable.ENROLLMENTS)
    if warehouse.provenance(target) is None:
        return None
    failed = enrollment_slice(plan, ResultTable.ENROLLMENTS_FAILURES)
    bases = available_bases(stored_failures(warehouse, failed))
    found: dict[tuple[str, object], dict[str, int]] = {}
    for kind, day in _DAYS:
        for row in warehouse.query(_query(target.reference, day)).to_pylist():
            found.setdefault((row["branch"], row["day"]), {})[kind] = row["units"]
    days = [
        UnitsOfDay(branch, on, counts.get("enrolled", 0), counts.get("exposed", 0))  # type: ignore[arg-type]  # a DATE
        for (branch, on), counts in found.items()
    ]
    ordered = sorted(days, key=lambda one: (one.date, one.branch))
    return Units(tuple(ordered), AnalysisBasis.EXPOSURES in bases)


def _query(enrollments: exp.Table, day: str) -> exp.Select:
    is_counted = exp.not_(exp.column("is_excluded"))
    is_known = exp.not_(exp.column(day).is_(exp.null()))
    return (
        exp.select("branch", exp.alias_(exp.column(day), "day"))
        .select(exp.alias_(exp.Count(this=exp.Star(), big_int=True), "units"))
        .from_(enrollments.copy())
        .where(exp.and_(is_counted, is_known))
        .group_by("branch", day)
    )
