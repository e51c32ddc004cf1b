"""A cap at a quantile is as uncertain as the quantile, and a long tail makes a quantile uncertain.

Belongs here: how much of a mean's variance is left out when its cap is taken for certain. Does
not: when that is said (`shape`).

The mean of the values capped at their own quantile 1 - q, t, has the influence function (Hampel et
al., 1986, Robust Statistics, chapter 2)

    min(x, t) - mean + h (1(x > t) - q),    h = q / density at t,

so that to the variance of min(x, t) come 2 h q (t - mean) + h^2 q (1 - q). For an exponential tail
h is the mean excess over t, which is (mean before the cap - mean after it) / q; for a longer tail
the mean excess is more than h, so that what is found here is too much rather than too little. For a
ratio the same holds of both parts of numerator - ratio * denominator, whose covariance with
exceeding t is taken from its regression on the part.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from jetstream_assets.statistics.collected import BranchJointMoments, BranchMoments


def variance_of_cap(moments: BranchMoments, share: float) -> float:
    """What the variance of a unit's capped value leaves out; 0 without a cap of the branch's own.

    Args:
        moments: Those of a branch.
        share: The share of values above the cap, 0 without one.
    """
    if moments.uncapped is None or moments.threshold is None or not share:
        return 0.0
    distance = moments.threshold - moments.mean
    return _left_out(moments.uncapped - moments.mean, distance, 1.0, share)


def variance_of_ratio_caps(joint: BranchJointMoments, share: float) -> float:
    """The same of numerator - ratio * denominator, divided by the squared mean denominator."""
    if joint.uncapped is None or not share or not joint.denominator:
        return 0.0
    ratio = joint.numerator / joint.denominator
    of_x, of_xy, of_y = (joint.central[key] for key in ((2, 0), (1, 1), (0, 2)))
    found = 0.0
    parts = (
        (joint.threshold, joint.numerator, joint.uncapped[0], 1.0, of_x, of_x - ratio * of_xy),
        (
            joint.denominator_threshold,
            joint.denominator,
            joint.uncapped[1],
            -ratio,
            of_y,
            of_xy - ratio * of_y,
        ),
    )
    for threshold, mean, uncapped, sign, variance, covariance in parts:
        if threshold is not None and variance > 0:
            distance = covariance / variance * (threshold - mean)
            found += _left_out(uncapped - mean, distance, sign, share)
    return max(found, 0.0) / joint.denominator**2


def _left_out(excess: float, distance: float, sign: float, share: float) -> float:
    """By the excess of a unit on average, which is the mean excess times the share."""
    return 2 * sign * excess * distance + (sign * excess) ** 2 * (1 - share) / share
