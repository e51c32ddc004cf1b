"""How a person is to read each metric: its role, its direction, and the statistic that speaks.

Belongs here: from a configuration to the metrics of an overview. Does not: numbers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from jetstream_assets.experiments.hypotheses import SPEAKERS, speaker
from jetstream_assets.experiments.windows import Period
from jetstream_assets.report.overview_schema import MetricRecord
from jetstream_assets.statistics.mean_lm import UNADJUSTED
from jetstream_assets.statistics.sequential import SEQUENTIAL

if TYPE_CHECKING:
    from collections.abc import Iterator

    from jetstream_assets.experiments.configuration import AnalysisConfiguration
    from jetstream_assets.experiments.metrics import Summary

_ROLE_ORDER = {"goal": 0, "guardrail": 1, "other": 2}


def metric_records(configuration: AnalysisConfiguration) -> Iterator[MetricRecord]:
    """The metrics that some period lists: those of the rule first, the others by name."""
    rule = configuration.decision
    goals = rule.goals if rule else ()
    margins = {g.metric: g.margin for g in rule.guardrails} if rule else {}
    listed: dict[str, dict[Period, tuple[Summary, ...]]] = {}
    for period in configuration.periods:
        for summary in period.summaries:
            of_metric = listed.setdefault(summary.metric, {})
            of_metric[period.period] = (*of_metric.get(period.period, ()), summary)
    first = (*goals, *margins)
    for name in (*first, *sorted(listed.keys() - set(first))):
        role: Literal["goal", "guardrail", "other"] = "guardrail" if name in margins else "other"
        yield _record(
            configuration,
            name,
            listed.get(name, {}),
            "goal" if name in goals else role,
            margins.get(name),
        )


def _record(
    configuration: AnalysisConfiguration,
    name: str,
    listed: dict[Period, tuple[Summary, ...]],
    role: Literal["goal", "guardrail", "other"],
    margin: float | None,
) -> MetricRecord:
    metric = configuration.metric(name)
    summaries = next(iter(listed.values()), ())
    spoken = {SPEAKERS[s.statistic]: s for s in summaries if s.statistic in SPEAKERS}
    statistic = speaker(spoken)
    summary = spoken[statistic] if statistic else None
    is_sequential = summary is not None and dict(summary.parameters).get("sequential") is True
    return MetricRecord(
        name=name,
        role=role,
        friendly_name=metric.friendly_name or None,
        description=metric.description or None,
        bigger_is_better=metric.bigger_is_better,
        statistic=statistic,
        unadjusted=f"{statistic}{UNADJUSTED}" if summary and summary.covariate else None,
        sequential=f"{statistic}{SEQUENTIAL}" if is_sequential else None,
        margin=margin,
        periods=[period.suffix for period in Period if period in listed],
        select_expression=metric.select_expression,
        data_source=metric.data_source.name if metric.data_source else None,
    )
