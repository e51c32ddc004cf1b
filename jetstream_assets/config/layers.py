"""What is meant is folded from layers of files, lowest first: the highest that says something wins.

Belongs here: layers, and folding the definitions of one name field by field, remembering which
file said what. Does not: which files are layers of which experiment (`scope`).

A field counts as said when it is written, so ``false`` and ``0`` override.
"""

from __future__ import annotations

import fnmatch
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Generic, TypeVar

from jetstream_assets.config.schema.base import Table
from jetstream_assets.config.schema.data_sources import (
    DataSourceDefinition,
    SegmentDefinition,
    SegmentSourceDefinition,
)
from jetstream_assets.config.schema.metrics import MetricDefinition
from jetstream_assets.config.wording import dotted_key
from jetstream_assets.errors import ConfigError
from jetstream_assets.experiments.windows import Period

M = TypeVar("M", bound=Table)
_WILDCARDS = frozenset("*?[")


@dataclass(frozen=True)
class Origin:
    """Where something is written: a file and a dotted key in it."""

    path: str
    key: str

    def __str__(self) -> str:
        return f"{self.path}: {self.key}"

    def error(self, problem: str, remedy: str = "") -> ConfigError:
        """An error about what is written there."""
        return ConfigError(self.path, self.key, problem, remedy)

    def below(self, *parts: str) -> Origin:
        """A key below this one."""
        return Origin(self.path, f"{self.key}.{dotted_key(parts)}" if parts else self.key)


@dataclass(frozen=True)
class Section(Generic[M]):
    """The definitions of one kind in one file, by name; names may have wildcards."""

    path: str
    prefix: str
    definitions: Mapping[str, M] = field(default_factory=dict)

    @cached_property
    def wildcards(self) -> Mapping[str, M]:
        """The definitions that change others: their name has ``*``, ``?`` or ``[``."""
        return {name: d for name, d in self.definitions.items() if _WILDCARDS & set(name)}

    def origin(self, name: str) -> Origin:
        """Where the definition of a name is written."""
        return Origin(self.path, f"{self.prefix}.{dotted_key([name])}")


@dataclass(frozen=True)
class Layer:
    """One file's definitions and lists.

    ``period_prefix`` is what stands before the key of a list: ``metrics`` or nothing.
    """

    path: str
    metrics: Section[MetricDefinition]
    data_sources: Section[DataSourceDefinition]
    segments: Section[SegmentDefinition]
    segment_sources: Section[SegmentSourceDefinition]
    periods: Mapping[Period, tuple[str, ...]] = field(default_factory=dict)
    period_prefix: tuple[str, ...] = ("metrics",)

    def period_origin(self, period: Period) -> Origin:
        """Where the list of a period is written."""
        return Origin(self.path, dotted_key([*self.period_prefix, period.config_key]))


@dataclass(frozen=True)
class Folded(Generic[M]):
    """A definition folded from layers, and where each of its fields is written.

    ``origin`` is the highest layer that says anything about it.
    """

    value: M
    origin: Origin
    origins: Mapping[str, Origin]

    def at(self, name: str) -> Origin:
        """Where a field is written; where nobody wrote it, the definition that lacks it."""
        return self.origins.get(name, self.origin.below(name))

    def overlaid(self, upper: M, origin: Origin) -> Folded[M]:
        """This definition with every field that ``upper`` says."""
        said = {name: getattr(upper, name) for name in upper.model_fields_set}
        origins = {name: origin.below(name) for name in said}
        value = self.value.model_copy(update=said)
        return Folded(value, origin, {**self.origins, **origins})


def first(value: M, origin: Origin) -> Folded[M]:
    """A definition as its lowest layer says it."""
    return Folded(value, origin, {name: origin.below(name) for name in value.model_fields_set})


def fold(
    name: str,
    layers: tuple[Layer, ...],
    section: Callable[[Layer], Section[M]],
    below: Folded[M] | None = None,
) -> Folded[M] | None:
    """The definition of a name, from layers that are given lowest first.

    A wildcard changes what lower layers define and defines nothing itself. ``below`` is what
    still lower layers say. None when no layer defines the name.
    """
    found = below
    for layer in layers:
        definitions = section(layer)
        for pattern, changes in definitions.wildcards.items():
            if found is not None and fnmatch.fnmatchcase(name, pattern):
                found = found.overlaid(changes, definitions.origin(pattern))
        exact = definitions.definitions.get(name)
        if exact is not None and name not in definitions.wildcards:
            origin = definitions.origin(name)
            found = first(exact, origin) if found is None else found.overlaid(exact, origin)
    return found


def topmost(
    name: str, layers: tuple[Layer, ...], section: Callable[[Layer], Section[M]]
) -> Folded[M] | None:
    """The definition of a name in the highest layer that has it, as a whole."""
    for layer in reversed(layers):
        definitions = section(layer)
        if name in definitions.definitions:
            return first(definitions.definitions[name], definitions.origin(name))
    return None


def names(layers: tuple[Layer, ...], section: Callable[[Layer], Section[M]]) -> set[str]:
    """Every name that the layers define."""
    return {name for layer in layers for name in section(layer).definitions}
