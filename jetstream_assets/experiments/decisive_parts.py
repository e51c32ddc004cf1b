"""A configuration as named parts, so that two of them can be compared and the difference told.

Belongs here: which parts decide results, and what they are called. Does not: what is there for
people (names, descriptions, where something is written) and the digests of stored slices
(`fingerprints`).
"""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING

from jetstream_assets.experiments.fingerprints import decisive

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from jetstream_assets.experiments.configuration import AnalysisConfiguration
    from jetstream_assets.experiments.metrics import DataSource

Part = tuple[str, object]


def decisive_parts(configuration: AnalysisConfiguration) -> dict[str, str]:
    """The parts of a configuration by name, each with a text that is equal where it is the same.

    Two configurations with equal parts have equal results. A metric does not include its data
    source, which is a part of its own.
    """
    parts = (
        *_of_experiment(configuration),
        *_of_enrollments(configuration),
        *_of_data_sources(configuration),
        *_of_metrics(configuration),
        *_of_summaries(configuration),
        *_of_hypotheses(configuration),
    )
    return {name: _text(value) for name, value in parts}


def differences(old: Mapping[str, str], new: Mapping[str, str]) -> tuple[str, ...]:
    """The names of the parts that differ, with what happened to them, in the order of the new."""
    names = [*new, *(name for name in old if name not in new)]
    return tuple(
        _told(name, old.get(name), new.get(name))
        for name in names
        if old.get(name) != new.get(name)
    )


def _told(name: str, old: str | None, new: str | None) -> str:
    if old is None:
        return f"{name} added"
    if new is None:
        return f"{name} removed"
    if name in _WITH_VALUES:
        return f"{name} from {json.loads(old)} to {json.loads(new)}"
    return name


# Of a query its name says enough; of a date one wants to see both.
_WITH_VALUES = frozenset(
    {"start date", "end date", "enrollment period", "reference branch", "analysis unit"}
    | {"sample size", "several branches", "skip", "private", "dataset", "enrollments query type"}
)


def _of_experiment(configuration: AnalysisConfiguration) -> Iterator[Part]:
    experiment = configuration.experiment
    yield "application", [experiment.app_name, experiment.app_id]
    yield "analysis unit", experiment.analysis_unit
    yield "branches", [asdict(branch) for branch in experiment.branches]
    yield "reference branch", experiment.reference_branch
    yield "start date", experiment.start_date
    yield "end date", experiment.end_date
    yield "enrollment period", experiment.enrollment_period
    yield "end of enrollment", _end_of_enrollment(configuration)
    yield "rollout", experiment.is_rollout
    yield "skip", configuration.skip
    yield "private", configuration.is_private
    yield "dataset", configuration.dataset_id


def _end_of_enrollment(configuration: AnalysisConfiguration) -> str:
    """Who says when enrollment ends, which decides whether the experiment may be analysed."""
    experiment = configuration.experiment
    if experiment.has_configured_enrollment_period:
        return "configured"
    return "ended" if experiment.enrollment_end_date is not None else "not ended"


def _of_enrollments(configuration: AnalysisConfiguration) -> Iterator[Part]:
    yield "enrollments query type", configuration.enrollments_query_type
    if configuration.enrollment_query is not None:
        yield "enrollment query", configuration.enrollment_query
    yield "sample size", configuration.sample_size
    yield "several branches", configuration.several_branches
    signal = configuration.exposure_signal
    if signal is not None:
        yield "exposure signal", _without_source(decisive(signal))
    for segment in configuration.segments:
        yield f"segment {segment.name}", decisive(segment)


def _of_data_sources(configuration: AnalysisConfiguration) -> Iterator[Part]:
    found: dict[str, list[object]] = {}
    for source in _data_sources(configuration):
        body = decisive(source)
        bodies = found.setdefault(source.name, [])
        if body not in bodies:
            bodies.append(body)
    for name, bodies in sorted(found.items()):
        yield f"data source {name}", bodies


def _data_sources(configuration: AnalysisConfiguration) -> Iterator[DataSource]:
    for metric in configuration.metrics:
        if metric.data_source is not None:
            yield metric.data_source
    if configuration.exposure_signal is not None:
        yield configuration.exposure_signal.data_source


def _of_metrics(configuration: AnalysisConfiguration) -> Iterator[Part]:
    for metric in configuration.metrics:
        yield f"metric {metric.name}", _without_source(decisive(metric))


def _of_summaries(configuration: AnalysisConfiguration) -> Iterator[Part]:
    for listed in configuration.periods:
        found: dict[str, list[object]] = {}
        for summary in listed.summaries:
            name = f"{listed.period.config_key}: {summary.statistic} of {summary.metric}"
            found.setdefault(name, []).append(asdict(summary))
        yield from found.items()


def _of_hypotheses(configuration: AnalysisConfiguration) -> Iterator[Part]:
    if configuration.multiple_comparisons is not None:
        yield "multiple comparisons", asdict(configuration.multiple_comparisons)
    if configuration.power is not None:
        yield "power", asdict(configuration.power)
    if configuration.decision is not None:
        yield "decision", asdict(configuration.decision)


def _without_source(definition: dict[str, object]) -> dict[str, object]:
    """A definition with the name of its data source alone; its body is a part of its own."""
    source = definition["data_source"]
    name = source["name"] if isinstance(source, dict) else None
    return definition | {"data_source": name}


def _text(value: object) -> str:
    return json.dumps(value, sort_keys=True, default=str)
