"""The mean of capped values by a linear model, adjusted for a covariate where one is configured.

Belongs here: the statistics ``linear_model_mean`` (stored as ``mean_lm``) and
``per_client_dau_impact``. Does not: the model (`linear_model`).

Where a covariate is configured there are two sets of rows: the adjusted ones under the statistic's
own name, with the covariate named, and the unadjusted ones under the name with ``_unadjusted``, so
that neither is ever taken for the other. When the covariate cannot be had, the first is a row with
the reason. In a pre-enrollment period there is nothing to adjust for: one set, unadjusted.

Values are capped once, at the quantile 1 - ``drop_highest`` of all branches together; the
covariate likewise at its own. Units without a covariate do not enter the adjusted rows. An
adjusted single branch has the plain mean of its remaining units. The covariate's pooled mean is
taken where Jetstream takes the mean of 10,000 of its quantiles: it moves the bounds of a relative
uplift by less than 1 % of their distance.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from jetstream_assets.experiments.needs import CapScope, CoMoments, Moments, Value
from jetstream_assets.statistics.collected import BranchMoments
from jetstream_assets.statistics.layout import (
    Comparison,
    Estimate,
    Label,
    comparison_rows,
    remark_of_odd,
    single_rows,
)
from jetstream_assets.statistics.linear_model import (
    Arm,
    Interval,
    LinearModel,
    adjusted_arm,
    fit,
    single_interval,
    unadjusted_arm,
)

if TYPE_CHECKING:
    from jetstream_assets.experiments.needs import Need
    from jetstream_assets.statistics.base import Question, StatisticRow
    from jetstream_assets.statistics.collected import Collected

COVARIATE_FAILURE = "MissingCovariateError"
_UNADJUSTED = "_unadjusted"

_Rows = Callable[["Question", Label, LinearModel, "_Facts"], list["StatisticRow"]]


@dataclass(frozen=True)
class _Facts:
    """What the rows say beside the model's numbers.

    ``units`` is the number of units with a value over all branches, with or without covariate.
    """

    moments: dict[str, BranchMoments]
    units: int
    without_covariate: dict[str, int]
    has_covariate: bool


@dataclass(frozen=True)
class _LinearModelStatistic:
    """What both statistics share: needs, and the two sets of rows."""

    name: str
    make_rows: _Rows

    @property
    def outputs(self) -> tuple[str, ...]:
        """The adjusted (or only) name and the unadjusted one."""
        return (self.name, self.name + _UNADJUSTED)

    def needs(self, question: Question) -> tuple[Need, ...]:
        """Moments, and co-moments where a covariate can be had."""
        if question.is_adjusted and not question.covariate_failure:
            return (_moments(question), _co_moments(question))
        return (_moments(question),)

    def rows(self, question: Question, collected: Collected) -> list[StatisticRow]:
        """One set of rows, or an adjusted and an unadjusted one."""
        found = collected.moments[_moments(question)]
        moments = {branch: m for branch, m in found.items() if m.units}
        units = sum(m.units for m in moments.values())
        arms = {branch: unadjusted_arm(m) for branch, m in moments.items()}
        facts = _Facts(moments, units, {}, has_covariate=False)
        model = fit(arms, has_covariate=False)
        name = self.outputs[1 if question.is_adjusted else 0]
        unadjusted = self.make_rows(question, Label(name, question.confidence), model, facts)
        if not question.is_adjusted:
            return unadjusted
        return [*self._adjusted(question, collected, moments, units), *unadjusted]

    def _adjusted(
        self,
        question: Question,
        collected: Collected,
        moments: dict[str, BranchMoments],
        units: int,
    ) -> list[StatisticRow]:
        if question.covariate_failure:
            return [question.failed(self.name, question.covariate_failure, COVARIATE_FAILURE)]
        found = collected.co_moments[_co_moments(question)]
        joint = {branch: c for branch, c in found.items() if c.units}
        arms = {branch: adjusted_arm(c) for branch, c in joint.items()}
        missing = {branch: c.values - c.units for branch, c in joint.items()}
        facts = _Facts(moments, units, missing, has_covariate=True)
        label = Label(
            self.name,
            question.confidence,
            covariate=_covariate_name(question),
            required="a value and a covariate",
        )
        return self.make_rows(question, label, fit(arms, has_covariate=True), facts)


def _moments(question: Question) -> Moments:
    return Moments(question.value, question.number("drop_highest"), CapScope.POOLED)


def _co_moments(question: Question) -> CoMoments:
    covariate = question.summary.covariate
    if covariate is None:
        raise ValueError(f"no covariate is configured for {question.summary.metric!r}")
    value = Value(covariate.metric, period=covariate.period)
    return CoMoments(question.value, value, question.number("drop_highest"))


def _covariate_name(question: Question) -> str | None:
    covariate = question.summary.covariate
    return None if covariate is None else f"{covariate.period.value}.{covariate.metric}"


def _mean_rows(
    question: Question, label: Label, model: LinearModel, facts: _Facts
) -> list[StatisticRow]:
    level = question.confidence
    singles = {branch: _single(branch, arm, facts, level) for branch, arm in model.arms.items()}

    def compare(branch: str, reference: str) -> Comparison:
        return _comparison(model, facts, branch, reference, level)

    return [
        *single_rows(question, label, singles),
        *comparison_rows(question, label, list(model.arms), compare),
    ]


def _impact_rows(
    question: Question, label: Label, model: LinearModel, facts: _Facts
) -> list[StatisticRow]:
    """Comparisons of the experiment's own branches; differences times the number of units."""

    def compare(branch: str, reference: str) -> Comparison:
        pair = _comparison(model, facts, branch, reference, question.confidence)
        return Comparison(_scaled(pair.difference, facts.units), pair.relative, pair.mirrored)

    branches: Sequence[str] = question.branches
    return list(comparison_rows(question, label, list(model.arms), compare, branches))


