"""BigQuery's answers, as ours: what a query says is wrong, the set-up is, or the service is.

Belongs here: what each reason of an error means, and whether asking again may help. Does not:
asking again (`bigquery_jobs`).

Messages of the service are shown, its requests and its answers' headers never: they may hold a
token.
"""

from __future__ import annotations

import re
from concurrent.futures import TimeoutError as WaitedTooLongError
from typing import TYPE_CHECKING, Any

from jetstream_assets.errors import QueryError, WarehouseAccessError, WarehouseError

if TYPE_CHECKING:
    from collections.abc import Iterator

# The service says of these that the same may work in a moment.
_TRANSIENT = frozenset(
    {
        "backendError",
        "badGateway",
        "concurrentModification",
        "internalError",
        "jobBackendError",
        "jobInternalError",
        "jobRateLimitExceeded",
        "rateLimitExceeded",
        "tableUnavailable",
    }
)
# A transaction or statement that another one came in the way of; the reason is that of any query.
_CONFLICT = re.compile(
    r"concurrent (update|transaction|modification)|could not serialize", re.IGNORECASE
)
_QUOTA = frozenset({"quotaExceeded", "rateLimitExceeded", "jobRateLimitExceeded"})
_SETUP = frozenset({"billingNotEnabled", "accountDisabled", "authError"})
_TOO_LARGE = frozenset({"resourcesExceeded", "responseTooLarge", "billingTierLimitExceeded"})
_BYTES = re.compile(r"bytes billed: (\d+)\. (\d+) or higher")
_JOB_USER = re.compile(r"bigquery\.jobs\.create|Access Denied: Project")
_SERVER_ERROR = 500
_LONGEST = 600
_DECORATION = re.compile(r"\s*(Location: \S+|Job ID: \S+)\s*")


def reason_and_message(error: Exception) -> tuple[str, str]:
    """What the service gave as the reason, and its sentence; empty where it gave none."""
    listed: Any = getattr(error, "errors", None) or ({},)
    first = listed[0] if isinstance(listed[0], dict) else {}
    message = str(first.get("message") or getattr(error, "message", "") or "")
    return str(first.get("reason") or ""), shortened(message)


def shortened(message: str) -> str:
    """A message in one line of bearable length."""
    text = " ".join(_DECORATION.sub(" ", message).split())
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]} ..."


def is_transient(error: Exception) -> bool:
    """Whether the service says that the same job may succeed in a moment."""
    reason, message = reason_and_message(error)
    return reason in _TRANSIENT or _CONFLICT.search(message) is not None


def no_access(error: Exception, place: str, role: str) -> WarehouseAccessError:
    """The error for a dataset of results that this account may not use.

    Args:
        error: The refusal.
        place: ``project.dataset``.
        role: What to grant.
    """
    _, message = reason_and_message(error)
    return WarehouseAccessError(
        f"This account may not use the results in {place}: {message} Grant it {role} on the "
        "dataset."
    )


def as_ours(error: Exception, sql: str, what: str) -> WarehouseError:
    """The error to raise in the place of one of the client.

    Args:
        error: Any error of the client library or of what it stands on.
        sql: The statement, empty where there is none.
        what: What was asked, for a sentence: "The query of metrics of 'my-experiment'".
    """
    from google.api_core.exceptions import GoogleAPICallError  # noqa: PLC0415
    from google.auth.exceptions import GoogleAuthError, TransportError  # noqa: PLC0415

    if isinstance(error, TransportError) or getattr(error, "retryable", False):
        return WarehouseError(
            f"{what} was not sent: whoever gives tokens for it does not answer "
            f"({type(error).__name__})."
        )
    if isinstance(error, GoogleAuthError):
        # Its text may quote the answer of whoever gives tokens.
        return WarehouseAccessError(
            f"Google's credentials cannot be used ({type(error).__name__}). Application default "
            "credentials are read: run `gcloud auth application-default login`, or give the pod a "
            "service account with workload identity."
        )
    if isinstance(error, WaitedTooLongError):
        return WarehouseError(f"{what} was stopped: it took longer than is allowed.")
    reason, message = reason_and_message(error)
    found = next(_explained(reason, message, sql, what), None)
    if found is not None:
        return found
    code = int(getattr(error, "code", None) or 0)
    if isinstance(error, GoogleAPICallError) and 0 < code < _SERVER_ERROR and reason != "stopped":
        return QueryError(message, sql)
    told = message or type(error).__name__
    return WarehouseError(f"{what} failed, BigQuery is in trouble: {told}")


def _explained(reason: str, message: str, sql: str, what: str) -> Iterator[WarehouseError]:
    """The error for a reason that has a meaning of its own."""
    if reason == "accessDenied":
        yield _access_denied(message, sql)
    if reason == "bytesBilledLimitExceeded":
        yield QueryError(_too_many_bytes(message, what), sql)
    if reason in _TOO_LARGE:
        yield QueryError(f"{what} needs more than BigQuery gives one query: {message}", sql)
    if reason in _SETUP:
        yield WarehouseAccessError(f"BigQuery cannot be used: {message}")
    told = _trouble(reason, message)
    if told:
        yield WarehouseError(f"{what} {told} {message}")


def _trouble(reason: str, message: str) -> str:
    """What happened to a query that is right; empty where it is not known to be."""
    if _CONFLICT.search(message):
        return "came in the way of another writer:"
    if reason in _QUOTA:
        return "met a limit of the project; ask for a higher quota, or let fewer runs go at once:"
    if reason in _TRANSIENT:
        return "failed, BigQuery is in trouble:"
    return "was stopped:" if reason in {"stopped", "timeout"} else ""


def _too_many_bytes(message: str, what: str) -> str:
    found = _BYTES.search(message)
    numbers = f"{int(found[2]):,} bytes, and {int(found[1]):,}" if found else message
    return (
        f"{what} would bill {numbers} are allowed of one query. Make it read less, or raise "
        "JETSTREAM_BIGQUERY_MAXIMUM_BYTES_BILLED."
    )


def _access_denied(message: str, sql: str) -> WarehouseError:
    if _JOB_USER.search(message):
        return WarehouseAccessError(
            f"This account may not run queries: {message} Grant it roles/bigquery.jobUser on the "
            "project."
        )
    return QueryError(
        f"This account may not read what the query names: {message} Grant it "
        "roles/bigquery.dataViewer on the dataset.",
        sql,
    )
