"""BigQuery's REST API on loopback, in a thread of the test's process.

Belongs here: the socket, the record of requests, faults on the wire, the start and the end. Does
not: what is answered (`routes`, `job_routes`, `uploads`).

It takes the paths of the real service, so that the real client speaks to it over HTTP:

    with running_bigquery(folder) as server:
        client = server.client()

Where it differs from the real service, apart from what it refuses as not served:

- SQL is run by DuckDB through the product's translation; some statements that BigQuery refuses for
  their types run here, and errors have BigQuery's words for the common cases only.
- Rows without ORDER BY come mostly in the order in which they were written, unless `shuffled`.
- Of two transactions that change a table, the one that commits last is aborted; the real service
  aborts the one that began to change it last.
- Filters above a sub-query or view leave no partitions out, so an estimate may be higher.
- The Storage Read API is a server of its own (`storage`).
- There is no cache of results, no streaming, no legacy SQL, no ingestion-time
  partitions, no quotas, and no right to anything but what `Catalog.denied` takes away.
"""

from __future__ import annotations

import contextlib
import re
import socket
import struct
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlsplit

from google.api_core.client_options import ClientOptions
from google.auth.credentials import AnonymousCredentials
from google.cloud.bigquery import Client

from jetstream_assets_tests.bigquery.catalog import Catalog
from jetstream_assets_tests.bigquery.credentials import TOKEN_PATH, Tokens, write_key
from jetstream_assets_tests.bigquery.faults import Cut, Faults
from jetstream_assets_tests.bigquery.job_routes import JOB_ROUTES
from jetstream_assets_tests.bigquery.jobs import Jobs
from jetstream_assets_tests.bigquery.reading import Engine
from jetstream_assets_tests.bigquery.refusals import Refusal
from jetstream_assets_tests.bigquery.requests import Recorded, Reply, Request
from jetstream_assets_tests.bigquery.routes import TABLE_ROUTES, Routes, Service
from jetstream_assets_tests.bigquery.uploads import Uploads
from jetstream_assets_tests.bigquery.work import QueriesAndLoads

if TYPE_CHECKING:
    from collections.abc import Iterator

PROJECT = "test-project"
NO_RETRY: Any = None  # what the client takes for "once", whatever its types say
_RESET = struct.pack("ii", 1, 0)


@dataclass
class BigQueryServer:
    """A running server: what it holds, what it was asked, and what a test may do to it."""

    folder: Path
    catalog: Catalog
    jobs: Jobs
    work: QueriesAndLoads
    engine: Engine
    faults: Faults = field(default_factory=Faults)
    tokens: Tokens = field(default_factory=Tokens)
    requests: list[Recorded] = field(default_factory=list)
    url: str = ""

    def __post_init__(self) -> None:
        self.service = Service(self.catalog, self.jobs, self.work.view_fields)
        self._routes = Routes([*TABLE_ROUTES, *JOB_ROUTES, *Uploads().routes])

    def client(self, project: str = PROJECT, *, location: str | None = None) -> Client:
        """A real client without credentials; close it."""
        options = ClientOptions(api_endpoint=self.url)
        credentials = AnonymousCredentials()  # type: ignore[no-untyped-call]
        return Client(project, credentials, client_options=options, location=location)

    def environment(self, project: str = PROJECT) -> dict[str, str]:
        """The variables by which a process with default credentials comes here."""
        key = self.folder / f"key-{project}-{urlsplit(self.url).port}.json"
        if not key.exists():
            write_key(key, self.url, project)
        return {
            "BIGQUERY_EMULATOR_HOST": self.url,
            "GOOGLE_APPLICATION_CREDENTIALS": str(key),
            "GOOGLE_CLOUD_PROJECT": project,
        }

    @contextmanager
    def shuffled(self) -> Iterator[None]:
        """While the body runs, rows without ORDER BY come in any order."""
        self.engine.is_shuffled = True
        try:
            yield
        finally:
            self.engine.is_shuffled = False

    def count(self, method: str, path: str) -> int:
        """How many requests were made whose path has this pattern."""
        found = [one.request for one in self.requests if one.request.method == method]
        return sum(re.search(path, one.path) is not None for one in found)

    def answer(self, request: Request) -> Reply:
        """The answer to a request."""
        if request.path == TOKEN_PATH:
            return self.tokens.give(request)
        try:
            self.tokens.check(request)
        except Refusal as refusal:
            return Reply(refusal.status, refusal.body)
        return self._routes.answer(self.service, request)


class _Handler(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    # An answer is sent in one piece and at once: else every answer waits 40 ms for the last one's
    # acknowledgement.
    wbufsize = -1
    disable_nagle_algorithm = True
    owner: BigQueryServer

    def do_GET(self) -> None:
        self._meet()

    do_POST = do_PUT = do_PATCH = do_DELETE = do_GET  # noqa: N815  the names that are looked for

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def _meet(self) -> None:
        target = urlsplit(self.path)
        fault = self.owner.faults.meet(self.command, target.path)
        length = int(self.headers.get("Content-Length") or 0)
        headers = {name.lower(): value for name, value in self.headers.items()}
        if fault == Cut.UPLOAD:
            self.rfile.read(length // 2)
        body = b"" if fault == Cut.UPLOAD else self.rfile.read(length)
        query = dict(parse_qsl(target.query))
        request = Request(self.command, target.path, query, headers, body)
        if fault in {Cut.UPLOAD, Cut.BEFORE}:
            self._cut(request)
            return
        if isinstance(fault, Refusal):
            reply = Reply(fault.status, fault.body)
        else:
            reply = self.owner.answer(request)
        if fault == Cut.AFTER:
            self._cut(request)
            return
        self._send(reply, request, is_whole=fault != Cut.MIDDLE)

    def _send(self, reply: Reply, request: Request, *, is_whole: bool) -> None:
        content = reply.content
        self.owner.requests.append(Recorded(request, reply.status if is_whole else None))
        self.send_response(reply.status)
        for name, value in reply.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Type", "application/json; charset=UTF-8")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content if is_whole else content[: len(content) // 2])
        if not is_whole:
            self._reset()

    def _cut(self, request: Request) -> None:
        self.owner.requests.append(Recorded(request, None))
        self._reset()

    def _reset(self) -> None:
        with contextlib.suppress(OSError):
            self.wfile.flush()
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        self.close_connection = True
        self.connection.close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_: object) -> None:
        """A client that went away is no news."""


@contextmanager
def running_bigquery(folder: Path) -> Iterator[BigQueryServer]:
    """A server until the body ends; ``folder`` is for keys and for what DuckDB spills."""
    catalog = Catalog()
    engine = Engine(folder)
    work = QueriesAndLoads(catalog, engine)
    jobs = Jobs(work)
    owner = BigQueryServer(folder, catalog, jobs, work, engine)
    handler = type("Handler", (_Handler,), {"owner": owner})
    with _Server(("127.0.0.1", 0), handler) as server:
        owner.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield owner
        finally:
            server.shutdown()
            thread.join()
            jobs.close()
