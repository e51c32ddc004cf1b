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
    decile_ranks,
    lattice_order,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

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
        singles = {branch: _singles(d, level) for branch, d in draws.items()}
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
    """The order statistics of a branch, with means and evenly spread draws, a row per decile.

    ``values`` are those at the ranks that the deciles may have (`decile_ranks`).
    """

    units: int
    odd: int
    values: NDArray[np.float64]

    @cached_property
    def means(self) -> NDArray[np.float64]:
        """The means."""
        return decile_ranks(self.units).means(self.values)

    @cached_property
    def draws(self) -> NDArray[np.float64]:
        """The draws, ascending."""
        found: NDArray[np.float64] = self.values.take(decile_ranks(self.units).draws)
        return found

    @cached_property
    def scattered(self) -> NDArray[np.float64]:
        """The draws in the order in which they meet the ascending ones of another branch."""
        # What [:, order] makes has its columns side by side in memory, which is slow to go on with.
        found: NDArray[np.float64] = self.draws.take(lattice_order(), axis=1)
        return found


def _drawn(values: Distribution, odd: int) -> _Drawn:
    units = values.total
    return _Drawn(units, odd, values.at_rank(decile_ranks(units).ranks))


def _singles(drawn: _Drawn, level: float) -> list[Estimate]:
    remark = remark_of_odd(drawn.odd)
    means = drawn.means.tolist()
    if drawn.units == 1:
        reason = "one unit has no spread, so that there is no interval"
        return [Estimate(1, mean, reason=reason, remark=remark) for mean in means]
    positions = decile_ranks(drawn.units).quantiles(_shares(level))
    return [
        Estimate(drawn.units, mean, lower, upper, remark=remark)
        for mean, (lower, upper) in zip(means, drawn.values[positions].tolist(), strict=True)
    ]


def _shares(level: float) -> tuple[float, float]:
    return (1 - level) / 2, (1 + level) / 2


def _comparisons(branch: _Drawn, reference: _Drawn, level: float) -> list[Comparison]:
    """The comparisons of all deciles of one pair."""
    shares = _shares(level)
    means = (branch.means - reference.means)[np.newaxis]
    bounds = _quantiles(branch.draws - reference.scattered, shares)
    differences = np.concatenate([means, bounds])
    relatives, mirrored = _ratios(branch, reference, shares)
    units, remark = branch.units + reference.units, remark_of_odd(branch.odd + reference.odd)
    too_few = min(branch.units, reference.units) == 1

    def estimates(numbers: NDArray[np.float64]) -> Iterator[Estimate]:
        reason = _TOO_FEW if too_few else ""
        finite = np.all(np.isfinite(numbers), axis=0).tolist()
        for is_known, (point, lower, upper) in zip(finite, numbers.T.tolist(), strict=True):
            if not is_known:
                yield Estimate(units, reason=reason or _ZERO_REFERENCE, remark=remark)
            elif too_few:
                yield Estimate(units, point, reason=reason, remark=remark)
            else:
                yield Estimate(units, point, lower, upper, remark=remark)

    return list(map(Comparison, *map(estimates, (differences, relatives, mirrored))))


_TOO_FEW = "a branch of one unit is too few for an interval"
_ZERO_REFERENCE = "the reference branch's decile may be 0, so that a ratio to it says nothing"


def _ratios(
    branch: _Drawn, reference: _Drawn, shares: tuple[float, float]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mean and quantiles, per decile, of branch / reference - 1 and of reference / branch - 1.

    NaN where what is divided by may be 0.
    """
    first, second = branch.draws, reference.scattered
    found = np.full((2, 1 + len(shares), first.shape[0]), np.nan)
    # Of ascending draws the first is the lowest.
    positive = (branch.draws[:, 0] > 0) & (reference.draws[:, 0] > 0)
    if positive.any():
        # A slice is no copy.
        chosen = slice(None) if positive.all() else positive
        ratios = first[chosen] / second[chosen]
        found[:, 0, chosen] = ratios.mean(axis=1), (1 / ratios).mean(axis=1)
        found[:, 1:, chosen] = _quantiles_and_reverse(ratios, shares)
        found -= 1
    if positive.all():
        return found[0], found[1]
    for own, numerators, denominators in ((found[0], first, second), (found[1], second, first)):
        possible = ~positive & (denominators != 0).all(axis=1)
        if possible.any():
            ratios = numerators[possible] / denominators[possible] - 1
            own[0, possible] = ratios.mean(axis=1)
            own[1:, possible] = _quantiles(ratios, shares)
    return found[0], found[1]


def _quantiles(draws: NDArray[np.float64], shares: tuple[float, float]) -> NDArray[np.float64]:
    """Quantiles of each row by linear interpolation: a row per share. The draws are reordered."""
    around = _around(draws.shape[1], shares)
    draws.partition(sorted({rank for low, high, _ in around for rank in (low, high)}), axis=1)
    return np.stack([_between(draws[:, low], draws[:, high], at) for low, high, at in around])


def _quantiles_and_reverse(
    draws: NDArray[np.float64], shares: tuple[float, float]
) -> NDArray[np.float64]:
    """The quantiles, and those of 1 / draws, of draws above 0: these have the reverse order."""
    last, around = draws.shape[1] - 1, _around(draws.shape[1], shares)
    ranks = {rank for low, high, _ in around for rank in (low, high)}
    draws.partition(sorted(ranks | {last - rank for rank in ranks}), axis=1)
    return np.stack(
        [
            [_between(draws[:, low], draws[:, high], at) for low, high, at in around],
            [
                _between(1 / draws[:, last - low], 1 / draws[:, last - high], at)
                for low, high, at in around
            ],
        ]
    )


def _around(count: int, shares: tuple[float, float]) -> list[tuple[int, int, float]]:
    """The ranks (from 0) on both sides of each quantile, and where it lies between them."""
    positions = [share * (count - 1) for share in shares]
    return [(int(p), min(int(p) + 1, count - 1), p - int(p)) for p in positions]


def _between(low: NDArray[np.float64], high: NDArray[np.float64], at: float) -> NDArray[np.float64]:
    found: NDArray[np.float64] = low + at * (high - low)
    return found
