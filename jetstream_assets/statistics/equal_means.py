"""Whether the means of several branches differ by more than chance, each with its own variance.

Belongs here: the test. Does not: which metrics are tested (`analysis.metric_checks`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True)
class Arm:
    """Number of values, their mean and their variance (with n - 1)."""

    units: int
    mean: float
    variance: float


def equal_means(arms: Sequence[Arm]) -> float | None:
    """The p-value of Welch's (1951) test that all means are equal; None where it cannot be made.

    With w = n / variance, W their sum, and the mean of means weighted by w:
    F = (sum of w (mean - weighted mean)^2 / (k - 1)) / (1 + 2 (k - 2) / (k^2 - 1) * A), where A is
    the sum of (1 - w / W)^2 / (n - 1); it has k - 1 and (k^2 - 1) / (3 A) degrees of freedom. Of
    two branches it is Welch's t-test.

    An arm with fewer than two values does not enter. Where a variance is 0 there is no chance at
    work: equal constants have the p-value 1, and the test is not made of others.
    """
    arms = [arm for arm in arms if arm.units > 1]
    if len(arms) < 2:  # noqa: PLR2004 - a difference takes two
        return None
    if any(arm.variance <= 0 for arm in arms):
        is_same = len({arm.mean for arm in arms}) == 1 and all(a.variance <= 0 for a in arms)
        return 1.0 if is_same else None
    from scipy.special import fdtrc

    k = len(arms)
    weights = [arm.units / arm.variance for arm in arms]
    whole = sum(weights)
    centre = sum(w * arm.mean for w, arm in zip(weights, arms, strict=True)) / whole
    between = sum(w * (arm.mean - centre) ** 2 for w, arm in zip(weights, arms, strict=True))
    uneven = sum((1 - w / whole) ** 2 / (a.units - 1) for w, a in zip(weights, arms, strict=True))
    f = between / (k - 1) / (1 + 2 * (k - 2) / (k**2 - 1) * uneven)
    return float(fdtrc(k - 1, (k**2 - 1) / (3 * uneven), f))
