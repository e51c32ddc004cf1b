"""What became of a cell, judged by what is stored for it and never by a green run alone.

Belongs here: reading a cell's stored plan, statistics and failures back into an outcome. Does not:
how outcomes are shown (`cells`, `terminal`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlglot import exp

from jetstream_assets.experiments.failures import Failure, Stage
from jetstream_assets.experiments.fingerprints import statistics_fingerprint
from jetstream_assets.experiments.metrics import AnalysisBasis
from jetstream_assets.experiments.windows import Period
from jetstream_assets.report.cells import CellOutcome
from jetstream_assets.warehouse.tables import DEFAULT_DATASET, ResultTable, Slice

if TYPE_CHECKING:
    from typing import Any

    from jetstream_assets.experiments.plan import AnalysisPlan
    from jetstream_assets.warehouse.base import Warehouse

_FAILURE_COLUMNS = (
    "period",
    "window_index",
    "analysis_basis",
    "segment",
    "metric",
    "statistic",
    "reason",
    "exception_type",
)


def cell_outcome(plan: AnalysisPlan, warehouse: Warehouse) -> CellOutcome:
    """The outcome of a cell that has a plan.

    A cell is ``computed`` only if statistics are stored that were computed for this very plan.
    """
    kind = "provisional " if plan.is_provisional else ""
    due = ", ".join(f"{kind}{w.due.period.suffix} {w.due.index}" for w in plan.windows)
    if plan.refusal is not None:
        return CellOutcome(plan.slug, plan.date, 0, due, (), "refused", plan.refusal.message)
    if not plan.windows:
        return CellOutcome(plan.slug, plan.date, 0, due, (), "nothing due", plan.idle)
    target = Slice(
        ResultTable.STATISTICS, plan.slug, plan.date, plan.settled.dataset_id or DEFAULT_DATASET
    )
    stored = warehouse.provenance(target)
    if stored is None or stored.fingerprint != statistics_fingerprint(plan):
        reason = "No statistics were stored for this cell; the run's log says what stopped it."
        return CellOutcome(plan.slug, plan.date, 0, due, (), "failed", reason)
    rows = warehouse.query(_count(target)).to_pylist()[0]["count"]
    return CellOutcome(
        plan.slug, plan.date, rows, due, _failures(target, warehouse), "computed", ""
    )


def _count(target: Slice) -> exp.Select:
    is_result = exp.column("status").neq("failed")
    return (
        exp.select(exp.Count(this=exp.Star()).as_("count")).from_(target.reference).where(is_result)
    )


def _failures(target: Slice, warehouse: Warehouse) -> tuple[Failure, ...]:
    query = (
        exp.select(*(exp.column(name) for name in _FAILURE_COLUMNS))
        .from_(target.reference)
        .where(exp.column("status").eq("failed"))
    )
    return tuple(_failure(row) for row in warehouse.query(query).to_pylist())


def _failure(row: dict[str, Any]) -> Failure:
    return Failure(
        Stage.STATISTICS,
        row["reason"],
        row["exception_type"] or "",
        Period(row["period"]),
        row["window_index"],
        AnalysisBasis(row["analysis_basis"]),
        row["segment"],
        row["metric"],
        row["statistic"],
    )
