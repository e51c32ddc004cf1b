"""Every result that a configuration declares, whether it is due in a cell or not.

Belongs here: from a plan to the keys of results, and what is due when. Does not: what became of
them (`result_status`).

A result is what one statistic says of a metric, for a window, an analysis basis and a segment; its
statistic is named as in the statistics table. A period without a window that is due has one result
each, without window index: its next window.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

from jetstream_assets.analysis.estimation import ALL_UNITS
from jetstream_assets.analysis.unit_counts import COUNT, IDENTITY
from jetstream_assets.experiments.metrics import AnalysisBasis
from jetstream_assets.experiments.plan import PlannedWindow
from jetstream_assets.experiments.windows import Period
from jetstream_assets.statistics.registry import REGISTRY

if TYPE_CHECKING:
    from collections.abc import Iterator

    from jetstream_assets.experiments.configuration import AnalysisConfiguration
    from jetstream_assets.experiments.metrics import Summary
    from jetstream_assets.experiments.plan import AnalysisPlan


@dataclass(frozen=True)
class ResultKey:
    """What names one result; all None for the results of a cell without a configuration."""

    period: str | None = None
    window_index: int | None = None
    analysis_basis: str | None = None
    segment: str | None = None
    metric: str | None = None
    statistic: str | None = None


@dataclass(frozen=True)
class DeclaredResult:
    """One result that the configuration declares, and its window if one is due.

    A statistic with several outputs, such as an adjusted and an unadjusted one, is named by the
    first, which is always stored.
    """

    key: ResultKey
    window: PlannedWindow | None = None


@dataclass(frozen=True)
class Awaited:
    """Why a result is not due, and when it will be; None where that is not known or never."""

    reason: str
    due_on: date | None


def declared_results(plan: AnalysisPlan) -> Iterator[DeclaredResult]:
    """The results of all windows that are due, and of each period of which none is."""
    if plan.configuration is None:
        return
    configuration = plan.declared
    for window in plan.windows:
        due = window.due
        yield from _of_period(configuration, due.period, due.index, window)
    started = {window.due.period for window in plan.windows}
    for period in Period:
        if period not in started and configuration.summaries(period):
            yield from _of_period(configuration, period)


def awaited(plan: AnalysisPlan, declared: DeclaredResult) -> Awaited:
    """Why nothing of a result is due in the plan's cell, and when it is.

    Of a provisional window it is what only all units can tell.
    """
    if plan.refusal is not None or plan.declared.experiment.start_date is None:
        return Awaited(plan.note, None)
    timeline = plan.declared.experiment.timeline
    if declared.window is not None:
        on = timeline.due_date(declared.window.due)
        last = timeline.last_enrollment_date
        then = f"it is due on {on}" if on else "the experiment ends before it is due"
        return Awaited(f"units enroll until {last}; {then}", on)
    period = Period(declared.key.period or "")
    name, on = period.config_key, timeline.next_due(period, plan.date)
    if on is not None:
        return Awaited(f"the next window of {name} is due on {on}", on)
    if period.is_preenrollment:
        return Awaited(f"{name} was due on {timeline.last_enrollment_date}", None)
    if timeline.end_date is None:
        return Awaited(f"{name} is due on the end date, and the experiment has none yet", None)
    return Awaited(f"no window of {name} is due after {plan.date} until {timeline.end_date}", None)


def _of_period(
    configuration: AnalysisConfiguration,
    period: Period,
    index: int | None = None,
    window: PlannedWindow | None = None,
) -> Iterator[DeclaredResult]:
    found: dict[ResultKey, DeclaredResult] = {}
    segments = (ALL_UNITS, *(segment.name for segment in configuration.segments))
    for metric, bases, statistic in _asked(configuration, period):
        for basis in bases:
            for segment in segments:
                key = ResultKey(period.value, index, basis.value, segment, metric, statistic)
                found[key] = DeclaredResult(key, window)
    yield from found.values()


def _asked(
    configuration: AnalysisConfiguration, period: Period
) -> Iterator[tuple[str, tuple[AnalysisBasis, ...], str]]:
    """Metric, analysis bases and statistic of all summaries, and the number of units."""
    for summary in configuration.summaries(period):
        bases = configuration.metric(summary.metric).analysis_bases
        yield summary.metric, bases, _output(summary)
    yield IDENTITY, tuple(AnalysisBasis), COUNT


def _output(summary: Summary) -> str:
    """As rows of the statistics table name it; one that is not known has its own name there."""
    statistic = REGISTRY.get(summary.statistic)
    return statistic.outputs[0] if statistic else summary.statistic
