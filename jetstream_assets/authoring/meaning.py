"""What is wrong with what a file refers to: names, statistics, windows, things nobody uses.

Belongs here: findings about files as parts of a repository. Does not: a file by itself (`written`),
its SQL (`compiling`).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from jetstream_assets.config.layers import Origin
from jetstream_assets.config.layout import Kind
from jetstream_assets.config.metrics import MetricResolver
from jetstream_assets.config.named_metrics import any_record, likely_records
from jetstream_assets.config.resolve import resolve, scope_of
from jetstream_assets.config.segments import resolve_segment
from jetstream_assets.config.summaries import period_problems
from jetstream_assets.config.wording import dotted_key, shown
from jetstream_assets.errors import ConfigError, error_at
from jetstream_assets.experiments.configuration import AnalysisConfiguration
from jetstream_assets.experiments.experiment import Branch, is_slug

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from jetstream_assets.config.repository import ConfigurationRepository, Key
    from jetstream_assets.config.scope import Scope
    from jetstream_assets.experiments.record import ExperimentRecord

_SLUG_REMEDY = (
    "Name the file as the experiment: letters, digits, dashes and underscores, then .toml."
)
_WILDCARDS = frozenset("*?[")


@dataclass(frozen=True)
class Meaning:
    """What one group of files means.

    Args:
        errors: What cannot be resolved, each once.
        warnings: What can, and is probably not meant so.
        configuration: The whole, where it can be resolved.
    """

    errors: tuple[ConfigError, ...]
    warnings: tuple[ConfigError, ...] = ()
    configuration: AnalysisConfiguration | None = None


def meaning(
    key: Key, repository: ConfigurationRepository, records: Mapping[str, ExperimentRecord]
) -> Meaning:
    """What the files of a key mean; those that cannot be read are left out.

    Args:
        key: Kind, name and application, as the repository has it.
        repository: The whole configuration.
        records: Experiments' records by slug; for others one is invented.
    """
    kind, name, _app_name = key
    if kind is Kind.DEFINITIONS:
        return Meaning(tuple(_definition_errors(name, repository)))
    if kind is Kind.FUNCTIONS:
        return Meaning(())
    if kind is Kind.EXPERIMENT and not is_slug(name):
        path = repository.documents[key][-1].path
        return Meaning((ConfigError(path, "", f"{shown(name)} is no slug.", _SLUG_REMEDY),))
    candidates = _candidates(key, repository, records)
    found = _first_resolved(candidates, repository)
    if isinstance(found, ConfigError):
        errors = (*_errors(candidates[0], repository), found)
        # The same mistake, found twice, is two errors with one text.
        return Meaning(tuple({str(error): error for error in errors}.values()))
    return Meaning((), tuple(_warnings(key, found, repository)), found)


def _candidates(
    key: Key, repository: ConfigurationRepository, records: Mapping[str, ExperimentRecord]
) -> tuple[ExperimentRecord, ...]:
    """The records that the files may be about, the likeliest first."""
    kind, name, app_name = key
    if kind is Kind.OUTCOME:
        return (any_record(app_name, (name,)),)
    if kind is Kind.DEFAULTS:
        return (any_record(name),)
    known = records.get(name)
    if known is not None:
        return (known,)
    likely = likely_records(name, repository)
    reference = _named_reference(name, repository)
    if reference is None or reference in {branch.slug for branch in likely[0].branches}:
        return likely
    return tuple(replace(one, branches=(Branch(reference), *one.branches)) for one in likely)


def _named_reference(slug: str, repository: ConfigurationRepository) -> str | None:
    """The reference branch that the experiment's own files name."""
    readable = [d.value.experiment for d in repository.experiment(slug) if d.problem is None]
    named = [table.reference_branch for table in readable if table.reference_branch is not None]
    return named[-1] if named else None


def _first_resolved(
    records: tuple[ExperimentRecord, ...], repository: ConfigurationRepository
) -> AnalysisConfiguration | ConfigError:
    """The first configuration that can be resolved, or why that of the likeliest cannot."""
    reasons = []
    for record in records:
        try:
            return resolve(record, repository)
        except ConfigError as error:
            reasons.append(error)
    return reasons[0]


def _errors(record: ExperimentRecord, repository: ConfigurationRepository) -> Iterator[ConfigError]:
    """Every metric that cannot be computed; of all else `resolve` raises the first mistake."""
    try:
        yield from period_problems(MetricResolver(scope_of(record, repository)))
    except ConfigError as error:
        yield error


def _definition_errors(app_name: str, repository: ConfigurationRepository) -> Iterator[ConfigError]:
    """Every shared definition that cannot be used by itself."""
    try:
        scope = replace(scope_of(any_record(app_name), repository), layers=())
    except ConfigError as error:
        yield error
        return
    for document in repository.definitions(app_name):
        if document.problem is not None:
            continue
        layer = document.layer
        for name, definition in layer.metrics.definitions.items():
            if definition.select_expression is not None:
                yield from _metric_error(scope, name, document.path)
        for name in layer.segments.definitions:
            yield from _segment_error(scope, name, document.path)


def _metric_error(scope: Scope, name: str, path: str) -> Iterator[ConfigError]:
    try:
        MetricResolver(scope).resolve(name, Origin(path, dotted_key(("metrics", name))))
    except ConfigError as error:
        yield error


def _segment_error(scope: Scope, name: str, path: str) -> Iterator[ConfigError]:
    try:
        resolve_segment(scope, name, Origin(path, dotted_key(("segments", name))))
    except ConfigError as error:
        yield error


def _warnings(
    key: Key, configuration: AnalysisConfiguration, repository: ConfigurationRepository
) -> Iterator[ConfigError]:
    yield from _future_segments(configuration)
    if key[0] in {Kind.EXPERIMENT, Kind.OUTCOME}:
        yield from _unused(key, configuration, repository)
    path = repository.documents[key][-1].path
    told = {str(unknown) for unknown in repository.unknown_keys}
    for sentence in configuration.warnings:
        if sentence not in told:
            yield ConfigError(path, "", sentence)


def _future_segments(configuration: AnalysisConfiguration) -> Iterator[ConfigError]:
    for segment in configuration.segments:
        source = segment.data_source
        if source.window_end > 0:
            problem = (
                f"The segment {segment.name!r} looks at days after enrollment: its data source "
                f"{source.name!r} has window_end {source.window_end}. A branch may change who is "
                "in it, so that effects within it mean nothing."
            )
            yield error_at(segment.origin, problem, "End the window on day 0 or before.")


def _unused(
    key: Key, configuration: AnalysisConfiguration, repository: ConfigurationRepository
) -> Iterator[ConfigError]:
    """Definitions of a file that nothing of its experiment uses."""
    metrics = {metric.name for metric in configuration.metrics}
    sources = {metric.data_source.name for metric in configuration.metrics if metric.data_source}
    signal = configuration.exposure_signal
    sources |= {signal.data_source.name} if signal is not None else set()
    segments = {segment.name for segment in configuration.segments}
    for document in repository.documents[key]:
        if document.problem is not None or document.is_foreign:
            continue
        layer = document.layer
        for what, section, used in (
            ("metrics", layer.metrics, metrics),
            ("data_sources", layer.data_sources, sources),
            ("segments", layer.segments, segments),
        ):
            for name in section.definitions:
                if name not in used and not _WILDCARDS & set(name):
                    problem = "It is defined and nothing of the experiment uses it."
                    place = dotted_key((what, name))
                    yield ConfigError(document.path, place, problem, "List it, or take it out.")
