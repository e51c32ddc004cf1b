"""No silent blanks: for every declared result a row that says what became of it, and why.

Belongs here: storing the status of results, one slice a cell. Does not: which results there are
(`declared_results`), what became of them (`result_judgement`).

    compute_result_status(plan, warehouse, run_id)
        after a cell's statistics: what they say of each result
    store_run_failure(plans, warehouse, reason, run_id=...)
        after a run that did not come so far. ``plans`` are those of the run's cells; a cell of
        which no plan is known is told as ``AnalysisPlan(slug, date)``. What has a stored result is
        stale then, and what should have one has failed.
    mark_stale(slug, warehouse, reason, dates=..., dataset=...)
        after a change that is not computed: what is ok or provisional is stale

Each replaces the slice, so that a later success clears what a failure left.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from sqlglot import exp

from jetstream_assets.analysis.result_judgement import Judgement, Problem
from jetstream_assets.analysis.slices import CODE_VERSION, cell_slice, provenance
from jetstream_assets.analysis.stage import StageResult
from jetstream_assets.analysis.stored_results import (
    ResultState,
    ResultStatus,
    statuses_of,
    statuses_table,
    stored_statuses,
)
from jetstream_assets.experiments.failures import Interruption
from jetstream_assets.warehouse.base import Provenance
from jetstream_assets.warehouse.tables import (
    DEFAULT_DATASET,
    RESULT_STATUS_SCHEMA,
    ResultTable,
    Slice,
    all_slices,
)

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from datetime import date

    from jetstream_assets.experiments.plan import AnalysisPlan
    from jetstream_assets.warehouse.base import Warehouse

_CURRENT = frozenset({ResultState.OK, ResultState.PROVISIONAL})


def compute_result_status(
    plan: AnalysisPlan, warehouse: Warehouse, run_id: str
) -> tuple[StageResult, tuple[ResultStatus, ...]]:
    """Store what became of each result of a cell whose statistics were just made sure of.

    Statuses that are stored already, with the same reasons, stay as the run that found them wrote
    them.

    Returns:
        What was done, and the statuses.
    """
    target = cell_slice(plan, ResultTable.RESULT_STATUS)
    former = stored_statuses(warehouse, target)
    found = tuple(replace(s, run_id=run_id) for s in Judgement(plan, warehouse, former).statuses())
    if _unattributed(former) == _unattributed(found):
        return StageResult(reused=(target,), note=plan.note), former
    written = warehouse.replace(target, statuses_table(found), provenance(plan, "result status"))
    return StageResult((written,), note=plan.note), found


def store_run_failure(
    plans: Sequence[AnalysisPlan], warehouse: Warehouse, reason: str, *, run_id: str
) -> None:
    """Store that a run ended before it could tell what became of its cells' results.

    What has a stored result is ``stale``: it is there, and not known to be that of the present
    plan. All else that is due has ``failed``. What is not due stays so.

    Args:
        plans: The plans of the run's cells, or ``AnalysisPlan(slug, date)`` where there is none:
            then the results are those of which an earlier run has stored a status.
        warehouse: Where results are.
        reason: A sentence for people: what stopped the run.
        run_id: The run.
    """
    for plan in plans:
        target = cell_slice(plan, ResultTable.RESULT_STATUS)
        judgement = Judgement(plan, warehouse, stored_statuses(warehouse, target))
        statuses = [
            replace(status, run_id=run_id)
            for status in judgement.without_success(Problem(reason, Interruption.RUN_FAILED.value))
        ]
        origin = provenance(plan, "run failure")
        warehouse.replace(target, statuses_table(statuses), origin)


def mark_stale(
    slug: str,
    warehouse: Warehouse,
    reason: str,
    *,
    dates: Collection[date] | None = None,
    dataset: str = DEFAULT_DATASET,
) -> tuple[date, ...]:
    """Mark the results of an experiment that are ok or provisional as stale, until they are rerun.

    Args:
        slug: The experiment slug.
        warehouse: Where results are.
        reason: A sentence for people: what changed and why it is not computed.
        dates: The dates of the cells; None for all.
        dataset: The experiment's result dataset (`slices.result_dataset`).

    Returns:
        The dates of the cells that were marked.
    """
    stored = warehouse.slices(ResultTable.RESULT_STATUS, slug, dataset)
    if not stored:
        return ()
    columns = [exp.column(name) for name in (*RESULT_STATUS_SCHEMA.names, "date")]
    rows = warehouse.query(
        exp.select(*columns).from_(all_slices(ResultTable.RESULT_STATUS, slug, dataset))
    )
    known = rows["date"].to_pylist()
    of_cell: dict[date, list[ResultStatus]] = {}
    for on, status in zip(known, statuses_of(rows), strict=True):
        of_cell.setdefault(on, []).append(status)
    marked = []
    for on in sorted(of_cell):
        is_asked = dates is None or on in dates
        if is_asked and any(status.status in _CURRENT for status in of_cell[on]):
            target = Slice(ResultTable.RESULT_STATUS, slug, on, dataset)
            changed = [_stale(s, reason) if s.status in _CURRENT else s for s in of_cell[on]]
            origin = Provenance("marked stale", "", CODE_VERSION)
            warehouse.replace(target, statuses_table(changed), origin)
            marked.append(on)
    return tuple(marked)


def _stale(status: ResultStatus, reason: str) -> ResultStatus:
    return replace(
        status,
        status=ResultState.STALE,
        reason=reason,
        exception_type=Interruption.NOT_RERUN.value,
        sql=None,
    )


def _unattributed(statuses: Sequence[ResultStatus]) -> set[ResultStatus]:
    return {replace(status, run_id=None) for status in statuses}
