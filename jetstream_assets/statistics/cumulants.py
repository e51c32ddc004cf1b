"""The posterior of a mean is known by four cumulants, so no random number is needed.

Belongs here: cumulants of the Bayesian bootstrap, of weighted differences, and their quantiles.
Does not: which rows are made of them (`bootstrap_mean`).

The Bayesian bootstrap weights n values by a flat Dirichlet distribution (Rubin, 1981, The Bayesian
Bootstrap). The weighted mean has cumulants that follow from the central moments of the values. Its
quantiles are those of the Cornish-Fisher expansion to the fourth cumulant (Cornish and Fisher,
1938); where the skewness exceeds `MOST_SKEWED`, where the expansion gets poor, those of a shifted
gamma distribution with the same first three. Against 400,000 resamples of zero-inflated,
log-normal, Poisson and rare binary values, the 2.5 % and 97.5 % points were within .1 standard
deviations for n = 30 to 100, within .03 for n >= 100.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from jetstream_assets.statistics.collected import BranchMoments

MOST_SKEWED = 1.0
# Beyond, the series for the mean of a reciprocal no longer converges usefully.
_SERIES_UP_TO = 0.3
# Normal quantiles, evenly spread; the last leaves out 1e-99.
_ERRORS = np.linspace(0.0, 21.1, 4221)


@dataclass(frozen=True)
class Cumulants:
    """The first four cumulants of a distribution; k1 is its mean, k2 its variance."""

    k1: float
    k2: float
    k3: float
    k4: float

    def minus(self, other: Cumulants, times: float = 1.0) -> Cumulants:
        """Those of X - times * Y, for independent X (these) and Y."""
        return Cumulants(
            self.k1 - times * other.k1,
            self.k2 + times**2 * other.k2,
            self.k3 - times**3 * other.k3,
            self.k4 + times**4 * other.k4,
        )

    @property
    def negated(self) -> Cumulants:
        """Those of -X."""
        return Cumulants(-self.k1, self.k2, -self.k3, self.k4)

    @property
    def skewness(self) -> float:
        """Third standardised cumulant; 0 without variance."""
        return self.k3 / self.k2**1.5 if self.k2 > 0 else 0.0

    def quantiles(self, shares: NDArray[np.float64]) -> NDArray[np.float64]:
        """The values that the distribution stays below with these probabilities (0 to 1)."""
        skewness = self.skewness
        if abs(skewness) > MOST_SKEWED:
            standard = _gamma_quantiles(shares, skewness)
        else:
            excess = self.k4 / self.k2**2 if self.k2 > 0 else 0.0
            standard = _cornish_fisher(shares, skewness, excess)
        return self.k1 + math.sqrt(self.k2) * standard

    def quantile(self, share: float) -> float:
        """One of the `quantiles`."""
        return float(self.quantiles(np.array([share]))[0])

    def p_value(self) -> float:
        """Twice the probability of lying on 0's far side, seen from the mean; at most 1.

        It is below 1 - level exactly where the central interval of that level leaves out 0.
        """
        from scipy.special import ndtr

        upright = self if self.k1 >= 0 else self.negated
        # Of the quantile function only its first crossing counts: far out it need not rise.
        quantiles = upright.quantiles(ndtr(-_ERRORS))
        crossed = np.flatnonzero(quantiles <= 0)
        if not crossed.size:
            return 0.0
        index = int(crossed[0])
        if index == 0:
            return 1.0
        inner, outer = float(quantiles[index - 1]), float(quantiles[index])
        share = inner / (inner - outer)
        errors = _ERRORS[index - 1] + share * (_ERRORS[index] - _ERRORS[index - 1])
        return float(2 * ndtr(-errors))

    def mean_reciprocal(self) -> float:
        """The mean of 1 / X, for a distribution away from zero.

        By the series in the central moments; where the variation coefficient exceeds .3, that of
        the gamma distribution with this mean and variance, which is close for rare events.

        Raises:
            ZeroDivisionError: The mean of 1 / X does not exist.
        """
        variation = self.k2 / self.k1**2
        if variation <= _SERIES_UP_TO**2:
            fourth = (self.k4 + 3 * self.k2**2) / self.k1**4
            return (1 + variation - self.k3 / self.k1**3 + fourth) / self.k1
        if variation >= 1:
            raise ZeroDivisionError("the mean of the reciprocal is infinite")
        return 1 / (self.k1 * (1 - variation))


def bayesian_bootstrap(moments: BranchMoments) -> Cumulants:
    """The cumulants of the mean under flat Dirichlet weights on the units' values."""
    n = moments.units
    k2 = moments.m2 / (n + 1)
    k3 = 2 * moments.m3 / ((n + 1) * (n + 2))
    fourth = (6 * moments.m4 + 3 * n * moments.m2**2) / ((n + 1) * (n + 2) * (n + 3))
    return Cumulants(moments.mean, k2, k3, fourth - 3 * k2**2)


def _cornish_fisher(
    shares: NDArray[np.float64], skewness: float, excess: float
) -> NDArray[np.float64]:
    from scipy.special import ndtri

    z: NDArray[np.float64] = ndtri(shares)
    # Powers of arrays take much longer than products.
    square = z * z
    return (
        z
        + skewness * (square - 1) / 6
        + excess * z * (square - 3) / 24
        - skewness**2 * z * (2 * square - 5) / 36
    )


def _gamma_quantiles(shares: NDArray[np.float64], skewness: float) -> NDArray[np.float64]:
    from scipy.special import gammaincinv

    shape = 4 / skewness**2
    if skewness > 0:
        mirrored, sign = shares, 1.0
    else:
        mirrored, sign = 1 - shares, -1.0
    found = np.asarray(gammaincinv(shape, mirrored), dtype=np.float64)
    return sign * (found - shape) / math.sqrt(shape)
