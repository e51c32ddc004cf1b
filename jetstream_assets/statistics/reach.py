"""How many standard errors an interval reaches depends on how often one looks.

Belongs here: the two kinds of interval of an estimate with a standard error, and their p-values.
Does not: the standard errors (`linear_model`), posteriors (`posterior`, `beta_pairs`).

A p-value is the smallest 1 - level whose interval leaves out zero.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True)
class Spread:
    """How far an estimate may be off.

    Args:
        variance: Of the estimate, above 0.
        degrees_of_freedom: Behind the variance; infinite for a normal quantile.
        units: That entered the estimate.
    """

    variance: float
    degrees_of_freedom: float
    units: int


class Reach(Protocol):
    """One kind of interval."""

    @property
    def fewest_units(self) -> int:
        """Units of a branch below which the interval may not hold its level."""
        ...

    def half_width(self, spread: Spread) -> float:
        """The distance from the estimate to either bound."""
        ...

    def p_value(self, estimate: float, spread: Spread) -> float:
        """Two-sided, of the hypothesis that what is estimated is 0."""
        ...


@dataclass(frozen=True)
class Fixed:
    """Holds its level where one looks once, at a number of units that was fixed before."""

    level: float
    fewest_units: int = 0

    def half_width(self, spread: Spread) -> float:
        """By the quantile of Student's t distribution."""
        from scipy.special import stdtrit

        quantile = stdtrit(spread.degrees_of_freedom, (1 + self.level) / 2)
        return float(quantile) * math.sqrt(spread.variance)

    def p_value(self, estimate: float, spread: Spread) -> float:
        """By Student's t distribution."""
        from scipy.special import stdtr

        errors = abs(estimate) / math.sqrt(spread.variance)
        return float(2 * stdtr(spread.degrees_of_freedom, -errors))


@dataclass(frozen=True)
class Sequential:
    """Holds its level however often one looks while units come in.

    The asymptotic confidence sequence of Waudby-Smith, Arbour, Sinha, Kennedy and Ramdas (2024,
    Time-uniform central limit theory and asymptotic confidence sequences, theorem 2.2): with n
    units so far the half-width is

        sqrt(2 (r + 1) / r * log(sqrt(r + 1) / alpha)) standard errors, r = n rho^2,

    where rho^2 = (-2 log alpha + log(1 - 2 log alpha)) / planned makes it narrowest at the planned
    number of units. That number must not follow from the data, or the level is lost.

    Args:
        level: The confidence level.
        planned: Units at which the interval is to be narrowest.
        fewest_units: See `Reach`.
    """

    level: float
    planned: float
    # It holds for large numbers of units; in simulations of values with a long tail the first
    # looks at fewer units made most of the false claims.
    fewest_units: int = 250

    def half_width(self, spread: Spread) -> float:
        """By the formula above."""
        r, alpha = self._information(spread), 1 - self.level
        reach = 2 * (r + 1) / r * (math.log(r + 1) / 2 - math.log(alpha))
        return math.sqrt(reach * spread.variance)

    def p_value(self, estimate: float, spread: Spread) -> float:
        """The formula solved for alpha, with the rho of the confidence level."""
        r = self._information(spread)
        exponent = math.log(r + 1) / 2 - estimate**2 / spread.variance * r / (2 * (r + 1))
        return math.exp(min(exponent, 0.0))

    def _information(self, spread: Spread) -> float:
        doubled = -2 * math.log(1 - self.level)
        return spread.units / self.planned * (doubled + math.log(1 + doubled))
