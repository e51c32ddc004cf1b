"""Who enrolled: the enrollments slice, computed once on the last enrollment date, then reused.

Belongs here: deciding whether the slice is there, and turning a refused query into a failure. Does
not: the query (`sql.enrollments`).
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from jetstream_assets.analysis.slices import enrollment_slice, provenance
from jetstream_assets.analysis.stage import StageResult, store_failures, stored_failures
from jetstream_assets.errors import QueryError
from jetstream_assets.experiments.failures import Failure, Stage
from jetstream_assets.experiments.metrics import AnalysisBasis
from jetstream_assets.experiments.plan import enrollments_fingerprint
from jetstream_assets.sql.enrollments import enrollments_query
from jetstream_assets.warehouse.tables import ResultTable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlglot import exp

    from jetstream_assets.experiments.configuration import AnalysisConfiguration
    from jetstream_assets.experiments.plan import AnalysisPlan
    from jetstream_assets.warehouse.base import Warehouse


def compute_enrollments(plan: AnalysisPlan, warehouse: Warehouse) -> StageResult:
    """Compute the enrollments on the date they belong to; on a later date make sure of them."""
    if not plan.windows:
        return StageResult(note=plan.note)
    is_own_date = plan.date == plan.experiment.timeline.last_enrollment_date
    return _compute(plan, warehouse) if is_own_date else ensure_enrollments(plan, warehouse)


def ensure_enrollments(plan: AnalysisPlan, warehouse: Warehouse) -> StageResult:
    """Reuse the stored enrollments if they answer this plan, else compute them.

    The query reads nothing after the last enrollment date, so the slice is the same whichever cell
    computes it, and whenever. A segment or exposures that were refused then and would not be now,
    since a table has come, are a reason to compute them again.
    """
    target = enrollment_slice(plan, ResultTable.ENROLLMENTS)
    failed = enrollment_slice(plan, ResultTable.ENROLLMENTS_FAILURES)
    stored = warehouse.provenance(target)
    if stored is not None and stored.fingerprint == enrollments_fingerprint(plan.settled):
        failures = stored_failures(warehouse, failed)
        if not failures or _parts(failures) == _parts(_culprits(plan, warehouse)):
            return StageResult(reused=(target,), failures=failures)
    return _compute(plan, warehouse)


def computable(
    configuration: AnalysisConfiguration, failures: Sequence[Failure]
) -> AnalysisConfiguration:
    """The configuration without the segments that failed."""
    failed = {failure.segment for failure in failures}
    segments = tuple(s for s in configuration.segments if s.name not in failed)
    return replace(configuration, segments=segments)


def available_bases(failures: Sequence[Failure]) -> tuple[AnalysisBasis, ...]:
    """The analysis bases whose units are known: all but those that failed as a whole."""
    missing = {f.analysis_basis for f in failures if f.metric is None and f.segment is None}
    return tuple(basis for basis in AnalysisBasis if not missing & {basis, None})


def _compute(plan: AnalysisPlan, warehouse: Warehouse) -> StageResult:
    """Compute the enrollments, without the segments or exposures that the warehouse refuses."""
    target = enrollment_slice(plan, ResultTable.ENROLLMENTS)
    origin = provenance(plan, enrollments_fingerprint(plan.settled))
    failures: tuple[Failure, ...] = ()
    try:
        result = StageResult((warehouse.replace(target, _query(plan, failures), origin),))
    except QueryError as error:
        failures = _culprits(plan, warehouse) or (_everything(plan, error),)
        result = _attempt(plan, warehouse, failures)
    failed = enrollment_slice(plan, ResultTable.ENROLLMENTS_FAILURES)
    store_failures(warehouse, failed, result.failures, origin)
    return result


def _attempt(
    plan: AnalysisPlan, warehouse: Warehouse, failures: tuple[Failure, ...]
) -> StageResult:
    """Compute what is left without the failures; if that is refused, too, nothing is known."""
    if not available_bases(failures):
        return StageResult(failures=failures)
    target = enrollment_slice(plan, ResultTable.ENROLLMENTS)
    origin = provenance(plan, enrollments_fingerprint(plan.settled))
    try:
        written = warehouse.replace(target, _query(plan, failures), origin)
    except QueryError as error:
        return StageResult(failures=(_everything(plan, error),))
    return StageResult((written,), failures=failures)


def _query(plan: AnalysisPlan, failures: Sequence[Failure]) -> exp.Select:
    is_exposed = AnalysisBasis.EXPOSURES in available_bases(failures)
    return enrollments_query(computable(plan.settled, failures), with_exposures=is_exposed)


def _culprits(plan: AnalysisPlan, warehouse: Warehouse) -> tuple[Failure, ...]:
    """The optional parts that are refused when they are checked alone: segments and exposures."""
    bare = replace(plan.settled, segments=())
    failures = []
    for segment in plan.settled.segments:
        single = replace(bare, segments=(segment,))
        if error := _refusal(single, warehouse, with_exposures=False):
            message = (
                f"The segment {segment.name} could not be computed: {error.problem}"
                f"{_where(segment.origin)}"
            )
            failures.append(_failure(message, error, segment=segment.name))
    if error := _refusal(bare, warehouse, with_exposures=True):
        signal = plan.settled.exposure_signal
        remedy = (
            _where(signal.origin)
            if signal
            else " If there are no exposure events, name the rows that show an exposure in "
            "[experiment.exposure_signal]."
        )
        message = f"It is not known who was exposed: {error.problem}{remedy}"
        failures.append(_failure(message, error, basis=AnalysisBasis.EXPOSURES))
    return tuple(failures)


def _where(origin: str) -> str:
    return f" (See {origin}.)" if origin else ""


def _parts(failures: Sequence[Failure]) -> set[tuple[str | None, AnalysisBasis | None]]:
    return {(failure.segment, failure.analysis_basis) for failure in failures}


def _refusal(
    configuration: AnalysisConfiguration, warehouse: Warehouse, *, with_exposures: bool
) -> QueryError | None:
    try:
        warehouse.dry_run(enrollments_query(configuration, with_exposures=with_exposures))
    except QueryError as error:
        return error
    return None


def _everything(plan: AnalysisPlan, error: QueryError) -> Failure:
    where = _where(plan.settled.enrollment_query_origin)
    message = f"The enrollments of {plan.slug} could not be computed: {error.problem}{where}"
    return _failure(message, error)


def _failure(
    message: str,
    error: QueryError,
    *,
    segment: str | None = None,
    basis: AnalysisBasis | None = None,
) -> Failure:
    return Failure(
        Stage.ENROLLMENTS,
        message,
        type(error).__name__,
        analysis_basis=basis,
        segment=segment,
        sql=error.sql,
    )
