"""The ratio of the means of two metrics, with the interval that resampling the units would give.

Belongs here: the statistic ``population_ratio``. Does not: the distribution of the ratio
(`ratio_distribution`).

Numerator and denominator are capped each at the quantile 1 - ``drop_highest`` of its own branch,
over the units that have both. The point is the mean over resamples, which differs from the ratio
of the means by a share of 1/n. ``num_samples`` matters only where resamples are drawn: of at most
`MOST_DRAWN` units where the expansion is too rough for them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from jetstream_assets.experiments.needs import JointMoments, Pairs, Value
from jetstream_assets.statistics.layout import (
    Comparison,
    Estimate,
    Label,
    comparison_rows,
    remark_of_odd,
    single_rows,
)
from jetstream_assets.statistics.posterior import TOO_LARGE
from jetstream_assets.statistics.ratio_distribution import (
    FEWEST_ERRORS,
    RatioDistribution,
    RatioMoments,
    difference_quantile,
    drawn,
    ratio_quantile,
)

if TYPE_CHECKING:
    from jetstream_assets.experiments.needs import Need
    from jetstream_assets.statistics.base import Question, StatisticRow
    from jetstream_assets.statistics.collected import BranchJointMoments, BranchPairs, Collected

MOST_DRAWN = 300
# With as many units, a denominator as clear of 0 and no more skewness, the expansion's bounds were
# within .07 standard deviations of those of 40,000 resamples of counts, log-normal, zero-inflated
# and rare values.
FEWEST_UNITS = 100
_CLEAR_ERRORS = 6.0
_SKEWED = 0.3

_ZERO_REFERENCE = (
    "the reference branch's ratio cannot be told from 0, so that a ratio to it says nothing"
)


@dataclass(frozen=True)
class PopulationRatio:
    """One row per branch, and difference and relative uplift of every pair.

    The point of a relative uplift is the mean of branch / reference - 1 over resamples.
    """

    outputs: tuple[str, ...] = ("population_ratio",)

    def needs(self, question: Question) -> tuple[Need, ...]:
        """The joint moments, and the values themselves of branches with few units."""
        return (_joint_moments(question), _pairs(question))

    def rows(self, question: Question, collected: Collected) -> list[StatisticRow]:
        """The rows of all branches and pairs."""
        few = collected.pairs.get(_pairs(question), {})
        ratios = {
            branch: _ratio(question, branch, joint, few.get(branch))
            for branch, joint in collected.joint_moments[_joint_moments(question)].items()
            if joint.units
        }
        level = question.confidence
        label = Label(self.outputs[0], level, required="a numerator and a denominator")

        def compare(branch: str, reference: str) -> Comparison:
            return _comparison(ratios[branch], ratios[reference], level)

        singles = {branch: _single(ratio, level) for branch, ratio in ratios.items()}
        return [
            *single_rows(question, label, singles),
            *comparison_rows(question, label, list(ratios), compare),
        ]


def _joint_moments(question: Question) -> JointMoments:
    return JointMoments(*_parts(question), question.number("drop_highest"))


def _pairs(question: Question) -> Pairs:
    return Pairs(*_parts(question), MOST_DRAWN)


def _parts(question: Question) -> tuple[Value, Value]:
    summary = question.summary
    numerator, denominator = (
        Value(str(summary.parameter(part)), summary.pre_treatments)
        for part in ("numerator", "denominator")
    )
    return numerator, denominator


@dataclass(frozen=True, eq=False)
class _Ratio:
    """What is known of one branch's ratio.

    ``distribution`` is None where it is not known, for the ``reason``; it is a single value, with a
    ``reason`` too, where units do not differ.
    """

    units: int
    odd: int
    point: float | None
    reason: str
    distribution: RatioDistribution | None

    @property
    def has_spread(self) -> bool:
        return self.distribution is not None and self.distribution.values.size > 1


def _ratio(
    question: Question, branch: str, joint: BranchJointMoments, pairs: BranchPairs | None
) -> _Ratio:
    moments = RatioMoments.of(joint)
    reason = _undetermined(moments)
    if reason:
        point = moments.ratio if moments.denominator else None
        return _Ratio(joint.units, joint.odd, point, reason, None)
    if not moments.has_spread:
        constant = RatioDistribution(np.array([moments.ratio]), np.ones(1))
        return _Ratio(joint.units, joint.odd, moments.ratio, _without_spread(joint), constant)
    distribution = _distribution(question, branch, moments, pairs)
    if distribution is None:
        return _Ratio(joint.units, joint.odd, moments.ratio, _UNCLEAR, None)
    return _Ratio(joint.units, joint.odd, distribution.mean, "", distribution)


_UNCLEAR = "the mean of the denominator is too close to 0, so that the ratio has no interval"


def _distribution(
    question: Question, branch: str, moments: RatioMoments, pairs: BranchPairs | None
) -> RatioDistribution | None:
    errors = moments.denominator_errors
    is_rough = errors < _CLEAR_ERRORS or abs(moments.skewness) > _SKEWED
    if pairs is not None and (is_rough or moments.units < FEWEST_UNITS):
        seed = repr((question.summary, question.analysis_basis, question.segment, branch))
        samples = int(question.number("num_samples"))
        return drawn(pairs, question.number("drop_highest"), samples, seed)
    return moments.distribution() if errors >= FEWEST_ERRORS else None


def _undetermined(moments: RatioMoments) -> str:
    """Why nothing is known of the ratio beside its point; empty when something is."""
    if not math.isfinite(sum(map(abs, moments.central.values()))):
        return TOO_LARGE
    if not moments.denominator:
        return "the mean of the denominator is 0, so that there is no ratio"
    if moments.units == 1:
        return "one unit has no spread, so that there is no interval"
    return ""


def _without_spread(joint: BranchJointMoments) -> str:
    if joint.threshold is not None and joint.threshold < joint.highest:
        return (
            f"the cap of the numerator at {joint.threshold:g} leaves no difference between the "
            f"{joint.units} units; a lower drop_highest would keep their differences"
        )
    return (
        f"the numerator is the same multiple of the denominator for all {joint.units} units, "
        "so that there is no interval"
    )


def _single(ratio: _Ratio, level: float) -> Estimate:
    remark = remark_of_odd(ratio.odd)
    if ratio.distribution is None or ratio.reason:
        return Estimate(ratio.units, ratio.point, reason=ratio.reason, remark=remark)
    lower, upper = ratio.distribution.quantiles(np.array([(1 - level) / 2, (1 + level) / 2]))
    return Estimate(ratio.units, ratio.point, float(lower), float(upper), remark=remark)


def _comparison(branch: _Ratio, reference: _Ratio, level: float) -> Comparison:
    units, remark = branch.units + reference.units, remark_of_odd(branch.odd + reference.odd)
    first, second = branch.distribution, reference.distribution
    if first is None or second is None or not (branch.has_spread or reference.has_spread):
        reason = branch.reason if first is None else reference.reason
        return Comparison(
            Estimate(units, _minus(branch.point, reference.point), reason=reason, remark=remark),
            Estimate(units, _over(branch.point, reference.point), reason=reason, remark=remark),
            Estimate(units, _over(reference.point, branch.point), reason=reason, remark=remark),
        )
    lower, upper = (difference_quantile(first, second, s) for s in _shares(level))
    return Comparison(
        Estimate(units, first.mean - second.mean, lower, upper, remark=remark),
        _relative(first, second, level, units, remark),
        _relative(second, first, level, units, remark),
    )


def _relative(
    branch: RatioDistribution, reference: RatioDistribution, level: float, units: int, remark: str
) -> Estimate:
    if reference.mean < 0:
        # The ratio is that of the negated ones.
        branch, reference = branch.negated, reference.negated
    positive = reference.positive
    if positive is None:
        return Estimate(units, reason=_ZERO_REFERENCE, remark=remark)
    lower, upper = (ratio_quantile(branch, positive, share) - 1 for share in _shares(level))
    point = branch.mean * positive.mean_reciprocal - 1
    return Estimate(units, point, lower, upper, remark=remark)


def _shares(level: float) -> tuple[float, float]:
    return (1 - level) / 2, (1 + level) / 2


def _minus(branch: float | None, reference: float | None) -> float | None:
    return None if branch is None or reference is None else branch - reference


def _over(branch: float | None, reference: float | None) -> float | None:
    return branch / reference - 1 if branch is not None and reference else None
