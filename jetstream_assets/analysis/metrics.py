"""The metrics of a cell's windows: one query for all of them, and the culprit when it is refused.

Belongs here: which slice which windows go to, reusing what was computed from the same, finding the
metric whose snippet made the warehouse refuse. Does not: the query (`sql.metrics`), what is stored
of days (`daily_aggregates`).
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from jetstream_assets.analysis.daily_aggregates import DailyAggregates, compute_daily_aggregates
from jetstream_assets.analysis.enrollments import (
    available_bases,
    computable,
    ensure_enrollments,
)
from jetstream_assets.analysis.event_days import exposure_event_days
from jetstream_assets.analysis.known_units import exposures_mark
from jetstream_assets.analysis.options import DEFAULT_OPTIONS, AnalysisOptions
from jetstream_assets.analysis.slices import (
    cell_slice,
    enrollment_slice,
    provenance,
    same_inputs,
)
from jetstream_assets.analysis.stage import StageResult, store_failures, stored_failures
from jetstream_assets.errors import QueryError
from jetstream_assets.experiments.configuration import AnalysisConfiguration
from jetstream_assets.experiments.failures import Failure, Stage
from jetstream_assets.experiments.fingerprints import windows_fingerprint
from jetstream_assets.experiments.metrics import AnalysisBasis, DataSource, Metric
from jetstream_assets.experiments.plan import AnalysisPlan, PlannedWindow
from jetstream_assets.sql import sources
from jetstream_assets.sql.metrics import metric_probe, metrics_query
from jetstream_assets.warehouse.base import Provenance, Warehouse
from jetstream_assets.warehouse.purpose import asked_for
from jetstream_assets.warehouse.tables import ResultTable, Slice

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sqlglot import exp

    from jetstream_assets.experiments.windows import Period

# Told in the place of what was read of days where a slice was computed from the sources' rows.
FROM_ROWS = "rows"


def compute_metrics(
    plan: AnalysisPlan,
    warehouse: Warehouse,
    options: AnalysisOptions = DEFAULT_OPTIONS,
    aggregates: DailyAggregates | None = None,
) -> StageResult:
    """Make sure of the metrics of every due window, and of the pre-enrollment metrics.

    Every window's rows are replaced as one slice, unless it is there, computed from the same plan
    and the same days. A metric whose SQL the warehouse refuses is left out and stored as a failure;
    the others get their values.

    Args:
        plan: The cell's plan.
        warehouse: Where everything is.
        options: Whether what is stored of days is used.
        aggregates: What is stored of days; by default it is looked up, and read where missing.
    """
    if not plan.windows:
        return StageResult(note=plan.note)
    if aggregates is None:
        aggregates = compute_daily_aggregates([plan], warehouse, options)
    enrolled = _enrolled(plan, warehouse, options, aggregates)
    bases = available_bases(enrolled.failures)
    if not bases:
        return _give_up(plan, warehouse, enrolled.failures)
    known = computable(plan.settled, enrolled.failures)
    parts = []
    for windows, slices in _wanted(plan):
        with asked_for(period=_periods(windows)):
            computation = _Computation(plan, warehouse, known, bases, windows, aggregates)
            parts.append(computation.ensure(*slices))
    return StageResult(
        written=enrolled.written + tuple(w for part in parts for w in part.written),
        reused=enrolled.reused + tuple(s for part in parts for s in part.reused),
        failures=enrolled.failures + tuple(f for part in parts for f in part.failures),
    )


def _periods(windows: tuple[PlannedWindow, ...]) -> str:
    return ",".join(dict.fromkeys(window.due.period for window in windows))


def _enrolled(
    plan: AnalysisPlan,
    warehouse: Warehouse,
    options: AnalysisOptions,
    aggregates: DailyAggregates | None,
) -> StageResult:
    """Make sure of the enrollments, unless that was done when the days were looked up."""
    own = enrollment_slice(plan, ResultTable.ENROLLMENTS)
    if aggregates is not None and aggregates.enrollments == own:
        return aggregates.enrolled
    return ensure_enrollments(plan, warehouse, options)


def _give_up(plan: AnalysisPlan, warehouse: Warehouse, reasons: tuple[Failure, ...]) -> StageResult:
    """No enrollments, no metrics: the reason is stored for this plan, so that it is asked once."""
    for windows, (_, failed) in _wanted(plan):
        origin = provenance(plan, windows_fingerprint(plan.settled, windows))
        store_failures(warehouse, failed, reasons, origin)
    return StageResult(failures=reasons)


def ensure_metrics(plan: AnalysisPlan, warehouse: Warehouse) -> tuple[Failure, ...]:
    """Make sure that the metrics that this plan's statistics read are there; return their failures.

    What was computed for the same plan is reused, whether it gave a table or only a reason.
    """
    answered = all(
        _answered(warehouse, windows_fingerprint(plan.settled, windows), *slices)
        for windows, slices in _wanted(plan)
    )
    if not answered:
        return compute_metrics(plan, warehouse).failures
    tables = [failed for _, (_, failed) in _wanted(plan)]
    tables.append(enrollment_slice(plan, ResultTable.ENROLLMENTS_FAILURES))
    found = (stored_failures(warehouse, failed) for failed in tables)
    return tuple(dict.fromkeys(failure for failures in found for failure in failures))


def _wanted(
    plan: AnalysisPlan,
) -> Iterator[tuple[tuple[PlannedWindow, ...], tuple[Slice, Slice]]]:
    """The windows that go to one slice, that slice, and the slice of their failures."""
    if plan.preenrollment:
        yield (
            plan.preenrollment,
            (
                enrollment_slice(plan, ResultTable.PREENROLLMENT_METRICS),
                enrollment_slice(plan, ResultTable.PREENROLLMENT_METRICS_FAILURES),
            ),
        )
    if plan.observation_windows:
        yield (
            plan.observation_windows,
            (
                cell_slice(plan, ResultTable.METRICS),
                cell_slice(plan, ResultTable.METRICS_FAILURES),
            ),
        )


def _answered(warehouse: Warehouse, fingerprint: str, *slices: Slice) -> bool:
    stored = (warehouse.provenance(target) for target in slices)
    return any(origin is not None and origin.fingerprint == fingerprint for origin in stored)


@dataclass(frozen=True)
class _Computation:
    """The metrics of some windows on the bases whose units are known."""

    plan: AnalysisPlan
    warehouse: Warehouse
    known: AnalysisConfiguration
    bases: tuple[AnalysisBasis, ...]
    windows: tuple[PlannedWindow, ...]
    aggregates: DailyAggregates | None

    def ensure(self, target: Slice, failed: Slice) -> StageResult:
        """Reuse a slice of metrics that was computed from the same, else replace it."""
        origin = self._origin()
        stored = self.warehouse.provenance(target)
        # The commit may differ: what it changed is in the fingerprint.
        if self.aggregates is not None and stored is not None and same_inputs(stored, origin):
            return StageResult(reused=(target,), failures=stored_failures(self.warehouse, failed))
        return self.replace(target, failed, origin)

    def replace(self, target: Slice, failed: Slice, origin: Provenance) -> StageResult:
        """Replace a slice of metrics, without those that make the warehouse refuse.

        Binding finds nearly every fault without reading a row; only a fault in the data itself (a
        bad cast, an overflow) needs the snippets to be run one by one. Where the warehouse refuses
        what is rolled up and no metric alone, the rows are asked; where it refuses these, too, all
        metrics are left out, so that units are still counted.
        """
        all_metrics = () if self.aggregates is not None else (None,)
        checks = iter((self.warehouse.dry_run, self.warehouse.query, *all_metrics))
        failures: tuple[Failure, ...] = ()
        result = None
        while result is None:
            try:
                written = self.warehouse.replace(target, self._query(failures), origin)
                result = StageResult((written,), failures=failures)
            except QueryError as error:
                failures = self._first_culprits(checks, error)
                if not failures and self.aggregates is not None:
                    return replace(self, aggregates=None).replace(target, failed, origin)
                if not failures:
                    result = StageResult(failures=tuple(self._everything(error)))
        store_failures(self.warehouse, failed, result.failures, origin)
        return result

    def _origin(self) -> Provenance:
        """What the slice is computed from: the plan's part of it, and what was read of each day.

        The fingerprint is that of what was asked for, so that a stored reason answers it as well.
        """
        origin = provenance(self.plan, windows_fingerprint(self.plan.settled, self.windows))
        return replace(origin, details=self._inputs())

    def _inputs(self) -> str:
        if self.aggregates is None:
            return FROM_ROWS
        stored = self.warehouse.provenance(self._enrollment_slice)
        told: list[object] = [stored.fingerprint if stored else "", stored and stored.details]
        is_before = self.windows[0].due.period.is_preenrollment
        if self.known.exposure_signal and AnalysisBasis.EXPOSURES in self.bases and not is_before:
            # Rows of a signal may come after enrollment; those before it are the enrollments'.
            told.append(exposures_mark(self.plan, self.warehouse))
        for window in self.windows:
            told.append(self.aggregates.mark(self.plan, window))
            told += [self._rows_mark(source, window) for source in self._windowed(window)]
        return hashlib.sha256(repr(told).encode()).hexdigest()[:16]

    def _windowed(self, window: PlannedWindow) -> tuple[DataSource, ...]:
        return self.aggregates.windowed_sources(window) if self.aggregates else ()

    def _rows_mark(self, source: DataSource, window: PlannedWindow) -> object:
        """What a source that is read for this window holds of its days."""
        first, last = self.plan.experiment.timeline.data_range(window.due.window)
        try:
            return self.warehouse.source_days(
                sources.relation(source), sources.day(source), first, min(last, self.plan.date)
            )
        except QueryError as error:
            return error.problem

    def _first_culprits(
        self, checks: Iterator[Callable[[exp.Expr], object] | None], refusal: QueryError
    ) -> tuple[Failure, ...]:
        """What the next check that finds any culprit finds; empty when no check is left."""
        found = (tuple(self._culprits(check, refusal)) for check in checks)
        return next(filter(None, found), ())

    def _everything(self, error: QueryError) -> Iterator[Failure]:
        """No metric is to blame, and nothing of these windows is known."""
        for window in self.windows:
            yield Failure(
                Stage.METRICS,
                f"The metrics could not be computed: {error.problem}",
                type(error).__name__,
                period=window.due.period,
                window_index=window.due.index,
                sql=error.sql,
            )

    def _query(self, failures: tuple[Failure, ...]) -> exp.Select:
        return metrics_query(
            self.known,
            self.windows,
            self._enrollments,
            without=_left_out(failures),
            bases=self.bases,
            stored=self.aggregates.stored(self.plan, self.windows) if self.aggregates else {},
            exposures=self._exposures,
        )

    @property
    def _exposures(self) -> exp.Expr | None:
        """The stored rows of an exposure signal, which each window looks through anew."""
        is_stored = self.aggregates is not None and AnalysisBasis.EXPOSURES in self.bases
        return exposure_event_days(self.plan).relation if is_stored else None

    @property
    def _enrollments(self) -> exp.Table:
        return self._enrollment_slice.reference

    @property
    def _enrollment_slice(self) -> Slice:
        return enrollment_slice(self.plan, ResultTable.ENROLLMENTS)

    def _culprits(
        self, check: Callable[[exp.Expr], object] | None, refusal: QueryError
    ) -> Iterator[Failure]:
        """The metrics that fail when checked alone; all of them when there is no check left."""
        for window, basis, name in self._metrics():
            try:
                if check is None:
                    raise refusal
                check(metric_probe(self.known, window, basis, name, self._enrollments))
            except QueryError as error:
                message = (
                    f"The metric {name} could not be computed: {error.problem}"
                    f"{_where(self.known.metric(name))}"
                )
                yield _failure(window, basis, name, message, error)

    def _metrics(self) -> Iterator[tuple[PlannedWindow, AnalysisBasis, str]]:
        """Every (window, basis, metric) that the query computes."""
        for window in self.windows:
            for basis in self.bases:
                for name in window.metrics:
                    if basis in self.known.metric(name).analysis_bases:
                        yield window, basis, name


def _where(metric: Metric) -> str:
    """Where the metric and its data source are written, where that is known."""
    source = metric.data_source.origin if metric.data_source else ""
    written = " and ".join(part for part in (metric.origin, source) if part)
    return f" (See {written}.)" if written else ""


def _left_out(failures: tuple[Failure, ...]) -> set[tuple[Period, int, AnalysisBasis, str]]:
    return {
        (failure.period, failure.window_index, failure.analysis_basis, failure.metric)
        for failure in failures
        if failure.period and failure.window_index and failure.analysis_basis and failure.metric
    }


def _failure(
    window: PlannedWindow, basis: AnalysisBasis, metric: str, message: str, error: QueryError
) -> Failure:
    return Failure(
        Stage.METRICS,
        message,
        type(error).__name__,
        period=window.due.period,
        window_index=window.due.index,
        analysis_basis=basis,
        metric=metric,
        sql=error.sql,
    )
