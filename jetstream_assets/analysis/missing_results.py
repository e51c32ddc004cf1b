"""What has no result, over all cells of an experiment, counted by reason.

Belongs here: the query over `result_status`. Does not: what became of a result
(`result_judgement`).

Of one result, which several dates may have asked for, the newest date speaks. A result without
window index is one of which no window is due yet, so only the experiment's newest cell knows of it;
and while units enroll each date tries again what the one before it missed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlglot import exp

from jetstream_assets.analysis.slices import result_dataset
from jetstream_assets.analysis.stored_results import KEY, ResultState
from jetstream_assets.experiments.appraisal import MissingResults
from jetstream_assets.warehouse.tables import ResultTable, all_slices

if TYPE_CHECKING:
    from datetime import date

    from jetstream_assets.experiments.plan import AnalysisPlan
    from jetstream_assets.warehouse.base import Warehouse

_THERE = (ResultState.OK, ResultState.PROVISIONAL)
_SAID = ("status", "reason", "period", "window_index", "metric", "due_on", "sql")


def missing_results(plan: AnalysisPlan, warehouse: Warehouse) -> tuple[MissingResults, ...]:
    """The results of the plan's experiment that are not there, by status and reason.

    Args:
        plan: A plan of the experiment, of any date.
        warehouse: Where the results are.
    """
    dataset = result_dataset(plan)
    stored = warehouse.slices(ResultTable.RESULT_STATUS, plan.slug, dataset)
    if not stored:
        return ()
    newest = max(target.date for target in stored)
    query = _query(all_slices(ResultTable.RESULT_STATUS, plan.slug, dataset), plan, newest)
    rows = warehouse.query(query).to_pylist()
    found = (MissingResults(**{**row, "reason": row["reason"] or ""}) for row in rows)
    return tuple(sorted(found, key=_order))


def _query(statuses: exp.Table, plan: AnalysisPlan, newest: date) -> exp.Select:
    """The newest status of each result that still counts, where it is not there, counted."""
    kept = [*dict.fromkeys((*KEY, *_SAID)), "date"]
    place = exp.Window(
        this=exp.RowNumber(),
        partition_by=[exp.column(name) for name in KEY],
        order=exp.Order(expressions=[exp.Ordered(this=exp.column("date"), desc=True)]),
    )
    of_results = exp.select(*kept).from_(statuses).where(_counts(plan, newest)).qualify(place.eq(1))
    is_there = exp.column("status").isin(*(state.value for state in _THERE))
    counted = exp.alias_(exp.Count(this=exp.Star(), big_int=True), "results")
    return (
        exp.select(*_SAID, counted)
        .from_(of_results.subquery("newest"))
        .where(exp.not_(is_there))
        .group_by(*_SAID)
    )


def _counts(plan: AnalysisPlan, newest: date) -> exp.Expr:
    """The newest cell's statuses, and of earlier cells those of windows that are final."""
    is_newest = exp.column("date").eq(_day(newest))
    is_of_window = exp.not_(exp.column("window_index").is_(exp.null()))
    if plan.configuration is None or plan.declared.experiment.start_date is None:
        return is_newest
    last = plan.declared.experiment.timeline.last_enrollment_date
    is_final = exp.GTE(this=exp.column("date"), expression=_day(last))
    return exp.or_(is_newest, exp.and_(is_of_window, is_final))


def _day(day: date) -> exp.Expr:
    return exp.cast(exp.Literal.string(day.isoformat()), exp.DType.DATE)


def _order(found: MissingResults) -> tuple[tuple[bool, object], ...]:
    values = (found.status, found.reason, found.period, found.window_index, found.metric)
    return tuple((value is not None, value) for value in (*values, found.due_on, found.sql))
