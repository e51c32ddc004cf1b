"""Least squares of a value on branches (and one covariate) needs only second moments.

Belongs here: the fit and its contrasts in closed form. Does not: which rows are made of them
(`mean_lm`).

The model is y = mean of the branch + slope * x + error, with one slope and one error variance for
all branches (classical errors). Dividing sums within branches gives the slope; the error variance
has N - k degrees of freedom, k the number of branches plus one with a covariate. The relative
uplift is that of the branch means at the pooled mean of the covariate; its interval is that of the
logarithm of their ratio by the delta method, with a normal quantile.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from jetstream_assets.statistics.collected import BranchCoMoments, BranchMoments


# The mean of a constant is off by some 1e-16 of it a unit; squared, with a wide margin.
_ROUNDING = 1e-24


@dataclass(frozen=True)
class Arm:
    """One branch of the model: means, and centred sums of squares and products over units."""

    units: int
    mean: float
    syy: float
    covariate_mean: float = 0.0
    sxx: float = 0.0
    sxy: float = 0.0
    odd: int = 0


@dataclass(frozen=True)
class Interval:
    """A number with its bounds, which are None where they do not exist."""

    point: float
    lower: float | None = None
    upper: float | None = None


@dataclass(frozen=True)
class LinearModel:
    """The fitted model.

    Args:
        arms: The branches, each with at least one unit.
        slope: Of the covariate; 0 without.
        sxx: Centred sum of squares of the covariate within branches; 0 without.
        covariate_mean: Over the units of all branches; 0 without.
        variance: Of the errors; None without degrees of freedom.
        degrees_of_freedom: N - k; may be 0 or less.
    """

    arms: Mapping[str, Arm]
    slope: float
    sxx: float
    covariate_mean: float
    variance: float | None
    degrees_of_freedom: int

    def adjusted_mean(self, branch: str) -> float:
        """The mean of a branch at the pooled mean of the covariate."""
        arm = self.arms[branch]
        return arm.mean + self.slope * (self.covariate_mean - arm.covariate_mean)

    def difference(self, branch: str, reference: str, level: float) -> Interval:
        """Adjusted mean of the branch less that of the reference, with a t interval."""
        point = self.adjusted_mean(branch) - self.adjusted_mean(reference)
        if not self.variance:
            return Interval(point)
        first, second = self.arms[branch], self.arms[reference]
        shift = self._share_of_slope(first.covariate_mean - second.covariate_mean)
        error = math.sqrt(self.variance * (1 / first.units + 1 / second.units + shift))
        half = t_quantile((1 + level) / 2, self.degrees_of_freedom) * error
        return Interval(point, point - half, point + half)

    def relative(self, branch: str, reference: str, level: float) -> Interval | None:
        """Ratio of adjusted means less 1; None when the reference's is 0.

        Without bounds where the means differ in sign, so that their ratio has no logarithm.
        """
        treated, control = self.adjusted_mean(branch), self.adjusted_mean(reference)
        if control == 0:
            return None
        ratio = treated / control
        if not self.variance or ratio <= 0:
            return Interval(ratio - 1)
        first, second = self.arms[branch], self.arms[reference]
        gradient = (self.covariate_mean - first.covariate_mean) / treated
        gradient -= (self.covariate_mean - second.covariate_mean) / control
        spread = 1 / (first.units * treated**2) + 1 / (second.units * control**2)
        error = math.sqrt(self.variance * (spread + self._share_of_slope(gradient)))
        half = normal_quantile((1 + level) / 2) * error
        lower, upper = (math.exp(math.log(ratio) + sign * half) - 1 for sign in (-1, 1))
        return Interval(ratio - 1, lower, upper)

    def _share_of_slope(self, distance: float) -> float:
        return distance**2 / self.sxx if self.sxx else 0.0


def fit(arms: Mapping[str, Arm], *, has_covariate: bool) -> LinearModel:
    """The model of the branches that have units."""
    units = sum(arm.units for arm in arms.values())
    syy, sxx, sxy = (sum(getattr(a, s) for a in arms.values()) for s in ("syy", "sxx", "sxy"))
    slope = sxy / sxx if sxx else 0.0
    freedom = units - len(arms) - has_covariate
    # Rounding may leave less than nothing of a perfect fit.
    residual = max(syy - slope * sxy, 0.0)
    covariate_mean = sum(a.units * a.covariate_mean for a in arms.values()) / max(units, 1)
    variance = residual / freedom if freedom > 0 else None
    return LinearModel(arms, slope, sxx, covariate_mean, variance, freedom)


def unadjusted_arm(moments: BranchMoments) -> Arm:
    """A branch of the model without covariate."""
    syy = _spread(moments.m2 * moments.units, moments.units, moments.mean)
    return Arm(moments.units, moments.mean, syy, odd=moments.odd)


def adjusted_arm(co_moments: BranchCoMoments) -> Arm:
    """A branch of the model with covariate."""
    c = co_moments
    syy = _spread(c.syy, c.units, c.mean)
    sxx = _spread(c.sxx, c.units, c.covariate_mean)
    return Arm(c.units, c.mean, syy, c.covariate_mean, sxx, c.sxy if syy and sxx else 0.0, c.odd)


def _spread(squares: float, units: int, mean: float) -> float:
    """The sum of squares, or 0 where it is no more than the rounding of the mean of a constant."""
    return squares if squares > _ROUNDING * units * mean**2 else 0.0


def single_interval(arm: Arm, level: float) -> Interval:
    """The mean of a branch with a t interval of its own variance; unadjusted."""
    if arm.units == 1 or not arm.syy:
        return Interval(arm.mean)
    error = math.sqrt(arm.syy / (arm.units - 1) / arm.units)
    half = t_quantile((1 + level) / 2, arm.units - 1) * error
    return Interval(arm.mean, arm.mean - half, arm.mean + half)


def t_quantile(share: float, degrees_of_freedom: int) -> float:
    """The quantile of Student's t distribution."""
    from scipy.special import stdtrit

    return float(stdtrit(degrees_of_freedom, share))


def normal_quantile(share: float) -> float:
    """The quantile of the standard normal distribution."""
    from scipy.special import ndtri

    return float(ndtri(share))
