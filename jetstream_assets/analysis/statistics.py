"""The statistics of a cell, cut into shards that can be computed side by side, then put together.

Belongs here: which shard computes which summaries, and storing the whole. Does not: estimating
(`estimation`, `statistics`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pyarrow as pa

from jetstream_assets.analysis.estimation import statistics_rows
from jetstream_assets.analysis.metrics import ensure_metrics
from jetstream_assets.analysis.multiple_comparisons import with_adjusted_p_values
from jetstream_assets.analysis.power import with_power
from jetstream_assets.analysis.slices import cell_slice, enrollment_slice, provenance
from jetstream_assets.analysis.stage import StageResult
from jetstream_assets.analysis.statistics_table import ROW_ORDER
from jetstream_assets.experiments.plan import statistics_fingerprint
from jetstream_assets.warehouse.tables import STATISTICS_SCHEMA, ResultTable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlglot import exp

    from jetstream_assets.experiments.metrics import Summary
    from jetstream_assets.experiments.plan import AnalysisPlan, PlannedWindow
    from jetstream_assets.warehouse.base import Warehouse

_STORED_ORDER = ("period", "window_index", *ROW_ORDER)


@dataclass(frozen=True)
class Shard:
    """One of ``count`` parts of a cell's statistics, numbered from 0."""

    index: int
    count: int

    def summaries(self, window: PlannedWindow) -> tuple[Summary, ...]:
        """The summaries of a window that this shard computes: every count-th metric, from index.

        All summaries of a metric go together, since they share what is collected for them.
        """
        names = sorted({summary.metric for summary in window.summaries})
        mine = set(names[self.index :: self.count])
        return tuple(summary for summary in window.summaries if summary.metric in mine)

    @property
    def counts_units(self) -> bool:
        """Whether this shard also counts the units per branch."""
        return self.index == 0


def shard_statistics(plan: AnalysisPlan, warehouse: Warehouse, shard: Shard) -> pa.Table:
    """The rows of one shard of a cell (STATISTICS_SCHEMA); empty when nothing is due.

    Metrics that are not there, or were computed for another plan, are computed first.
    """
    if not plan.windows:
        return STATISTICS_SCHEMA.empty_table()
    failures = ensure_metrics(plan, warehouse)
    before = _preenrollment(plan)
    rows = [
        statistics_rows(
            window,
            plan.declared,
            warehouse,
            _metrics(plan, window),
            before,
            failures,
            shard.summaries(window),
            include_counts=shard.counts_units,
        )
        for window in plan.windows
    ]
    return pa.concat_tables(rows)


def store_statistics(
    plan: AnalysisPlan, warehouse: Warehouse, shards: Sequence[pa.Table]
) -> StageResult:
    """Put the shards together, in an order that does not depend on how they were cut."""
    if not plan.windows:
        return StageResult(note=plan.note)
    rows = whole_rows(plan, shards)
    target = cell_slice(plan, ResultTable.STATISTICS)
    origin = provenance(plan, statistics_fingerprint(plan))
    return StageResult((warehouse.replace(target, rows.combine_chunks(), origin),))


def whole_rows(plan: AnalysisPlan, shards: Sequence[pa.Table]) -> pa.Table:
    """The rows of all shards with what only the whole can say, in the stored order."""
    rows = pa.concat_tables(shards)
    configuration = plan.settled
    rows = with_adjusted_p_values(rows, configuration.multiple_comparisons, plan.experiment)
    rows = with_power(rows, configuration.power, plan.experiment.timeline)
    return rows.sort_by([(name, "ascending") for name in _STORED_ORDER])


def _metrics(plan: AnalysisPlan, window: PlannedWindow) -> exp.Table:
    if window.due.period.is_preenrollment:
        return enrollment_slice(plan, ResultTable.PREENROLLMENT_METRICS).reference
    return cell_slice(plan, ResultTable.METRICS).reference


def _preenrollment(plan: AnalysisPlan) -> exp.Table | None:
    if not plan.preenrollment:
        return None
    return enrollment_slice(plan, ResultTable.PREENROLLMENT_METRICS).reference
