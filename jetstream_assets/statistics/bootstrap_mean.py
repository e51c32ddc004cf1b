"""The mean of capped values with the interval of the Bayesian bootstrap.

Belongs here: the statistic ``bootstrap_mean``, stored as ``mean``. Does not: its posterior
(`cumulants`), pairs (`posterior`), few units (`dirichlet_draws`).

Values above the quantile 1 - ``drop_highest`` of their own branch are capped at it. The parameter
``num_samples`` matters only where draws are needed: below `FEWEST_UNITS` units, and below
`FEWEST_SKEWED_UNITS` of a skewed posterior.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from jetstream_assets.experiments.needs import CapScope, Histogram, Moments
from jetstream_assets.statistics.cumulants import bayesian_bootstrap
from jetstream_assets.statistics.dirichlet_draws import mean_draws
from jetstream_assets.statistics.layout import (
    Comparison,
    Estimate,
    Label,
    comparison_rows,
    joined,
    remark_of_odd,
    single_rows,
)
from jetstream_assets.statistics.linear_model import unadjusted_arm
from jetstream_assets.statistics.posterior import (
    FEWEST_FOR_LEVEL,
    TOO_LARGE,
    Posterior,
    compared,
    interval,
)
from jetstream_assets.statistics.sequential import SEQUENTIAL, sequential_rows
from jetstream_assets.statistics.shape import Shape, remark_of_branch, remark_of_few

if TYPE_CHECKING:
    from collections.abc import Mapping

    from jetstream_assets.experiments.needs import Need
    from jetstream_assets.statistics.base import Question, StatisticRow
    from jetstream_assets.statistics.collected import BranchMoments, Collected
    from jetstream_assets.statistics.distribution import Distribution

FEWEST_UNITS = 30
# Between these, the cumulants of a skewed posterior miss the bounds of a ratio by up to 20 % of
# their distance; beyond, by at most 5 %.
FEWEST_SKEWED_UNITS = 200
SKEWED = 0.5


@dataclass(frozen=True)
class BootstrapMean:
    """One row per branch, and difference and relative uplift of every pair.

    The point of a relative uplift is the posterior mean of branch / reference - 1.
    """

    outputs: tuple[str, ...] = ("mean", "mean" + SEQUENTIAL)

    def needs(self, question: Question) -> tuple[Need, ...]:
        """The moments, and the values themselves of branches with few units."""
        return (_moments(question), _histogram(question))

    def rows(self, question: Question, collected: Collected) -> list[StatisticRow]:
        """The rows of all branches and pairs."""
        moments = collected.moments[_moments(question)]
        few = collected.histograms.get(_histogram(question), {})
        posteriors = {
            branch: _posterior(question, branch, m, few.get(branch))
            for branch, m in moments.items()
            if m.units
        }
        level = question.confidence
        label = Label(self.outputs[0], level)

        def compare(branch: str, reference: str) -> Comparison:
            return compared(posteriors[branch], posteriors[reference], level)

        singles = {branch: _single(p, level) for branch, p in posteriors.items()}
        return [
            *single_rows(question, label, singles),
            *comparison_rows(question, label, list(posteriors), compare),
            *self._sequential(question, label, posteriors),
        ]

    def _sequential(
        self, question: Question, label: Label, posteriors: Mapping[str, Posterior]
    ) -> list[StatisticRow]:
        moments = {branch: p.moments for branch, p in posteriors.items()}
        arms = {branch: unadjusted_arm(m) for branch, m in moments.items()}
        shapes = {branch: p.shape for branch, p in posteriors.items()}
        return sequential_rows(question, label, arms, shapes, moments)


def _moments(question: Question) -> Moments:
    return Moments(question.value, question.number("drop_highest"), CapScope.BRANCH)


def _histogram(question: Question) -> Histogram:
    return Histogram(question.value, FEWEST_SKEWED_UNITS - 1)


def _posterior(
    question: Question, branch: str, moments: BranchMoments, values: Distribution | None
) -> Posterior:
    seed = repr((question.summary, question.analysis_basis, question.segment, branch))
    samples = int(question.number("num_samples"))
    cumulants, draws = bayesian_bootstrap(moments), None
    is_rough = moments.units < FEWEST_UNITS or abs(cumulants.skewness) > SKEWED
    if values is not None and is_rough and moments.units < FEWEST_SKEWED_UNITS:
        draws = mean_draws(values, moments.highest_after_cap, samples, seed)
    shape = Shape.of_values(moments, question.number("drop_highest"))
    return Posterior(moments, shape, cumulants, seed, samples, draws)


def _single(posterior: Posterior, level: float) -> Estimate:
    moments, remark = posterior.moments, remark_of_odd(posterior.moments.odd)
    if reason := _without_variation(moments):
        return Estimate(moments.units, moments.mean, reason=reason, remark=remark)
    lower, upper = interval(posterior.cumulants, posterior.draws, level)
    remark = joined(
        remark,
        remark_of_few(moments.units, FEWEST_FOR_LEVEL),
        remark_of_branch(posterior.shape),
    )
    return Estimate(moments.units, moments.mean, lower, upper, remark=remark)


def _without_variation(moments: BranchMoments) -> str:
    if moments.units == 1:
        return "one unit has no spread, so that there is no interval"
    if not math.isfinite(moments.m4):
        return TOO_LARGE
    if not moments.is_constant:
        return ""
    if moments.threshold is not None and moments.threshold < moments.highest:
        return (
            f"the cap at {moments.threshold:g} leaves all {moments.units} units the same value; "
            "a lower drop_highest would keep their differences"
        )
    return f"all {moments.units} units have the same value, so that there is no interval"
