"""The statistics of a cell, cut into shards that can be computed side by side, then put together.

Belongs here: which shard computes which summaries, and storing the whole. Does not: estimating
(`estimation`, `statistics`).
"""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import pyarrow as pa
from sqlglot import exp

from jetstream_assets.analysis.estimation import statistics_rows
from jetstream_assets.analysis.metrics import ensure_metrics
from jetstream_assets.analysis.multiple_comparisons import with_adjusted_p_values
from jetstream_assets.analysis.power import with_power
from jetstream_assets.analysis.slices import (
    cell_slice,
    enrollment_slice,
    provenance,
    same_inputs,
)
from jetstream_assets.analysis.stage import StageResult
from jetstream_assets.analysis.statistics_table import ROW_ORDER
from jetstream_assets.experiments.fingerprints import statistics_fingerprint
from jetstream_assets.warehouse.purpose import asked_for
from jetstream_assets.warehouse.tables import STATISTICS_SCHEMA, ResultTable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from jetstream_assets.experiments.failures import Failure
    from jetstream_assets.experiments.metrics import Summary
    from jetstream_assets.experiments.plan import AnalysisPlan, PlannedWindow
    from jetstream_assets.warehouse.base import Provenance, Warehouse

# Metrics, each counted once for all units and once for each segment, that are worth a query, a
# process and a step of their own.
_WORTH_A_SHARD = 16
_STORED_ORDER = ("period", "window_index", *ROW_ORDER)


@dataclass(frozen=True)
class Shard:
    """One of ``count`` parts of a cell's statistics, numbered from 0.

    A shard costs a query of its own, so little work is not cut: the first shards do it, and the
    others have nothing.
    """

    index: int
    count: int

    def summaries(self, plan: AnalysisPlan, window: PlannedWindow) -> tuple[Summary, ...]:
        """The summaries of a window that this shard computes: every n-th metric, from index.

        All summaries of a metric go together, since they share what is collected for them.
        """
        names = sorted({summary.metric for summary in window.summaries})
        used = self._used(len(names) * _populations(plan))
        mine = set(names[self.index :: used]) if self.index < used else set()
        return tuple(summary for summary in window.summaries if summary.metric in mine)

    def has_work(self, plan: AnalysisPlan) -> bool:
        """Whether anything of the plan is this shard's."""
        return self.counts_units or any(self.summaries(plan, window) for window in plan.windows)

    def _used(self, work: int) -> int:
        """Among how many shards so much work is divided."""
        return max(1, min(self.count, math.ceil(work / _WORTH_A_SHARD)))

    @property
    def counts_units(self) -> bool:
        """Whether this shard also counts the units per branch."""
        return self.index == 0


def shard_statistics(plan: AnalysisPlan, warehouse: Warehouse, shard: Shard) -> pa.Table | None:
    """The rows of one shard of a cell (STATISTICS_SCHEMA); empty when nothing is due.

    Metrics that are not there, or were computed for another plan, are computed first. None when
    the stored statistics were computed from the same plan and the same metrics, and for a shard
    that has no part of the work.
    """
    if not plan.windows:
        return STATISTICS_SCHEMA.empty_table()
    if not shard.has_work(plan):
        return None
    failures = ensure_metrics(plan, warehouse)
    if _are_stored(plan, warehouse):
        return None
    return _shard_rows(plan, warehouse, shard, failures)


def store_statistics(
    plan: AnalysisPlan, warehouse: Warehouse, shards: Sequence[pa.Table | None]
) -> StageResult:
    """Put the shards together, in an order that does not depend on how they were cut.

    A shard that found nothing to do is computed after all if the others did not.
    """
    if not plan.windows:
        return StageResult(note=plan.note)
    target = cell_slice(plan, ResultTable.STATISTICS)
    if all(rows is None for rows in shards) and _are_stored(plan, warehouse):
        return StageResult(reused=(target,))
    failures = ensure_metrics(plan, warehouse)
    cut = [Shard(index, len(shards)) for index in range(len(shards))]
    tables = [
        _shard_rows(plan, warehouse, shard, failures) if rows is None else rows
        for shard, rows in zip(cut, shards, strict=True)
    ]
    rows = whole_rows(plan, tables)
    origin = statistics_origin(plan, warehouse)
    return StageResult((warehouse.replace(target, rows.combine_chunks(), origin),))


def stored_statistics(plan: AnalysisPlan, warehouse: Warehouse) -> pa.Table:
    """The stored statistics of a cell; empty when nothing was due."""
    if not plan.windows:
        return STATISTICS_SCHEMA.empty_table()
    columns = [exp.column(name) for name in STATISTICS_SCHEMA.names]
    stored = cell_slice(plan, ResultTable.STATISTICS).reference
    return warehouse.query(exp.select(*columns).from_(stored))


def _shard_rows(
    plan: AnalysisPlan, warehouse: Warehouse, shard: Shard, failures: Sequence[Failure]
) -> pa.Table:
    before, rows = _preenrollment(plan), []
    for window in plan.windows:
        mine = shard.summaries(plan, window)
        if not mine and not shard.counts_units:
            continue
        with asked_for(period=window.due.period):
            found = statistics_rows(
                window,
                plan.declared,
                warehouse,
                _metrics(plan, window),
                before,
                failures,
                mine,
                include_counts=shard.counts_units,
            )
        rows.append(found)
    return pa.concat_tables([STATISTICS_SCHEMA.empty_table(), *rows])


def _populations(plan: AnalysisPlan) -> int:
    """The sets of units for which each metric is collected: all, and each segment."""
    return 1 + len(plan.settled.segments)


def _are_stored(plan: AnalysisPlan, warehouse: Warehouse) -> bool:
    stored = warehouse.provenance(cell_slice(plan, ResultTable.STATISTICS))
    return stored is not None and same_inputs(stored, statistics_origin(plan, warehouse))


def statistics_origin(plan: AnalysisPlan, warehouse: Warehouse) -> Provenance:
    """What a cell's statistics are computed from: its plan, and the metrics and their failures."""
    tables = (
        cell_slice(plan, ResultTable.METRICS),
        cell_slice(plan, ResultTable.METRICS_FAILURES),
        enrollment_slice(plan, ResultTable.PREENROLLMENT_METRICS),
        enrollment_slice(plan, ResultTable.PREENROLLMENT_METRICS_FAILURES),
        enrollment_slice(plan, ResultTable.ENROLLMENTS_FAILURES),
    )
    stored = [warehouse.provenance(table) for table in tables]
    told = repr([of and (of.fingerprint, of.details, of.code_version) for of in stored])
    details = hashlib.sha256(told.encode()).hexdigest()[:16]
    return replace(provenance(plan, statistics_fingerprint(plan)), details=details)


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
