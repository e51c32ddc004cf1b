"""Who enrolled: the enrollments slice, computed from events that were read day by day, then reused.

Belongs here: deciding whether the slice is there, and computing it without the parts that are
refused. Does not: the query (`sql.enrollments`), the events (`known_events`), which part is to
blame (`enrollment_failures`).

The slice is that of the last enrollment date, or of the cell's own date while units enroll.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from jetstream_assets.analysis.enrollment_failures import culprits, no_enrollments
from jetstream_assets.analysis.known_events import KnownEvents, read_events
from jetstream_assets.analysis.options import DEFAULT_OPTIONS, AnalysisOptions
from jetstream_assets.analysis.slices import enrollment_slice, provenance
from jetstream_assets.analysis.stage import StageResult, store_failures, stored_failures
from jetstream_assets.errors import QueryError
from jetstream_assets.experiments.metrics import AnalysisBasis
from jetstream_assets.experiments.plan import AnalysisPlan
from jetstream_assets.sql.enrollments import enrollments_query
from jetstream_assets.warehouse.base import Provenance, Warehouse
from jetstream_assets.warehouse.tables import ResultTable, Slice

if TYPE_CHECKING:
    from collections.abc import Sequence

    from jetstream_assets.experiments.configuration import AnalysisConfiguration
    from jetstream_assets.experiments.failures import Failure


def compute_enrollments(
    plan: AnalysisPlan, warehouse: Warehouse, options: AnalysisOptions = DEFAULT_OPTIONS
) -> StageResult:
    """Compute the enrollments on the date they belong to; on a later date make sure of them."""
    if not plan.windows:
        return StageResult(note=plan.note)
    computation = _computation(plan, warehouse, options)
    is_own_date = plan.date == computation.target.date
    return computation.compute() if is_own_date or options.is_full else computation.ensure()


def ensure_enrollments(
    plan: AnalysisPlan, warehouse: Warehouse, options: AnalysisOptions = DEFAULT_OPTIONS
) -> StageResult:
    """Reuse the stored enrollments if they answer this plan, else compute them.

    The query reads nothing after the last enrollment date, so the slice is the same whichever cell
    computes it, and whenever. Events of a day that changed, and a segment or exposures that were
    refused then and would not be now, since a table has come, are reasons to compute them again.
    """
    return _computation(plan, warehouse, options).ensure()


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


def _computation(
    plan: AnalysisPlan, warehouse: Warehouse, options: AnalysisOptions
) -> _Computation:
    return _Computation(plan, warehouse, read_events(plan, warehouse, options))


@dataclass(frozen=True)
class _Computation:
    """The enrollments that follow from what is known of a plan's events."""

    plan: AnalysisPlan
    warehouse: Warehouse
    events: KnownEvents

    @property
    def target(self) -> Slice:
        """Where the enrollments are stored."""
        return enrollment_slice(self.plan, ResultTable.ENROLLMENTS)

    def ensure(self) -> StageResult:
        """Reuse what is stored if it would be computed again as it is."""
        stored = self.warehouse.provenance(self.target)
        if stored is not None and stored.fingerprint == self.events.fingerprint:
            failures = stored_failures(self.warehouse, self._failed)
            if not failures or _parts(failures) == _parts(self._all_culprits()):
                return self._result(StageResult(reused=(self.target,), failures=failures))
        return self.compute()

    def compute(self) -> StageResult:
        """Compute the enrollments, without the segments or exposures that are refused."""
        result = self._attempt(self.events.failures)
        if available_bases(self.events.failures) and not available_bases(result.failures):
            found = self._all_culprits()
            result = self._attempt(found) if found != self.events.failures else result
        store_failures(self.warehouse, self._failed, result.failures, self._origin)
        return self._result(result)

    def _attempt(self, failures: tuple[Failure, ...]) -> StageResult:
        """Compute what is left without the failures; if that is refused, too, nothing is known."""
        bases = available_bases(failures)
        if not bases:
            return StageResult(failures=failures)
        query = enrollments_query(
            computable(self.plan.settled, failures),
            self.events.stored,
            with_exposures=AnalysisBasis.EXPOSURES in bases,
        )
        try:
            written = self.warehouse.replace(self.target, query, self._origin)
        except QueryError as error:
            return StageResult(failures=(no_enrollments(self.plan, error),))
        return StageResult((written,), failures=failures)

    def _all_culprits(self) -> tuple[Failure, ...]:
        known, stored = self.events.failures, self.events.stored
        return known + culprits(self.plan, self.warehouse, stored, with_exposures=not known)

    def _result(self, result: StageResult) -> StageResult:
        return replace(
            result,
            written=self.events.written + result.written,
            warnings=self.events.warnings,
        )

    @property
    def _failed(self) -> Slice:
        return enrollment_slice(self.plan, ResultTable.ENROLLMENTS_FAILURES)

    @property
    def _origin(self) -> Provenance:
        return provenance(self.plan, self.events.fingerprint)


def _parts(failures: Sequence[Failure]) -> set[tuple[str | None, AnalysisBasis | None]]:
    return {(failure.segment, failure.analysis_basis) for failure in failures}
