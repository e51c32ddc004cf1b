"""Google Cloud Storage on loopback, with its preconditions and with faults on order.

Belongs here: the emulator of PyPI, served in a thread of the test's process, and what it lacks: it
ignores ``ifGenerationMatch`` and its like and generations that are named, says nothing of why it
finds nothing, and forgets an upload in parts when it is finished. Does not: which requests meet
which conditions (`preconditions`), what the store makes of it (the tests).

It differs from the service in what no test here needs: it checks no credentials, keeps no old
generations and has one lock, so that requests never overlap.
"""

from __future__ import annotations

import io
import json
import os
import re
import socket
import struct
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from http import HTTPStatus
from http.server import ThreadingHTTPServer
from typing import TYPE_CHECKING, Any
from unittest.mock import patch
from urllib.parse import parse_qs, urlsplit

from dagster_gcp.gcs import GCSResource
from gcp_storage_emulator.handlers import buckets
from gcp_storage_emulator.server import Request, RequestHandler, Router
from gcp_storage_emulator.storage import Storage

from jetstream_assets_tests.gcs.preconditions import Refusal, refusal

if TYPE_CHECKING:
    from google.cloud.storage import Client

BUCKET = "our-results"
UPLOAD = "POST /upload/"
DENIED = (
    "run@our-project.iam.gserviceaccount.com does not have storage.objects.create access to the "
    "Google Cloud Storage object."
)


class Outcome(StrEnum):
    """What becomes of a request that a fault befalls."""

    REFUSED = "refused"
    RESET_MIDWAY = "reset in the middle of what is sent"
    ANSWER_LOST = "carried out, and reset before it is answered"
    CARRIED_OUT = "carried out"


@dataclass
class Fault:
    """What goes wrong with requests, as many times as is said.

    Args:
        request: A regular expression that the beginning of ``METHOD /path`` matches.
        outcome: What becomes of the request.
        status: The status of a refusal.
        message: What a refusal says.
        times: How many requests it befalls.
        before: Called before anything else happens.
    """

    request: str = UPLOAD
    outcome: Outcome = Outcome.REFUSED
    status: int = 500
    message: str = "We encountered an internal error. Please try again."
    times: int = 1
    before: Callable[[], None] = lambda: None


@dataclass
class Gcs:
    """The server: where it is, what is in it, what is asked of it and what is to go wrong."""

    url: str
    storage: Storage
    faults: list[Fault] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)
    finished: dict[str, dict[str, Any]] = field(default_factory=dict)
    authorizations: set[str] = field(default_factory=set)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def object(self, name: str, bucket: str = BUCKET) -> dict[str, Any]:
        """What the service knows of an object."""
        found: dict[str, Any] = self.storage.get_file_obj(bucket, name)
        return found

    def body(self, name: str, bucket: str = BUCKET) -> bytes:
        found: bytes = self.storage.get_file(bucket, name)
        return found

    def objects(self, prefix: str = "", bucket: str = BUCKET) -> dict[str, bytes]:
        """The bodies of all objects whose names begin so, by the rest of their names."""
        with self.lock:
            return {
                name.removeprefix(prefix): self.body(name, bucket)
                for name in sorted(self.storage.objects.get(bucket, {}))
                if name.startswith(prefix)
            }

    def make_bucket(self, name: str) -> None:
        buckets.create_bucket(name, self.storage)

    def struck(self, request: str) -> Fault | None:
        """The fault that befalls a request."""
        with self.lock:
            self.requests.append(request)
            for fault in self.faults:
                if fault.times > 0 and re.match(fault.request, request):
                    fault.times -= 1
                    return fault
        return None


class _Handler(RequestHandler):  # type: ignore[misc]  # the emulator has no types
    """A request to the emulator, after its faults and under its preconditions."""

    gcs: Gcs
    rfile: io.BufferedIOBase

    def __init__(self, *connection: Any) -> None:  # noqa: ANN401  # what a server hands over
        super().__init__(self.gcs.storage, *connection)

    def do_GET(self) -> None:  # noqa: N802  # the names that http.server looks for
        self._handle("GET")

    def do_POST(self) -> None:  # noqa: N802
        self._handle("POST")

    def do_PUT(self) -> None:  # noqa: N802
        self._handle("PUT")

    def do_PATCH(self) -> None:  # noqa: N802
        self._handle("PATCH")

    def do_DELETE(self) -> None:  # noqa: N802
        self._handle("DELETE")

    def _handle(self, method: str) -> None:
        self.gcs.authorizations.add(self.headers.get("Authorization", ""))
        fault = self.gcs.struck(f"{method} {self.path}")
        outcome = Outcome.CARRIED_OUT if fault is None else fault.outcome
        size = int(self.headers.get("Content-Length", 0))
        half = self.rfile.read(size // 2)
        if fault is not None:
            fault.before()
        if outcome is Outcome.RESET_MIDWAY:
            self._reset()
            return
        body = half + self.rfile.read(size - len(half))
        if fault is not None and outcome is Outcome.REFUSED:
            self._refuse(Refusal(fault.status, fault.message))
        elif outcome is Outcome.ANSWER_LOST:
            self.wfile = io.BytesIO()
            self._carry_out(method, body)
            self._reset()
        else:
            self._carry_out(method, body)

    def _carry_out(self, method: str, body: bytes) -> None:
        with self.gcs.lock:
            self.rfile = io.BytesIO(body)
            session = self._session()
            if session in self.gcs.finished:
                self._answer(200, self.gcs.finished[session])
                return
            refused = refusal(Request(self, method), self.gcs.storage)
            if refused is not None:
                self._refuse(refused)
                return
            self.rfile = io.BytesIO(body)
            begun = self.gcs.storage.resumable.get(session)
            Router(self).handle(method)
            if begun is not None and session not in self.gcs.storage.resumable:
                self.gcs.finished[session] = dict(begun)

    def _session(self) -> str:
        """The upload in parts that the request belongs to; empty when it is none."""
        return parse_qs(urlsplit(self.path).query).get("upload_id", [""])[0]

    def _refuse(self, refused: Refusal) -> None:
        told = {"error": {"code": refused.status, "message": refused.message}}
        self._answer(refused.status, told)

    def _answer(self, status: int, told: dict[str, Any]) -> None:
        body = b"" if status == HTTPStatus.NOT_MODIFIED else json.dumps(told).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _reset(self) -> None:
        """Close the connection with a reset instead of an end."""
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()


class _Server(ThreadingHTTPServer):
    """Says nothing of clients that are gone: tests kill some."""

    daemon_threads = True
    request_queue_size = 64

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ANN401  # a socket
        if not isinstance(sys.exception(), OSError | ValueError):
            super().handle_error(request, client_address)


@contextmanager
def running_gcs() -> Iterator[Gcs]:
    """The service with one empty bucket until the body ends."""
    gcs = Gcs("", Storage(use_memory_fs=True, data_dir="/"))
    gcs.make_bucket(BUCKET)
    with _Server(("127.0.0.1", 0), type("Handler", (_Handler,), {"gcs": gcs})) as server:
        gcs.url = f"http://127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        try:
            yield gcs
        finally:
            server.shutdown()
            thread.join()


def client_of(gcs: Gcs) -> Client:
    """The real client, without credentials; as the libraries make it where the server is set."""
    with patch.dict(os.environ, variables(gcs)):
        return GCSResource().get_client()


def variables(gcs: Gcs) -> dict[str, str]:
    """The environment in which every client reaches the server, without credentials."""
    return {"STORAGE_EMULATOR_HOST": gcs.url}
