"""Why a summary cannot be asked about at all: a reason that becomes a row, never a blank.

Belongs here: obstacles known before anything is collected. Does not: what the data do not
determine (`statistics`), what the warehouse refuses (`collection`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from jetstream_assets.analysis.unit_columns import UnitColumns
from jetstream_assets.experiments.failures import Failure
from jetstream_assets.experiments.metrics import AnalysisBasis
from jetstream_assets.statistics.registry import REGISTRY

if TYPE_CHECKING:
    from jetstream_assets.experiments.metrics import Metric, Summary
    from jetstream_assets.experiments.windows import Period


@dataclass(frozen=True)
class Obstacle:
    """A reason, and the name of the exception that it would be if it were raised.

    There is no exception where nothing is wrong and the result is only to come. ``sql`` is the
    statement that was refused, where it is stored nowhere else.
    """

    reason: str
    exception_type: str | None
    sql: str | None = None


@dataclass(frozen=True)
class Obstacles:
    """What is known before a window is collected.

    Args:
        failures: What the metrics stage could not compute.
        columns: The columns of the window's metrics.
        preenrollment: The columns of the pre-enrollment metrics; None when there are none.
        awaited: Why segments and covariates are still to come; empty when they are there.
    """

    failures: Sequence[Failure]
    columns: UnitColumns
    preenrollment: UnitColumns | None
    awaited: str = ""

    def of_metric(
        self, metric: str, period: Period, index: int, basis: AnalysisBasis
    ) -> Obstacle | None:
        """Why the metrics stage has no values; a failure's field that is None covers all."""
        for failure in self.failures:
            if (
                failure.metric in (None, metric)
                and failure.segment is None
                and failure.period in (None, period)
                and failure.window_index in (None, index)
                and failure.analysis_basis in (None, basis)
            ):
                return Obstacle(failure.message, failure.exception_type)
        return None

    def to_bases(self, period: Period, index: int) -> dict[AnalysisBasis, Obstacle]:
        """The bases whose units are not known, and why: no failure of one metric alone."""
        whole = replace(self, failures=[f for f in self.failures if f.metric is None])
        found = {basis: whole.of_metric("", period, index, basis) for basis in AnalysisBasis}
        return {basis: obstacle for basis, obstacle in found.items() if obstacle is not None}

    def of_definition(self, summary: Summary, metric: Metric) -> Obstacle | None:
        """Why the statistic cannot be made of the metric."""
        if summary.statistic not in REGISTRY:
            reason = f"the statistic {summary.statistic!r} is not available yet"
            return Obstacle(reason, "StatisticNotAvailableError")
        if metric.select_expression is None and metric.name in summary.measured:
            listed = ", ".join(metric.depends_on) or "none"
            reason = (
                f"{metric.name!r} is computed from other metrics ({listed}) and has no value per "
                f"unit, so that the statistic {summary.statistic!r} cannot be made of it"
            )
            return Obstacle(reason, "StatisticNotAvailableError")
        return None

    def of_basis(self, metric: Metric, basis: AnalysisBasis) -> Obstacle | None:
        """Why a part of another metric has no values on an analysis basis."""
        if basis in metric.analysis_bases:
            return None
        reason = f"the metric {metric.name!r} is not computed on basis {basis.value!r}"
        return Obstacle(reason, "QueryError")

    def of_column(self, metric: str) -> Obstacle | None:
        """Why the metric's values cannot be used."""
        reason = self.columns.unusable(metric)
        return Obstacle(reason, "QueryError") if reason else None

    def of_segment(self, segment: str) -> Obstacle | None:
        """Why the units of a configured segment are not known."""
        if self.awaited:
            return Obstacle(f"the segment {segment!r} is not known yet: {self.awaited}", None)
        if segment in self.columns.types:
            return None
        for failure in self.failures:
            if failure.segment == segment:
                return Obstacle(failure.message, failure.exception_type)
        reason = f"the segment {segment!r} was not computed: the metrics have no such column"
        return Obstacle(reason, "QueryError")

    def of_covariate(self, summary: Summary) -> str:
        """Why the covariate cannot be had; empty when it can or none is configured."""
        covariate = summary.covariate
        if covariate is None:
            return ""
        if self.awaited:
            return f"the covariate {covariate.metric!r} is not known yet: {self.awaited}"
        reasons = (self._of_earlier(name, covariate.period) for name in summary.covariates)
        return next((reason for reason in reasons if reason), "")

    def _of_earlier(self, metric: str, period: Period) -> str:
        """Why a metric's values of a pre-enrollment period cannot be had; empty when they can."""
        wanted = f"the covariate {metric!r} of {period.value} cannot be used"
        obstacle = self.of_metric(metric, period, 1, AnalysisBasis.ENROLLMENTS)
        if obstacle is not None:
            return f"{wanted}: {obstacle.reason}"
        if self.preenrollment is None:
            return f"{wanted}: there are no pre-enrollment metrics"
        reason = self.preenrollment.unusable(metric)
        return f"{wanted}: {reason}" if reason else ""
