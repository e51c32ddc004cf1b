"""Documents inside a page, exactly as they were exported.

Belongs here: how a document is packed, and which ones are left out of a page that would become too
large. Does not: opening them again, which the page does itself (`static/page/embedded.js`).
"""

from __future__ import annotations

import base64
import gzip
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

# A page is to stay below 2 MB, of which the charts take less than a fifth.
MOST_CHARACTERS = 1_600_000
OVERVIEW = "overview"
_FIRST = (OVERVIEW, "errors", "metadata", "statistics_overall", "statistics_weekly")


@dataclass(frozen=True)
class Embedded:
    """A document in the page: what it is, its file's name, and its gzipped bytes in base64."""

    kind: str
    file: str
    packed: str


@dataclass(frozen=True)
class LeftOut:
    """A document that is too large for the page: what it is, its name and its size in bytes."""

    kind: str
    name: str
    size: int


def embed(
    names: Mapping[str, str], documents: Mapping[str, bytes]
) -> tuple[tuple[Embedded, ...], tuple[LeftOut, ...]]:
    """What goes into the page, and what does not; the same for the same documents.

    Args:
        names: The documents' names by kind, such as ``statistics_weekly``.
        documents: Their bytes by kind; one without bytes is in neither answer.
    """
    inside: list[Embedded] = []
    outside: list[LeftOut] = []
    free = MOST_CHARACTERS
    for kind in _by_importance(kind for kind in names if kind in documents):
        packed = base64.b64encode(gzip.compress(documents[kind], 9, mtime=0)).decode()
        if kind != OVERVIEW and len(packed) > free:
            outside.append(LeftOut(kind, names[kind], len(documents[kind])))
            continue
        free -= len(packed)
        inside.append(Embedded(kind, names[kind].rpartition("/")[2], packed))
    return tuple(inside), tuple(outside)


def _by_importance(kinds: Iterable[str]) -> list[str]:
    last = len(_FIRST)
    return sorted(kinds, key=lambda kind: (_FIRST.index(kind) if kind in _FIRST else last, kind))
