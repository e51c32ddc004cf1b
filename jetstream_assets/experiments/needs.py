"""A statistic needs few numbers of a metric, never its units: moments, counts, order statistics.

Belongs here: the values that name what is to be collected. Equal values are collected once. Does
not: how SQL collects them (`sql.sufficient_statistics`), what is computed from them
(`statistics`).

In every need, NULL is a unit without a value: it does not enter. A value that is infinite or not a
number does not enter either, but it is counted.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from jetstream_assets.experiments.metrics import PreTreatment
from jetstream_assets.experiments.windows import Period


class CapScope(StrEnum):
    """From whose values the threshold of a cap follows.

    ``POOLED``: from the values of all branches together; on an integer metric the threshold is
    rounded up, so that capped values stay integers. ``BRANCH``: from each branch's own values.
    """

    BRANCH = "branch"
    POOLED = "pooled"


@dataclass(frozen=True)
class Value:
    """One number per unit: a metric after its pre-treatments.

    ``period`` is None for the window that is analysed, or a pre-enrollment period: the unit's
    value of that period, on basis enrollments.
    """

    metric: str
    pre_treatments: tuple[PreTreatment, ...] = ()
    period: Period | None = None


@dataclass(frozen=True)
class Totals:
    """Number and sum of the values of each branch, and how many are neither 0 nor 1."""

    value: Value

    @property
    def values(self) -> tuple[Value, ...]:
        """What must be known of a unit."""
        return (self.value,)


@dataclass(frozen=True)
class Odd:
    """How many values of each branch are left out, being infinite or not a number."""

    value: Value

    @property
    def values(self) -> tuple[Value, ...]:
        """What must be known of a unit."""
        return (self.value,)


@dataclass(frozen=True)
class Moments:
    """Number, mean and central moments 2 to 4 of the capped values of each branch.

    ``drop_highest`` is the share of values (0 to 0.5) above the threshold; they are capped at it,
    not dropped. The threshold is the quantile with linear interpolation between order statistics.
    """

    value: Value
    drop_highest: float = 0.0
    cap: CapScope = CapScope.BRANCH

    @property
    def values(self) -> tuple[Value, ...]:
        """What must be known of a unit."""
        return (self.value,)


@dataclass(frozen=True)
class CoMoments:
    """Joint second moments of a value and a covariate over the units that have both.

    Both are capped at their own pooled threshold; the covariate's follows from the units that have
    a value, with or without covariate.
    """

    value: Value
    covariate: Value
    drop_highest: float = 0.0

    @property
    def values(self) -> tuple[Value, ...]:
        """What must be known of a unit."""
        return (self.value, self.covariate)


@dataclass(frozen=True)
class JointMoments:
    """Joint central moments x^a y^b with a + b <= 4 of each branch, over the units that have both.

    The numerator x and the denominator y are capped each by itself, at the quantile of its own
    values among the branch's units that have both.
    """

    numerator: Value
    denominator: Value
    drop_highest: float = 0.0

    @property
    def values(self) -> tuple[Value, ...]:
        """What must be known of a unit."""
        return (self.numerator, self.denominator)


@dataclass(frozen=True)
class RatioCoMoments:
    """Joint second moments of both parts of a ratio and its covariates, over the units with all.

    Numerator and denominator are capped as in `JointMoments`, whether a unit has the covariates or
    not; each covariate at its own pooled threshold, which follows from the units with both parts.
    """

    numerator: Value
    denominator: Value
    covariates: tuple[Value, ...]
    drop_highest: float = 0.0

    @property
    def values(self) -> tuple[Value, ...]:
        """What must be known of a unit."""
        return (self.numerator, self.denominator, *self.covariates)


@dataclass(frozen=True)
class Histogram:
    """The distribution of the values of each branch, bounded in size.

    ``up_to_units`` limits it to the branches of at most so many units; None is no limit.
    """

    value: Value
    up_to_units: int | None = None

    @property
    def values(self) -> tuple[Value, ...]:
        """What must be known of a unit."""
        return (self.value,)


@dataclass(frozen=True)
class Pairs:
    """The distinct pairs of values, of the branches of at most so many units that have both."""

    numerator: Value
    denominator: Value
    up_to_units: int

    @property
    def values(self) -> tuple[Value, ...]:
        """What must be known of a unit."""
        return (self.numerator, self.denominator)


Need = Totals | Odd | Moments | CoMoments | JointMoments | RatioCoMoments | Histogram | Pairs
