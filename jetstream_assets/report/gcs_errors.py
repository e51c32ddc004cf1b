"""What a bucket refuses, in one sentence each, with what to do about it.

Belongs here: telling apart the errors of Google's client, and their sentences. Does not: what is
asked of the bucket (`gcs_store`).

Nothing that the client or the service says is repeated but the service's own reason: addresses of
requests may carry the key of an upload, and the answers of a token service may carry more.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from jetstream_assets.report.store import DocumentStoreError, DocumentStoreRefusedError

if TYPE_CHECKING:
    from collections.abc import Iterator

ROLE = "roles/storage.objectUser"
_NO_BUCKET = "bucket does not exist"
_LONGEST_REASON = 200


def is_lost_race(error: Exception, *, was_there: bool) -> bool:
    """Whether the object has changed since it was looked at, when it was there or was not."""
    from google.api_core.exceptions import NotFound, PreconditionFailed  # noqa: PLC0415  # heavy

    # What was there and is not found has been removed; else it is the bucket that is missing.
    return isinstance(error, PreconditionFailed) or (was_there and isinstance(error, NotFound))


def is_absent(error: Exception) -> bool:
    """Whether the error says that one object is not there, in a bucket that is."""
    from google.api_core.exceptions import NotFound  # noqa: PLC0415  # heavy

    return isinstance(error, NotFound) and _NO_BUCKET not in _reason(error)


@contextmanager
def trouble(subject: str, setting: str, roles: str = ROLE) -> Iterator[None]:
    """Raise what the client raises as a `DocumentStoreError`.

    Args:
        subject: What is read or written, and in which bucket.
        setting: Where the bucket is named.
        roles: What an account needs on the bucket.
    """
    from google.api_core.exceptions import GoogleAPIError  # noqa: PLC0415  # heavy
    from google.auth.exceptions import GoogleAuthError  # noqa: PLC0415  # heavy
    from google.cloud.storage.exceptions import DataCorruption, InvalidResponse  # heavy

    try:
        yield
    except (GoogleAPIError, GoogleAuthError, InvalidResponse, DataCorruption, OSError) as error:
        if _is_of_this_machine(error):
            raise
        # What the client says is left out of the chain of causes, too: a log shows all of it.
        raise _told(error, f"{subject} cannot be read or written", setting, roles) from None


def missing_bucket(problem: str, setting: str) -> DocumentStoreError:
    """There is no such bucket."""
    return DocumentStoreRefusedError(
        f"{problem}: the bucket does not exist. Create it, or correct {setting}."
    )


def credentials_missing() -> DocumentStoreError:
    """There are no credentials at all."""
    return DocumentStoreRefusedError(
        "a bucket cannot be reached: found no Google credentials. Use workload identity in a "
        "cluster, or `gcloud auth application-default login` on your machine."
    )


def _is_of_this_machine(error: Exception) -> bool:
    """Whether a disk is full, or the like; the errors of the network's library have no number."""
    is_of_network = isinstance(error, ConnectionError | TimeoutError)
    return isinstance(error, OSError) and error.errno is not None and not is_of_network


def _told(error: Exception, problem: str, setting: str, roles: str) -> DocumentStoreError:
    from google.api_core import exceptions as api  # noqa: PLC0415  # heavy
    from google.auth.exceptions import (  # noqa: PLC0415  # heavy
        DefaultCredentialsError,
        GoogleAuthError,
        TransportError,
    )

    if isinstance(error, DefaultCredentialsError):
        return credentials_missing()
    if isinstance(error, api.NotFound):
        return missing_bucket(problem, setting)
    if isinstance(error, api.Forbidden):
        return DocumentStoreRefusedError(
            f"{problem}: permission is missing ({_reason(error)}). Grant the account of the run "
            f"{roles} on the bucket."
        )
    if isinstance(error, api.Unauthorized) or (
        isinstance(error, GoogleAuthError) and not isinstance(error, TransportError)
    ):
        return DocumentStoreRefusedError(
            f"{problem}: Google does not accept the credentials ({type(error).__name__}). Check "
            "the workload identity or sign in again."
        )
    return DocumentStoreError(
        f"{problem}: Google Cloud Storage did not do it ({_reason(error)}). It may pass: run "
        "again, and look at Google's status page if not."
    )


def _reason(error: Exception) -> str:
    """The service's own reason where it gave one; else the kind of the error."""
    cause = getattr(error, "cause", None)
    response = getattr(error if cause is None else cause, "response", None)
    if response is None:
        return type(error if cause is None else cause).__name__
    try:
        text = str(response.json()["error"]["message"])
    except (ValueError, KeyError, TypeError):
        text = str(response.text)
    return f"{response.status_code} {' '.join(text.split())[:_LONGEST_REASON]}".rstrip()
