"""The original's plan: one query a period, window and analysis basis, each reading its sources.

Belongs here: asking those queries, each into a slice of its own. Does not: the queries
(`jetstream_assets.sql`).
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from incremental_bench.population import LAST_ENROLLMENT_DATE
from jetstream_assets.analysis.slices import cell_slice
from jetstream_assets.experiments.metrics import AnalysisBasis
from jetstream_assets.sql.enrollments import enrollments_query
from jetstream_assets.sql.metrics import metrics_query
from jetstream_assets.warehouse.base import Provenance
from jetstream_assets.warehouse.tables import ResultTable, Slice

if TYPE_CHECKING:
    from incremental_bench.measure import Run
    from incremental_bench.metering import MeteredWarehouse
    from jetstream_assets.experiments.plan import AnalysisPlan, PlannedWindow

NOTHING_KNOWN = Provenance("", "", "")


def by_day(run: Run) -> None:
    """Every date from the last enrollment date on; the original has no results before it."""
    for plan in run.plans:
        if plan.date == LAST_ENROLLMENT_DATE:
            store_enrollments(plan, run.warehouse)
        if plan.date >= LAST_ENROLLMENT_DATE:
            _ask(plan, run.warehouse)
        run.record.note(plan.date)


def store_enrollments(plan: AnalysisPlan, warehouse: MeteredWarehouse) -> None:
    """Compute the enrollments with one query."""
    warehouse.replace(enrollments(plan), enrollments_query(plan.settled), NOTHING_KNOWN)


def enrollments(plan: AnalysisPlan) -> Slice:
    """Where the enrollments are."""
    return replace(cell_slice(plan, ResultTable.ENROLLMENTS), date=LAST_ENROLLMENT_DATE)


def window_slice(plan: AnalysisPlan, window: PlannedWindow, basis: AnalysisBasis) -> Slice:
    """Where the rows of one window and basis are."""
    due = window.due
    table = (
        ResultTable.PREENROLLMENT_METRICS if due.period.is_preenrollment else ResultTable.METRICS
    )
    return replace(cell_slice(plan, table), part=f"{due.period}-{due.index}-{basis}")


def _ask(plan: AnalysisPlan, warehouse: MeteredWarehouse) -> None:
    for window in plan.windows:
        for basis in AnalysisBasis:
            query = metrics_query(
                plan.settled, [window], enrollments(plan).reference, bases=(basis,)
            )
            warehouse.replace(window_slice(plan, window, basis), query, NOTHING_KNOWN)
