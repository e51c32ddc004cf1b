"""A resampled quantile is an order statistic whose rank is binomial, so that none is resampled.

Belongs here: the distribution of the ranks, and evenly spread draws of them for pairs. Does not:
the values at the ranks (`distribution`), rows (`deciles`).

Of n values drawn again with replacement, the q-quantile is the value of rank
1 + Binomial(n - 1, q).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

DECILES = tuple(round(tenth / 10, 1) for tenth in range(1, 10))
# Successive Fibonacci numbers: the lattice (i / N, frac(i * M / N)) covers the square evenly.
_POINTS, _STRIDE = 4181, 2584
# Ranks farther from their mean than this many standard deviations have a share below 1e-12.
_REACH = 7.0


@dataclass(frozen=True, eq=False)
class RankDistribution:
    """The ranks (1 to n) that a decile of n resampled values may have, and their probabilities."""

    ranks: NDArray[np.int64]
    probabilities: NDArray[np.float64]

    def quantiles(self, shares: NDArray[np.float64]) -> NDArray[np.int64]:
        """The lowest ranks that are not exceeded with these probabilities."""
        upto = np.cumsum(self.probabilities)
        index = np.searchsorted(upto, shares, side="left")
        found: NDArray[np.int64] = self.ranks[np.minimum(index, self.ranks.size - 1)]
        return found


@lru_cache(maxsize=64)
def rank_distributions(units: int) -> tuple[RankDistribution, ...]:
    """One distribution per decile; metrics of the same units share them."""
    return tuple(_rank_distribution(units, decile) for decile in DECILES)


@lru_cache(maxsize=64)
def spread_ranks(units: int) -> NDArray[np.int64]:
    """Evenly spread draws of the ranks: a row per decile, a column per draw, ascending."""
    shares = (np.arange(_POINTS) + 0.5) / _POINTS
    return np.stack([ranks.quantiles(shares) for ranks in rank_distributions(units)])


@lru_cache(maxsize=1)
def lattice_order() -> NDArray[np.int64]:
    """In which order the draws of a second branch meet the ascending ones of the first."""
    return (np.arange(_POINTS) * _STRIDE) % _POINTS


def _rank_distribution(units: int, decile: float) -> RankDistribution:
    from scipy.special import gammaln, xlog1py, xlogy

    draws = units - 1
    reach = _REACH * (draws * decile * (1 - decile)) ** 0.5 + 1
    low = max(0, int(draws * decile - reach))
    high = min(draws, int(draws * decile + reach) + 1)
    hits = np.arange(low, high + 1)
    logarithm = gammaln(draws + 1) - gammaln(hits + 1) - gammaln(draws - hits + 1)
    logarithm += xlogy(hits, decile) + xlog1py(draws - hits, -decile)
    probabilities = np.exp(logarithm)
    return RankDistribution(hits + 1, probabilities / probabilities.sum())
