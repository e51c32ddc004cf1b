"""A bucket of documents that many processes may write and none can tear or set back.

Belongs here: the document store in Google Cloud Storage. Does not: what documents hold (the
exports), which names are allowed (`store`), what the bucket's refusals mean (`gcs_errors`), where
credentials come from (the caller's client).

An object is replaced whole by the service itself. What the store must remember of it, its date, is
the object's metadata, so document and date change in one request. Publishing reads the two numbers
that every change of an object counts up, of its bytes and of its metadata, and writes under the
condition that both are still the same; who loses the race looks again.
"""

from __future__ import annotations

import re
import time
from dataclasses import dataclass, field
from datetime import date
from typing import TYPE_CHECKING, Any

from jetstream_assets.report.gcs_errors import is_absent, is_lost_race, trouble
from jetstream_assets.report.store import (
    JSON_TYPE,
    DocumentStoreError,
    Published,
    PublishResult,
    checked_name,
    digest,
)

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from google.cloud.storage import Blob, Client  # noqa: TC004  # loading it takes long

SCHEME = "gs://"
AS_OF = "as-of"
# Nobody knows at which hour of the day a document changes, and later steps of a run read what
# earlier ones have just written: a cache may keep it, and has to ask each time whether it is new.
CACHE_CONTROL = "no-cache"
# A request that fails for a passing reason is made again for so long.
SECONDS = 120.0

_BUCKET = re.compile(r"[a-z0-9][a-z0-9._-]{1,220}[a-z0-9]")
_ATTEMPTS = 12
_FIRST_PAUSE, _LONGEST_PAUSE = 0.02, 1.0
# Where a person reads an object with the browser's own Google account.
_BROWSER = "https://storage.cloud.google.com"


@dataclass(frozen=True)
class _Present:
    """The document that is there: its state, its date, and whether it is the one to publish."""

    generation: int
    metageneration: int
    as_of: date
    is_same: bool


