"""What the names in an experiment's configuration refer to.

Belongs here: the layers of one experiment, and looking a name up in them. Does not: what is made
of a definition that was found.

Precedence, lowest first: shared definitions, outcomes (the first one wins), the application's
defaults, the experiment's own file. Shared definitions are only a look-up: what a higher layer
defines completely takes nothing from them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from jetstream_assets.config.layers import Folded, Layer, Origin, Section, fold, names, topmost
from jetstream_assets.config.templates import Functions
from jetstream_assets.config.wording import did_you_mean, shown
from jetstream_assets.experiments.experiment import Experiment

if TYPE_CHECKING:
    from jetstream_assets.config.schema.data_sources import (
        DataSourceDefinition,
        SegmentDefinition,
        SegmentSourceDefinition,
    )
    from jetstream_assets.config.schema.metrics import MetricDefinition
    from jetstream_assets.errors import ConfigError


@dataclass(frozen=True)
class Scope:
    """Everything that a name of one experiment is looked up in.

    ``definitions`` are the layers of shared definitions, ``layers`` those above them; both lowest
    first. ``parameters`` holds the values of templates' parameters as SQL text.
    """

    experiment: Experiment
    layers: tuple[Layer, ...]
    definitions: tuple[Layer, ...]
    functions: Functions
    parameters: Mapping[str, str]

    def metric(self, name: str, wanted: Origin) -> Folded[MetricDefinition]:
        """The definition of a metric; ``wanted`` is where its name is used.

        Raises:
            ConfigError: No layer defines it.
        """
        shared = fold(name, self.definitions, _metrics)
        own = fold(name, self.layers, _metrics)
        if own is None:
            found = shared
        elif own.value.has_body or shared is None:
            found = _with_statistics(own, shared)
        else:
            # A ratio in a higher layer takes names and descriptions, but no SQL from below.
            below = _without_body(shared) if own.value.depends_on else shared
            found = fold(name, self.layers, _metrics, below)
        if found is None:
            raise self._missing("metric", name, wanted, names(self._all, _metrics))
        return found

    def data_source(self, name: str, wanted: Origin) -> Folded[DataSourceDefinition]:
        """The definition of a data source; ``wanted`` is where its name is used.

        Raises:
            ConfigError: No layer defines it.
        """
        own = fold(name, self.layers, _data_sources)
        if own is None or own.value.from_expression is None:
            own = fold(name, self._all, _data_sources)
        if own is None:
            raise self._missing("data source", name, wanted, names(self._all, _data_sources))
        return own

    def segment(self, name: str, wanted: Origin) -> Folded[SegmentDefinition]:
        """The definition of a segment, from the highest layer that has one.

        Raises:
            ConfigError: No layer defines it.
        """
        found = topmost(name, self._all, _segments)
        if found is None:
            raise self._missing("segment", name, wanted, names(self._all, _segments))
        return found

    def segment_source(self, name: str, wanted: Origin) -> Folded[SegmentSourceDefinition]:
        """The definition of a segment's data source, from the highest layer that has one.

        Raises:
            ConfigError: No layer defines it.
        """
        found = topmost(name, self._all, _segment_sources)
        if found is None:
            known = names(self._all, _segment_sources)
            raise self._missing("segment data source", name, wanted, known)
        return found

    @property
    def _all(self) -> tuple[Layer, ...]:
        return (*self.definitions, *self.layers)

    def _missing(self, kind: str, name: str, wanted: Origin, known: set[str]) -> ConfigError:
        problem = (
            f"There is no {kind} {shown(name)} in this experiment's configuration or in the shared "
            f"definitions of {self.experiment.app_name}."
        )
        return wanted.error(problem, did_you_mean(name, known))


def _with_statistics(
    own: Folded[MetricDefinition], shared: Folded[MetricDefinition] | None
) -> Folded[MetricDefinition]:
    """A complete definition, with the shared definition's statistics where it has none."""
    if own.value.statistics or shared is None or not shared.value.statistics:
        return own
    value = own.value.model_copy(update={"statistics": shared.value.statistics})
    return Folded(value, own.origin, {**own.origins, "statistics": shared.at("statistics")})


def _without_body(folded: Folded[MetricDefinition]) -> Folded[MetricDefinition]:
    value = folded.value.model_copy(update={"select_expression": None, "data_source": None})
    return Folded(value, folded.origin, folded.origins)


def _metrics(layer: Layer) -> Section[MetricDefinition]:
    return layer.metrics


def _data_sources(layer: Layer) -> Section[DataSourceDefinition]:
    return layer.data_sources


def _segments(layer: Layer) -> Section[SegmentDefinition]:
    return layer.segments


def _segment_sources(layer: Layer) -> Section[SegmentSourceDefinition]:
    return layer.segment_sources
