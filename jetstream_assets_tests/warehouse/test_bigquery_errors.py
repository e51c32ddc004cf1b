"""What an answer of the service means: a query's fault, the set-up's, or trouble that may pass."""

from __future__ import annotations

from typing import Any

import pytest
from google.api_core import exceptions as typed_api
from google.auth import exceptions as typed_auth
from requests.exceptions import ConnectionError as Refused

from jetstream_assets.errors import QueryError, WarehouseAccessError, WarehouseError
from jetstream_assets.warehouse.bigquery_errors import as_ours, is_transient

# Their classes have no types.
api: Any = typed_api
auth: Any = typed_auth


def of_the_service(reason: str, message: str, code: int = 400) -> Exception:
    found: Exception = api.from_http_status(
        code, message, errors=[{"reason": reason, "message": message}]
    )
    return found


def meaning(error: Exception) -> tuple[type[Exception], str]:
    found = as_ours(error, "SELECT 1", "The query")
    assert "\n" not in str(found)
    return type(found), str(found)


@pytest.mark.parametrize(
    ("error", "kind", "told"),
    [
        (of_the_service("invalidQuery", "Syntax error"), QueryError, "Syntax error"),
        (of_the_service("notFound", "Not found: Table a:b.c", 404), QueryError, "a:b.c"),
        (of_the_service("resourcesExceeded", "Too much"), QueryError, "more than BigQuery gives"),
        (
            of_the_service("accessDenied", "Access Denied: Table a:b.c: no", 403),
            QueryError,
            "roles/bigquery.dataViewer",
        ),
        (
            of_the_service("accessDenied", "lacks bigquery.jobs.create permission", 403),
            WarehouseAccessError,
            "roles/bigquery.jobUser",
        ),
        (of_the_service("billingNotEnabled", "No billing", 403), WarehouseAccessError, "billing"),
        (of_the_service("quotaExceeded", "Quota", 403), WarehouseError, "ask for a higher quota"),
        (of_the_service("backendError", "Oh", 503), WarehouseError, "in trouble: Oh"),
        (of_the_service("", "Bad gateway", 502), WarehouseError, "in trouble: Bad gateway"),
        (api.RetryError("Timeout of 60s exceeded", cause=None), WarehouseError, "in trouble"),
        (Refused("no"), WarehouseError, "in trouble: ConnectionError"),
        (TimeoutError(), WarehouseError, "longer than is allowed"),
        (auth.RefreshError("a secret"), WarehouseAccessError, "gcloud auth"),
        (auth.RefreshError("a secret", retryable=True), WarehouseError, "does not answer"),
        (auth.TransportError("a secret"), WarehouseError, "does not answer"),
    ],
)
def test_an_error_is_a_querys_the_set_ups_or_trouble(
    error: Exception, kind: type[Exception], told: str
) -> None:
    found, sentence = meaning(error)
    assert found is kind
    assert told in sentence
    assert "secret" not in sentence


def test_a_limit_of_bytes_is_told_with_what_was_wanted() -> None:
    message = "Query exceeded limit for bytes billed: 1000000. 20971520 or higher required."
    _, sentence = meaning(of_the_service("bytesBilledLimitExceeded", message))
    assert sentence.startswith("The query would bill 20,971,520 bytes, and 1,000,000 are allowed")


@pytest.mark.parametrize(
    ("reason", "message", "is_so"),
    [
        ("backendError", "", True),
        ("jobRateLimitExceeded", "", True),
        ("invalidQuery", "Transaction is aborted due to concurrent update against table a", True),
        ("invalidQuery", "Could not serialize access to table a due to concurrent update", True),
        ("invalidQuery", "Syntax error", False),
        ("quotaExceeded", "", False),
        ("stopped", "", False),
    ],
)
def test_only_what_the_service_calls_passing_is_tried_again(
    reason: str, message: str, *, is_so: bool
) -> None:
    assert is_transient(of_the_service(reason, message)) is is_so


def test_errors_without_a_reason_are_no_reason_to_fail() -> None:
    odd: Any = api.BadRequest("odd", errors=["text"])
    assert not is_transient(odd)
    assert meaning(odd) == (QueryError, "odd")
