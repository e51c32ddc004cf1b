"""What BigQuery says no with: a status, a reason and a sentence in the shape of the real service.

Belongs here: the refusals and their JSON. Does not: when they happen.
"""

from __future__ import annotations

from typing import Any

Json = dict[str, Any]

# The status of an answer for the reason of an error, as the service documents them.
STATUS_OF = {
    "accessDenied": 403,
    "authError": 401,
    "backendError": 503,
    "bytesBilledLimitExceeded": 500,
    "conditionNotMet": 412,
    "duplicate": 409,
    "internalError": 500,
    "invalid": 400,
    "invalidQuery": 400,
    "notFound": 404,
    "notImplemented": 501,
    "quotaExceeded": 403,
    "rateLimitExceeded": 403,
    "resourceInUse": 400,
    "resourcesExceeded": 400,
    "responseTooLarge": 403,
    "stopped": 499,
}
_GRPC_STATUS = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    409: "ALREADY_EXISTS",
    412: "FAILED_PRECONDITION",
    499: "CANCELLED",
    501: "UNIMPLEMENTED",
    503: "UNAVAILABLE",
}


class Refusal(Exception):  # noqa: N818  it is an answer, not a fault of the server
    """A request or a job that the service refuses."""

    def __init__(
        self, reason: str, message: str, *, status: int | None = None, location: str | None = None
    ) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message
        self.status = status or STATUS_OF[reason]
        self.location = location

    @property
    def result(self) -> Json:
        """As it stands in the status of a job."""
        told: Json = {"reason": self.reason, "message": self.message}
        return told | ({"location": self.location} if self.location else {})

    @property
    def body(self) -> Json:
        """As it stands in the answer to a request."""
        error = {"message": self.message, "domain": "global", **self.result}
        return {
            "error": {
                "code": self.status,
                "message": self.message,
                "errors": [error],
                "status": _GRPC_STATUS.get(self.status, "INTERNAL"),
            }
        }


def not_found(kind: str, name: str, location: str = "") -> Refusal:
    """Something that is not there, such as ``Table p:d.t``."""
    where = f" was not found in location {location}" if location else ""
    return Refusal("notFound", f"Not found: {kind} {name}{where}")


def already_exists(kind: str, name: str) -> Refusal:
    """Something that is there already."""
    return Refusal("duplicate", f"Already Exists: {kind} {name}")


def invalid(message: str) -> Refusal:
    """A request that cannot be."""
    return Refusal("invalid", message)


def invalid_query(message: str) -> Refusal:
    """A statement that cannot be."""
    return Refusal("invalidQuery", message, location="query")


def not_served(what: str) -> Refusal:
    """What the real service can and this server cannot: a gap here, no behaviour to rely on."""
    return Refusal("notImplemented", f"The test server does not serve {what}.")
