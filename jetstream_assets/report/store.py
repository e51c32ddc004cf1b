"""A document has one name, one body and the date up to which it knows the data.

Belongs here: the protocol of a place for documents, what publishing answers, which names are
allowed. Does not: a particular place (`folder_store`), the shape of documents (the exports).
"""

from __future__ import annotations

import base64
import hashlib
import re
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Protocol

from jetstream_assets.errors import JetstreamError

JSON_TYPE = "application/json"

# Names are paths in folders and keys in buckets, and they are made of normalised slugs: letters
# that mean something to a file system, a URL or a shell have no place in them. A part never starts
# with a dot, so that a store may keep hidden files of its own.
_PART = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")
_LONGEST_PART = 200


class DocumentStoreError(JetstreamError):
    """A document cannot be named, read or stored: the message says which and why."""

    may_pass = True


class DocumentStoreRefusedError(DocumentStoreError):
    """The place refuses until a person has mended it: no such place, no permission."""

    may_pass = False


class PublishResult(StrEnum):
    """What publishing did to the document of that name."""

    WRITTEN = "written"
    UNCHANGED = "unchanged"
    SUPERSEDED = "superseded"


@dataclass(frozen=True)
class Document:
    """A document that is ready to be published.

    Args:
        name: A relative POSIX path such as ``statistics/statistics_my_slug_weekly.json``.
        body: The bytes, the same for the same input.
        as_of: The newest date whose data the document knows.
        content_type: The media type of the body.
    """

    name: str
    body: bytes
    as_of: date
    content_type: str = JSON_TYPE


@dataclass(frozen=True)
class Published:
    """What publishing did, and what is there now.

    Args:
        name: The document's name.
        result: ``written``; ``unchanged`` when the same bytes were there; ``superseded`` when a
            document of a newer date was there, and nothing was written.
        as_of: The date of the document that is there now.
        location: What a person opens.
    """

    name: str
    result: PublishResult
    as_of: date
    location: str


class DocumentStore(Protocol):
    """A place for documents. Readers see a whole document, the former one or the new one.

    Every method raises `DocumentStoreError` for a name that is not allowed (`checked_name`) and
    when the place itself is in trouble.
    """

    def publish(
        self, name: str, body: bytes, as_of: date, content_type: str = JSON_TYPE
    ) -> Published:
        """Put the document in its place, unless one of a newer date is there; equal replaces."""
        ...

    def read(self, name: str) -> bytes | None:
        """The document's bytes; None when there is none."""
        ...

    def names(self, folder: str) -> tuple[str, ...]:
        """The names of the documents directly in a folder, sorted; empty when there is none."""
        ...

    def digests(self, folder: str) -> dict[str, str]:
        """The documents of `names`, in that order, each with the `digest` of its body."""
        ...

    def remove(self, name: str) -> None:
        """Remove a document and what is remembered of it; nothing when there is none."""
        ...

    def location(self, name: str) -> str:
        """What a person opens to see the document: a path or a URL."""
        ...


def digest(body: bytes) -> str:
    """The body's MD5 in base64: what Google Cloud Storage tells of each object in a listing."""
    return base64.b64encode(hashlib.md5(body, usedforsecurity=False).digest()).decode()


def checked_name(name: str) -> str:
    """The name itself, if it is a relative POSIX path of plain parts.

    Raises:
        DocumentStoreError: The name is empty, absolute, or has a part that is empty, too long,
            starts with a dot or holds anything but ASCII letters, digits and ``_.-``.
    """
    for part in name.split("/"):
        if not _PART.fullmatch(part) or len(part) > _LONGEST_PART:
            raise DocumentStoreError(
                f"{name!r} cannot be the name of a document: found the part {part!r}; allowed are "
                f"1 to {_LONGEST_PART} letters, digits, '_', '-' and '.', the first not '-' or "
                "'.', in parts separated by '/'. Build names from normalised slugs."
            )
    return name
