"""The least that a backfill could do: one statement that reads every source once.

Belongs here: that statement, which makes of every metric one number a unit over all days. Does
not: windows (`windowed`, `incremental`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from incremental_bench.configuration import METRICS
from incremental_bench.metering import Record
from incremental_bench.windowed import (
    NOTHING_KNOWN,
    enrollments,
    store_enrollments,
    window_slice,
)
from jetstream_assets.experiments.metrics import AnalysisBasis
from jetstream_assets.experiments.plan import PlannedWindow
from jetstream_assets.experiments.windows import AnalysisWindow, DueWindow, Period
from jetstream_assets.sql.metrics import metrics_query

if TYPE_CHECKING:
    from incremental_bench.measure import Run


def whole(run: Run) -> None:
    """One window over all days, of the units by enrollment; who enrolled is known before."""
    plan, basis = run.plans[-1], AnalysisBasis.ENROLLMENTS
    store_enrollments(plan, run.warehouse)
    days = AnalysisWindow(0, len(run.plans) - 1)
    names = sorted(name for metrics in METRICS.values() for name in metrics)
    window = PlannedWindow(DueWindow(Period.OVERALL, 1, days), tuple(names), ())
    began = Record(run.warehouse).began
    query = metrics_query(plan.settled, [window], enrollments(plan).reference, bases=(basis,))
    run.warehouse.replace(window_slice(plan, window, basis), query, NOTHING_KNOWN)
    record = Record(run.warehouse, began)
    record.note(plan.date)
    run.record.days.extend(record.days)
