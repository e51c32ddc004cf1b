"""Every experiment's row of the page of all, of which only those are read that have changed.

Belongs here: reading rows, and keeping all of them together. Does not: what a row holds (`index`),
publishing (`publishing`).

Each run publishes the row of its experiment by itself, so that none can set another's back, and
then the page of all of them. Reading each for that would be as many requests as there are
experiments, for each of them; so that their texts are kept in one document beside the page, with
the mark of the state in which each was read. A mark that differs from the listing's decides.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict, ValidationError

from jetstream_assets.experiments.experiment import normalized
from jetstream_assets.report.json_text import object_bytes
from jetstream_assets.report.page.index import IndexEntry

if TYPE_CHECKING:
    from jetstream_assets.report.store import DocumentStore

_FOLDER = "index"
ROWS = "pages/index.json"


class _Row(BaseModel):
    """A row's document as it was read, and the mark of that state."""

    model_config = ConfigDict(frozen=True)

    mark: str
    text: str


class _Kept(BaseModel):
    rows: dict[str, _Row]


@dataclass(frozen=True)
class Rows:
    """The rows of all experiments, by the names of their documents."""

    read: Mapping[str, _Row]

    @property
    def entries(self) -> list[IndexEntry]:
        """All rows; one that another version wrote and this cannot read is left out."""
        found = (_entry(row) for row in self.read.values())
        return [entry for entry in found if entry is not None]

    def body(self) -> bytes:
        """All rows as the document `ROWS`."""
        return object_bytes(_Kept(rows=dict(self.read)).model_dump(mode="json"))


def row_name(slug: str) -> str:
    """The name of the document of an experiment's row."""
    return f"{_FOLDER}/{normalized(slug)}.json"


def read_rows(store: DocumentStore, known: Rows | None = None) -> Rows:
    """The rows as they are now.

    Args:
        store: The documents.
        known: What was read before; by default what is kept beside the page.

    Raises:
        DocumentStoreError: The place of the documents is in trouble.
    """
    read = (known or _kept(store)).read
    found: dict[str, _Row] = {}
    for name, mark in store.marks(_FOLDER).items():
        row = read.get(name)
        if row is None or row.mark != mark:
            body = store.read(name)
            row = None if body is None else _Row(mark=mark, text=body.decode(errors="replace"))
        if row is not None:
            found[name] = row
    return Rows(found)


def _kept(store: DocumentStore) -> Rows:
    try:
        return Rows(_Kept.model_validate_json(store.read(ROWS) or b"").rows)
    except ValidationError:  # none yet, or another version's
        return Rows({})


def _entry(row: _Row) -> IndexEntry | None:
    try:
        return IndexEntry.model_validate_json(row.text)
    except ValidationError:
        return None
