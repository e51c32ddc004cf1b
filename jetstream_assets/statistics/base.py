"""A statistic declares what it needs, gets it, and answers with rows; it never fetches.

Belongs here: the protocol, the question asked of a statistic, the row it answers with. Does not:
any statistic, and how single and compared branches are laid out in rows (`layout`).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple, Protocol

from jetstream_assets.experiments.metrics import AnalysisBasis, Scalar, Summary
from jetstream_assets.experiments.needs import Value
from jetstream_assets.experiments.statistic_parameters import STATISTICS

if TYPE_CHECKING:
    from jetstream_assets.experiments.needs import Need
    from jetstream_assets.statistics.collected import Collected

DEFAULT_CONFIDENCE = 0.95


class Status(StrEnum):
    """Whether a row has its numbers.

    ``INSUFFICIENT_DATA``: the units do not determine (all of) them; what is meaningful is there.
    ``FAILED``: something is wrong with the configuration, the metric or the warehouse.
    """

    OK = "ok"
    INSUFFICIENT_DATA = "insufficient_data"
    FAILED = "failed"


class ComparisonKind(StrEnum):
    """How a branch is compared with a reference: branch - reference, or branch / reference - 1."""

    DIFFERENCE = "difference"
    RELATIVE_UPLIFT = "relative_uplift"


class StatisticRow(NamedTuple):
    """One number with its interval, or the reason why there is none.

    The fields mirror the columns of the statistics table that do not depend on the window; see
    there for their meaning. A tuple, since there are many rows and a frozen dataclass takes four
    times as long to make.
    """

    analysis_basis: AnalysisBasis
    segment: str
    metric: str
    statistic: str
    parameter: float | None = None
    branch: str | None = None
    comparison: ComparisonKind | None = None
    comparison_to_branch: str | None = None
    ci_width: float | None = None
    point: float | None = None
    lower: float | None = None
    upper: float | None = None
    p_value: float | None = None
    p_value_adjusted: float | None = None
    units: int | None = None
    covariate: str | None = None
    status: Status = Status.OK
    reason: str | None = None
    exception_type: str | None = None
    sql: str | None = None


@dataclass(frozen=True)
class Question:
    """What is asked of a statistic: one summary, for one segment and analysis basis.

    Args:
        summary: Metric, statistic, parameters and pre-treatments.
        analysis_basis: Which units count.
        segment: ``all`` or a segment's name.
        branches: The branches of the experiment, in its order; data may show others.
        is_preenrollment: Whether the window lies before enrollment; a covariate is not applied
            there.
        covariate_failure: Why the covariate cannot be had; empty when it can.
        is_covariate_awaited: Whether it can be had later, so that nothing is wrong.
    """

    summary: Summary
    analysis_basis: AnalysisBasis
    segment: str
    branches: tuple[str, ...]
    is_preenrollment: bool = False
    covariate_failure: str = ""
    is_covariate_awaited: bool = False

    @property
    def value(self) -> Value:
        """The metric after its pre-treatments."""
        return Value(self.summary.metric, self.summary.pre_treatments)

    @property
    def is_adjusted(self) -> bool:
        """Whether a covariate is asked for in this window, to be had or not."""
        return self.summary.covariate is not None and not self.is_preenrollment

    @property
    def confidence(self) -> float:
        """The confidence level of intervals."""
        given = dict(self.summary.parameters).get("confidence_interval")
        return DEFAULT_CONFIDENCE if given is None else _as_float("confidence_interval", given)

    def number(self, name: str) -> float:
        """A numeric parameter; its default where the summary does not carry it."""
        given = dict(self.summary.parameters)
        if name in given:
            return _as_float(name, given[name])
        parameters = STATISTICS[self.summary.statistic].parameters
        return _as_float(name, next(p.default for p in parameters if p.name == name))

    def flag(self, name: str) -> bool:
        """A parameter that is true or false; false where the statistic does not have it."""
        given = dict(self.summary.parameters)
        return bool(given.get(name, False))

    def failed(
        self, statistic: str, reason: str, exception_type: str | None, sql: str | None = None
    ) -> StatisticRow:
        """A row that says why a whole statistic has no result, with the statement that failed.

        Without an exception nothing is wrong: the result is to come, and so is what follows from a
        covariate that is awaited.
        """
        is_awaited = self.is_covariate_awaited and reason == self.covariate_failure
        kind = None if is_awaited else exception_type
        return StatisticRow(
            self.analysis_basis,
            self.segment,
            self.summary.metric,
            statistic,
            status=status_without_result(kind),
            reason=reason,
            exception_type=kind,
            sql=sql,
        )


def status_without_result(exception_type: str | None) -> Status:
    """The status of a row without any number: failed, unless nothing is wrong."""
    return Status.INSUFFICIENT_DATA if exception_type is None else Status.FAILED


class Statistic(Protocol):
    """One way to make numbers of a metric."""

    @property
    def outputs(self) -> tuple[str, ...]:
        """The names in the column ``statistic``; the first stands for the whole in a failure."""
        ...

    def needs(self, question: Question) -> tuple[Need, ...]:
        """What must be collected to answer the question."""
        ...

    def rows(self, question: Question, collected: Collected) -> list[StatisticRow]:
        """The answer: at least one row."""
        ...


def _as_float(name: str, value: Scalar) -> float:
    if value is None or isinstance(value, str):
        raise TypeError(f"parameter {name!r} is {value!r}, not a number")
    return float(value)
