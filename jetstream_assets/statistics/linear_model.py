"""Least squares of a value on branches (and one covariate) needs only second moments.

Belongs here: the fit and its contrasts in closed form. Does not: which rows are made of them
(`mean_lm`).

The model is y = mean of the branch + slope * x + error, with one slope for all branches. Dividing
sums within branches gives the slope. The relative uplift is that of the branch means at the pooled
mean of the covariate; its interval is that of the logarithm of their ratio by the delta method.

Every number is a combination of branch means and the slope, so its variance is a sum over branches
of error variance times squared weights. The error variances are

- classical: one for all branches, with N - k degrees of freedom, k the number of branches plus one
  with a covariate; the interval of a ratio has a normal quantile;
- robust: one for each branch, its squared residuals over n - 1 - its share of the covariate's sum
  of squares (its units less their mean leverage). Without covariate this is HC2 of MacKinnon and
  White (1985, Some heteroskedasticity-consistent covariance matrix estimators) and, with the
  degrees of freedom of Satterthwaite (1946), the test of Welch (1947). With a covariate it is HC2
  but for the squared residuals' correlation with the covariate within a branch: that enters
  by products with the difference of the branches' covariate means, which randomisation makes
  vanish as the units grow (Lin, 2013, Agnostic notes on regression adjustments).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from jetstream_assets.statistics.reach import Spread

if TYPE_CHECKING:
    from jetstream_assets.statistics.collected import BranchCoMoments, BranchMoments
    from jetstream_assets.statistics.reach import Reach


# The mean of a constant is off by some 1e-16 of it a unit; squared, with a wide margin.
_ROUNDING = 1e-24
_LARGEST_EXPONENT = 700.0


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
    """A number with its bounds and p-value, which are None where they do not exist."""

    point: float
    lower: float | None = None
    upper: float | None = None
    p_value: float | None = None


@dataclass(frozen=True)
class ErrorVariance:
    """The variance of the errors of a branch, with the degrees of freedom behind it."""

    variance: float
    degrees_of_freedom: float


@dataclass(frozen=True)
class LinearModel:
    """The fitted model.

    Args:
        arms: The branches, each with at least one unit.
        slope: Of the covariate; 0 without.
        sxx: Centred sum of squares of the covariate within branches; 0 without.
        covariate_mean: Over the units of all branches; 0 without.
        errors: By branch; the same object for all where one variance is assumed for all. A branch
            without degrees of freedom is absent.
        degrees_of_freedom: N - k; may be 0 or less.
        is_robust: Whether each branch has its own error variance.
    """

    arms: Mapping[str, Arm]
    slope: float
    sxx: float
    covariate_mean: float
    errors: Mapping[str, ErrorVariance]
    degrees_of_freedom: int
    is_robust: bool = False

    def adjusted_mean(self, branch: str) -> float:
        """The mean of a branch at the pooled mean of the covariate."""
        arm = self.arms[branch]
        return arm.mean + self.slope * (self.covariate_mean - arm.covariate_mean)

    def difference(self, branch: str, reference: str, reach: Reach) -> Interval:
        """Adjusted mean of the branch less that of the reference."""
        point = self.adjusted_mean(branch) - self.adjusted_mean(reference)
        distance = self.arms[reference].covariate_mean - self.arms[branch].covariate_mean
        spread = self._spread({branch: 1.0, reference: -1.0}, distance)
        if spread is None:
            return Interval(point)
        half = reach.half_width(spread)
        return Interval(point, point - half, point + half, reach.p_value(point, spread))

    def relative(self, branch: str, reference: str, reach: Reach) -> Interval | None:
        """Ratio of adjusted means less 1; None when the reference's is 0.

        Without bounds where the means differ in sign, so that their ratio has no logarithm, and
        where they are so uncertain that a bound is beyond all numbers.
        """
        treated, control = self.adjusted_mean(branch), self.adjusted_mean(reference)
        if control == 0:
            return None
        ratio = treated / control
        if ratio <= 0:
            return Interval(ratio - 1)
        distance = (self.covariate_mean - self.arms[branch].covariate_mean) / treated
        distance -= (self.covariate_mean - self.arms[reference].covariate_mean) / control
        spread = self._spread({branch: 1 / treated, reference: -1 / control}, distance)
        if spread is None:
            return Interval(ratio - 1)
        if not self.is_robust:
            spread = replace(spread, degrees_of_freedom=math.inf)
        half = reach.half_width(spread)
        if abs(math.log(ratio)) + half > _LARGEST_EXPONENT:
            return Interval(ratio - 1)
        lower, upper = (math.exp(math.log(ratio) + sign * half) - 1 for sign in (-1, 1))
        return Interval(ratio - 1, lower, upper)

    def _spread(self, weights: Mapping[str, float], distance: float) -> Spread | None:
        """That of the weighted sum of branch means plus ``distance`` times the slope.

        None where a variance is not known, or all are 0.
        """
        by_slope = (distance / self.sxx) ** 2 if self.sxx else 0.0
        shares = {
            name: weights.get(name, 0.0) ** 2 / arm.units + by_slope * arm.sxx
            for name, arm in self.arms.items()
        }
        needed = [name for name, share in shares.items() if share]
        if any(name not in self.errors for name in needed):
            return None
        parts = {name: shares[name] * self.errors[name].variance for name in needed}
        variance = sum(parts.values())
        if not variance:
            return None
        units = sum(self.arms[name].units for name in weights)
        return Spread(variance, self._freedom(parts), units)

    def _freedom(self, parts: Mapping[str, float]) -> float:
        if not self.is_robust:
            return self.degrees_of_freedom
        doubts = (part**2 / self.errors[b].degrees_of_freedom for b, part in parts.items())
        return float(sum(parts.values()) ** 2 / sum(doubts))


def fit(
    arms: Mapping[str, Arm], *, has_covariate: bool = False, is_robust: bool = False
) -> LinearModel:
    """The model of the branches that have units."""
    units = sum(arm.units for arm in arms.values())
    sxx, sxy = (sum(getattr(a, s) for a in arms.values()) for s in ("sxx", "sxy"))
    slope = sxy / sxx if sxx else 0.0
    freedom = units - len(arms) - has_covariate
    covariate_mean = sum(a.units * a.covariate_mean for a in arms.values()) / max(units, 1)
    errors = _own_errors(arms, slope, sxx) if is_robust else _common_errors(arms, slope, freedom)
    return LinearModel(arms, slope, sxx, covariate_mean, errors, freedom, is_robust)


def _common_errors(arms: Mapping[str, Arm], slope: float, freedom: int) -> dict[str, ErrorVariance]:
    if freedom <= 0:
        return {}
    syy, sxy = (sum(getattr(a, s) for a in arms.values()) for s in ("syy", "sxy"))
    # Rounding may leave less than nothing of a perfect fit.
    common = ErrorVariance(max(syy - slope * sxy, 0.0) / freedom, freedom)
    return dict.fromkeys(arms, common)


def _own_errors(arms: Mapping[str, Arm], slope: float, sxx: float) -> dict[str, ErrorVariance]:
    found = {}
    for name, arm in arms.items():
        freedom = arm.units - 1 - (arm.sxx / sxx if sxx else 0.0)
        if freedom > 0:
            residual = max(arm.syy - 2 * slope * arm.sxy + slope**2 * arm.sxx, 0.0)
            found[name] = ErrorVariance(residual / freedom, freedom)
    return found


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
    # Powers of very large numbers raise, products do not.
    is_rounding = squares <= _ROUNDING * units * mean * mean and math.isfinite(squares)
    return 0.0 if is_rounding else squares


def single_interval(arm: Arm, reach: Reach) -> Interval:
    """The mean of a branch with an interval of its own variance; unadjusted."""
    if arm.units == 1 or not arm.syy:
        return Interval(arm.mean)
    spread = Spread(arm.syy / (arm.units - 1) / arm.units, arm.units - 1, arm.units)
    half = reach.half_width(spread)
    return Interval(arm.mean, arm.mean - half, arm.mean + half)
