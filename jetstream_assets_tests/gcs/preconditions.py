"""Under which conditions Google Cloud Storage carries a request out.

Belongs here: which object a request is about, and the ``ifGenerationMatch`` family. Does not:
carrying it out (`server`).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

if TYPE_CHECKING:
    from gcp_storage_emulator.server import Request
    from gcp_storage_emulator.storage import Storage

_OBJECT = r"/b/(?P<bucket>[^/]+)/o/(?P<name>[^/]+)"
_UPLOAD = re.compile(r"/upload/storage/v1/b/(?P<bucket>[^/]+)/o")
_COPY = re.compile(rf"/storage/v1{_OBJECT}/(copyTo|rewriteTo)/b/(?P<to>[^/]+)/o/(?P<as>[^/]+)")
_ONE = re.compile(rf"(/download)?/storage/v1{_OBJECT}(?P<compose>/compose)?")
_BUCKET = re.compile(r"(/upload|/download)?/storage/v1/b/(?P<bucket>[^/]+)(/.*)?")
_CONDITIONS = {
    # The parameter, the object's property, and whether they are to be equal.
    "GenerationMatch": ("generation", True),
    "GenerationNotMatch": ("generation", False),
    "MetagenerationMatch": ("metageneration", True),
    "MetagenerationNotMatch": ("metageneration", False),
}


@dataclass(frozen=True)
class Refusal:
    """Why a request is not carried out."""

    status: int
    message: str


@dataclass(frozen=True)
class _Subject:
    """An object that a request is about, as it is; None when it is not there."""

    known_as: str
    state: dict[str, Any] | None
    conditions: str = "if"
    is_needed: bool = True


def refusal(request: Request, storage: Storage) -> Refusal | None:
    """Why the service would not carry a request out; None where it would."""
    bucket = _BUCKET.fullmatch(request.path)
    if bucket is not None and bucket["bucket"] not in storage.buckets:
        return Refusal(404, "The specified bucket does not exist.")
    for subject in _subjects(request, storage):
        state = subject.state
        wanted = request.query.get("generation", [None])[0] if subject.is_needed else None
        if subject.is_needed and (state is None or wanted not in {None, state["generation"]}):
            return Refusal(404, f"No such object: {subject.known_as}")
        for condition, (key, is_equal) in _CONDITIONS.items():
            asked = request.query.get(f"{subject.conditions}{condition}", [None])[0]
            found = "0" if state is None else state[key]
            if asked is not None and (asked == found) is not is_equal:
                is_unmodified = request.method == "GET" and not is_equal
                return Refusal(
                    304 if is_unmodified else 412,
                    "At least one of the pre-conditions you specified did not hold.",
                )
    return None


def _subjects(request: Request, storage: Storage) -> list[_Subject]:
    upload, copy = _UPLOAD.fullmatch(request.path), _COPY.fullmatch(request.path)
    if upload is not None:
        name = _uploaded_name(request, storage)
        return [_subject(storage, upload["bucket"], name, is_needed=False)]
    if copy is not None:
        return [
            _subject(storage, copy["bucket"], copy["name"], conditions="ifSource"),
            _subject(storage, copy["to"], copy["as"], is_needed=False),
        ]
    one = _ONE.fullmatch(request.path)
    if one is None:
        return []
    is_needed = one["compose"] is None
    return [_subject(storage, one["bucket"], one["name"], is_needed=is_needed)]


def _subject(
    storage: Storage,
    bucket: str,
    quoted: str,
    *,
    is_needed: bool = True,
    conditions: str = "if",
) -> _Subject:
    name = unquote(quoted)
    state = storage.objects.get(bucket, {}).get(name)
    return _Subject(f"{bucket}/{name}", state, conditions, is_needed)


def _uploaded_name(request: Request, storage: Storage) -> str:
    """The name of the object that an upload makes, whole or in parts."""
    if "upload_id" in request.query:
        # The address of a session repeats the conditions under which it was begun.
        return str(storage.resumable[request.query["upload_id"][0]]["name"])
    if "name" in request.query:
        return str(request.query["name"][0])
    data = request.data
    return str(data["meta"]["name"] if "meta" in data else data["name"])
