"""The metrics of a cell's windows: one query for all of them, and the culprit when it is refused.

Belongs here: which slice which windows go to, reusing pre-enrollment metrics, finding the metric
whose snippet made the warehouse refuse. Does not: the query (`sql.metrics`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from jetstream_assets.analysis.enrollments import (
    available_bases,
    computable,
    ensure_enrollments,
)
from jetstream_assets.analysis.slices import cell_slice, enrollment_slice, provenance
from jetstream_assets.analysis.stage import StageResult, store_failures, stored_failures
from jetstream_assets.errors import QueryError
from jetstream_assets.experiments.configuration import AnalysisConfiguration
from jetstream_assets.experiments.failures import Failure, Stage
from jetstream_assets.experiments.metrics import AnalysisBasis, Metric
from jetstream_assets.experiments.plan import AnalysisPlan, PlannedWindow, windows_fingerprint
from jetstream_assets.sql.metrics import metric_probe, metrics_query
from jetstream_assets.warehouse.base import Warehouse
from jetstream_assets.warehouse.tables import ResultTable, Slice

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sqlglot import exp

    from jetstream_assets.experiments.windows import Period


def compute_metrics(plan: AnalysisPlan, warehouse: Warehouse) -> StageResult:
    """Compute the metrics of every due window, and the pre-enrollment metrics if they are missing.

    Every window's rows are replaced as one slice. A metric whose SQL the warehouse refuses is left
    out and stored as a failure; the others get their values.
    """
    if not plan.windows:
        return StageResult(note=plan.note)
    enrolled = ensure_enrollments(plan, warehouse)
    bases = available_bases(enrolled.failures)
    if not bases:
        return _give_up(plan, warehouse, enrolled.failures)
    known = computable(plan.settled, enrolled.failures)
    parts = [
        _preenrollment(plan, warehouse, known, bases),
        _observed(plan, warehouse, known, bases),
    ]
    return StageResult(
        written=enrolled.written + tuple(w for part in parts for w in part.written),
        reused=enrolled.reused + tuple(s for part in parts for s in part.reused),
        failures=enrolled.failures + tuple(f for part in parts for f in part.failures),
    )


def _give_up(plan: AnalysisPlan, warehouse: Warehouse, reasons: tuple[Failure, ...]) -> StageResult:
    """No enrollments, no metrics: the reason is stored for this plan, so that it is asked once."""
    for fingerprint, (_, failed) in _wanted(plan):
        store_failures(warehouse, failed, reasons, provenance(plan, fingerprint))
    return StageResult(failures=reasons)


def ensure_metrics(plan: AnalysisPlan, warehouse: Warehouse) -> tuple[Failure, ...]:
    """Make sure that the metrics that this plan's statistics read are there; return their failures.

    What was computed for the same plan is reused, whether it gave a table or only a reason.
    """
    answered = all(
        _answered(warehouse, fingerprint, *slices) for fingerprint, slices in _wanted(plan)
    )
    if not answered:
        return compute_metrics(plan, warehouse).failures
    tables = [failed for _, (_, failed) in _wanted(plan)]
    tables.append(enrollment_slice(plan, ResultTable.ENROLLMENTS_FAILURES))
    found = (stored_failures(warehouse, failed) for failed in tables)
    return tuple(dict.fromkeys(failure for failures in found for failure in failures))


def _wanted(plan: AnalysisPlan) -> Iterator[tuple[str, tuple[Slice, Slice]]]:
    """The fingerprint, the slice and the failures' slice of all that the plan needs."""
    if plan.preenrollment:
        yield (
            windows_fingerprint(plan.settled, plan.preenrollment),
            (
                enrollment_slice(plan, ResultTable.PREENROLLMENT_METRICS),
                enrollment_slice(plan, ResultTable.PREENROLLMENT_METRICS_FAILURES),
            ),
        )
    if plan.observation_windows:
        yield (
            windows_fingerprint(plan.settled, plan.observation_windows),
            (
                cell_slice(plan, ResultTable.METRICS),
                cell_slice(plan, ResultTable.METRICS_FAILURES),
            ),
        )


def _answered(warehouse: Warehouse, fingerprint: str, *slices: Slice) -> bool:
    stored = (warehouse.provenance(target) for target in slices)
    return any(origin is not None and origin.fingerprint == fingerprint for origin in stored)


def _preenrollment(
    plan: AnalysisPlan,
    warehouse: Warehouse,
    known: AnalysisConfiguration,
    bases: tuple[AnalysisBasis, ...],
) -> StageResult:
    """Compute the pre-enrollment metrics on the date they belong to; later, make sure of them."""
    if not plan.preenrollment:
        return StageResult()
    target = enrollment_slice(plan, ResultTable.PREENROLLMENT_METRICS)
    failed = enrollment_slice(plan, ResultTable.PREENROLLMENT_METRICS_FAILURES)
    stored = warehouse.provenance(target)
    fingerprint = windows_fingerprint(plan.settled, plan.preenrollment)
    if plan.date != target.date and stored is not None and stored.fingerprint == fingerprint:
        return StageResult(reused=(target,), failures=stored_failures(warehouse, failed))
    return _Computation(plan, warehouse, known, bases, plan.preenrollment).replace(target, failed)


def _observed(
    plan: AnalysisPlan,
    warehouse: Warehouse,
    known: AnalysisConfiguration,
    bases: tuple[AnalysisBasis, ...],
) -> StageResult:
    windows = plan.observation_windows
    target = cell_slice(plan, ResultTable.METRICS)
    failed = cell_slice(plan, ResultTable.METRICS_FAILURES)
    if not windows:
        return StageResult()
    return _Computation(plan, warehouse, known, bases, windows).replace(target, failed)


@dataclass(frozen=True)
class _Computation:
    """The metrics of some windows on the bases whose units are known."""

    plan: AnalysisPlan
    warehouse: Warehouse
    known: AnalysisConfiguration
    bases: tuple[AnalysisBasis, ...]
    windows: tuple[PlannedWindow, ...]

    def replace(self, target: Slice, failed: Slice) -> StageResult:
        """Replace a slice of metrics, without those that make the warehouse refuse.

        Binding finds nearly every fault without reading a row; only a fault in the data itself (a
        bad cast, an overflow) needs the snippets to be run one by one. Where the warehouse refuses
        the whole and no part of it, all metrics are left out, so that units are still counted.
        """
        # The fingerprint is that of what was asked for, so that a reason answers it as well.
        origin = provenance(self.plan, windows_fingerprint(self.plan.settled, self.windows))
        checks = iter((self.warehouse.dry_run, self.warehouse.query, None))
        failures: tuple[Failure, ...] = ()
        result = None
        while result is None:
            try:
                written = self.warehouse.replace(target, self._query(failures), origin)
                result = StageResult((written,), failures=failures)
            except QueryError as error:
                failures = self._first_culprits(checks, error)
                if not failures:
                    result = StageResult(failures=tuple(self._everything(error)))
        store_failures(self.warehouse, failed, result.failures, origin)
        return result

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
        )

    @property
    def _enrollments(self) -> exp.Table:
        return enrollment_slice(self.plan, ResultTable.ENROLLMENTS).reference

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
