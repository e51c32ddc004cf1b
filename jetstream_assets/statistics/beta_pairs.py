"""Quantiles of the difference and the ratio of two independent beta variables, by quadrature.

Belongs here: the distributions. Does not: the statistic that they serve (`binomial`).

P(A - B <= d) is the mean of P(A <= B + d) over B: Gauss-Legendre nodes over the narrower variable,
since the other's distribution function is smooth on its scale. The quantile is then a root.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from jetstream_assets.statistics.quantile_search import quantile

if TYPE_CHECKING:
    from numpy.typing import NDArray

_NODES = 96
# The share of a variable's distribution outside its nodes, on each side.
_TAIL = 1e-13


@dataclass(frozen=True)
class Beta:
    """A beta variable with both parameters at least 1."""

    a: float
    b: float

    @property
    def mean(self) -> float:
        """Its mean."""
        return self.a / (self.a + self.b)

    @property
    def variance(self) -> float:
        """Its variance."""
        return self.mean * (1 - self.mean) / (self.a + self.b + 1)

    def quantile(self, share: float) -> float:
        """The value that it stays below with this probability."""
        from scipy.special import betaincinv

        return float(betaincinv(self.a, self.b, share))

    def below(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """The probabilities that it is at most these values."""
        from scipy.special import betainc

        # np.clip takes as long as all else here.
        inside = np.minimum(np.maximum(values, 0.0), 1.0)
        found: NDArray[np.float64] = betainc(self.a, self.b, inside)
        return found

    def density(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Its density at values between 0 and 1."""
        from scipy.special import betaln, xlog1py, xlogy

        powers = xlogy(self.a - 1, values) + xlog1py(self.b - 1, -values)
        found: NDArray[np.float64] = np.exp(powers - betaln(self.a, self.b))
        return found


def difference_quantile(first: Beta, second: Beta, share: float) -> float:
    """The d with P(first - second <= d) = share."""
    if first.variance < second.variance:

        def probability(d: float) -> float:
            return 1.0 - _mean_below(first, second, 1.0, -d)
    else:

        def probability(d: float) -> float:
            return _mean_below(second, first, 1.0, d)

    low, high = _bracket(first, second, share)
    guesses = _guesses(first.mean - second.mean, first.variance + second.variance, share)
    return quantile(probability, share, guesses, (low[0] - high[1], high[0] - low[1]))


def probability_below(first: Beta, second: Beta) -> float:
    """P(first <= second)."""
    if first.variance < second.variance:
        return 1.0 - _mean_below(first, second, 1.0, 0.0)
    return _mean_below(second, first, 1.0, 0.0)


def ratio_quantile(first: Beta, second: Beta, share: float) -> float:
    """The r with P(first / second <= r) = share; found on the scale of its logarithm."""
    if first.variance / first.mean**2 < second.variance / second.mean**2:

        def probability(log_ratio: float) -> float:
            return 1.0 - _mean_below(first, second, math.exp(-log_ratio), 0.0)
    else:

        def probability(log_ratio: float) -> float:
            return _mean_below(second, first, math.exp(log_ratio), 0.0)

    low, high = _bracket(first, second, share)
    relative = (b.variance / b.mean**2 for b in (first, second))
    guesses = _guesses(math.log(first.mean / second.mean), sum(relative), share)
    ends = math.log(low[0] / high[1]), math.log(high[0] / low[1])
    return math.exp(quantile(probability, share, guesses, ends))


def _mean_below(variable: Beta, other: Beta, scale: float, shift: float) -> float:
    """P(other <= scale * variable + shift).

    The nodes cover only where the right side lies between 0 and 1: beyond, the probability is 0
    or 1, and a bend inside would cost the quadrature its accuracy.
    """
    low, high = _support(variable)
    full = (1.0 - shift) / scale
    low, high = max(low, -shift / scale), min(high, full)
    beyond = 1.0 - float(variable.below(np.array(full))) if full < 1 else 0.0
    if high <= low:
        return beyond
    values, shares = _nodes(variable, low, high)
    return float(shares @ other.below(scale * values + shift)) + beyond


@lru_cache(maxsize=256)
def _nodes(
    variable: Beta, low: float, high: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Values from low to high, and the share of the variable's distribution each stands for."""
    nodes, weights = _legendre()
    values = low + (high - low) * (nodes + 1) / 2
    return values, variable.density(values) * weights * (high - low) / 2


def _bracket(
    first: Beta, second: Beta, share: float
) -> tuple[tuple[float, float], tuple[float, float]]:
    """Low and high values of both, outside of which each lies too rarely for the quantile."""
    rare = min(share, 1 - share) / 4
    low = (first.quantile(rare), second.quantile(rare))
    return low, (first.quantile(1 - rare), second.quantile(1 - rare))


def _guesses(mean: float, variance: float, share: float) -> tuple[float, float]:
    """Two values near the quantile of a distribution that is close to normal."""
    from scipy.special import ndtri

    deviation = math.sqrt(variance)
    near = mean + float(ndtri(share)) * deviation
    return near + 0.02 * deviation, near


@lru_cache(maxsize=256)
def _support(variable: Beta) -> tuple[float, float]:
    """Low and high values outside of which the variable lies as good as never."""
    return variable.quantile(_TAIL), 1 - Beta(variable.b, variable.a).quantile(_TAIL)


@lru_cache(maxsize=1)
def _legendre() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Gauss-Legendre nodes from -1 to 1 and their weights."""
    nodes, weights = np.polynomial.legendre.leggauss(_NODES)
    return nodes, weights