@dataclass(frozen=True)
class GcsDocumentStore:
    """A document store in a bucket, which has to be there.

    Args:
        client: Reaches Google Cloud Storage, with its credentials.
        bucket: The bucket's name.
        prefix: The part of each object's name before the document's, without slashes around it;
            may be empty.
        seconds: For how long a request is tried again that fails for a passing reason.
    """

    client: Client = field(repr=False)
    bucket: str
    prefix: str = ""
    seconds: float = SECONDS

    def publish(
        self, name: str, body: bytes, as_of: date, content_type: str = JSON_TYPE
    ) -> Published:
        """Put the document in its place, unless one of a newer date is there; equal replaces.

        An object that a person removed or uploaded has no date, so it is replaced whatever the
        date. Where the service's answer to a write is lost, that write is found as `unchanged`.

        Raises:
            DocumentStoreError: The name is not allowed, the bucket refuses or does not answer, or
                other writers have been first again and again.
        """
        from google.api_core.exceptions import GoogleAPIError  # noqa: PLC0415  # heavy

        checked_name(name)
        with self._trouble(name):
            for attempt in range(_ATTEMPTS):
                present = self._present(name, body, content_type)
                if present is not None and present.as_of > as_of:
                    return self._published(name, PublishResult.SUPERSEDED, present.as_of)
                try:
                    result = self._put(name, body, as_of, content_type, present)
                except GoogleAPIError as error:
                    if not is_lost_race(error, was_there=present is not None):
                        raise
                    time.sleep(min(_FIRST_PAUSE * 2**attempt, _LONGEST_PAUSE))
                else:
                    return self._published(name, result, as_of)
        raise DocumentStoreError(
            f"the document {name!r} in the bucket {self.bucket} was not published: another writer "
            f"was first {_ATTEMPTS} times in a row. Look for what writes there all the time, and "
            "run again."
        )

    def read(self, name: str) -> bytes | None:
        """The document's bytes; None when there is none."""
        from google.api_core.exceptions import GoogleAPIError  # noqa: PLC0415  # heavy

        checked_name(name)
        with self._trouble(name):
            try:
                body: bytes = self._blob(name).download_as_bytes(**self._patience)
            except GoogleAPIError as error:
                if not is_absent(error):
                    raise
                return None
        return body

    def names(self, folder: str) -> tuple[str, ...]:
        """The names of the documents directly in a folder, sorted; empty when there is none."""
        return tuple(self.digests(folder))

    def digests(self, folder: str) -> dict[str, str]:
        """The documents of `names`, each with the digest of its body, in a request for many."""
        before = self._key(checked_name(folder)) + "/"
        with self._trouble(folder):
            blobs = self.client.list_blobs(
                self.bucket, prefix=before, delimiter="/", **self._patience
            )
            found = sorted((blob.name.removeprefix(before), blob.md5_hash) for blob in blobs)
        # The console makes an object of the folder's own name, which is empty here.
        shown = (one for one in found if one[0] and not one[0].startswith("."))
        # An object that somebody composed of others has none.
        return {f"{folder}/{name}": told or "" for name, told in shown}

    def remove(self, name: str) -> None:
        """Remove a document with its date; nothing when there is none."""
        from google.api_core.exceptions import GoogleAPIError  # noqa: PLC0415  # heavy

        checked_name(name)
        with self._trouble(name):
            try:
                self._blob(name).delete(**self._patience)
            except GoogleAPIError as error:
                if not is_absent(error):
                    raise

    def location(self, name: str) -> str:
        """The address at which a person reads the document, who has to be allowed to."""
        return f"{_BROWSER}/{self.bucket}/{self._key(checked_name(name))}"

    def _present(self, name: str, body: bytes, content_type: str) -> _Present | None:
        """The document that is there; None when there is none."""
        from google.api_core.exceptions import GoogleAPIError  # noqa: PLC0415  # heavy

        blob = self._blob(name)
        try:
            blob.reload(**self._patience)
        except GoogleAPIError as error:
            if not is_absent(error):
                raise
            return None
        return _Present(
            generation=blob.generation,
            metageneration=blob.metageneration,
            as_of=_date_of(blob),
            is_same=(blob.md5_hash, blob.content_type, blob.cache_control)
            == (digest(body), content_type, CACHE_CONTROL),
        )

    def _put(
        self, name: str, body: bytes, as_of: date, content_type: str, present: _Present | None
    ) -> PublishResult:
        """Write what differs, if what is there is still the same; the client raises if not."""
        blob = self._blob(name)
        blob.metadata = {AS_OF: as_of.isoformat()}
        # A newer date of the same bytes leaves the generation as it is; hence both numbers.
        unchanged: dict[str, Any] = {"if_generation_match": 0 if present is None else None}
        if present is not None:
            unchanged["if_generation_match"] = present.generation
            unchanged["if_metageneration_match"] = present.metageneration
        if present is not None and present.is_same:
            if present.as_of != as_of:
                blob.patch(**unchanged, **self._patience)
            return PublishResult.UNCHANGED
        blob.cache_control = CACHE_CONTROL
        blob.upload_from_string(body, content_type, **unchanged, **self._patience)
        return PublishResult.WRITTEN

    @property
    def _patience(self) -> dict[str, Any]:
        """How long a request may take, and for how long it is made again."""
        from google.cloud.storage.retry import DEFAULT_RETRY  # heavy

        retry = DEFAULT_RETRY.with_timeout(self.seconds).with_delay(initial=0.2, maximum=10.0)
        return {"retry": retry, "timeout": min(self.seconds, 60.0)}

    def _trouble(self, name: str) -> AbstractContextManager[None]:
        return trouble(f"the document {name!r} in the bucket {self.bucket}", "JETSTREAM_OUTPUT")

    def _blob(self, name: str) -> Blob:
        return self.client.bucket(self.bucket).blob(self._key(name))

    def _key(self, name: str) -> str:
        return f"{self.prefix}/{name}" if self.prefix else name

    def _published(self, name: str, result: PublishResult, as_of: date) -> Published:
        return Published(name, result, as_of, self.location(name))


def is_bucket(location: str) -> bool:
    """Whether documents go to a bucket; else the location is a folder."""
    return location.startswith(SCHEME)


def bucket_and_prefix(location: str) -> tuple[str, str]:
    """The parts of ``gs://bucket/prefix``; the prefix may be empty.

    Raises:
        ValueError: It is no such location.
    """
    bucket, _, prefix = location.removeprefix(SCHEME).rstrip("/").partition("/")
    if not is_bucket(location) or _BUCKET.fullmatch(bucket) is None:
        raise ValueError(
            f"it names no bucket: found {bucket!r}; a bucket has 3 to 222 lower-case "
            f"letters, digits, '-', '_' and '.', as in {SCHEME}my-bucket/my-prefix"
        )
    try:
        return bucket, checked_name(prefix) if prefix else ""
    except DocumentStoreError as error:
        raise ValueError(str(error)) from None


def _date_of(blob: Blob) -> date:
    """The date of a document; long ago where the object is none of ours."""
    try:
        return date.fromisoformat((blob.metadata or {}).get(AS_OF, ""))
    except ValueError:
        return date.min
