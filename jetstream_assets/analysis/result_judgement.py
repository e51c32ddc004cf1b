"""What became of each result of a cell: judged by what is stored, never by a green run.

Belongs here: the rules. Does not: which results there are (`declared_results`), what is stored of
them (`stored_results`), storing what was found (`result_status`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from jetstream_assets.analysis.declared_results import (
    DeclaredResult,
    ResultKey,
    awaited,
    declared_results,
)
from jetstream_assets.analysis.slices import cell_slice, enrollment_slice
from jetstream_assets.analysis.stage import stored_failures
from jetstream_assets.analysis.stored_results import (
    ResultState,
    ResultStatus,
    StoredResult,
    stored_results,
)
from jetstream_assets.experiments.failures import Interruption, RefusalKind
from jetstream_assets.experiments.fingerprints import statistics_fingerprint
from jetstream_assets.experiments.plan import AnalysisPlan
from jetstream_assets.warehouse.base import Warehouse
from jetstream_assets.warehouse.tables import ResultTable

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

# An experiment that is refused for one of these is not to have results; all else is to be mended.
_DELIBERATE = frozenset(
    {
        RefusalKind.ENDED,
        RefusalKind.ENROLLMENT_NOT_COMPLETE,
        RefusalKind.NO_START_DATE,
        RefusalKind.ROLLOUT,
        RefusalKind.SKIPPED,
    }
)


@dataclass(frozen=True)
class Problem:
    """Why a cell's results are not those of its plan."""

    reason: str
    exception_type: str


@dataclass(frozen=True)
class Judgement:
    """The results of one cell, and what an earlier run said of them."""

    plan: AnalysisPlan
    warehouse: Warehouse
    former: tuple[ResultStatus, ...]

    def statuses(self) -> Iterator[ResultStatus]:
        """What became of each result of a cell that was computed, idle or refused."""
        refusal = self.plan.refusal
        if refusal is not None:
            problem = Problem(refusal.message, refusal.kind.value)
            if refusal.kind in _DELIBERATE:
                yield from self._all_awaited()
            else:
                yield from self.without_success(problem)
        elif self.plan.windows and not self._are_current():
            reason = "the statistics were not computed from the plan as it is now"
            yield from self.without_success(Problem(reason, Interruption.MISSING_RESULT.value))
        else:
            yield from self._computed()

    def without_success(self, problem: Problem) -> Iterator[ResultStatus]:
        """Stale where a result is stored, failed where it should be, and else not due."""
        stored = self._stored()
        due, not_due = self._due(stored)
        for key in due:
            of_key = stored.get(key)
            has_result = of_key is not None and of_key.failed < of_key.rows
            state = ResultState.STALE if has_result else ResultState.FAILED
            yield ResultStatus(key, state, problem.reason, problem.exception_type)
        yield from not_due

    def _computed(self) -> Iterator[ResultStatus]:
        stored, statements = (self._stored(), self._statements()) if self.plan.windows else ({}, {})
        declared = {result.key: result for result in declared_results(self.plan)}
        for key in declared.keys() | stored.keys():
            result, of_key = declared.get(key, self._undeclared(key)), stored.get(key)
            if result.window is None or (of_key is not None and of_key.is_awaited):
                yield self._not_due(result)
            elif of_key is None:
                reason = "it is due, and no row of it was stored"
                yield ResultStatus(
                    key, ResultState.FAILED, reason, Interruption.MISSING_RESULT.value
                )
            else:
                yield self._of_rows(of_key, statements)

    def _undeclared(self, key: ResultKey) -> DeclaredResult:
        """Another output of a declared statistic."""
        named = (key.period, key.window_index)
        windows = (w for w in self.plan.windows if (w.due.period.value, w.due.index) == named)
        return DeclaredResult(key, next(windows, None))

    def _of_rows(self, stored: StoredResult, statements: Mapping[str, str]) -> ResultStatus:
        if stored.failed:
            reason = stored.failure or "no reason was stored"
            found = (sql for message, sql in statements.items() if reason.endswith(message))
            return ResultStatus(
                stored.key,
                ResultState.FAILED,
                reason,
                stored.exception_type,
                stored.sql or next(found, None),
            )
        if stored.insufficient:
            return ResultStatus(stored.key, ResultState.INSUFFICIENT_DATA, stored.shortage)
        if stored.is_provisional:
            last = self.plan.declared.experiment.timeline.last_enrollment_date
            reason = f"units enroll until {last}; it is of those that had lived through the window"
            return ResultStatus(stored.key, ResultState.PROVISIONAL, reason)
        return ResultStatus(stored.key, ResultState.OK)

    def _due(
        self, stored: Mapping[ResultKey, StoredResult]
    ) -> tuple[list[ResultKey], list[ResultStatus]]:
        """The results that should be there, and the statuses of those that need not."""
        refusal = self.plan.refusal
        if self.plan.configuration is None:
            due = {s.key for s in self.former if s.status is not ResultState.NOT_DUE}
            not_due = [s for s in self.former if s.status is ResultState.NOT_DUE]
        else:
            declared = list(declared_results(self.plan))
            is_refused = refusal is not None and refusal.kind not in _DELIBERATE
            due = {d.key for d in declared if is_refused or d.window is not None}
            not_due = [self._not_due(d) for d in declared if d.key not in due]
        due = (due - {ResultKey()}) | stored.keys()
        return list(due or ([] if not_due else [ResultKey()])), not_due

    def _all_awaited(self) -> Iterator[ResultStatus]:
        return (self._not_due(declared) for declared in declared_results(self.plan))

    def _not_due(self, declared: DeclaredResult) -> ResultStatus:
        why = awaited(self.plan, declared)
        return ResultStatus(declared.key, ResultState.NOT_DUE, why.reason, due_on=why.due_on)

    def _are_current(self) -> bool:
        stored = self.warehouse.provenance(cell_slice(self.plan, ResultTable.STATISTICS))
        return stored is not None and stored.fingerprint == statistics_fingerprint(self.plan)

    def _stored(self) -> dict[ResultKey, StoredResult]:
        return stored_results(self.warehouse, cell_slice(self.plan, ResultTable.STATISTICS))

    def _statements(self) -> dict[str, str]:
        """The statements that the stages before the statistics could not run, by message."""
        slices = (
            cell_slice(self.plan, ResultTable.METRICS_FAILURES),
            enrollment_slice(self.plan, ResultTable.PREENROLLMENT_METRICS_FAILURES),
            enrollment_slice(self.plan, ResultTable.ENROLLMENTS_FAILURES),
        )
        failures = (f for target in slices for f in stored_failures(self.warehouse, target))
        return {failure.message: failure.sql for failure in failures if failure.sql}
