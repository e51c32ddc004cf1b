"""The pages of experiments among their documents.

Belongs here: reading what was exported of an experiment, and publishing its page and that of all.
Does not: HTML (`rendering`, `index`), places of documents (`report.store`).
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from jetstream_assets.experiments.experiment import normalized
from jetstream_assets.report.essentials import (
    Essential,
    deciding_window,
    essentials,
    essentials_markdown,
)
from jetstream_assets.report.forest_picture import forest_markdown
from jetstream_assets.report.json_text import object_bytes
from jetstream_assets.report.overview import overview_name
from jetstream_assets.report.overview_schema import Overview
from jetstream_assets.report.page.embedding import OVERVIEW
from jetstream_assets.report.page.index import index_entry, render_index
from jetstream_assets.report.page.rendering import render_page
from jetstream_assets.report.page.rows import ROWS, read_rows, row_name
from jetstream_assets.report.store import Published

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date

    from jetstream_assets.report.store import DocumentStore

HTML_TYPE = "text/html; charset=utf-8"
PAGES = "pages"
INDEX_PAGE = f"{PAGES}/index.html"
# Whoever publishes at the same time is seen at the next reading; more than this is a crowd.
_MOST_READINGS = 3


def page_name(slug: str) -> str:
    """The name of an experiment's page among the documents."""
    return f"{PAGES}/{normalized(slug)}.html"


@dataclass(frozen=True)
class PublishedPages:
    """What became of an experiment's page and that of all, and what the first one says at a glance.

    Args:
        page: The experiment's.
        index: That of all experiments.
        summary: Markdown of the verdict and the decisive metrics, with a picture of the intervals.
    """

    page: Published
    index: Published
    summary: str


def publish_page(slug: str, store: DocumentStore) -> PublishedPages | None:
    """Publish the page of an experiment and that of all from the documents that are there.

    Returns:
        Both pages; None where the experiment has no overview, as a private one.

    Raises:
        DocumentStoreError: The place of the documents is in trouble.
    """
    body = store.read(overview_name(slug))
    if body is None:
        return None
    overview = Overview.model_validate_json(body)
    found = {kind: store.read(name) for kind, name in overview.documents.items()}
    documents = {OVERVIEW: body, **{kind: text for kind, text in found.items() if text is not None}}
    page = render_page(overview, overview_name(slug), documents)
    as_of = overview.data_through
    published = store.publish(page_name(slug), page, as_of, HTML_TYPE)
    entry = object_bytes(index_entry(overview).model_dump(mode="json"))
    store.publish(row_name(slug), entry, as_of)
    return PublishedPages(published, _publish_index(store, as_of), _summary(overview, documents))


def _summary(overview: Overview, documents: Mapping[str, bytes]) -> str:
    window = deciding_window(overview)
    found: tuple[Essential, ...] = ()
    if window is not None:
        records = json.loads(documents.get(f"statistics_{window.period}", b"[]"))
        found = essentials(overview, window, records)
    return f"{essentials_markdown(overview, window, found)}\n{forest_markdown(found)}"


def _publish_index(store: DocumentStore, as_of: date) -> Published:
    """The page of all, written again where another experiment came while it was written."""
    rows = read_rows(store)
    for _ in range(_MOST_READINGS):
        entries = rows.entries
        newest = max([as_of, *(entry.data_through for entry in entries)])
        published = store.publish(INDEX_PAGE, render_index(entries), newest, HTML_TYPE)
        before, rows = rows, read_rows(store, rows)
        if rows == before:
            break
    store.publish(ROWS, rows.body(), newest)
    return published
