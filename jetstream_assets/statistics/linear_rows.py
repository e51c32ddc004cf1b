"""A fitted linear model answers with rows, each number with its interval or the reason for none.

Belongs here: rows of means and of impacts. Does not: the model (`linear_model`), which statistics
are made of it (`mean_lm`, and the sequential rows of other means).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from jetstream_assets.statistics.collected import BranchMoments
from jetstream_assets.statistics.layout import (
    Comparison,
    Estimate,
    Label,
    comparison_rows,
    joined,
    remark_of_odd,
    single_rows,
)
from jetstream_assets.statistics.linear_model import Arm, Interval, LinearModel, single_interval
from jetstream_assets.statistics.shape import (
    Shape,
    remark_of_branch,
    remark_of_few,
    remark_of_pair,
)

if TYPE_CHECKING:
    from jetstream_assets.statistics.base import Question, StatisticRow
    from jetstream_assets.statistics.reach import Reach


@dataclass(frozen=True)
class Facts:
    """What the rows say beside the model's numbers.

    ``units`` is the number of units with a value over all branches, with or without covariate.
    ``undetermined`` has the branches that are not in the model although they have units, and
    ``constant`` why a branch of the model has no spread, where that is not plain from ``moments``.
    """

    moments: dict[str, BranchMoments]
    units: int
    without_covariate: dict[str, int]
    has_covariate: bool
    shapes: Mapping[str, Shape]
    undetermined: Mapping[str, Estimate] = field(default_factory=dict)
    constant: Mapping[str, str] = field(default_factory=dict)


def mean_rows(
    question: Question, label: Label, model: LinearModel, facts: Facts, reach: Reach
) -> list[StatisticRow]:
    """One row per branch, and difference and relative uplift of every pair."""
    singles = {branch: _single(branch, arm, facts, reach) for branch, arm in model.arms.items()}

    def compare(branch: str, reference: str) -> Comparison:
        for name in (branch, reference):
            if name in facts.undetermined:
                missing = facts.undetermined[name]._replace(point=None)
                return Comparison(missing, missing, missing)
        return _comparison(model, facts, branch, reference, reach)

    singles |= facts.undetermined
    return [
        *single_rows(question, label, singles),
        *comparison_rows(question, label, list(singles), compare),
    ]


def impact_rows(
    question: Question, label: Label, model: LinearModel, facts: Facts, reach: Reach
) -> list[StatisticRow]:
    """Comparisons of the experiment's own branches; differences times the number of units."""

    def compare(branch: str, reference: str) -> Comparison:
        pair = _comparison(model, facts, branch, reference, reach)
        return Comparison(_scaled(pair.difference, facts.units), pair.relative, pair.mirrored)

    return list(comparison_rows(question, label, list(model.arms), compare, question.branches))


def _scaled(estimate: Estimate, factor: float) -> Estimate:
    point, lower, upper = (
        None if number is None else number * factor
        for number in (estimate.point, estimate.lower, estimate.upper)
    )
    return estimate._replace(point=point, lower=lower, upper=upper)


def _single(branch: str, arm: Arm, facts: Facts, reach: Reach) -> Estimate:
    found = single_interval(arm, reach)
    reason = "" if found.lower is not None else _no_interval(branch, arm, facts)
    remark = _remark(facts, arm.odd, branch)
    return _estimate(
        arm.units, found, reason, joined(remark, "" if reason else _doubts(facts, reach, branch))
    )


def _no_interval(branch: str, arm: Arm, facts: Facts) -> str:
    if arm.units == 1:
        return "one unit has no spread, so that there is no interval"
    if branch in facts.constant:
        return facts.constant[branch]
    m = facts.moments.get(branch)
    if m and m.threshold is not None and m.is_constant and m.lowest < m.highest:
        return (
            f"the cap at {m.threshold:g} leaves the same value for all {arm.units} units; "
            "a lower drop_highest would keep their differences"
        )
    return f"all {arm.units} units have the same value, so that there is no interval"


def _comparison(
    model: LinearModel, facts: Facts, branch: str, reference: str, reach: Reach
) -> Comparison:
    units = model.arms[branch].units + model.arms[reference].units
    odd = model.arms[branch].odd + model.arms[reference].odd
    remark = _remark(facts, odd, branch, reference)
    reason = _incomparable(model, facts, branch, reference)
    remark = joined(remark, "" if reason else _doubts(facts, reach, branch, reference))
    difference = model.difference(branch, reference, reach)

    def relative(to: str, of: str) -> Estimate:
        found = model.relative(of, to, reach)
        if found is None:
            return Estimate(units, reason=_zero_reference(facts, to), remark=remark)
        if found.lower is None and not reason:
            why = _OPPOSITE_SIGNS if found.point <= -1 else _TOO_UNCERTAIN
            return _estimate(units, found, why, remark)
        return _estimate(units, found, reason, remark)

    return Comparison(
        _estimate(units, difference, reason, remark),
        relative(reference, branch),
        relative(branch, reference),
    )


_OPPOSITE_SIGNS = "the two means differ in sign (or one is 0), so that their ratio has no interval"
_TOO_UNCERTAIN = "the means are so close to 0 for their errors that their ratio has no interval"


def _incomparable(model: LinearModel, facts: Facts, branch: str, reference: str) -> str:
    if facts.has_covariate and not model.sxx:
        return "the covariate has the same value for every unit of a branch: it explains nothing"
    if min(model.arms[branch].units, model.arms[reference].units) == 1:
        return "a branch of one unit is too few for an interval"
    if not model.errors:
        return f"{model.degrees_of_freedom} degrees of freedom are too few for an interval"
    if not any(model.errors[name].variance for name in (branch, reference) if name in model.errors):
        return (
            "the covariate explains every difference, so that there is no interval"
            if model.slope
            else f"{'neither' if model.is_robust else 'no'} branch has different values, "
            "so that there is no interval"
        )
    return ""


def _zero_reference(facts: Facts, reference: str) -> str:
    moments = facts.moments.get(reference)
    if moments is not None and moments.highest > 0 and moments.highest_after_cap <= 0:
        return (
            f"the reference branch's values are all 0 after the cap at {moments.threshold:g}; "
            "a lower drop_highest would keep the others"
        )
    return "the reference branch's mean is 0"


def _estimate(units: int, interval: Interval, reason: str, remark: str) -> Estimate:
    if reason:
        return Estimate(units, interval.point, reason=reason, remark=remark)
    return Estimate(
        units,
        interval.point,
        interval.lower,
        interval.upper,
        remark=remark,
        p_value=interval.p_value,
    )


def _remark(facts: Facts, odd: int, *branches: str) -> str:
    missing = sum(facts.without_covariate.get(branch, 0) for branch in branches)
    units = "1 unit" if missing == 1 else f"{missing} units"
    without = f"{units} left out: there is no covariate" if missing else ""
    return joined(remark_of_odd(odd), without)


def _doubts(facts: Facts, reach: Reach, *branches: str) -> str:
    """Why an interval may miss its level; the covariate is taken to leave the shape as it is."""
    shapes = [facts.shapes[branch] for branch in branches if branch in facts.shapes]
    if len(shapes) < len(branches):
        return ""
    few = remark_of_few(min(shape.units for shape in shapes), reach.fewest_units)
    skewed = remark_of_branch(shapes[0]) if len(shapes) == 1 else remark_of_pair(*shapes)
    return joined(few, skewed)
