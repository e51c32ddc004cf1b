"""The ratio of the means of two metrics.

Belongs here: the statistic ``population_ratio``, its needs and its sets of rows. Does not: the rows
by resampling (`resampled_ratio`), those by the delta method (`linearised_ratio`).

Numerator and denominator are capped each at the quantile 1 - ``drop_highest`` of its own branch,
over the units that have both. ``interval`` says which interval the rows have: ``bootstrap``, that
of resampled units, or ``delta``, of the delta method.

Where a covariate is configured there are two sets of rows, as for the linear model: adjusted ones
under the statistic's own name, whose intervals are always those of the delta method, and
unadjusted ones under the name with ``_unadjusted``. The covariates are both parts before
enrollment, or the one metric that is named; each is capped at the quantile of all branches.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from jetstream_assets.experiments.needs import JointMoments, Pairs, RatioCoMoments, Value
from jetstream_assets.statistics.layout import Label
from jetstream_assets.statistics.linearised_ratio import adjusted_rows, delta_rows
from jetstream_assets.statistics.mean_lm import COVARIATE_FAILURE, UNADJUSTED, covariate_name
from jetstream_assets.statistics.ratio_facts import RatioFacts
from jetstream_assets.statistics.resampled_ratio import MOST_DRAWN, resampled_rows

if TYPE_CHECKING:
    from collections.abc import Mapping

    from jetstream_assets.experiments.needs import Need
    from jetstream_assets.statistics.base import Question, StatisticRow
    from jetstream_assets.statistics.collected import Collected

_NAME = "population_ratio"
_BOTH = "a numerator and a denominator"


@dataclass(frozen=True)
class PopulationRatio:
    """One row per branch, and difference and relative uplift of every pair.

    The point of a relative uplift is that of the delta method, the ratio of both less 1, or the
    mean of branch / reference - 1 over resamples.
    """

    outputs: tuple[str, ...] = (_NAME, _NAME + UNADJUSTED)

    def needs(self, question: Question) -> tuple[Need, ...]:
        """The joint moments, the values of branches with few units, and those of covariates."""
        needs: list[Need] = [_joint_moments(question)]
        if not _is_delta(question):
            needs.append(_pairs(question))
        if question.is_adjusted and not question.covariate_failure:
            needs.append(_co_moments(question))
        return tuple(needs)

    def rows(self, question: Question, collected: Collected) -> list[StatisticRow]:
        """One set of rows, or an adjusted and an unadjusted one."""
        share = question.number("drop_highest")
        ratios = {
            branch: RatioFacts.of(joint, share)
            for branch, joint in collected.joint_moments[_joint_moments(question)].items()
            if joint.units
        }
        name = self.outputs[1 if question.is_adjusted else 0]
        label = Label(name, question.confidence, required=_BOTH)
        if _is_delta(question):
            unadjusted = delta_rows(question, label, ratios)
        else:
            few = collected.pairs.get(_pairs(question), {})
            unadjusted = resampled_rows(question, label, ratios, few)
        if not question.is_adjusted:
            return unadjusted
        return [*_adjusted(question, collected, ratios), *unadjusted]


def _adjusted(
    question: Question, collected: Collected, ratios: Mapping[str, RatioFacts]
) -> list[StatisticRow]:
    if question.covariate_failure:
        return [question.failed(_NAME, question.covariate_failure, COVARIATE_FAILURE)]
    label = Label(
        _NAME,
        question.confidence,
        covariate=covariate_name(question),
        required=f"{_BOTH} and their covariates",
    )
    found = collected.ratio_co_moments[_co_moments(question)]
    return adjusted_rows(question, label, ratios, found)


def _is_delta(question: Question) -> bool:
    return dict(question.summary.parameters).get("interval") == "delta"


def _joint_moments(question: Question) -> JointMoments:
    return JointMoments(*_parts(question), question.number("drop_highest"))


def _pairs(question: Question) -> Pairs:
    return Pairs(*_parts(question), MOST_DRAWN)


def _co_moments(question: Question) -> RatioCoMoments:
    covariate = question.summary.covariate
    if covariate is None:
        raise ValueError(f"no covariate is configured for {question.summary.metric!r}")
    before = tuple(Value(name, period=covariate.period) for name in question.summary.covariates)
    return RatioCoMoments(*_parts(question), before, question.number("drop_highest"))


def _parts(question: Question) -> tuple[Value, Value]:
    numerator, denominator = (
        Value(metric, question.summary.pre_treatments) for metric in question.summary.measured
    )
    return numerator, denominator
