"""Every experiment's row of the page of all, of which only those are read that have changed.

Belongs here: reading rows, and keeping all of them together. Does not: what a row holds (`index`),
publishing (`publishing`).

Each run publishes the row of its experiment by itself, so that none can set another's back, and
then the page of all of them. Reading each for that would be as many requests as there are
experiments, for each of them; so that their texts are kept in one document beside the page. What
has the digest that the store lists is not read again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pydantic import BaseModel, ValidationError

from jetstream_assets.experiments.experiment import normalized
from jetstream_assets.report.json_text import object_bytes
from jetstream_assets.report.page.index import IndexEntry
from jetstream_assets.report.store import digest

if TYPE_CHECKING:
    from jetstream_assets.report.store import DocumentStore

_FOLDER = "index"
ROWS = "pages/index.json"


class _Kept(BaseModel):
    """The texts of the rows' documents by their names."""

    rows: dict[str, str]


@dataclass(frozen=True)
class Rows:
    """The texts of all experiments' rows, by the names of their documents."""

    texts: Mapping[str, str]

    @property
    def entries(self) -> list[IndexEntry]:
        """All rows; one that another version wrote and this cannot read is left out."""
        found = map(_entry, self.texts.values())
        return [entry for entry in found if entry is not None]

    def body(self) -> bytes:
        """All rows as the document `ROWS`."""
        return object_bytes(_Kept(rows=dict(self.texts)).model_dump(mode="json"))


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
    texts = (known or _kept(store)).texts
    found: dict[str, str] = {}
    for name, listed in store.digests(_FOLDER).items():
        text = texts.get(name)
        if text is None or digest(text.encode(errors="replace")) != listed:
            body = store.read(name)
            text = None if body is None else body.decode(errors="replace")
        if text is not None:
            found[name] = text
    return Rows(found)


def _kept(store: DocumentStore) -> Rows:
    try:
        return Rows(_Kept.model_validate_json(store.read(ROWS) or b"").rows)
    except ValidationError:  # none yet, or another version's
        return Rows({})


def _entry(text: str) -> IndexEntry | None:
    try:
        return IndexEntry.model_validate_json(text)
    except ValidationError:
        return None
