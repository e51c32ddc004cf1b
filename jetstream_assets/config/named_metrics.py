"""Every metric that a repository's files name, resolved although no experiment's record is known.

Belongs here: which names the files of each kind list or define, and what they mean. Does not: how
the metrics are computed (`classification`).

A file of an experiment does not say its application; it is taken to be the one in which most of the
file's names can be resolved.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date
from typing import TYPE_CHECKING, Any

from jetstream_assets.config.layers import Origin
from jetstream_assets.config.layout import Kind
from jetstream_assets.config.metrics import MetricResolver
from jetstream_assets.config.resolve import scope_of
from jetstream_assets.errors import ConfigError
from jetstream_assets.experiments.experiment import Branch
from jetstream_assets.experiments.metrics import Metric
from jetstream_assets.experiments.platforms import PLATFORMS, platform_of
from jetstream_assets.experiments.record import ExperimentRecord

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from jetstream_assets.config.document import Document
    from jetstream_assets.config.layers import Layer
    from jetstream_assets.config.repository import ConfigurationRepository
    from jetstream_assets.config.scope import Scope

_ANY = "any-experiment"


@dataclass(frozen=True)
class NamedMetric:
    """A name in a file, and the metric it means.

    Args:
        kind: The kind of the file.
        path: The file.
        app_name: The application that the name was looked up for.
        name: The metric's name.
        period: The list that names it; empty for definitions.
        meant: The metric, or a sentence why the name means none.
    """

    kind: Kind
    path: str
    app_name: str
    name: str
    period: str
    meant: Metric | str


@dataclass(frozen=True)
class _File:
    """Names that are looked up together, and the records that they may be looked up for."""

    kind: Kind
    names: tuple[tuple[str, str, str], ...]
    records: tuple[ExperimentRecord, ...]


def named_metrics(repository: ConfigurationRepository) -> Iterator[NamedMetric]:
    """The names in lists, by list, and the names of shared definitions; by kind and file.

    Files that cannot be read name nothing: they are the repository's ``problems``.
    """
    for kind in (Kind.DEFAULTS, Kind.OUTCOME, Kind.EXPERIMENT, Kind.DEFINITIONS):
        for file in _FILES[kind](repository):
            yield from _meant(file, repository)


def _defaults(repository: ConfigurationRepository) -> Iterator[_File]:
    for app_name in _applications(repository, Kind.DEFAULTS):
        layers = _readable(repository.defaults(app_name))
        names = tuple(name for layer in layers for name in _listed(layer))
        yield _File(Kind.DEFAULTS, names, (_record(_ANY, app_name),))


def _outcomes(repository: ConfigurationRepository) -> Iterator[_File]:
    for app_name in _applications(repository, Kind.OUTCOME):
        for slug in repository.outcome_slugs(app_name):
            document = repository.outcome(slug, app_name)
            record = replace(_record(_ANY, app_name), outcomes=(slug,))
            for layer in _readable(() if document is None else (document,)):
                yield _File(Kind.OUTCOME, tuple(_listed(layer)), (record,))


def _experiments(repository: ConfigurationRepository) -> Iterator[_File]:
    for slug in repository.experiment_slugs:
        layers = _readable(repository.experiment(slug))
        names = tuple(name for layer in layers for name in _listed(layer))
        records = tuple(_record(slug, app_name) for app_name in PLATFORMS)
        yield _File(Kind.EXPERIMENT, names, records)


def _definitions(repository: ConfigurationRepository) -> Iterator[_File]:
    for app_name in _applications(repository, Kind.DEFINITIONS):
        paths = {
            name: layer.path
            for layer in _readable(repository.definitions(app_name))
            for name, definition in layer.metrics.definitions.items()
            if definition.select_expression is not None
        }
        names = tuple((path, name, "") for name, path in sorted(paths.items()))
        yield _File(Kind.DEFINITIONS, names, (_record(_ANY, app_name),))


_FILES = {
    Kind.DEFAULTS: _defaults,
    Kind.OUTCOME: _outcomes,
    Kind.EXPERIMENT: _experiments,
    Kind.DEFINITIONS: _definitions,
}


def _applications(repository: ConfigurationRepository, kind: Kind) -> tuple[str, ...]:
    """The applications that have a file of a kind."""
    keys = (key for key in repository.documents if key[0] == kind)
    return tuple(sorted({app_name or name for _, name, app_name in keys}))


def _readable(documents: Iterable[Document[Any]]) -> Iterator[Layer]:
    """What the files say that can be read; the others name nothing."""
    return (document.layer for document in documents if document.problem is None)


def _listed(layer: Layer) -> Iterator[tuple[str, str, str]]:
    for period, names in layer.periods.items():
        for name in names:
            yield layer.path, name, period.config_key


def _record(slug: str, app_name: str) -> ExperimentRecord:
    """What templates may speak of, with values that no metric should depend on."""
    return ExperimentRecord(
        slug=slug,
        branches=(Branch("control"), Branch("treatment")),
        start_date=date(2024, 1, 1),
        end_date=date(2024, 3, 1),
        proposed_enrollment=7,
        randomization_unit="nimbus_id",
        reference_branch="control",
        app_name=app_name,
        app_id=platform_of(app_name).app_id,
    )


def likely_records(slug: str, repository: ConfigurationRepository) -> tuple[ExperimentRecord, ...]:
    """Records for an experiment's file of which nothing else is known, with invented values.

    One for each application, that in which most of the file's metrics can be resolved first.
    """
    layers = _readable(repository.experiment(slug))
    names = tuple(name for layer in layers for name in _listed(layer))
    records = tuple(_record(slug, app_name) for app_name in PLATFORMS)
    best = _best(_File(Kind.EXPERIMENT, names, records), repository)[0]
    return (best, *(record for record in records if record != best))


def any_record(app_name: str, outcomes: tuple[str, ...] = ()) -> ExperimentRecord:
    """A record of an application, with invented values."""
    return replace(_record(_ANY, app_name), outcomes=outcomes)


def _meant(file: _File, repository: ConfigurationRepository) -> Iterator[NamedMetric]:
    record, meant = _best(file, repository)
    for path, name, period in file.names:
        yield NamedMetric(file.kind, path, record.app_name, name, period, meant[name])


def _best(
    file: _File, repository: ConfigurationRepository
) -> tuple[ExperimentRecord, Mapping[str, Metric | str]]:
    """The record for which most names mean something, the first of equals, and what they mean."""
    names = sorted({(name, path) for path, name, _ in file.names})
    found: list[tuple[int, ExperimentRecord, Mapping[str, Metric | str]]] = []
    for record in file.records:
        meant = _looked_up(file.kind, record, names, repository)
        problems = sum(isinstance(one, str) for one in meant.values())
        found.append((problems, record, meant))
        if not problems:
            break
    _, best, meant = min(found, key=lambda one: one[0])
    return best, meant


def _looked_up(
    kind: Kind,
    record: ExperimentRecord,
    names: list[tuple[str, str]],
    repository: ConfigurationRepository,
) -> Mapping[str, Metric | str]:
    """What each name means for one application."""
    try:
        scope = scope_of(record, repository)
    except ConfigError as error:
        return dict.fromkeys((name for name, _ in names), error.problem)
    if kind == Kind.DEFINITIONS:
        # What lies above them may say something else by the same name.
        scope = replace(scope, layers=())
    return {name: _resolved(scope, name, path) for name, path in names}


def _resolved(scope: Scope, name: str, path: str) -> Metric | str:
    try:
        return MetricResolver(scope).resolve(name, Origin(path, name)).metric
    except ConfigError as error:
        return error.problem
