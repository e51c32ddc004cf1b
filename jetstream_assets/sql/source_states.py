"""What is kept of a source for each unit and day, and which metrics follow from it.

Belongs here: the states that the metrics of one source need together, and their names. Does not:
splitting one expression (`splitting`), reading the source (`state_scan`), merging days (`rollup`).

A state's name is a digest of everything that decides it: the source's SQL, its columns of unit and
day, the guard of the enrollment day, the expression and how it is merged. So equal names hold equal
numbers, whatever the metric is called and wherever it is written.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING

from jetstream_assets.errors import QueryError
from jetstream_assets.experiments.metrics import DataSource
from jetstream_assets.sql import fragments, sources
from jetstream_assets.sql.day_slices import days_of, undividable
from jetstream_assets.sql.enrollments import EXPOSURE_COLUMNS, UNIT_COLUMNS
from jetstream_assets.sql.splitting import split
from jetstream_assets.sql.states import Split, State, UnsplittableError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from sqlglot import exp

    from jetstream_assets.experiments.configuration import AnalysisConfiguration
    from jetstream_assets.experiments.experiment import AnalysisUnit
    from jetstream_assets.experiments.metrics import Metric

_LENGTH = 12


@dataclass(frozen=True)
class NamedState:
    """A state and the name of the column that stores it."""

    name: str
    state: State


@dataclass(frozen=True)
class SplitColumn:
    """A metric, or a sanity column, that follows from states."""

    split: Split
    states: tuple[NamedState, ...]


@dataclass(frozen=True)
class SourceStates:
    """What a configuration keeps of one source.

    Args:
        source: The source.
        columns: The metrics and sanity columns that follow from states, by name.
        windowed: The metrics that must be computed from the source's rows, and why.
        sanity: Which of both are sanity columns.
    """

    source: DataSource
    columns: Mapping[str, SplitColumn]
    windowed: Mapping[str, str]
    sanity: frozenset[str] = frozenset()

    @property
    def states(self) -> tuple[NamedState, ...]:
        """The distinct states, by name."""
        found = {state.name: state for column in self.columns.values() for state in column.states}
        return tuple(found[name] for name in sorted(found))

    def names(self, metrics: Collection[str]) -> frozenset[str]:
        """The states that some metrics, and all sanity columns, follow from."""
        known = set(metrics) | {name for name in self.columns if name in self.sanity}
        found = (self.columns[name].states for name in known if name in self.columns)
        return frozenset(named.name for states in found for named in states)

    def without(self, refused: Mapping[str, str]) -> SourceStates:
        """The same with the columns of these states computed from rows; values are reasons."""
        moved = {
            name: next(refused[state.name] for state in column.states if state.name in refused)
            for name, column in self.columns.items()
            if any(state.name in refused for state in column.states)
        }
        kept = {name: column for name, column in self.columns.items() if name not in moved}
        return replace(self, columns=kept, windowed=dict(self.windowed) | moved)


def states_by_source(
    configuration: AnalysisConfiguration, names: Iterable[str]
) -> tuple[SourceStates, ...]:
    """What the named metrics need of their sources, by the sources' names."""
    by_source: dict[DataSource, list[Metric]] = {}
    for metric in map(configuration.metric, names):
        if metric.data_source is not None:
            by_source.setdefault(metric.data_source, []).append(metric)
    ordered = sorted(by_source.items(), key=lambda item: item[0].name)
    return tuple(source_states(configuration, source, metrics) for source, metrics in ordered)


def source_states(
    configuration: AnalysisConfiguration, source: DataSource, metrics: Sequence[Metric]
) -> SourceStates:
    """The states of some metrics of a source and of its sanity columns.

    What cannot be parsed is left to the windowed query, which tells what is wrong with it.
    """
    experiment = configuration.experiment
    segments = tuple(segment.name for segment in configuration.segments)
    key = (source, experiment.slug, experiment.analysis_unit, segments)
    columns: dict[str, SplitColumn] = {}
    windowed: dict[str, str] = {}
    for metric in metrics:
        found = _split_metric(metric.select_expression or "", *key)
        if isinstance(found, str):
            windowed[metric.name] = found
        else:
            columns[metric.name] = found
    sanity = _split_sanity(*key)
    for name, found in sanity.items():
        if isinstance(found, str):
            windowed[name] = found
        else:
            columns[name] = found
    return SourceStates(source, columns, windowed, frozenset(sanity))


@lru_cache(maxsize=4096)
def _split_metric(
    text: str, source: DataSource, slug: str, unit: AnalysisUnit, segments: tuple[str, ...]
) -> SplitColumn | str:
    try:
        tree = fragments.parse_expression(text, "metric")
        return _split(tree, source, slug, unit, segments)
    except QueryError as error:
        return error.problem


@lru_cache(maxsize=256)
def _split_sanity(
    source: DataSource, slug: str, unit: AnalysisUnit, segments: tuple[str, ...]
) -> Mapping[str, SplitColumn | str]:
    try:
        columns = sources.sanity_columns(source, slug, unit)
        return {name: _split(tree, source, slug, unit, segments) for name, tree in columns.items()}
    except QueryError:
        return {}


def _split(
    tree: exp.Expr, source: DataSource, slug: str, unit: AnalysisUnit, segments: Collection[str]
) -> SplitColumn | str:
    reason = undividable(source)
    if reason:
        return reason
    try:
        found = split(
            tree,
            days_of(source),
            [sources.id_column(source, unit)],
            unit_columns=[*UNIT_COLUMNS, *segments, *EXPOSURE_COLUMNS],
        )
    except UnsplittableError as error:
        return error.reason
    named = tuple(NamedState(_name(state, source, slug, unit), state) for state in found.states)
    return SplitColumn(found, named)


def _name(state: State, source: DataSource, slug: str, unit: AnalysisUnit) -> str:
    guard = sources.enrollment_day_guard(source, slug)
    parts = (
        source.from_expression,
        sources.id_column(source, unit).sql(),
        sources.day(source).sql(),
        guard.sql() if guard is not None else "",
        state.key,
    )
    return f"s_{hashlib.sha256('|'.join(parts).encode()).hexdigest()[:_LENGTH]}"
