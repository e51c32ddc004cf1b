"""What every document store promises, kept by a folder and by a bucket over HTTP."""

from __future__ import annotations

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING
from unittest.mock import patch

import pytest

from jetstream_assets.orchestration.resources import DocumentsResource
from jetstream_assets.report.gcs_store import is_bucket
from jetstream_assets.report.store import DocumentStoreError, PublishResult, digest
from jetstream_assets_tests.gcs.server import BUCKET, Gcs, variables

if TYPE_CHECKING:
    from pathlib import Path

    from jetstream_assets.report.store import DocumentStore

NAME = "statistics/statistics_my_exp_weekly.json"
WRITTEN, UNCHANGED, SUPERSEDED = PublishResult
LINES = 20_000

# A process that publishes one date after another, each many times its own length.
WRITING = """
import sys
from datetime import date, timedelta
from pathlib import Path
from jetstream_assets.report.folder_store import FolderDocumentStore
from jetstream_assets.report.gcs_store import GcsDocumentStore, bucket_and_prefix, is_bucket

root, first, stride, lines = sys.argv[1], *map(int, sys.argv[2:])
if is_bucket(root):
    from google.cloud.storage import Client
    store = GcsDocumentStore(Client(), *bucket_and_prefix(root))
else:
    store = FolderDocumentStore(Path(root))
print("ready", flush=True)
sys.stdin.readline()
for number in range(first, 60, stride) if stride > 0 else range(first, -1, stride):
    day = date(2024, 1, 1) + timedelta(days=number)
    store.publish("doc.json", f"{day}\\n".encode() * lines, day)
"""


@dataclass(frozen=True)
class Place:
    """Where documents are, and what a process needs to get there."""

    root: str
    variables: dict[str, str]

    def open(self) -> DocumentStore:
        """A store as the code location opens it; each has its own client."""
        with patch.dict(os.environ, self.variables):
            return DocumentsResource(root=self.root).open()


