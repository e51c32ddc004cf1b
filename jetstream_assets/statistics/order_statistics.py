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

    def positions(self, shares: NDArray[np.float64]) -> NDArray[np.int64]:
        """Where in ``ranks`` the lowest are that are not exceeded with these probabilities."""
        upto = np.cumsum(self.probabilities)
        index = np.searchsorted(upto, shares, side="left")
        return np.minimum(index, self.ranks.size - 1)


@dataclass(frozen=True, eq=False)
class DecileRanks:
    """The ranks of all deciles of n resampled values, so that their values are looked up once.

    Args:
        distributions: One per decile.
        ranks: Theirs, one after the other.
        starts: Where those of each decile begin.
        draws: Evenly spread draws, as positions in ``ranks``: a row per decile, a column per
            draw, ascending.
    """

    distributions: tuple[RankDistribution, ...]
    ranks: NDArray[np.int64]
    starts: NDArray[np.int64]
    draws: NDArray[np.int64]

    def means(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """The mean of each decile, of the values at ``ranks``."""
        parts = np.split(values, self.starts[1:])
        pairs = zip(self.distributions, parts, strict=True)
        return np.array([float(ranks.probabilities @ part) for ranks, part in pairs])

    @lru_cache(maxsize=64)  # noqa: B019 - as many as there are of these, which are kept, too
    def quantiles(self, shares: tuple[float, ...]) -> NDArray[np.int64]:
        """The positions in ``ranks`` of quantiles of each decile: a row per decile."""
        wanted = np.array(shares)
        return np.stack([d.positions(wanted) for d in self.distributions]) + self.starts[:, None]


@lru_cache(maxsize=64)
def decile_ranks(units: int) -> DecileRanks:
    """Metrics of the same units share them."""
    found = tuple(_rank_distribution(units, decile) for decile in DECILES)
    starts = np.cumsum([0, *(d.ranks.size for d in found[:-1])])
    shares = (np.arange(_POINTS) + 0.5) / _POINTS
    draws = np.stack([d.positions(shares) for d in found]) + starts[:, None]
    return DecileRanks(found, np.concatenate([d.ranks for d in found]), starts, draws)


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
