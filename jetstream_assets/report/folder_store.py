"""A folder of documents that many processes may write and none can tear or set back.

Belongs here: the document store over a local or shared POSIX folder. Does not: what documents hold
(the exports), which names are allowed (`store`).

Each document is exactly the consumer's; what the store must remember about it (its date) is kept
in the hidden folder ``.store``. Under one lock a document, publishing goes in this order:

1. Write the new bytes beside the document under a hidden name, and flush them to disk.
2. Replace the *intent*: date and digest of the new document, and of the one that is there.
3. Rename the new bytes over the document.

A crash between 2 and 3 leaves an intent that speaks of two documents; the digest of the one that
is there says which of the two dates holds. In the other order a crash would leave a new document
with an old date, which an older document could then replace.
"""

from __future__ import annotations

import glob
import hashlib
import os
import uuid
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

from filelock import FileLock, Timeout
from pydantic import BaseModel, ValidationError

from jetstream_assets.report.store import (
    JSON_TYPE,
    DocumentStoreError,
    Published,
    PublishResult,
    checked_name,
    digest,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

_HIDDEN_FOLDER = ".store"
# Publishing takes milliseconds; a lock held for a minute is held by something that hangs.
_LOCK_SECONDS = 60.0


class _Version(BaseModel):
    as_of: date
    sha256: str


class _Intent(BaseModel):
    """What is, or is about to be, the document; and what it replaces."""

    next: _Version
    former: _Version | None = None


@dataclass(frozen=True)
class FolderDocumentStore:
    """A document store in a folder, which is made when the first document is published.

    Args:
        root: The folder. Nothing is read or written outside of it.
    """

    root: Path

    def publish(
        self, name: str, body: bytes, as_of: date, content_type: str = JSON_TYPE
    ) -> Published:
        """Put the document in its place, unless one of a newer date is there; equal replaces.

        A document that a person removed is written again whatever its date; one that a person
        edited keeps the date it had.

        Raises:
            DocumentStoreError: The name is not allowed, or the folder cannot be written.
        """
        del content_type  # A folder has no place for it; the name's suffix says it.
        path = self._path(name)
        with self._trouble(name), self._locked(name):
            present = self._present(name)
            if present is not None and present.as_of > as_of:
                return Published(name, PublishResult.SUPERSEDED, present.as_of, str(path))
            fresh = _Version(as_of=as_of, sha256=_digest(body))
            if present is not None and path.read_bytes() == body:
                if present != fresh:
                    self._intend(name, _Intent(next=fresh))
                return Published(name, PublishResult.UNCHANGED, as_of, str(path))
            _sweep(path)
            _sweep(self._hidden(name, ".json"))
            beside = _written_beside(path, body)
            self._intend(name, _Intent(next=fresh, former=present))
            _rename(beside, path)
        return Published(name, PublishResult.WRITTEN, as_of, str(path))

    def read(self, name: str) -> bytes | None:
        """The document's bytes; None when there is none."""
        path = self._path(name)
        with self._trouble(name):
            try:
                return path.read_bytes()
            except FileNotFoundError:
                return None

    def names(self, folder: str) -> tuple[str, ...]:
        """The names of the documents directly in a folder, sorted; empty when there is none."""
        path = self._path(folder)
        with self._trouble(folder):
            found = [file.name for file in path.iterdir()] if path.is_dir() else []
        # What begins with a dot is being written.
        shown = sorted(name for name in found if not name.startswith("."))
        return tuple(f"{folder}/{name}" for name in shown if (path / name).is_file())

    def digests(self, folder: str) -> dict[str, str]:
        """The documents of `names`, each with the digest of its body; removed ones are left out."""
        found: dict[str, str] = {}
        with self._trouble(folder):
            for name in self.names(folder):
                with suppress(FileNotFoundError):
                    found[name] = digest(self._path(name).read_bytes())
        return found

    def remove(self, name: str) -> None:
        """Remove a document and what is remembered of it; nothing when there is none."""
        path = self._path(name)
        with self._trouble(name), self._locked(name):
            # In this order a crash leaves a date without a document, which decides nothing.
            path.unlink(missing_ok=True)
            self._hidden(name, ".json").unlink(missing_ok=True)

    def location(self, name: str) -> str:
        """The document's absolute path."""
        return str(self._path(name))

    def _path(self, name: str) -> Path:
        root = self.root.resolve()
        path = root / checked_name(name)
        # A link inside the folder may lead out of it.
        if not path.resolve().is_relative_to(root):
            raise DocumentStoreError(
                f"{name!r} leads out of the folder {root}: found a link to {path.resolve()}. "
                "Remove the link, or make the folder's real place the store."
            )
        return path

    def _hidden(self, name: str, suffix: str) -> Path:
        path = self.root.resolve() / _HIDDEN_FOLDER / f"{name}{suffix}"
        path.parent.mkdir(parents=True, exist_ok=True)
        return path

    def _present(self, name: str) -> _Version | None:
        """The document that is there, with its date; None when there is none."""
        path = self._path(name)
        if not path.exists():
            return None
        found = _digest(path.read_bytes())
        intent = self._intent(name)
        if intent is None:
            return _Version(as_of=date.min, sha256=found)
        if intent.former is not None and intent.former.sha256 == found != intent.next.sha256:
            return intent.former
        # Neither of the two means that a person edited it: the later date is the safe one.
        return _Version(as_of=intent.next.as_of, sha256=found)

    def _intent(self, name: str) -> _Intent | None:
        path = self._hidden(name, ".json")
        try:
            return _Intent.model_validate_json(path.read_bytes())
        except FileNotFoundError:
            return None
        except ValidationError as error:
            raise DocumentStoreError(
                f"the date of the document {name!r} cannot be read from {path}: found text that "
                "is not this store's. Remove that file; the next publication writes it anew."
            ) from error

    def _intend(self, name: str, intent: _Intent) -> None:
        path = self._hidden(name, ".json")
        _rename(_written_beside(path, intent.model_dump_json().encode()), path)

    @contextmanager
    def _locked(self, name: str) -> Iterator[None]:
        lock = FileLock(self._hidden(name, ".lock"), timeout=_LOCK_SECONDS)
        try:
            with lock:
                yield
        except Timeout as error:
            raise DocumentStoreError(
                f"the document {name!r} was not published: another process has held the lock "
                f"{lock.lock_file} for {_LOCK_SECONDS:.0f} seconds. End that process and try again."
            ) from error

    @contextmanager
    def _trouble(self, name: str) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise DocumentStoreError(
                f"the document {name!r} in the folder {self.root} cannot be read or written: "
                f"{error.strerror or error}. Check the folder, its permissions and the free space."
            ) from error


def _digest(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()


def _written_beside(path: Path, body: bytes) -> Path:
    """The bytes, safely on disk, in a hidden file next to where they will be."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.{uuid.uuid4().hex}.part")
    with beside.open("xb") as file:
        file.write(body)
        file.flush()
        os.fsync(file.fileno())
    return beside


def _sweep(path: Path) -> None:
    """Remove what crashed writers of this file left; its lock is held, so none is writing."""
    for leftover in path.parent.glob(f".{glob.escape(path.name)}.*.part"):
        leftover.unlink(missing_ok=True)


def _rename(beside: Path, path: Path) -> None:
    """Put a file in its place, and make the rename itself last before what comes next."""
    beside.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
