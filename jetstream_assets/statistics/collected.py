"""What was collected of a metric's values, per branch: all that a statistic gets to see.

Belongs here: the numbers behind each kind of need. Does not: the needs (`experiments.needs`), how
they are collected (`sql`), distributions (`distribution`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from jetstream_assets.experiments.needs import (
    CoMoments,
    Histogram,
    JointMoments,
    Moments,
    Odd,
    Pairs,
    RatioCoMoments,
    Totals,
)
from jetstream_assets.statistics.distribution import Distribution


@dataclass(frozen=True)
class BranchTotals:
    """Units with a value, their sum, and how many values are neither 0 nor 1.

    ``odd`` is the number of units left out because their value is infinite or not a number.
    """

    units: int
    total: float
    others: int = 0
    odd: int = 0


@dataclass(frozen=True)
class BranchMoments:
    """Mean and central moments (population, divided by ``units``) of capped values.

    Args:
        units: Units with a value.
        mean: Their mean.
        m2: Second central moment.
        m3: Third central moment.
        m4: Fourth central moment.
        lowest: Lowest value.
        highest: Highest value before the cap.
        threshold: The cap, or None.
        odd: Units left out because their value is infinite or not a number.
        uncapped: Mean of the values before the cap; None where it is not known.
    """

    units: int
    mean: float
    m2: float
    m3: float
    m4: float
    lowest: float
    highest: float
    threshold: float | None = None
    odd: int = 0
    uncapped: float | None = None

    @property
    def highest_after_cap(self) -> float:
        """Highest value after the cap."""
        return self.highest if self.threshold is None else min(self.highest, self.threshold)

    @property
    def is_constant(self) -> bool:
        """Whether all capped values are the same; rounding does not enter."""
        return self.highest_after_cap <= self.lowest


@dataclass(frozen=True)
class BranchCoMoments:
    """Means and centred sums of squares and products of the units with value and covariate.

    ``values`` is the number of units with a value, with or without covariate. The sums are over
    units, not divided: ``syy`` of the value, ``sxx`` of the covariate, ``sxy`` of the products.
    """

    units: int
    values: int
    mean: float
    covariate_mean: float
    syy: float
    sxx: float
    sxy: float
    odd: int = 0


@dataclass(frozen=True)
class BranchJointMoments:
    """Means and joint central moments of capped numerators x and denominators y.

    ``central[a, b]`` is the mean of the products of the powers a of x and b of y about their means,
    for a + b from 2 to 4. Over the units that have both. ``threshold`` is the cap of the numerator
    or None, ``highest`` its highest value before; ``denominator_threshold`` that of the
    denominator. ``uncapped`` has the means of both before the cap; None where they are not known.
    """

    units: int
    numerator: float
    denominator: float
    central: Mapping[tuple[int, int], float]
    highest: float
    threshold: float | None = None
    odd: int = 0
    denominator_threshold: float | None = None
    uncapped: tuple[float, float] | None = None


@dataclass(frozen=True, eq=False)
class BranchRatioCoMoments:
    """Means and centred sums of products of numerator, denominator and covariates, in this order.

    ``products[i, j]`` is the sum over units of the products of parts i and j about their means,
    not divided. ``values`` is the number of units with both parts, with or without covariates.
    """

    units: int
    values: int
    means: NDArray[np.float64]
    products: NDArray[np.float64]
    odd: int = 0


@dataclass(frozen=True, eq=False)
class BranchPairs:
    """The distinct pairs of numerator and denominator before any cap, and the units with each."""

    numerators: NDArray[np.float64]
    denominators: NDArray[np.float64]
    units: NDArray[np.int64]


@dataclass(frozen=True)
class Collected:
    """The answers to needs, for one segment and analysis basis: need, then branch.

    A branch without any unit is absent; one whose units have no value may be absent, or there with
    0 units.
    """

    totals: Mapping[Totals, Mapping[str, BranchTotals]] = field(default_factory=dict)
    moments: Mapping[Moments, Mapping[str, BranchMoments]] = field(default_factory=dict)
    co_moments: Mapping[CoMoments, Mapping[str, BranchCoMoments]] = field(default_factory=dict)
    histograms: Mapping[Histogram, Mapping[str, Distribution]] = field(default_factory=dict)
    joint_moments: Mapping[JointMoments, Mapping[str, BranchJointMoments]] = field(
        default_factory=dict
    )
    pairs: Mapping[Pairs, Mapping[str, BranchPairs]] = field(default_factory=dict)
    ratio_co_moments: Mapping[RatioCoMoments, Mapping[str, BranchRatioCoMoments]] = field(
        default_factory=dict
    )
    odd: Mapping[Odd, Mapping[str, int]] = field(default_factory=dict)
