"""What a run would compute, what it would reuse, and why, before anything runs.

Belongs here: going through a cell's steps in a rehearsal and telling what they would write. Does
not: how it is shown (`report.terminal`), the steps themselves.

The steps are the real ones, so what is told is what a run started now would do.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

from jetstream_assets.analysis.daily_aggregates import compute_daily_aggregates
from jetstream_assets.analysis.enrollments import compute_enrollments
from jetstream_assets.analysis.metrics import compute_metrics
from jetstream_assets.analysis.refresh import by_experiment
from jetstream_assets.analysis.rehearsal import RehearsalWarehouse, Replacement
from jetstream_assets.analysis.slices import cell_slice
from jetstream_assets.analysis.statistics import statistics_origin
from jetstream_assets.warehouse.tables import ResultTable, Slice

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from jetstream_assets.analysis.daily_aggregates import DailyAggregates
    from jetstream_assets.analysis.options import AnalysisOptions
    from jetstream_assets.experiments.plan import AnalysisPlan
    from jetstream_assets.warehouse.base import Warehouse


@dataclass(frozen=True)
class Forecast:
    """One thing that a run would compute or reuse.

    Args:
        slug: The experiment slug.
        date: The cell's date; of a scan, the run's last date.
        what: A table, or ``scan of`` a source.
        action: ``compute``, ``reuse`` or ``nothing``.
        why: A sentence.
        days: Days to be scanned; 0 where no source is.
        rows: What the source holds of these days; 0 where no source is.
        bytes_read: What would be read for it, at most; 0 where that was not asked.
    """

    slug: str
    date: date
    what: str
    action: str
    why: str
    days: int = 0
    rows: int = 0
    bytes_read: int = 0


def forecast(
    plans: Sequence[AnalysisPlan],
    warehouse: Warehouse,
    options: AnalysisOptions,
    *,
    with_estimates: bool = False,
) -> Iterator[Forecast]:
    """What a run of these cells would do, by experiment and date. Nothing is written.

    Args:
        plans: The cells.
        warehouse: Where sources and results are.
        options: How a run would be started.
        with_estimates: Whether the warehouse is asked what each query would read. Reading what is
            stored for statistics comes on top.
    """
    for group in by_experiment(plans, warehouse, options):
        rehearsal = RehearsalWarehouse(warehouse, with_estimates=with_estimates)
        due = [plan for plan in group if plan.windows]
        yield from (
            Forecast(plan.slug, plan.date, "cell", "nothing", plan.note)
            for plan in group
            if not plan.windows
        )
        for plan in reversed(due):
            compute_enrollments(plan, rehearsal, options)
        yield from _tables(due, rehearsal)
        aggregates = compute_daily_aggregates(due, rehearsal, options)
        if aggregates is not None:
            yield from _scans(due[-1], aggregates)
        for plan in due:
            yield from _cell(plan, rehearsal, options, aggregates)
        if rehearsal.unknown:
            why = "What these queries would read is not known: the warehouse refuses them as yet."
            what = f"{rehearsal.unknown} queries"
            yield Forecast(group[-1].slug, group[-1].date, what, "nothing", why)


def _tables(due: Sequence[AnalysisPlan], rehearsal: RehearsalWarehouse) -> Iterator[Forecast]:
    """The enrollments that would be computed, and the days of events that would be read."""
    events: dict[ResultTable, list[Replacement]] = {}
    for replacement in list(rehearsal.replacements.values()):
        table = replacement.target.table
        if table in (ResultTable.ENROLLMENT_EVENTS, ResultTable.EXPOSURE_EVENTS):
            events.setdefault(table, []).append(replacement)
        elif table == ResultTable.ENROLLMENTS:
            yield _replaced(replacement)
    for table, replaced in events.items():
        last = max(r.target.date for r in replaced)
        why = f"{len(replaced)} days are not stored, or have changed"
        size = sum(r.bytes_read for r in replaced)
        what, days = f"scan of {table}", len(replaced)
        yield Forecast(due[0].slug, last, what, "compute", why, days, bytes_read=size)


def _scans(plan: AnalysisPlan, aggregates: DailyAggregates) -> Iterator[Forecast]:
    for scan in aggregates.scans:
        states = "1 state is" if scan.states == 1 else f"{scan.states} states are"
        why = f"{states} not stored from {scan.first} to {scan.last}, or changed"
        what = f"scan of {scan.source}"
        told = (scan.days, scan.rows, scan.written.bytes_read)
        yield Forecast(plan.slug, plan.date, what, "compute", why, *told)
    for metric, reason in sorted(aggregates.windowed.items()):
        yield Forecast(plan.slug, plan.date, f"metric {metric}", "compute", f"from rows: {reason}")
    for warning in aggregates.warnings:
        yield Forecast(plan.slug, plan.date, "late data", "nothing", warning)


def _cell(
    plan: AnalysisPlan,
    rehearsal: RehearsalWarehouse,
    options: AnalysisOptions,
    aggregates: DailyAggregates | None,
) -> Iterator[Forecast]:
    before = set(rehearsal.replacements)
    result = compute_metrics(plan, rehearsal, options, aggregates)
    for target in sorted(set(rehearsal.replacements) - before):
        yield _replaced(rehearsal.replacements[target])
    yield from (_reused(target) for target in result.reused if target.date == plan.date)
    target = cell_slice(plan, ResultTable.STATISTICS)
    stored, wanted = rehearsal.provenance(target), statistics_origin(plan, rehearsal)
    replacement = Replacement(target, stored, wanted)
    why = _why(replacement)
    yield _replaced(replacement) if why else _reused(target)


def _replaced(replacement: Replacement) -> Forecast:
    target = replacement.target
    why = _why(replacement) or "It is always computed on this date."
    size = replacement.bytes_read
    return Forecast(target.experiment, target.date, target.table, "compute", why, bytes_read=size)


def _reused(target: Slice) -> Forecast:
    why = "It is stored and was computed from the same."
    return Forecast(target.experiment, target.date, target.table, "reuse", why)


def _why(replacement: Replacement) -> str:
    """Why a slice would be replaced; empty when it was computed from the same."""
    before, after = replacement.before, replacement.after
    if before is None:
        return "It is not stored yet."
    if before.fingerprint != after.fingerprint:
        known = f" (stored: {before.config_commit[:12]})" if before.config_commit else ""
        return f"Its part of the configuration changed{known}."
    if before.details != after.details:
        return "What it is computed from changed: late data, or another table above it."
    if before.code_version != after.code_version:
        return f"It was computed by version {before.code_version}, this is {after.code_version}."
    return ""
