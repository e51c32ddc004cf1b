from __future__ import annotations

import signal
import subprocess
import sys
from contextlib import contextmanager
from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING
from unittest.mock import patch

import pytest
from filelock import FileLock
from hypothesis import given, settings
from hypothesis import strategies as st

from jetstream_assets.report import folder_store
from jetstream_assets.report.folder_store import FolderDocumentStore
from jetstream_assets.report.store import DocumentStoreError, PublishResult

if TYPE_CHECKING:
    from collections.abc import Iterator

NAME = "statistics/statistics_my_exp_weekly.json"
WRITTEN, UNCHANGED, SUPERSEDED = PublishResult

# A process that publishes DAY with BODY and is killed at the STEP-th rename: `before` it, or
# `after` it. The first rename is that of the intent, the second that of the document.
DYING = """
import os, signal, sys
from datetime import date
from pathlib import Path
from jetstream_assets.report import folder_store

root, body, day, step, moment = sys.argv[1:]
rename, calls = folder_store._rename, []

def dying(beside, path):
    calls.append(path)
    is_last = len(calls) == int(step)
    if is_last and moment == "before":
        os.kill(os.getpid(), signal.SIGKILL)
    rename(beside, path)
    if is_last:
        os.kill(os.getpid(), signal.SIGKILL)

folder_store._rename = dying
store = folder_store.FolderDocumentStore(Path(root))
store.publish("statistics/statistics_my_exp_weekly.json", body.encode(), date.fromisoformat(day))
"""


def day(number: int) -> date:
    return date(2024, 1, 1) + timedelta(days=number)


def body_of(number: int) -> bytes:
    return f"body of {number}".encode()


@pytest.fixture
def store(tmp_path: Path) -> FolderDocumentStore:
    return FolderDocumentStore(tmp_path / "documents")


def test_a_document_is_read_as_it_was_published(store: FolderDocumentStore) -> None:
    assert store.read(NAME) is None
    published = store.publish(NAME, b"[]\n", day(1))
    assert store.read(NAME) == b"[]\n"
    assert (published.name, published.result, published.as_of) == (NAME, WRITTEN, day(1))
    assert published.location == store.location(NAME) == str(store.root.resolve() / NAME)
    assert Path(published.location).read_bytes() == b"[]\n"


def test_reading_makes_no_folder(store: FolderDocumentStore) -> None:
    assert store.read(NAME) is None
    assert not store.root.exists()


def test_only_the_document_is_in_sight(store: FolderDocumentStore) -> None:
    store.publish(NAME, b"1", day(1))
    store.publish(NAME, b"2", day(2))
    found = {path.relative_to(store.root).as_posix() for path in store.root.rglob("*")}
    assert {name for name in found if not name.startswith(".store")} == {"statistics", NAME}


def test_an_unchanged_document_is_not_touched(store: FolderDocumentStore) -> None:
    path = Path(store.publish(NAME, b"same", day(1)).location)
    before = path.stat()
    store.publish(NAME, b"same", day(2))
    assert (path.stat().st_ino, path.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


def test_a_removed_document_is_written_again(store: FolderDocumentStore) -> None:
    Path(store.publish(NAME, b"new", day(5)).location).unlink()
    assert store.publish(NAME, b"old", day(1)).result is WRITTEN
    assert store.publish(NAME, b"older", day(0)).result is SUPERSEDED
    assert store.publish(NAME, b"newer", day(2)).result is WRITTEN


def test_an_edited_document_keeps_its_date(store: FolderDocumentStore) -> None:
    Path(store.publish(NAME, b"new", day(5)).location).write_bytes(b"edited")
    assert store.publish(NAME, b"old", day(4)).result is SUPERSEDED
    assert store.publish(NAME, b"new", day(5)).result is WRITTEN
    assert store.read(NAME) == b"new"


def test_a_document_from_elsewhere_has_no_date(store: FolderDocumentStore) -> None:
    path = store.root / NAME
    path.parent.mkdir(parents=True)
    path.write_bytes(b"foreign")
    assert store.publish(NAME, b"ours", day(0)).result is WRITTEN


@pytest.mark.parametrize("link", ["statistics", NAME])
def test_a_link_does_not_lead_out(store: FolderDocumentStore, tmp_path: Path, link: str) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / Path(NAME).name).write_bytes(b"secret")
    place = store.root / link
    place.parent.mkdir(parents=True, exist_ok=True)
    place.symlink_to(outside / Path(NAME).name if link == NAME else outside)
    with pytest.raises(DocumentStoreError, match="leads out of the folder"):
        store.publish(NAME, b"x", day(1))
    with pytest.raises(DocumentStoreError, match="leads out of the folder"):
        store.read(NAME)
    assert (outside / Path(NAME).name).read_bytes() == b"secret"


