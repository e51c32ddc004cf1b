"""Our plan: each day of each source is read once, and windows are rolled up from stored days.

Belongs here: calling the stages as the assets do, a date at a time or all at once. Does not: the
stages (`jetstream_assets.analysis`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from jetstream_assets.analysis.daily_aggregates import compute_daily_aggregates
from jetstream_assets.analysis.enrollments import compute_enrollments
from jetstream_assets.analysis.metrics import compute_metrics
from jetstream_assets.analysis.options import DEFAULT_OPTIONS
from jetstream_assets.analysis.refresh import by_experiment

if TYPE_CHECKING:
    from collections.abc import Sequence

    from incremental_bench.measure import Run
    from jetstream_assets.experiments.plan import AnalysisPlan


def by_day(run: Run) -> None:
    """A run a date, in order."""
    for plan in run.plans:
        _analyse([plan], run)
        run.record.note(plan.date)


def backfill(run: Run) -> None:
    """One run of all dates."""
    _analyse(run.plans, run)
    run.record.note(run.plans[-1].date)


def _analyse(plans: Sequence[AnalysisPlan], run: Run) -> None:
    warehouse, record = run.warehouse, run.record
    with record.stage("enrollments"):
        for plan in plans:
            compute_enrollments(plan, warehouse)
    for group in by_experiment(plans, warehouse, DEFAULT_OPTIONS):
        with record.stage("daily_aggregates"):
            aggregates = compute_daily_aggregates(group, warehouse, DEFAULT_OPTIONS)
        with record.stage("metrics"):
            for plan in group:
                compute_metrics(plan, warehouse, DEFAULT_OPTIONS, aggregates)
