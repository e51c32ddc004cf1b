"""People mend what they can find: messages name the key, what was found and what is allowed.

Belongs here: turning a validation error into sentences, suggestions for misspelt names. Does not:
what is allowed where (`schema`).
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from pydantic import ValidationError
    from pydantic_core import ErrorDetails

_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
_LONGEST_VALUE = 100
# Below this likeness a suggestion misleads more often than it helps.
_LIKENESS = 0.75


def dotted_key(parts: Iterable[str | int]) -> str:
    """A key as it is written in TOML, such as ``metrics."search_*".data_source``.

    Parts in angle brackets are fields of ours that no file has; they are left out.
    """
    written = (str(part) for part in parts)
    return ".".join(_quoted(part) for part in written if not part.startswith("<"))


def did_you_mean(name: str, allowed: Iterable[str]) -> str:
    """``Did you mean 'x'?`` for the closest allowed name, or an empty text."""
    close = difflib.get_close_matches(name, sorted(allowed), n=1, cutoff=_LIKENESS)
    return f"Did you mean {close[0]!r}?" if close else ""


def shown(value: object) -> str:
    """A value as text for a message, cut to a readable length."""
    return cut(repr(value))


def cut(text: str) -> str:
    """Text for a message, cut to a readable length."""
    return text if len(text) <= _LONGEST_VALUE else f"{text[: _LONGEST_VALUE - 3]}..."


def first_problem(error: ValidationError) -> tuple[str, str]:
    """The dotted key and the sentence of a validation error's first problem.

    Further problems are counted in the sentence.
    """
    (key, sentence), *others = every_problem(error)
    return key, sentence + (f" ({len(others)} more problems follow.)" if others else "")


def every_problem(error: ValidationError) -> tuple[tuple[str, str], ...]:
    """The dotted key and the sentence of each problem of a validation error."""
    details = error.errors(include_url=False, include_context=False)
    return tuple((dotted_key(detail["loc"]), _sentence(detail)) for detail in details)


def all_problems(error: ValidationError) -> str:
    """Every problem of a validation error with its key, in one line."""
    return " ".join(f"{key or 'record'}: {sentence}" for key, sentence in every_problem(error))


def one_of(values: Sequence[str]) -> str:
    """The allowed values as text: ``one of a, b, c``."""
    return f"one of {', '.join(values)}"


def _sentence(detail: ErrorDetails) -> str:
    if detail["type"] == "missing":
        return "the key is missing; it is required."
    message = detail["msg"].removeprefix("Value error, ").rstrip(".")
    if detail["type"] != "value_error":
        return f"found {shown(detail['input'])}. {message}."
    # Our own validators; one of a whole table says itself which part of it is wrong.
    found = "" if isinstance(detail["input"], Mapping) else f"; found {shown(detail['input'])}"
    return f"{message}{found}."


def _quoted(part: str) -> str:
    return part if _BARE_KEY.fullmatch(part) else f'"{part}"'
