"""The resampled ratio of two means has a distribution that follows from their joint moments.

Belongs here: that distribution from moments, or from draws where units are few, and quantiles of
pairs. Does not: rows, and what is not determined (`population_ratio`).

Resampling n units gives the ratio R = mean(x) / mean(y). For a denominator clear of 0,
P(R <= r) = P(mean(x - r y) <= 0), and the cumulants of a resampled mean follow from the central
moments of x - r y: k2 = m2 / n, k3 = m3 / n^2, k4 = (m4 - 3 m2^2) / n^3. The probability is that of
the Edgeworth expansion to the fourth cumulant (Hall, 1992, The Bootstrap and Edgeworth Expansion).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from jetstream_assets.statistics.quantile_search import quantile
from jetstream_assets.statistics.seeds import generator

if TYPE_CHECKING:
    from collections.abc import Callable

    from jetstream_assets.statistics.collected import BranchJointMoments, BranchPairs

Floats = NDArray[np.float64]

_NODES = 801
# Ratios farther out than this many standard errors are as good as never drawn.
_REACH = 7.0
# Nearer to 0 than this many standard errors, a resampled mean may change its sign.
FEWEST_ERRORS = 4.0
_NEGLIGIBLE = 1e-4


@dataclass(frozen=True, eq=False)
class RatioDistribution:
    """Ratios in ascending order, and how much of the distribution lies at each; it sums to 1."""

    values: Floats
    weights: Floats

    @cached_property
    def mean(self) -> float:
        """The mean ratio."""
        return float(self.values @ self.weights)

    @cached_property
    def variance(self) -> float:
        """The variance of the ratio."""
        return float((self.values - self.mean) ** 2 @ self.weights)

    @cached_property
    def mean_reciprocal(self) -> float:
        """The mean of 1 / R."""
        return float((self.weights / self.values).sum())

    @cached_property
    def positive(self) -> RatioDistribution | None:
        """The distribution without what is not above 0; None where that is not negligible."""
        kept = self.values > 0
        if self.weights[~kept].sum() > _NEGLIGIBLE:
            return None
        weights = self.weights[kept]
        return RatioDistribution(self.values[kept], weights / weights.sum())

    @property
    def negated(self) -> RatioDistribution:
        """That of -R."""
        return RatioDistribution(-self.values[::-1], self.weights[::-1])

    def quantiles(self, shares: Floats) -> Floats:
        """The ratios that it stays below with these probabilities."""
        found: Floats = np.interp(shares, self._upto - self.weights / 2, self.values)
        return found

    def below(self, values: Floats) -> Floats:
        """The probabilities of smaller ratios; half of what lies at a value counts as smaller."""
        upto = self._upto - self.weights / 2
        found: Floats = np.interp(values, self.values, upto, left=0.0, right=1.0)
        return found

    @cached_property
    def _upto(self) -> Floats:
        return np.cumsum(self.weights)


@dataclass(frozen=True)
class RatioMoments:
    """What is known of one branch: units, the two means, and central moments x^a y^b."""

    units: int
    numerator: float
    denominator: float
    central: Mapping[tuple[int, int], float]

    @classmethod
    def of(cls, joint: BranchJointMoments) -> RatioMoments:
        """Those of a branch, with the sign of both parts changed where the denominator is below 0.

        The ratio is the same, and the denominator is above 0.
        """
        if joint.denominator >= 0:
            return cls(joint.units, joint.numerator, joint.denominator, joint.central)
        central = {(a, b): m * (-1) ** (a + b) for (a, b), m in joint.central.items()}
        return cls(joint.units, -joint.numerator, -joint.denominator, central)

    @property
    def ratio(self) -> float:
        """The ratio of the means."""
        return self.numerator / self.denominator

    @property
    def denominator_errors(self) -> float:
        """How many standard errors the denominator's mean is from 0; infinite without spread."""
        variance = self.central[0, 2] / self.units
        return self.denominator / math.sqrt(variance) if variance > 0 else math.inf

    @property
    def has_spread(self) -> bool:
        """Whether units differ in x - R y; rounding does not count as a difference."""
        ratio = self.ratio
        of_parts = self.central[2, 0] + ratio**2 * self.central[0, 2]
        return bool(self._central(2, np.array(ratio)) > 1e-12 * of_parts)

    @property
    def skewness(self) -> float:
        """That of the resampled mean of x - R y."""
        return float(self._skewness(np.array(self.ratio)))

    @property
    def linearised(self) -> tuple[float, float]:
        """Second and third central moment of (x - R y) / mean(y), the linearised ratio."""
        ratio = np.array(self.ratio)
        m2, m3 = (float(self._central(power, ratio)) for power in (2, 3))
        return m2 / self.denominator**2, m3 / self.denominator**3

    def distribution(self) -> RatioDistribution | None:
        """That of the resampled ratio; None where the denominator is too close to 0 for it."""
        if self.denominator_errors < FEWEST_ERRORS:
            return None
        z, ratios = self._grid()
        upto = np.maximum.accumulate(np.clip(self._probabilities(z, ratios), 0.0, 1.0))
        weights = np.diff(upto)
        return RatioDistribution((ratios[1:] + ratios[:-1]) / 2, weights / weights.sum())

    def _grid(self) -> tuple[Floats, Floats]:
        """Standardised distances from 0 of mean(x - r y), evenly spread, and the ratios r of them.

        r solves (r mean(y) - mean(x))^2 = z^2 var(mean(x - r y)), which is quadratic (Fieller).
        """
        reach = min(_REACH, 0.9 * self.denominator_errors)
        z = np.linspace(-reach, reach, _NODES)
        of_x, of_xy, of_y = (self.central[key] / self.units for key in ((2, 0), (1, 1), (0, 2)))
        square = self.denominator**2 - z**2 * of_y
        middle = self.numerator * self.denominator - z**2 * of_xy
        constant = self.numerator**2 - z**2 * of_x
        root = np.sqrt(np.maximum(middle**2 - square * constant, 0.0))
        return z, (middle + np.sign(z) * root) / square

    def _probabilities(self, z: Floats, ratios: Floats) -> Floats:
        from scipy.special import ndtr

        skewness = self._skewness(ratios)
        excess = (self._central(4, ratios) / self._central(2, ratios) ** 2 - 3) / self.units
        correction = (
            skewness * (z**2 - 1) / 6
            + excess * (z**3 - 3 * z) / 24
            + skewness**2 * (z**5 - 10 * z**3 + 15 * z) / 72
        )
        density = np.exp(-(z**2) / 2) / math.sqrt(2 * math.pi)
        found: Floats = ndtr(z) - density * correction
        return found

    def _skewness(self, ratios: Floats) -> Floats:
        of_units = self._central(3, ratios) / self._central(2, ratios) ** 1.5
        found: Floats = of_units / math.sqrt(self.units)
        return found

    def _central(self, power: int, ratios: Floats) -> Floats:
        """The central moment of x - r y."""
        terms = [
            math.comb(power, b) * (-ratios) ** b * self.central[power - b, b]
            for b in range(power + 1)
        ]
        found: Floats = np.sum(terms, axis=0)
        return found


