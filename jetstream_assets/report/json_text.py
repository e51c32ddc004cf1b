"""Exported JSON is UTF-8, one record a line, and the same bytes for the same values.

Belongs here: how values become bytes. Does not: which values a document has (the exports).
"""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    JsonValue = str | int | float | bool | None | list["JsonValue"] | Mapping[str, "JsonValue"]
    Record = Mapping[str, JsonValue]

# JSON has no NaN and no infinity; whoever lets one through is to hear of it here.
_encode = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode


def array_bytes(records: Iterable[Record]) -> bytes:
    """A JSON array with one record a line, so that a difference of two documents is readable."""
    lines = ",\n".join(_encode(record) for record in records)
    return _bytes(f"[\n{lines}\n]\n" if lines else "[]\n")


def object_bytes(record: Record) -> bytes:
    """A JSON object, indented for people."""
    return _bytes(json.dumps(record, ensure_ascii=False, allow_nan=False, indent=2) + "\n")


def finite(value: float | None) -> float | None:
    """The number itself; None for NaN and the infinities."""
    return value if value is not None and math.isfinite(value) else None


def _bytes(text: str) -> bytes:
    # Half a surrogate pair can stand in text that came as JSON and cannot be UTF-8; the escape
    # that takes its place is the one that JSON itself knows.
    return text.encode("utf-8", errors="backslashreplace")
