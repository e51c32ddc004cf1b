"""The rule that decides an experiment must be about results that it will have.

Belongs here: ``[experiment.decision]`` as a value. Does not: how it is written
(`schema.experiment`), asking the results (`analysis.decision`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from jetstream_assets.config.hypotheses import statistics_of
from jetstream_assets.config.wording import did_you_mean, one_of, shown
from jetstream_assets.experiments.decision import DecisionRule, Guardrail
from jetstream_assets.experiments.hypotheses import SPEAKERS
from jetstream_assets.experiments.windows import Period

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from jetstream_assets.config.effective import Settings
    from jetstream_assets.config.layers import Origin
    from jetstream_assets.experiments.configuration import PeriodSummaries
    from jetstream_assets.experiments.metrics import AnalysisBasis, Metric

DECIDING = {period.config_key: period for period in Period if not period.is_preenrollment}


def resolve_decision(
    settings: Settings, periods: Sequence[PeriodSummaries], metrics: Mapping[str, Metric]
) -> DecisionRule | None:
    """The declared rule, goals without repeats; None where none is declared.

    Args:
        settings: The experiment's.
        periods: What each period computes.
        metrics: The experiment's metrics by name.

    Raises:
        ConfigError: It names a metric that the period does not list, that has no statistic with an
            interval, or that is not computed for the basis; or one that is goal and guardrail.
    """
    table = settings.value.decision
    if table is None:
        return None
    origin = settings.at("decision")
    period = DECIDING[table.period]
    listed = statistics_of([one for one in periods if one.period is period])
    for key, names in (("goals", table.goals), ("guardrails", tuple(table.guardrails))):
        for name in names:
            place = origin.below(key)
            _check_statistic(place, name, period, listed)
            _check_basis(place, metrics[name], table.analysis_basis)
    both = next((name for name in table.goals if name in table.guardrails), None)
    if both is not None:
        problem = f"found {shown(both)}; it is a goal, too."
        raise origin.below("guardrails").error(problem, "A metric is one or the other: choose.")
    return DecisionRule(
        goals=tuple(dict.fromkeys(table.goals)),
        guardrails=tuple(Guardrail(name, margin) for name, margin in table.guardrails.items()),
        minimum_days=table.minimum_days,
        period=period,
        analysis_basis=table.analysis_basis,
    )


def _check_statistic(
    origin: Origin, name: str, period: Period, listed: Mapping[str, set[str]]
) -> None:
    if name not in listed:
        problem = f"found {shown(name)}; the {period.config_key} period lists no such metric."
        remedy = f"List it in [metrics] {period.config_key}, or decide by another period or metric."
        raise origin.error(problem, did_you_mean(name, listed) or remedy)
    if not listed[name] & set(SPEAKERS):
        problem = f"found {shown(name)}; it has no statistic that decides ({one_of([*SPEAKERS])})."
        raise origin.error(problem, "Add one of them, or decide by another metric.")


def _check_basis(origin: Origin, metric: Metric, basis: AnalysisBasis) -> None:
    if basis not in metric.analysis_bases:
        found = ", ".join(metric.analysis_bases)
        problem = f"found {shown(metric.name)}; it is computed for {found}, not for {basis}."
        remedy = "Add the basis to the metric's analysis_bases, or decide by another basis."
        raise origin.error(problem, remedy)
