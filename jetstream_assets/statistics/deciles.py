"""The deciles of a metric, with the interval that resampling the units would give.

Belongs here: the statistic ``deciles``. Does not: the ranks (`order_statistics`).

Values are not capped. The point is the mean over resamples, which for a skewed metric differs from
the decile of the sample. Single branches are exact for a whole distribution; pairs are the
quantiles of 4,181 evenly spread pairs of order statistics. ``num_samples`` has no effect.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from jetstream_assets.experiments.needs import Histogram, Odd
from jetstream_assets.statistics.layout import (
    Comparison,
    Estimate,
    Label,
    comparison_rows,
    remark_of_odd,
    single_rows,
)
from jetstream_assets.statistics.order_statistics import (
    DECILES,
    lattice_order,
    rank_distributions,
    spread_ranks,
)

if TYPE_CHECKING:
    from jetstream_assets.experiments.needs import Need
    from jetstream_assets.statistics.base import Question, StatisticRow
    from jetstream_assets.statistics.collected import Collected
    from jetstream_assets.statistics.distribution import Distribution

    Pair = tuple[str, str]


@dataclass(frozen=True)
class Deciles:
    """Per decile one row per branch, and difference and relative uplift of every pair."""

    outputs: tuple[str, ...] = ("deciles",)

    def needs(self, question: Question) -> tuple[Need, ...]:
        """The distribution, and how many values were left out of it."""
        return (Histogram(question.value), Odd(question.value))

    def rows(self, question: Question, collected: Collected) -> list[StatisticRow]:
        """The rows of all deciles, branches and pairs."""
        found = collected.histograms.get(Histogram(question.value), {})
        odd = collected.odd[Odd(question.value)]
        draws = {branch: _drawn(values, odd.get(branch, 0)) for branch, values in found.items()}
        level = question.confidence
        singles = {branch: _singles(d, found[branch], level) for branch, d in draws.items()}
        pairs: dict[Pair, list[Comparison]] = {}
        rows: list[StatisticRow] = []
        for index, decile in enumerate(DECILES):
            label = Label(self.outputs[0], level, parameter=decile)
            at = {branch: estimates[index] for branch, estimates in singles.items()}
            rows += single_rows(question, label, at)

            def compare(branch: str, reference: str, index: int = index) -> Comparison:
                pair = (branch, reference)
                if pair not in pairs:
                    pairs[pair] = _comparisons(draws[branch], draws[reference], level)
                return pairs[pair][index]

            rows += comparison_rows(question, label, list(draws), compare)
        return rows


@dataclass(frozen=True, eq=False)
class _Drawn:
    """The order statistics of a branch: their means and evenly spread draws, a row per decile."""

    units: int
    odd: int
    means: NDArray[np.float64]
    draws: NDArray[np.float64]

    @cached_property
    def scattered(self) -> NDArray[np.float64]:
        """The draws in the order in which they meet the ascending ones of another branch."""
        found: NDArray[np.float64] = self.draws[:, lattice_order()]
        return found


def _drawn(values: Distribution, odd: int) -> _Drawn:
    units = values.total
    means = [
        float(ranks.probabilities @ values.at_rank(ranks.ranks))
        for ranks in rank_distributions(units)
    ]
    return _Drawn(units, odd, np.array(means), values.at_rank(spread_ranks(units)))


def _singles(drawn: _Drawn, values: Distribution, level: float) -> list[Estimate]:
    remark = remark_of_odd(drawn.odd)
    if drawn.units == 1:
        reason = "one unit has no spread, so that there is no interval"
        return [Estimate(1, mean, reason=reason, remark=remark) for mean in drawn.means]
    shares = np.array([(1 - level) / 2, (1 + level) / 2])
    estimates = []
    for mean, ranks in zip(drawn.means, rank_distributions(drawn.units), strict=True):
        lower, upper = values.at_rank(ranks.quantiles(shares))
        estimates.append(Estimate(drawn.units, mean, float(lower), float(upper), remark=remark))
    return estimates


def _comparisons(branch: _Drawn, reference: _Drawn, level: float) -> list[Comparison]:
    """The comparisons of all deciles of one pair."""
    first, second = branch.draws, reference.scattered
    shares = ((1 - level) / 2, (1 + level) / 2)
    differences = _quantiles(first - second, shares)
    relatives, mirrored = _ratios(first, second, shares), _ratios(second, first, shares)
    units, remark = branch.units + reference.units, remark_of_odd(branch.odd + reference.odd)
    too_few = min(branch.units, reference.units) == 1
    reason = "a branch of one unit is too few for an interval" if too_few else ""

    def estimate(point: float, bounds: NDArray[np.float64]) -> Estimate:
        if not np.isfinite([point, *bounds]).all():
            return Estimate(units, reason=reason or _ZERO_REFERENCE, remark=remark)
        lower, upper = (None, None) if too_few else map(float, bounds)
        return Estimate(units, float(point), lower, upper, reason=reason, remark=remark)

    points = branch.means - reference.means
    return [
        Comparison(
            estimate(points[i], differences[:, i]),
            estimate(relatives[0, i], relatives[1:, i]),
            estimate(mirrored[0, i], mirrored[1:, i]),
        )
        for i in range(len(DECILES))
    ]


_ZERO_REFERENCE = "the reference branch's decile may be 0, so that a ratio to it says nothing"


def _ratios(
    branch: NDArray[np.float64], reference: NDArray[np.float64], shares: tuple[float, float]
) -> NDArray[np.float64]:
    """Mean and quantiles of branch / reference - 1 per decile; NaN where the reference may be 0."""
    found = np.full((1 + len(shares), branch.shape[0]), np.nan)
    possible = (reference != 0).all(axis=1)
    if possible.all():
        possible = slice(None)
    elif not possible.any():
        return found
    ratios = branch[possible] / reference[possible]
    ratios -= 1
    found[0, possible] = ratios.mean(axis=1)
    found[1:, possible] = _quantiles(ratios, shares)
    return found


def _quantiles(draws: NDArray[np.float64], shares: tuple[float, float]) -> NDArray[np.float64]:
    """Quantiles of each row by linear interpolation: a row per share. The draws are reordered."""
    positions = [share * (draws.shape[1] - 1) for share in shares]
    below = [int(position) for position in positions]
    above = [min(rank + 1, draws.shape[1] - 1) for rank in below]
    draws.partition(sorted({*below, *above}), axis=1)
    return np.stack(
        [
            draws[:, low] + (position - low) * (draws[:, high] - draws[:, low])
            for position, low, high in zip(positions, below, above, strict=True)
        ]
    )
