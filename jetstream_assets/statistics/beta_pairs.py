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

if TYPE_CHECKING:
    from collections.abc import Callable

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

        found: NDArray[np.float64] = betainc(self.a, self.b, np.clip(values, 0.0, 1.0))
        return found


def difference_quantile(first: Beta, second: Beta, share: float) -> float:
    """The d with P(first - second <= d) = share."""
    if first.variance < second.variance:
        values, weights = _nodes(first)

        def probability(d: float) -> float:
            return 1.0 - float(weights @ second.below(values - d))
    else:
        values, weights = _nodes(second)

        def probability(d: float) -> float:
            return float(weights @ first.below(values + d))

    low, high = _bracket(first, second, share)
    return _root(probability, share, low[0] - high[1], high[0] - low[1])


def ratio_quantile(first: Beta, second: Beta, share: float) -> float:
    """The r with P(first / second <= r) = share; found on the scale of its logarithm."""
    if first.variance / first.mean**2 < second.variance / second.mean**2:
        values, weights = _nodes(first)

        def probability(log_ratio: float) -> float:
            return 1.0 - float(weights @ second.below(values * math.exp(-log_ratio)))
    else:
        values, weights = _nodes(second)

        def probability(log_ratio: float) -> float:
            return float(weights @ first.below(values * math.exp(log_ratio)))

    low, high = _bracket(first, second, share)
    return math.exp(
        _root(probability, share, math.log(low[0] / high[1]), math.log(high[0] / low[1]))
    )


def _bracket(
    first: Beta, second: Beta, share: float
) -> tuple[tuple[float, float], tuple[float, float]]:
    """Low and high values of both, outside of which each lies too rarely for the quantile."""
    rare = min(share, 1 - share) / 4
    low = (first.quantile(rare), second.quantile(rare))
    return low, (first.quantile(1 - rare), second.quantile(1 - rare))


def _root(probability: Callable[[float], float], share: float, low: float, high: float) -> float:
    from scipy.optimize import brentq

    return float(brentq(lambda x: probability(x) - share, low, high, xtol=1e-14, rtol=1e-12))


@lru_cache(maxsize=256)
def _nodes(variable: Beta) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Values that stand for the variable, with their probabilities."""
    from scipy.special import betaln

    nodes, weights = np.polynomial.legendre.leggauss(_NODES)
    low, high = variable.quantile(_TAIL), 1 - Beta(variable.b, variable.a).quantile(_TAIL)
    values = low + (high - low) * (nodes + 1) / 2
    density = np.exp(
        (variable.a - 1) * np.log(values)
        + (variable.b - 1) * np.log1p(-values)
        - betaln(variable.a, variable.b)
    )
    found = weights * density
    return values, found / found.sum()
