"""The mean of capped values by a linear model, adjusted for a covariate where one is configured.

Belongs here: the statistics ``linear_model_mean`` (stored as ``mean_lm``) and
``per_client_dau_impact``. Does not: the model (`linear_model`), its rows (`linear_rows`).

With ``robust`` each branch has its own error variance; with ``sequential`` every set of rows has
a companion, its name ending in ``_sequential``, whose intervals hold however often one looks.

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

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from jetstream_assets.experiments.needs import CapScope, CoMoments, Moments, Value
from jetstream_assets.statistics.layout import Label
from jetstream_assets.statistics.linear_model import LinearModel, adjusted_arm, fit, unadjusted_arm
from jetstream_assets.statistics.linear_rows import Facts, impact_rows, mean_rows
from jetstream_assets.statistics.reach import Fixed, Reach
from jetstream_assets.statistics.sequential import SEQUENTIAL, sequential_label, sequential_reach
from jetstream_assets.statistics.shape import Shape

if TYPE_CHECKING:
    from jetstream_assets.experiments.needs import Need
    from jetstream_assets.statistics.base import Question, StatisticRow
    from jetstream_assets.statistics.collected import Collected

COVARIATE_FAILURE = "MissingCovariateError"
UNADJUSTED = "_unadjusted"

_Rows = Callable[["Question", Label, LinearModel, Facts, Reach], list["StatisticRow"]]


@dataclass(frozen=True)
class _LinearModelStatistic:
    """What both statistics share: needs, and the two sets of rows."""

    name: str
    make_rows: _Rows

    @property
    def outputs(self) -> tuple[str, ...]:
        """The adjusted (or only) name, the unadjusted one, and their sequential companions."""
        names = (self.name, self.name + UNADJUSTED)
        return (*names, *(name + SEQUENTIAL for name in names))

    def needs(self, question: Question) -> tuple[Need, ...]:
        """Moments, and co-moments where a covariate can be had."""
        if question.is_adjusted and not question.covariate_failure:
            return (_moments(question), _co_moments(question))
        return (_moments(question),)

    def rows(self, question: Question, collected: Collected) -> list[StatisticRow]:
        """One set of rows, or an adjusted and an unadjusted one; with companions if asked for."""
        found = collected.moments[_moments(question)]
        moments = {branch: m for branch, m in found.items() if m.units}
        units = sum(m.units for m in moments.values())
        arms = {branch: unadjusted_arm(m) for branch, m in moments.items()}
        shapes = {branch: Shape.of_values(m) for branch, m in moments.items()}
        facts = Facts(moments, units, {}, has_covariate=False, shapes=shapes)
        model = fit(arms, is_robust=question.flag("robust"))
        name = self.outputs[1 if question.is_adjusted else 0]
        unadjusted = self._sets(question, Label(name, question.confidence), model, facts)
        if not question.is_adjusted:
            return unadjusted
        return [*self._adjusted(question, collected, facts), *unadjusted]

    def _adjusted(
        self, question: Question, collected: Collected, facts: Facts
    ) -> list[StatisticRow]:
        if question.covariate_failure:
            names = [self.name, *([self.name + SEQUENTIAL] if question.flag("sequential") else [])]
            reason = question.covariate_failure
            return [question.failed(name, reason, COVARIATE_FAILURE) for name in names]
        found = collected.co_moments[_co_moments(question)]
        joint = {branch: c for branch, c in found.items() if c.units}
        arms = {branch: adjusted_arm(c) for branch, c in joint.items()}
        missing = {branch: c.values - c.units for branch, c in joint.items()}
        facts = replace(facts, without_covariate=missing, has_covariate=True)
        label = Label(
            self.name,
            question.confidence,
            covariate=covariate_name(question),
            required="a value and a covariate",
        )
        model = fit(arms, has_covariate=True, is_robust=question.flag("robust"))
        return self._sets(question, label, model, facts)

    def _sets(
        self, question: Question, label: Label, model: LinearModel, facts: Facts
    ) -> list[StatisticRow]:
        rows = self.make_rows(question, label, model, facts, Fixed(question.confidence))
        reach = sequential_reach(question)
        if reach is None:
            return rows
        return [*rows, *self.make_rows(question, sequential_label(label), model, facts, reach)]


def _moments(question: Question) -> Moments:
    return Moments(question.value, question.number("drop_highest"), CapScope.POOLED)


def _co_moments(question: Question) -> CoMoments:
    covariate = question.summary.covariate
    if covariate is None:
        raise ValueError(f"no covariate is configured for {question.summary.metric!r}")
    value = Value(covariate.metric, period=covariate.period)
    return CoMoments(question.value, value, question.number("drop_highest"))


def covariate_name(question: Question) -> str | None:
    """How the covariate is named in rows: period and metric."""
    covariate = question.summary.covariate
    return None if covariate is None else f"{covariate.period.value}.{covariate.metric}"


LINEAR_MODEL_MEAN = _LinearModelStatistic("mean_lm", mean_rows)
PER_CLIENT_DAU_IMPACT = _LinearModelStatistic("per_client_dau_impact", impact_rows)
