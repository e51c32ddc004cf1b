"""The page of all experiments: of many rows only those that have changed are read again."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest

from jetstream_assets.report.folder_store import FolderDocumentStore
from jetstream_assets.report.page.publishing import INDEX_PAGE
from jetstream_assets.report.page.rows import ROWS, read_rows, row_name
from jetstream_assets_tests.pages.invented import AS_OF, overview, publish

if TYPE_CHECKING:
    from pathlib import Path

SLUGS = [f"experiment-{number}" for number in range(5)]


@dataclass(frozen=True)
class CountingStore(FolderDocumentStore):
    """A folder that notes what is read of it."""

    asked: list[str] = field(default_factory=list)

    def read(self, name: str) -> bytes | None:
        self.asked.append(name)
        return super().read(name)


@pytest.fixture
def store(tmp_path: Path) -> CountingStore:
    """The documents of several experiments, published one after another."""
    for slug in SLUGS:
        publish(tmp_path, overview(slug=slug, normalized_slug=slug.replace("-", "_")))
    return CountingStore(tmp_path)


def _slugs(store: CountingStore) -> list[str]:
    return [entry.slug for entry in read_rows(store).entries]


def test_rows_that_are_kept_are_not_read_again(store: CountingStore) -> None:
    assert _slugs(store) == SLUGS
    assert store.asked == [ROWS]
    page = store.read(INDEX_PAGE)
    assert page is not None
    assert all(slug.encode() in page for slug in SLUGS)


def test_a_row_that_has_changed_is_read(store: CountingStore) -> None:
    name = row_name(SLUGS[2])
    body = store.read(name)
    assert body is not None
    store.publish(name, body.replace(b'"name": null', b'"name": "Called otherwise"'), AS_OF)
    store.asked.clear()
    names = [entry.name for entry in read_rows(store).entries]
    assert names == [None, None, "Called otherwise", None, None]
    assert store.asked == [ROWS, name]
    store.remove(name)
    assert _slugs(store) == [slug for slug in SLUGS if slug != SLUGS[2]]


def test_an_experiment_that_comes_meanwhile_is_read_alone(store: CountingStore) -> None:
    known = read_rows(store)
    publish(store.root, overview(slug="new", normalized_slug="new"))
    store.asked.clear()
    assert [entry.slug for entry in read_rows(store, known).entries] == [*SLUGS, "new"]
    assert store.asked == [row_name("new")]


@pytest.mark.parametrize("kept", [b"", b"no JSON", b'{"rows": 3}', None])
def test_without_kept_rows_all_are_read(store: CountingStore, kept: bytes | None) -> None:
    store.remove(ROWS)
    if kept is not None:
        store.publish(ROWS, kept, AS_OF)
    assert _slugs(store) == SLUGS
    assert sorted(store.asked) == sorted([ROWS, *map(row_name, SLUGS)])


def test_a_row_of_another_version_is_left_out_and_kept_for_it(store: CountingStore) -> None:
    store.publish(row_name(SLUGS[0]), b'{"of": "another version"}', AS_OF)
    rows = read_rows(store)
    assert [entry.slug for entry in rows.entries] == SLUGS[1:]
    assert b"another version" in rows.body()