def _scaled(estimate: Estimate, factor: float) -> Estimate:
    point, lower, upper = (
        None if number is None else number * factor
        for number in (estimate.point, estimate.lower, estimate.upper)
    )
    return Estimate(estimate.units, point, lower, upper, estimate.reason, estimate.remark)


def _single(branch: str, arm: Arm, facts: _Facts, level: float) -> Estimate:
    found = single_interval(arm, level)
    reason = "" if found.lower is not None else _no_interval(branch, arm, facts)
    return _estimate(arm.units, found, reason, _remark(facts, arm.odd, branch))


def _no_interval(branch: str, arm: Arm, facts: _Facts) -> str:
    if arm.units == 1:
        return "one unit has no spread, so that there is no interval"
    moments = facts.moments[branch]
    if moments.threshold is not None and moments.is_constant and moments.lowest < moments.highest:
        return (
            f"the cap at {moments.threshold:g} leaves the same value for all {arm.units} units; "
            "a lower drop_highest would keep their differences"
        )
    return f"all {arm.units} units have the same value, so that there is no interval"


def _comparison(
    model: LinearModel, facts: _Facts, branch: str, reference: str, level: float
) -> Comparison:
    units = model.arms[branch].units + model.arms[reference].units
    odd = model.arms[branch].odd + model.arms[reference].odd
    remark = _remark(facts, odd, branch, reference)
    reason = _incomparable(model, facts, branch, reference)
    difference = model.difference(branch, reference, level)

    def relative(to: str, of: str) -> Estimate:
        found = model.relative(of, to, level)
        if found is None:
            return Estimate(units, reason=_zero_reference(facts, to), remark=remark)
        if found.lower is None and not reason:
            return _estimate(units, found, _OPPOSITE_SIGNS, remark)
        return _estimate(units, found, reason, remark)

    return Comparison(
        _estimate(units, difference, reason, remark),
        relative(reference, branch),
        relative(branch, reference),
    )


_OPPOSITE_SIGNS = "the two means differ in sign (or one is 0), so that their ratio has no interval"


def _incomparable(model: LinearModel, facts: _Facts, branch: str, reference: str) -> str:
    if facts.has_covariate and not model.sxx:
        return "the covariate has the same value for every unit of a branch: it explains nothing"
    if min(model.arms[branch].units, model.arms[reference].units) == 1:
        return "a branch of one unit is too few for an interval"
    if model.variance is None:
        return f"{model.degrees_of_freedom} degrees of freedom are too few for an interval"
    if not model.variance:
        return (
            "the covariate explains every difference, so that there is no interval"
            if model.slope
            else "no branch has different values, so that there is no interval"
        )
    return ""


def _zero_reference(facts: _Facts, reference: str) -> str:
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
    return Estimate(units, interval.point, interval.lower, interval.upper, remark=remark)


def _remark(facts: _Facts, odd: int, *branches: str) -> str:
    missing = sum(facts.without_covariate.get(branch, 0) for branch in branches)
    units = "1 unit" if missing == 1 else f"{missing} units"
    without = f"{units} left out: there is no covariate" if missing else ""
    return "; ".join(text for text in (remark_of_odd(odd), without) if text)


LINEAR_MODEL_MEAN = _LinearModelStatistic("mean_lm", _mean_rows)
PER_CLIENT_DAU_IMPACT = _LinearModelStatistic("per_client_dau_impact", _impact_rows)
