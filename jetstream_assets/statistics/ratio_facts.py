"""What is known of a branch's ratio before any interval: its point, its shape, or why nothing is.

Belongs here: what holds for resampled and linearised ratios alike. Does not: intervals
(`resampled_ratio`, `linearised_ratio`).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from jetstream_assets.statistics.cap_doubt import variance_of_ratio_caps
from jetstream_assets.statistics.posterior import TOO_LARGE
from jetstream_assets.statistics.ratio_distribution import FEWEST_ERRORS, RatioMoments
from jetstream_assets.statistics.shape import Shape

if TYPE_CHECKING:
    from jetstream_assets.statistics.collected import BranchJointMoments

UNCLEAR = "the mean of the denominator is too close to 0, so that the ratio has no interval"


@dataclass(frozen=True)
class RatioFacts:
    """What is known of one branch with units.

    Args:
        units: Units with both parts.
        odd: Units left out because a part is infinite or not a number.
        point: The ratio of the means; None where the denominator's is 0.
        undetermined: Why nothing is known beside the point; empty when something is.
        constant: Why units do not differ; empty when they do.
        unclear: Why the delta method says nothing, empty when it does: as ``undetermined``, or the
            denominator's mean is too close to 0.
        moments: The joint moments, with a denominator that is not below 0.
        shape: That of the linearised values.
    """

    units: int
    odd: int
    point: float | None
    undetermined: str
    constant: str
    unclear: str
    moments: RatioMoments
    shape: Shape

    @classmethod
    def of(cls, joint: BranchJointMoments, drop_highest: float) -> RatioFacts:
        """Those of collected moments."""
        moments = RatioMoments.of(joint)
        undetermined = _undetermined(moments)
        constant = "" if undetermined or moments.has_spread else _constant(joint)
        is_close = not undetermined and moments.denominator_errors < FEWEST_ERRORS
        unclear = UNCLEAR if is_close and not constant else undetermined
        point = moments.ratio if moments.denominator else None
        shape = Shape(joint.units, 0.0, 0.0)
        if not undetermined and not constant:
            m2, m3 = moments.linearised
            shape = Shape(joint.units, m2, m3, variance_of_ratio_caps(joint, drop_highest))
        return cls(joint.units, joint.odd, point, undetermined, constant, unclear, moments, shape)


def _undetermined(moments: RatioMoments) -> str:
    if not math.isfinite(sum(map(abs, moments.central.values()))):
        return TOO_LARGE
    if not moments.denominator:
        return "the mean of the denominator is 0, so that there is no ratio"
    if moments.units == 1:
        return "one unit has no spread, so that there is no interval"
    return ""


def _constant(joint: BranchJointMoments) -> str:
    if joint.threshold is not None and joint.threshold < joint.highest:
        return (
            f"the cap of the numerator at {joint.threshold:g} leaves no difference between the "
            f"{joint.units} units; a lower drop_highest would keep their differences"
        )
    return (
        f"the numerator is the same multiple of the denominator for all {joint.units} units, "
        "so that there is no interval"
    )