def drawn(
    pairs: BranchPairs, drop_highest: float, samples: int, seed: str
) -> RatioDistribution | None:
    """The ratios of resamples of the capped units; None where a denominator's mean may be 0."""
    rng = generator(seed)
    units = int(pairs.units.sum())
    hits = rng.multinomial(units, pairs.units / units, size=samples)
    numerators = hits @ _capped(pairs.numerators, pairs.units, drop_highest)
    denominators = hits @ _capped(pairs.denominators, pairs.units, drop_highest)
    if denominators.min() <= 0 <= denominators.max():
        return None
    ratios = np.sort(numerators / denominators)
    return RatioDistribution(ratios, np.full(samples, 1 / samples))


def difference_quantile(first: RatioDistribution, second: RatioDistribution, share: float) -> float:
    """The d with P(first - second <= d) = share."""
    low = first.values[0] - second.values[-1]
    high = first.values[-1] - second.values[0]
    guesses = _guesses(first.mean - second.mean, first.variance + second.variance, share)

    def probability(difference: float) -> float:
        return float(second.weights @ first.below(second.values + difference))

    return _root(probability, share, guesses, (low, high))


def p_value(first: RatioDistribution, second: RatioDistribution) -> float:
    """Twice the probability of the difference's rarer sign; at most 1."""
    below = float(second.weights @ first.below(second.values))
    return min(max(2 * min(below, 1 - below), 0.0), 1.0)


def ratio_quantile(first: RatioDistribution, second: RatioDistribution, share: float) -> float:
    """The q with P(first / second <= q) = share, for a second above 0."""
    ends = [a / b for a in (first.values[0], first.values[-1]) for b in second.values[[0, -1]]]
    ratio = first.mean / second.mean
    variance = (first.variance + ratio**2 * second.variance) / second.mean**2

    def probability(quotient: float) -> float:
        return float(second.weights @ first.below(second.values * quotient))

    guesses = _guesses(ratio, variance, share)
    return _root(probability, share, guesses, (min(ends), max(ends)))


def _capped(values: Floats, units: NDArray[np.int64], drop_highest: float) -> Floats:
    if drop_highest <= 0:
        return values
    return np.minimum(values, np.quantile(np.repeat(values, units), 1 - drop_highest))


def _root(
    probability: Callable[[float], float],
    share: float,
    guesses: tuple[float, float],
    ends: tuple[float, float],
) -> float:
    """Where the probability reaches the share; at an end where much of it lies there."""
    low, high = ends
    if probability(low) >= share:
        return low
    if probability(high) <= share:
        return high
    return quantile(probability, share, guesses, ends)


def _guesses(mean: float, variance: float, share: float) -> tuple[float, float]:
    """Two values near the quantile of a distribution that is close to normal."""
    from scipy.special import ndtri

    deviation = math.sqrt(variance)
    near = mean + float(ndtri(share)) * deviation
    return near + 0.02 * deviation, near
