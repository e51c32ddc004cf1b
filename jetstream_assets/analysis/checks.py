"""Every check of a cell by its name, and which cell of a run is looked at.

Belongs here: the table of checks, and choosing cells. Does not: the checks themselves, those of
documents (`report.document_checks`).

A run may hold many dates of an experiment. The last that has something due is judged: it has the
enrollments that all of them share, and the newest windows.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING

from sqlglot import exp

from jetstream_assets.analysis.enrollment_checks import (
    check_one_row_per_unit,
    check_sample_ratio,
    check_several_branches,
    not_there,
)
from jetstream_assets.analysis.metric_checks import (
    check_metrics_one_row_per_unit,
    check_preenrollment_balance,
)
from jetstream_assets.analysis.slices import cell_slice
from jetstream_assets.analysis.source_checks import check_sources_are_fresh, check_sources_join
from jetstream_assets.errors import QueryError
from jetstream_assets.experiments.checks import Check, Limits, Listing, Verdict
from jetstream_assets.experiments.plan import AnalysisPlan
from jetstream_assets.statistics.base import Status
from jetstream_assets.warehouse.tables import ResultTable

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Sequence

    from jetstream_assets.warehouse.base import Warehouse

_REASONS = 50
_FAILED = ("reason", "metric", "statistic", "period", "window_index", "analysis_basis", "segment")


@dataclass(frozen=True)
class Judged:
    """The verdict on an experiment, of which cell, and how many cells of it the run has."""

    plan: AnalysisPlan
    cells: int
    verdict: Verdict


def judge(
    plans: Sequence[AnalysisPlan], warehouse: Warehouse, checks: Collection[Check], limits: Limits
) -> Iterator[Judged]:
    """What the checks say of each experiment of a run; a check that is not in the table is left."""
    ordered = sorted(plans, key=lambda plan: (plan.slug, plan.date))
    for _, group in groupby(ordered, key=lambda plan: plan.slug):
        of_experiment = list(group)
        plan = judged_plan(of_experiment)
        for check in checks:
            if check in _JUDGES:
                verdict = _judged(plan, warehouse, check, limits)
                yield Judged(plan, len(of_experiment), verdict)


def judged_plan(plans: Sequence[AnalysisPlan]) -> AnalysisPlan:
    """The last of an experiment's plans that has something due, else the last."""
    due = [plan for plan in plans if plan.windows]
    return max(due or plans, key=lambda plan: plan.date)


def check_no_failed_statistics(plan: AnalysisPlan, warehouse: Warehouse, limits: Limits) -> Verdict:
    """Whether no stored statistic of the cell has failed."""
    del limits
    check = Check.NO_FAILED_STATISTICS
    target = cell_slice(plan, ResultTable.STATISTICS)
    if warehouse.provenance(target) is None:
        return not_there(check, "statistics")
    rows = warehouse.query(_failed_query(target.reference)).to_pylist()
    failed = sum(row["rows"] for row in rows)
    message = "No statistic has failed."
    if failed:
        metrics = sorted({row["metric"] for row in rows})
        message = f"{failed:,} rows of statistics have failed, of {', '.join(metrics)}."
    listed = tuple(tuple(row[name] for name in _FAILED) for row in rows[:_REASONS])
    return Verdict(check, not failed, message, {"failed": failed}, Listing(_FAILED, listed))


def _failed_query(statistics: exp.Table) -> exp.Select:
    counted = exp.alias_(exp.Count(this=exp.Star(), big_int=True), "rows", quoted=True)
    return (
        exp.select(*_FAILED, counted)
        .from_(statistics.copy())
        .where(exp.column("status").eq(Status.FAILED.value))
        .group_by(*_FAILED)
        .order_by(*_FAILED)
    )


def _judged(plan: AnalysisPlan, warehouse: Warehouse, check: Check, limits: Limits) -> Verdict:
    if not plan.windows:
        return Verdict(check, passed=True, message=plan.note or "Nothing is due.")
    try:
        return _JUDGES[check](plan, warehouse, limits)
    except QueryError as error:
        # A check is no reason for a run to end: what it looks at may be good.
        message = f"It could not be judged: {error.problem}"
        return Verdict(check, passed=False, message=message, is_judged=False)


_JUDGES: dict[Check, Callable[[AnalysisPlan, Warehouse, Limits], Verdict]] = {
    Check.SAMPLE_RATIO: check_sample_ratio,
    Check.UNITS_IN_SEVERAL_BRANCHES: check_several_branches,
    Check.ONE_ROW_PER_UNIT: check_one_row_per_unit,
    Check.SOURCES_ARE_FRESH: check_sources_are_fresh,
    Check.SOURCES_JOIN: check_sources_join,
    Check.PREENROLLMENT_BALANCE: check_preenrollment_balance,
    Check.METRICS_ONE_ROW_PER_UNIT: check_metrics_one_row_per_unit,
    Check.NO_FAILED_STATISTICS: check_no_failed_statistics,
}
