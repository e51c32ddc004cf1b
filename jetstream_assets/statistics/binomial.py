"""The share of units with the value 1, under a flat prior.

Belongs here: the statistic ``binomial``. Does not: the distribution of a difference or ratio of
two beta variables (`beta_pairs`).

The posterior of a branch with s ones among n units is Beta(1 + s, 1 + n - s); the point of a
branch is its mean (s + 1) / (n + 2), the point of a relative uplift the posterior mean of
branch / reference - 1.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from jetstream_assets.experiments.needs import Totals
from jetstream_assets.statistics.beta_pairs import (
    Beta,
    difference_quantile,
    probability_below,
    ratio_quantile,
)
from jetstream_assets.statistics.layout import (
    Comparison,
    Estimate,
    Label,
    comparison_rows,
    joined,
    remark_of_odd,
    single_rows,
)
from jetstream_assets.statistics.linear_model import Arm
from jetstream_assets.statistics.sequential import SEQUENTIAL, sequential_rows
from jetstream_assets.statistics.shape import Shape, remark_of_branch, remark_of_pair

if TYPE_CHECKING:
    from collections.abc import Mapping

    from jetstream_assets.experiments.needs import Need
    from jetstream_assets.statistics.base import Question, StatisticRow
    from jetstream_assets.statistics.collected import BranchTotals, Collected


@dataclass(frozen=True)
class Binomial:
    """One row per branch, and difference and relative uplift of every pair.

    A value that is neither 0 nor 1 (TRUE is 1) makes the whole statistic fail for the segment.
    """

    outputs: tuple[str, ...] = ("binomial", "binomial" + SEQUENTIAL)

    def needs(self, question: Question) -> tuple[Need, ...]:
        """The totals of the value."""
        return (Totals(question.value),)

    def rows(self, question: Question, collected: Collected) -> list[StatisticRow]:
        """The rows of all branches and pairs."""
        found = collected.totals[Totals(question.value)]
        totals = {branch: t for branch, t in found.items() if t.units}
        others = sum(t.others for t in totals.values())
        if others:
            return [question.failed(self.outputs[0], _not_binary(others), "NotBinaryError")]
        level = question.confidence
        label = Label(self.outputs[0], level)

        def compare(branch: str, reference: str) -> Comparison:
            return _comparison(totals[branch], totals[reference], level)

        singles = {branch: _single(t, level) for branch, t in totals.items()}
        return [
            *single_rows(question, label, singles),
            *comparison_rows(question, label, list(totals), compare),
            *self._sequential(question, label, totals),
        ]

    def _sequential(
        self, question: Question, label: Label, totals: Mapping[str, BranchTotals]
    ) -> list[StatisticRow]:
        arms = {branch: _arm(t) for branch, t in totals.items()}
        shapes = {branch: Shape.of_shares(t) for branch, t in totals.items()}
        return sequential_rows(question, label, arms, shapes)


def _not_binary(others: int) -> str:
    units = "1 unit has" if others == 1 else f"{others} units have"
    return f"binomial takes the values 0 and 1 (or FALSE and TRUE); {units} another value"


def _arm(totals: BranchTotals) -> Arm:
    mean = totals.total / totals.units
    return Arm(totals.units, mean, totals.total * (1 - mean), odd=totals.odd)


def _posterior(totals: BranchTotals) -> Beta:
    return Beta(1 + totals.total, 1 + totals.units - totals.total)


def _single(totals: BranchTotals, level: float) -> Estimate:
    posterior = _posterior(totals)
    lower, upper = posterior.quantile((1 - level) / 2), posterior.quantile((1 + level) / 2)
    remark = joined(remark_of_odd(totals.odd), remark_of_branch(Shape.of_shares(totals)))
    return Estimate(totals.units, posterior.mean, lower, upper, remark=remark)


def _comparison(branch: BranchTotals, reference: BranchTotals, level: float) -> Comparison:
    first, second = _posterior(branch), _posterior(reference)
    units = branch.units + reference.units
    doubts = remark_of_pair(Shape.of_shares(branch), Shape.of_shares(reference))
    remark = joined(remark_of_odd(branch.odd + reference.odd), doubts)
    low, high = (1 - level) / 2, (1 + level) / 2
    difference = Estimate(
        units,
        first.mean - second.mean,
        difference_quantile(first, second, low),
        difference_quantile(first, second, high),
        remark=remark,
        p_value=_p_value(first, second),
    )
    lower, upper = ratio_quantile(first, second, low), ratio_quantile(first, second, high)
    return Comparison(
        difference,
        _relative(first, second, (lower, upper), units, remark),
        _relative(second, first, (1 / upper, 1 / lower), units, remark),
    )


def _p_value(first: Beta, second: Beta) -> float:
    """Twice the posterior probability of the rarer sign."""
    rarer = min(probability_below(first, second), probability_below(second, first))
    return min(max(2 * rarer, 0.0), 1.0)


def _relative(
    branch: Beta, reference: Beta, bounds: tuple[float, float], units: int, remark: str
) -> Estimate:
    lower, upper = bounds[0] - 1, bounds[1] - 1
    if reference.a <= 1:
        reason = "no unit of the reference branch has a 1: the mean of the ratio is infinite"
        return Estimate(units, None, lower, upper, reason=reason, remark=remark)
    reciprocal = (reference.a + reference.b - 1) / (reference.a - 1)
    return Estimate(units, branch.mean * reciprocal - 1, lower, upper, remark=remark)
