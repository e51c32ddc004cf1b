"""Why enrollments, or a part of them, could not be computed, and which part is to blame.

Belongs here: checking segments and exposures alone, and the sentences about them. Does not: what is
computed without them (`enrollments`).
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from jetstream_assets.errors import QueryError
from jetstream_assets.experiments.failures import Failure, Stage
from jetstream_assets.experiments.metrics import AnalysisBasis
from jetstream_assets.sql.enrollments import enrollments_query

if TYPE_CHECKING:
    from jetstream_assets.experiments.configuration import AnalysisConfiguration
    from jetstream_assets.experiments.plan import AnalysisPlan
    from jetstream_assets.sql.enrollments import StoredEvents
    from jetstream_assets.warehouse.base import Warehouse


def culprits(
    plan: AnalysisPlan, warehouse: Warehouse, stored: StoredEvents, *, with_exposures: bool
) -> tuple[Failure, ...]:
    """The optional parts that are refused when they are checked alone: segments and exposures.

    Args:
        plan: Whose enrollments.
        warehouse: Where they are checked, without running.
        stored: The events that need not be read from their sources.
        with_exposures: Whether to check exposures, too.
    """
    bare = replace(plan.settled, segments=())
    failures = []
    for segment in plan.settled.segments:
        single = replace(bare, segments=(segment,))
        if error := _refusal(single, warehouse, stored, with_exposures=False):
            message = (
                f"The segment {segment.name} could not be computed: {error.problem}"
                f"{_where(segment.origin)}"
            )
            failures.append(_failure(message, error, segment=segment.name))
    if with_exposures and (error := _refusal(bare, warehouse, stored, with_exposures=True)):
        failures.append(no_exposures(plan, error))
    return tuple(failures)


def no_exposures(plan: AnalysisPlan, error: QueryError) -> Failure:
    """It is not known who was exposed, since the warehouse refused to tell."""
    signal = plan.settled.exposure_signal
    remedy = (
        _where(signal.origin)
        if signal
        else " If there are no exposure events, name the rows that show an exposure in "
        "[experiment.exposure_signal]."
    )
    message = f"It is not known who was exposed: {error.problem}{remedy}"
    return _failure(message, error, basis=AnalysisBasis.EXPOSURES)


def no_enrollments(plan: AnalysisPlan, error: QueryError) -> Failure:
    """It is not known who enrolled, since the warehouse refused to tell."""
    where = _where(plan.settled.enrollment_query_origin)
    message = f"The enrollments of {plan.slug} could not be computed: {error.problem}{where}"
    return _failure(message, error)


def _where(origin: str) -> str:
    return f" (See {origin}.)" if origin else ""


def _refusal(
    configuration: AnalysisConfiguration,
    warehouse: Warehouse,
    stored: StoredEvents,
    *,
    with_exposures: bool,
) -> QueryError | None:
    try:
        warehouse.dry_run(enrollments_query(configuration, stored, with_exposures=with_exposures))
    except QueryError as error:
        return error
    return None


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