def test_trouble_with_the_folder_is_an_error_with_a_reason(store: FolderDocumentStore) -> None:
    store.publish("taken", b"x", day(1))
    with pytest.raises(DocumentStoreError, match=r"'taken/doc.json'.*cannot be read or written"):
        store.publish("taken/doc.json", b"x", day(1))


def test_a_date_that_cannot_be_read_is_an_error_with_a_remedy(store: FolderDocumentStore) -> None:
    store.publish(NAME, b"x", day(1))
    intent = store.root / ".store" / f"{NAME}.json"
    intent.write_bytes(b"\x00 not json")
    with pytest.raises(DocumentStoreError, match="Remove that file"):
        store.publish(NAME, b"y", day(1))
    intent.unlink()
    assert store.publish(NAME, b"y", day(1)).result is WRITTEN


def test_a_lock_that_is_held_too_long_is_an_error(store: FolderDocumentStore) -> None:
    store.publish(NAME, b"x", day(1))
    with (
        FileLock(store.root / ".store" / f"{NAME}.lock"),
        patch.object(folder_store, "_LOCK_SECONDS", 0.05),
        pytest.raises(DocumentStoreError, match="another process has held the lock"),
    ):
        store.publish(NAME, b"y", day(2))
    assert store.read(NAME) == b"x"


@pytest.mark.parametrize(
    ("step", "moment", "survivor"),
    [(1, "before", 3), (1, "after", 3), (2, "before", 3), (2, "after", 5)],
)
def test_a_kill_between_steps_leaves_a_whole_document_and_its_true_date(
    store: FolderDocumentStore, step: int, moment: str, survivor: int
) -> None:
    store.publish(NAME, body_of(3), day(3))
    died = _run_dying(store.root, 5, step, moment)
    assert died.returncode == -signal.SIGKILL, died.stderr
    assert store.read(NAME) == body_of(survivor)
    # Nothing older than what survived may replace it ...
    assert store.publish(NAME, b"older", day(survivor - 1)).result is SUPERSEDED
    # ... and what is newer than what survived is not held off by what never came to be.
    between = store.publish(NAME, body_of(4), day(4))
    assert between.result is (WRITTEN if survivor < 4 else SUPERSEDED)
    assert store.publish(NAME, body_of(6), day(6)).result is WRITTEN
    assert store.read(NAME) == body_of(6)
    assert [path.name for path in store.root.rglob("*.part")] == []


def test_a_kill_in_the_first_publication_leaves_no_document(store: FolderDocumentStore) -> None:
    died = _run_dying(store.root, 5, 2, "before")
    assert died.returncode == -signal.SIGKILL, died.stderr
    assert store.read(NAME) is None
    assert store.publish(NAME, body_of(4), day(4)).result is WRITTEN


@settings(max_examples=40, deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(0, 4), st.integers(0, 2), st.sampled_from([0, 1, 2])), max_size=12
    )
)
def test_no_order_of_publications_and_crashes_sets_a_document_back(
    tmp_path_factory: pytest.TempPathFactory, publications: list[tuple[int, int, int]]
) -> None:
    store = FolderDocumentStore(tmp_path_factory.mktemp("documents"))
    newest, expected = -1, None
    for number, variant, failing_rename in publications:
        body = f"{number} {variant}".encode()
        try:
            with _full_disk(failing_rename):
                store.publish("doc.json", body, day(number))
        except DocumentStoreError:
            pass
        else:
            if number >= newest:
                newest, expected = number, body
        assert store.read("doc.json") == expected


@contextmanager
def _full_disk(which: int) -> Iterator[None]:
    """While open, the first or second rename of a publication fails; 0 for none."""
    calls: list[Path] = []
    rename = folder_store._rename

    def failing(beside: Path, path: Path) -> None:
        calls.append(path)
        if len(calls) == which:
            raise OSError(28, "No space left on device")
        rename(beside, path)

    with patch.object(folder_store, "_rename", failing):
        yield


def _run_dying(root: Path, number: int, step: int, moment: str) -> subprocess.CompletedProcess[str]:
    arguments = [str(root), body_of(number).decode(), day(number).isoformat(), str(step), moment]
    return subprocess.run(
        [sys.executable, "-c", DYING, *arguments], check=False, capture_output=True, text=True
    )
