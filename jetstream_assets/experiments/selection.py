"""Which experiments a run looks at, and on which dates; whatever is left out has a reason.

Belongs here: pure functions over records, configurations and dates. Does not: reading either, or
the reasons for which an experiment that was asked for is not analysed (`refusals`).

Whether an experiment is live or complete is judged on the date D of the run, never on the clock,
so a run for an old date selects what it would have selected then.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING

from jetstream_assets.experiments.configuration import AnalysisConfiguration
from jetstream_assets.experiments.record import ExperimentRecord

if TYPE_CHECKING:
    from collections.abc import Iterable

    from jetstream_assets.experiments.experiment import Experiment

# A configuration may set a later end date for an experiment that ended up to this long ago.
DAYS_AFTER_END = 90


@dataclass(frozen=True)
class Exclusion:
    """An experiment that a run leaves out, and a sentence that says why."""

    slug: str
    reason: str


@dataclass(frozen=True)
class SelectedRecords:
    """The records whose configurations are worth resolving, and those left out, in order."""

    selected: tuple[ExperimentRecord, ...]
    excluded: tuple[Exclusion, ...]


@dataclass(frozen=True)
class SelectedConfigurations:
    """The configurations to analyse, and those left out, in order."""

    selected: tuple[AnalysisConfiguration, ...]
    excluded: tuple[Exclusion, ...]


def select_records(records: Iterable[ExperimentRecord], on: date) -> SelectedRecords:
    """The experiments of a daily run for date ``on``, before their configurations are known.

    Rollouts are left out, and experiments that ended more than 90 days before ``on``.
    """
    selected, excluded = [], []
    for record in records:
        reason = _reason_of_record(record, on)
        if reason:
            excluded.append(Exclusion(record.slug, reason))
        else:
            selected.append(record)
    return SelectedRecords(tuple(selected), tuple(excluded))


def select_configurations(
    configurations: Iterable[AnalysisConfiguration], on: date
) -> SelectedConfigurations:
    """Of the selected records' configurations, those to analyse on date ``on``.

    Left out are experiments that start after ``on`` or never, that end before ``on`` by their
    configured dates, and those with ``skip = true``.
    """
    selected, excluded = [], []
    for configuration in configurations:
        reason = _reason_of_configuration(configuration, on)
        if reason:
            excluded.append(Exclusion(configuration.experiment.slug, reason))
        else:
            selected.append(configuration)
    return SelectedConfigurations(tuple(selected), tuple(excluded))


def expand_dates(experiment: Experiment, latest_complete_day: date) -> tuple[date, ...]:
    """Every date of an experiment that can be analysed, ascending.

    From the start date to the end date or ``latest_complete_day``, whichever is earlier, both
    inclusive; empty without a start date or before it.
    """
    start = experiment.start_date
    if start is None:
        return ()
    end = experiment.end_date
    last = latest_complete_day if end is None else min(end, latest_complete_day)
    return tuple(start + timedelta(days=day) for day in range((last - start).days + 1))


def _reason_of_record(record: ExperimentRecord, on: date) -> str:
    if record.is_rollout:
        return "It is a rollout, which has no control."
    if record.end_date is not None and record.end_date < on - timedelta(days=DAYS_AFTER_END):
        return f"It ended on {record.end_date}, more than {DAYS_AFTER_END} days before {on}."
    return ""


def _reason_of_configuration(configuration: AnalysisConfiguration, on: date) -> str:
    experiment = configuration.experiment
    if experiment.end_date is not None and experiment.end_date < on:
        return f"It ended on {experiment.end_date}, before {on}."
    if experiment.start_date is None:
        return "It was never launched: it has no start date."
    if experiment.start_date > on:
        return f"It starts on {experiment.start_date}, after {on}."
    if configuration.skip:
        return "Its configuration sets skip = true."
    return ""
