"""A refused cell leaves a stored reason; a cell that is not refused any more clears it.

Belongs here: storing a plan's refusal. Does not: deciding it (`experiments.refusals`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from jetstream_assets.analysis.slices import cell_slice, provenance
from jetstream_assets.analysis.stage import StageResult, store_failures
from jetstream_assets.experiments.failures import Failure, Stage
from jetstream_assets.warehouse.tables import ResultTable

if TYPE_CHECKING:
    from jetstream_assets.experiments.plan import AnalysisPlan
    from jetstream_assets.warehouse.base import Warehouse


def store_refusal(plan: AnalysisPlan, warehouse: Warehouse) -> StageResult:
    """Store why the plan's experiment is not analysed, or clear what an earlier plan stored."""
    failures: tuple[Failure, ...] = ()
    if plan.refusal is not None:
        failures = (Failure(Stage.PLAN, plan.refusal.message, plan.refusal.kind.value),)
    target = cell_slice(plan, ResultTable.PLAN_FAILURES)
    store_failures(warehouse, target, failures, provenance(plan, "refusal"))
    return StageResult(failures=failures, note=plan.note)