@pytest.fixture(params=["folder", "bucket", "bucket's top"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    if request.param == "folder":
        return Place(str(tmp_path / "documents"), {})
    gcs: Gcs = request.getfixturevalue("gcs")
    if request.param == "bucket's top":
        bucket = f"top-{len(gcs.storage.buckets)}"
        gcs.make_bucket(bucket)
        return Place(f"gs://{bucket}", variables(gcs))
    return Place(f"gs://{BUCKET}/{tmp_path.name}/of/ours", variables(gcs))


@pytest.fixture
def store(place: Place) -> DocumentStore:
    return place.open()


def day(number: int) -> date:
    return date(2024, 1, 1) + timedelta(days=number)


@pytest.mark.parametrize("body", [b"[]\n", b"", bytes(range(256)) * 8])
def test_a_document_is_read_as_it_was_published(store: DocumentStore, body: bytes) -> None:
    assert store.read(NAME) is None
    published = store.publish(NAME, body, day(1))
    assert store.read(NAME) == body
    assert (published.name, published.result, published.as_of) == (NAME, WRITTEN, day(1))
    assert published.location == store.location(NAME)
    assert published.location.endswith(f"/{NAME}")


@pytest.mark.parametrize(
    ("next_day", "body", "result", "there"),
    [
        (2, b"two", WRITTEN, (b"two", 2)),
        (1, b"two", WRITTEN, (b"two", 1)),
        (0, b"two", SUPERSEDED, (b"one", 1)),
        (2, b"one", UNCHANGED, (b"one", 2)),
        (1, b"one", UNCHANGED, (b"one", 1)),
        (0, b"one", SUPERSEDED, (b"one", 1)),
    ],
)
def test_the_newer_date_wins_and_equal_dates_replace(
    store: DocumentStore,
    next_day: int,
    body: bytes,
    result: PublishResult,
    there: tuple[bytes, int],
) -> None:
    store.publish(NAME, b"one", day(1))
    published = store.publish(NAME, body, day(next_day))
    assert published.result is result
    assert (store.read(NAME), published.as_of) == (there[0], day(there[1]))


def test_the_same_bytes_of_a_newer_date_hold_off_what_lies_between(store: DocumentStore) -> None:
    store.publish(NAME, b"same", day(1))
    store.publish(NAME, b"same", day(5))
    assert store.publish(NAME, b"between", day(3)).result is SUPERSEDED
    assert store.read(NAME) == b"same"


def test_another_store_of_the_same_place_goes_on(place: Place) -> None:
    place.open().publish(NAME, b"new", day(2))
    assert place.open().publish(NAME, b"old", day(1)).result is SUPERSEDED
    assert place.open().read(NAME) == b"new"


def test_documents_are_named_and_removed(store: DocumentStore) -> None:
    assert store.names("plans") == ()
    for name in ("plans/b.json", "plans/a.json", "plans/deeper/c.json", "other/d.json", "plansx"):
        store.publish(name, b"{}", day(2))
    assert store.names("plans") == ("plans/a.json", "plans/b.json")
    assert store.names("plans/deeper") == ("plans/deeper/c.json",)
    store.remove("plans/a.json")
    store.remove("plans/a.json")
    assert store.names("plans") == ("plans/b.json",)
    assert store.read("plans/a.json") is None
    # Nothing is remembered of it, so an older date is as good as any.
    assert store.publish("plans/a.json", b"[]", day(1)).result is WRITTEN


def test_a_digest_is_that_of_the_body(store: DocumentStore) -> None:
    assert store.digests("index") == {}
    for name in ("index/b.json", "index/a.json"):
        store.publish(name, b"{}", day(2))
    first = store.digests("index")
    assert tuple(first) == store.names("index") == ("index/a.json", "index/b.json")
    assert store.digests("index") == first
    store.publish("index/a.json", b"[]", day(2))
    second = store.digests("index")
    assert second["index/a.json"] != first["index/a.json"]
    assert second["index/b.json"] == first["index/b.json"]
    store.publish("index/a.json", b"{}", day(3))
    assert store.digests("index") == first == dict.fromkeys(first, digest(b"{}"))
    store.remove("index/a.json")
    assert store.digests("index") == {"index/b.json": first["index/b.json"]}


@pytest.mark.parametrize(
    "name",
    [
        "",
        "/etc/passwd",
        "../outside.json",
        "a/../../outside.json",
        "a/./b",
        "a//b",
        "a/",
        ".store/x.json",
        "a/.hidden",
        "-rf",
        "a\\b",
        "c:x",
        "a\nb",
        "a\n",
        "a\0b",
        "~",
        "a b",
        "é",
        "${HOME}",
        "x" * 201,
    ],
)
def test_hostile_names_are_refused(store: DocumentStore, name: str) -> None:
    acts = (
        store.read,
        store.location,
        store.names,
        store.remove,
        lambda n: store.publish(n, b"x", day(1)),
    )
    for act in acts:
        with pytest.raises(DocumentStoreError, match="cannot be the name of a document"):
            act(name)


@pytest.mark.parametrize("place", ["folder", "bucket"], indirect=True)
def test_threads_neither_tear_nor_set_back(place: Place) -> None:
    # Each date is published by a thread of its own, in an order that mixes them.
    order = [number * 7 % 12 for number in range(12)]
    stores = [place.open() for _ in range(4)]

    def publish(turn: int) -> tuple[int, PublishResult]:
        number = order[turn]
        body = f"{day(number)}\n".encode() * LINES
        return number, stores[turn % 4].publish("doc.json", body, day(number)).result

    with ThreadPoolExecutor(4) as threads:
        results = dict(threads.map(publish, range(12)))
    assert results[11] is WRITTEN
    assert set(results.values()) <= {WRITTEN, SUPERSEDED}
    assert _first_line(stores[0]) == b"2024-01-12\n"


@pytest.mark.parametrize("place", ["folder", "bucket"], indirect=True)
def test_two_processes_neither_tear_nor_set_back(place: Place) -> None:
    # One process goes up the dates, one comes down: each older one meets a newer one.
    store, seen = place.open(), [b""]
    with ExitStack() as running:
        processes = [running.enter_context(_writing(place, *way)) for way in ((0, 4), (51, -4))]
        for process in processes:
            assert process.stdout is not None
            assert process.stdin is not None
            assert process.stdout.readline() == "ready\n"
        for process in processes:
            print("go", file=process.stdin, flush=True)
        while any(process.poll() is None for process in processes):
            seen.append(_first_line(store))
        assert [process.returncode for process in processes] == [0, 0]
    assert seen == sorted(seen)
    assert _first_line(store) == b"2024-02-26\n"


def _first_line(store: DocumentStore) -> bytes:
    body = store.read("doc.json")
    if body is None:
        return b""
    lines = body.splitlines(keepends=True)
    assert len(lines) == LINES
    assert set(lines) == {lines[0]}
    return lines[0]


def _writing(place: Place, first: int, stride: int) -> subprocess.Popen[str]:
    """A process of WRITING, which says that it is ready and waits for a line."""
    return subprocess.Popen(
        [sys.executable, "-c", WRITING, place.root, str(first), str(stride), str(LINES)],
        env=os.environ | place.variables,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def test_the_stores_are_those_that_were_asked_for(place: Place) -> None:
    assert type(place.open()).__name__ == (
        "GcsDocumentStore" if is_bucket(place.root) else "FolderDocumentStore"
    )
