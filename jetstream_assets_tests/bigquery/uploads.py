"""How files arrive: in one request with the job, or in pieces that may be sent again.

Belongs here: multipart and resumable uploads. Does not: what is in the files (`loading`).
"""

from __future__ import annotations

import json
import re
import threading
import uuid
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from jetstream_assets_tests.bigquery.refusals import Json, invalid, not_found
from jetstream_assets_tests.bigquery.requests import Reply, Request

if TYPE_CHECKING:
    from jetstream_assets_tests.bigquery.routes import Handler, Service

_PATH = r"/(?:resumable/)?upload/bigquery/v2/projects/([^/]+)/jobs"
_BOUNDARY = re.compile(r'boundary="?([^";]+)"?')
_RANGE = re.compile(r"bytes (?:(\d+)-(\d+)|\*)/(\d+|\*)")
_MORE = 308
_PARTS = 2


@dataclass
class _Upload:
    project: str
    request: Json
    received: bytearray = field(default_factory=bytearray)
    answer: Json | None = None


class Uploads:
    """The uploads that have begun."""

    def __init__(self) -> None:
        self._begun: dict[str, _Upload] = {}
        self._lock = threading.Lock()

    @property
    def routes(self) -> list[tuple[str, str, Handler]]:
        """The paths of uploads."""
        return [("POST", _PATH, self._begin), ("PUT", _PATH, self._continue)]

    def _begin(self, service: Service, request: Request, names: tuple[str, ...]) -> Reply:
        if request.query.get("uploadType") == "multipart":
            told, content = _parts(request)
            return Reply(body=service.jobs.insert(names[0], told, content).resource)
        name = uuid.uuid4().hex
        with self._lock:
            self._begun[name] = _Upload(names[0], request.json)
        host = request.headers["host"]
        place = f"http://{host}{request.path}?uploadType=resumable&upload_id={name}"
        return Reply(200, None, {"Location": place, "X-GUploader-UploadID": name})

    def _continue(self, service: Service, request: Request, _names: tuple[str, ...]) -> Reply:
        upload = self._begun.get(request.query.get("upload_id", ""))
        if upload is None:
            raise not_found("Upload", request.query.get("upload_id", ""))
        found = _RANGE.fullmatch(request.headers.get("content-range", "bytes */*"))
        if found is None:
            raise invalid("Content-Range cannot be read")
        first, _, total = found.groups()
        with self._lock:
            if upload.answer is not None:
                return Reply(body=upload.answer)
            if first is not None:
                if int(first) > len(upload.received):
                    raise invalid("A piece of the upload is missing")
                upload.received[int(first) :] = request.body
            if total == "*" or len(upload.received) < int(total):
                return _incomplete(len(upload.received))
            content = bytes(upload.received)
            upload.answer = service.jobs.insert(upload.project, upload.request, content).resource
            return Reply(body=upload.answer)


def _incomplete(received: int) -> Reply:
    return Reply(_MORE, None, {"Range": f"bytes=0-{received - 1}"} if received else {})


def _parts(request: Request) -> tuple[Json, bytes]:
    found = _BOUNDARY.search(request.headers.get("content-type", ""))
    if found is None:
        raise invalid("A multipart upload needs a boundary")
    line = b"--" + found[1].encode()
    pieces = request.body.split(line)[1:-1]
    bodies = [piece.partition(b"\r\n\r\n")[2].removesuffix(b"\r\n") for piece in pieces]
    if len(bodies) != _PARTS:
        raise invalid("A multipart upload has two parts")
    return json.loads(bodies[0]), bodies[1]
