"""A file is read when it is needed; a file that cannot be read hits only those who need it.

Belongs here: bytes to a checked document, with its mistakes kept beside it. Does not: what several
documents mean together (`layers`).
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Generic, TypeVar

from pydantic import ValidationError

from jetstream_assets.config.layers import Layer, Section
from jetstream_assets.config.schema.base import Table, UnknownKey
from jetstream_assets.config.schema.documents import (
    AnalysisDocument,
    DefinitionsDocument,
    OutcomeDocument,
)
from jetstream_assets.config.wording import first_problem
from jetstream_assets.errors import ConfigError
from jetstream_assets.experiments.windows import Period

# Ten times what the largest known file has: what is larger was not written by a person.
MOST_BYTES = 2_000_000

D_co = TypeVar("D_co", bound=Table, covariant=True)


@dataclass(frozen=True)
class Document(Generic[D_co]):
    """One configuration file.

    ``content`` is its bytes, or the error for which they could not be read.
    """

    path: str
    content: bytes | ConfigError
    model: type[D_co]

    @property
    def value(self) -> D_co:
        """What the file says.

        Raises:
            ConfigError: It cannot be read, is no TOML, or has a value that is not allowed.
        """
        if isinstance(self._checked, ConfigError):
            raise self._checked.with_traceback(None)
        return self._checked

    @property
    def problem(self) -> ConfigError | None:
        """Why the file cannot be used; None when it can."""
        return self._checked if isinstance(self._checked, ConfigError) else None

    @property
    def is_foreign(self) -> bool:
        """Whether the file belongs to another tool: it has a ``[project]`` table."""
        return not isinstance(self._parsed, ConfigError) and "project" in self._parsed

    @cached_property
    def unknown_keys(self) -> tuple[UnknownKey, ...]:
        """The keys that nothing reads; empty for a file that cannot be used."""
        if isinstance(self._checked, ConfigError):
            return ()
        return tuple(self._checked.unknown_keys(self.path))

    @cached_property
    def layer(self) -> Layer:
        """The file's definitions.

        Raises:
            ConfigError: See ``value``.
        """
        return _layer(self.path, self.value)

    @cached_property
    def _parsed(self) -> dict[str, Any] | ConfigError:
        if isinstance(self.content, ConfigError):
            return self.content
        if len(self.content) > MOST_BYTES:
            problem = f"The file has {len(self.content):,} bytes; at most {MOST_BYTES:,} are read."
            return ConfigError(self.path, "", problem, "Split it, or take out what is no TOML.")
        try:
            return tomllib.loads(self.content.decode("utf-8-sig"))
        except UnicodeDecodeError as error:
            problem = f"The file is not UTF-8 text: {error.reason} at byte {error.start}."
            return ConfigError(self.path, "", problem, "Save it as UTF-8.")
        except (tomllib.TOMLDecodeError, RecursionError) as error:
            return ConfigError(self.path, "", f"The file is not TOML: {error}.")

    @cached_property
    def _checked(self) -> D_co | ConfigError:
        if isinstance(self._parsed, ConfigError):
            return self._parsed
        try:
            return self.model.model_validate(self._parsed)
        except ValidationError as error:
            return ConfigError(self.path, *first_problem(error))


def _layer(path: str, value: Table) -> Layer:
    if isinstance(value, AnalysisDocument | DefinitionsDocument):
        return Layer(
            path,
            Section(path, "metrics", value.metrics.definitions),
            Section(path, "data_sources", value.data_sources),
            Section(path, "segments", value.segments.definitions),
            Section(path, "segments.data_sources", value.segments.data_sources),
            value.metrics.periods,
        )
    if isinstance(value, OutcomeDocument):
        return Layer(
            path,
            Section(path, "metrics", value.metrics),
            Section(path, "data_sources", value.data_sources),
            Section(path, "segments"),
            Section(path, "segments.data_sources"),
            _outcome_periods(value),
            period_prefix=(),
        )
    raise TypeError(f"{path} has no definitions")


def _outcome_periods(outcome: OutcomeDocument) -> dict[Period, tuple[str, ...]]:
    """The outcome's lists; all of its metrics weekly and overall when it has none."""
    if any(outcome.periods.values()):
        return outcome.periods
    everything = tuple(outcome.metrics)
    return {Period.WEEK: everything, Period.OVERALL: everything}
