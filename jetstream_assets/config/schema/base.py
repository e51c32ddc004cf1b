"""A table of a configuration file: known keys are checked, unknown ones are kept and told.

Belongs here: what all tables share. Does not: any particular key.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Annotated, ClassVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from jetstream_assets.config.wording import did_you_mean, dotted_key

_DAY = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)


@dataclass(frozen=True)
class UnknownKey:
    """A key that nothing reads.

    ``key`` is dotted; ``suggestion`` is ``Did you mean 'x'?`` or empty.
    """

    path: str
    key: str
    suggestion: str

    def __str__(self) -> str:
        told = f"{self.path}: {self.key} is not a known key and is ignored."
        return f"{told} {self.suggestion}".strip()


class Table(BaseModel):
    """One table. Types are strict: text is no number, and a number no text."""

    model_config = ConfigDict(extra="allow", strict=True, frozen=True)

    # Whether undeclared keys are content rather than mistakes.
    takes_any_key: ClassVar[bool] = False

    def unknown_keys(self, path: str, prefix: tuple[str, ...] = ()) -> Iterator[UnknownKey]:
        """Every key below this table that nothing reads, in the order of the file."""
        if not self.takes_any_key:
            allowed = [field.alias or name for name, field in type(self).model_fields.items()]
            for name in self.model_extra or {}:
                key = dotted_key((*prefix, name))
                yield UnknownKey(path, key, did_you_mean(name, allowed))
        for name, field in type(self).model_fields.items():
            yield from _below(getattr(self, name), path, (*prefix, field.alias or name))


def lower_keys(value: object) -> object:
    """A table with its keys in lower case; anything else as it is.

    Raises:
        ValueError: Two keys differ in case only, so one of them would be lost.
    """
    if not isinstance(value, Mapping):
        return value
    lowered = {str(key).lower(): item for key, item in value.items()}
    if len(lowered) != len(value):
        raise ValueError("keys must differ in more than upper and lower case")
    return lowered


def definitions_apart(value: object, reserved: Collection[str]) -> object:
    """A table whose sub-tables, but for the reserved ones, are moved into ``<definitions>``."""
    if not isinstance(value, Mapping):
        return value
    definitions = {
        name: item
        for name, item in value.items()
        if isinstance(item, Mapping) and name not in reserved
    }
    rest = {name: item for name, item in value.items() if name not in definitions}
    return {**rest, "<definitions>": definitions}


def _as_day(value: object) -> object:
    if isinstance(value, date) and not isinstance(value, datetime):
        return value
    if isinstance(value, str) and _DAY.fullmatch(value):
        return date.fromisoformat(value)
    raise ValueError("a date is written as YYYY-MM-DD")


Day = Annotated[date, BeforeValidator(_as_day)]
Names = Annotated[tuple[str, ...], Field(strict=False)]


def _below(value: object, path: str, prefix: tuple[str, ...]) -> Iterator[UnknownKey]:
    if isinstance(value, Table):
        yield from value.unknown_keys(path, prefix)
    elif isinstance(value, Mapping):
        for name, item in value.items():
            yield from _below(item, path, (*prefix, str(name)))
