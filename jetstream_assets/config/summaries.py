"""Which statistics are made of which metrics, period by period.

Belongs here: statistics, pre-treatments and covariates of a metric's definition as summaries, and
their periods. Does not: the metrics themselves (`metrics`), computing anything (`statistics`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from jetstream_assets.config.arguments import complete_arguments
from jetstream_assets.config.wording import did_you_mean, one_of, shown
from jetstream_assets.errors import ConfigError
from jetstream_assets.experiments.configuration import PeriodSummaries
from jetstream_assets.experiments.metrics import CovariateAdjustment, PreTreatment, Summary
from jetstream_assets.experiments.statistic_parameters import PRE_TREATMENTS, STATISTICS
from jetstream_assets.experiments.windows import Period

if TYPE_CHECKING:
    from collections.abc import Iterator

    from jetstream_assets.config.layers import Layer, Origin
    from jetstream_assets.config.metrics import MetricResolver, ResolvedMetric
    from jetstream_assets.config.schema.metrics import PreTreatmentTable, StatisticTable

_PREENROLLMENT = {period.value: period for period in Period if period.is_preenrollment}
_RATIO = "population_ratio"


def resolve_periods(resolver: MetricResolver) -> tuple[PeriodSummaries, ...]:
    """The summaries of every period that has any, in the order of `Period`.

    Within a period the experiment's own metrics come first, then the defaults', then the
    outcomes'; a metric that several layers list comes once.

    Raises:
        ConfigError: A metric, statistic or parameter that is named is not allowed or not there.
    """
    made: dict[str, tuple[Summary, ...]] = {}
    periods = []
    for period in Period:
        summaries: list[Summary] = []
        for name, wanted in _listed(resolver.scope.layers, period).items():
            if name not in made:
                made[name] = tuple(_summaries(resolver, resolver.resolve(name, wanted)))
            summaries.extend(made[name])
        if summaries:
            periods.append(PeriodSummaries(period, tuple(summaries)))
    return tuple(periods)


def period_problems(resolver: MetricResolver) -> Iterator[ConfigError]:
    """Why metrics that some period lists cannot be summarised, one error for each metric."""
    seen: set[str] = set()
    for period in Period:
        for name, wanted in _listed(resolver.scope.layers, period).items():
            if name in seen:
                continue
            seen.add(name)
            try:
                tuple(_summaries(resolver, resolver.resolve(name, wanted)))
            except ConfigError as error:
                yield error


def _listed(layers: tuple[Layer, ...], period: Period) -> dict[str, Origin]:
    """The names in a period's lists, each with the highest layer that lists it."""
    listed: dict[str, Origin] = {}
    for layer in reversed(layers):
        for name in layer.periods.get(period, ()):
            listed.setdefault(name, layer.period_origin(period))
    return listed


def _summaries(resolver: MetricResolver, resolved: ResolvedMetric) -> Iterator[Summary]:
    origin = resolved.definition.at("statistics")
    statistics = resolved.definition.value.statistics
    if not statistics:
        raise origin.error(
            f"The metric {resolved.metric.name!r} is listed in a period, but has no statistic.",
            f"Add one of {', '.join(STATISTICS)}.",
        )
    for name, table in statistics.items():
        yield _summary(resolver, resolved, name, table)


def _summary(
    resolver: MetricResolver, resolved: ResolvedMetric, name: str, table: StatisticTable
) -> Summary:
    origin = resolved.definition.at("statistics").below(name)
    if name not in STATISTICS:
        problem = f"There is no such statistic; allowed: {one_of(list(STATISTICS))}."
        raise origin.error(problem, did_you_mean(name, STATISTICS))
    summary = Summary(
        metric=resolved.metric.name,
        statistic=name,
        parameters=complete_arguments(STATISTICS[name].parameters, table.parameters, origin),
        pre_treatments=tuple(
            _pre_treatment(written, origin.below("pre_treatments"))
            for written in table.pre_treatments
        ),
        covariate=_covariate(resolver, resolved, name, table),
    )
    _check_dependencies(resolved, summary, origin)
    return summary


def _pre_treatment(written: PreTreatmentTable, origin: Origin) -> PreTreatment:
    if written.name not in PRE_TREATMENTS:
        allowed = one_of(list(PRE_TREATMENTS))
        problem = f"There is no pre-treatment {shown(written.name)}; allowed: {allowed}."
        raise origin.error(problem, did_you_mean(written.name, PRE_TREATMENTS))
    parameters = PRE_TREATMENTS[written.name]
    arguments = complete_arguments(parameters, written.model_extra or {}, origin)
    return PreTreatment(written.name, arguments)


def _covariate(
    resolver: MetricResolver, resolved: ResolvedMetric, statistic: str, table: StatisticTable
) -> CovariateAdjustment | None:
    written = table.covariate_adjustment
    if written is None:
        return None
    origin = resolved.definition.at("statistics").below(statistic, "covariate_adjustment")
    if not STATISTICS[statistic].takes_covariate:
        able = one_of([name for name, known in STATISTICS.items() if known.takes_covariate])
        raise origin.error(f"{statistic} cannot be adjusted for a covariate, only {able}.")
    if written.period not in _PREENROLLMENT:
        raise origin.below("period").error(
            f"found {shown(written.period)}. A covariate is known before enrollment: "
            f"{one_of(list(_PREENROLLMENT))}.",
            did_you_mean(written.period, _PREENROLLMENT),
        )
    name = written.metric or resolved.metric.name
    covariate = resolver.resolve(name, origin.below("metric")).metric
    # A ratio is adjusted for its own two parts, or for one metric that has values of its own.
    own_parts = statistic == _RATIO and covariate.name == resolved.metric.name
    for metric in (covariate,) if statistic == _RATIO else (resolved.metric, covariate):
        if metric.depends_on and not own_parts:
            raise origin.error(
                f"{metric.name!r} is made of other metrics ({', '.join(metric.depends_on)}), "
                "so there is no covariate to adjust for.",
                "Remove covariate_adjustment.",
            )
    return CovariateAdjustment(name, _PREENROLLMENT[written.period])


def _check_dependencies(resolved: ResolvedMetric, summary: Summary, origin: Origin) -> None:
    """A ratio needs both of its parts, and a metric without SQL can only be a ratio."""
    metric = resolved.metric
    if summary.statistic == _RATIO:
        for part in ("numerator", "denominator"):
            name = summary.parameter(part)
            if name not in metric.depends_on:
                known = ", ".join(metric.depends_on) or "nothing"
                raise origin.below(part).error(
                    f"found {shown(name)}; the metric depends on {known}.",
                    "List it in depends_on.",
                )
    elif metric.select_expression is None:
        raise origin.error(
            f"{metric.name!r} has no SQL of its own, so {_RATIO} is its only statistic.",
            f"Use {_RATIO}, or add select_expression and data_source.",
        )
