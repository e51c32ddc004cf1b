"""Who enrolled: the enrollments slice, computed once on the last enrollment date, then reused.

Belongs here: deciding whether the slice is there, and turning a refused query into a failure. Does
not: the query (`sql.enrollments`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from jetstream_assets.analysis.slices import cell_slice, enrollment_slice, provenance
from jetstream_assets.analysis.stage import StageResult, store_failures
from jetstream_assets.errors import QueryError
from jetstream_assets.experiments.failures import Failure, Stage
from jetstream_assets.experiments.plan import enrollments_fingerprint
from jetstream_assets.sql.enrollments import enrollments_query
from jetstream_assets.warehouse.tables import ResultTable

if TYPE_CHECKING:
    from jetstream_assets.experiments.plan import AnalysisPlan
    from jetstream_assets.warehouse.base import Provenance, Warehouse


def compute_enrollments(plan: AnalysisPlan, warehouse: Warehouse) -> StageResult:
    """Compute the enrollments on the date they belong to; on a later date make sure of them."""
    if not plan.windows:
        return StageResult(note=plan.idle)
    is_own_date = plan.date == plan.experiment.timeline.last_enrollment_date
    return _compute(plan, warehouse) if is_own_date else ensure_enrollments(plan, warehouse)


def ensure_enrollments(plan: AnalysisPlan, warehouse: Warehouse) -> StageResult:
    """Reuse the stored enrollments if they answer this plan, else compute them.

    The query reads nothing after the last enrollment date, so the slice is the same whichever cell
    computes it, and whenever.
    """
    target = enrollment_slice(plan, ResultTable.ENROLLMENTS)
    stored = warehouse.provenance(target)
    if stored is not None and _answers(stored, enrollments_fingerprint(plan.settled)):
        return StageResult(reused=(target,))
    return _compute(plan, warehouse)


def _answers(stored: Provenance, fingerprint: str) -> bool:
    return stored.fingerprint == fingerprint


def _compute(plan: AnalysisPlan, warehouse: Warehouse) -> StageResult:
    target = enrollment_slice(plan, ResultTable.ENROLLMENTS)
    origin = provenance(plan, enrollments_fingerprint(plan.settled))
    try:
        written = warehouse.replace(target, enrollments_query(plan.settled), origin)
        result = StageResult((written,))
    except QueryError as error:
        message = f"The enrollments of {plan.slug} could not be computed: {error.problem}"
        failure = Failure(Stage.ENROLLMENTS, message, type(error).__name__, sql=error.sql)
        result = StageResult(failures=(failure,))
    failed = cell_slice(plan, ResultTable.ENROLLMENTS_FAILURES)
    store_failures(warehouse, failed, result.failures, origin)
    return result
