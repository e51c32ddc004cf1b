"""Jobs: each runs in a thread of its own, once, under an id that no other job gets.

Belongs here: the life of a job and the ways of a test to hold or fail it. Does not: what a kind of
job does (`work`).
"""

from __future__ import annotations

import threading
import time
import traceback
import uuid
from collections import deque
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

import duckdb
from sqlglot import exp

from jetstream_assets_tests.bigquery.names import check_job, check_labels
from jetstream_assets_tests.bigquery.reading import Rows
from jetstream_assets_tests.bigquery.refusals import Json, Refusal, already_exists, not_found
from jetstream_assets_tests.bigquery.stopping import Stop
from jetstream_assets_tests.bigquery.tables import now_ms

if TYPE_CHECKING:
    from collections.abc import Iterator

JobKey = tuple[str, str]
_CANCELLED = "Job execution was cancelled: User requested cancellation"
_SHORT = 0.005  # seconds
_AT_ONCE = 0.2


@dataclass
class Job:
    """A job and what became of it.

    ``content`` are the bytes that were uploaded with it, ``trees`` its statements, ``rows`` what
    `getQueryResults` answers.
    """

    project: str
    name: str
    configuration: Json
    location: str
    content: bytes | None = None
    state: str = "PENDING"
    error: Refusal | None = None
    statistics: Json = field(default_factory=dict)
    details: Json = field(default_factory=dict)
    rows: Rows | None = None
    trees: list[exp.Expr] = field(default_factory=list)
    stop: Stop = field(default_factory=Stop)
    why_stopped: str = _CANCELLED
    done: threading.Event = field(default_factory=threading.Event)
    created: int = field(default_factory=now_ms)
    started: int | None = None
    ended: int | None = None

    @property
    def kind(self) -> str:
        """``query``, ``load`` or ``copy``."""
        known = {"query", "load", "copy", "extract"}
        return next((name for name in self.configuration if name in known), "")

    @property
    def reference(self) -> Json:
        """The reference in an answer."""
        return {"projectId": self.project, "jobId": self.name, "location": self.location}

    @property
    def resource(self) -> Json:
        """The job as an answer has it."""
        status: Json = {"state": self.state}
        if self.error is not None:
            status |= {"errorResult": self.error.result, "errors": [self.error.result]}
        times = {"creationTime": self.created, "startTime": self.started, "endTime": self.ended}
        told = {name: str(moment) for name, moment in times.items() if moment is not None}
        return {
            "kind": "bigquery#job",
            "id": f"{self.project}:{self.location}.{self.name}",
            "etag": uuid.uuid4().hex,
            "jobReference": self.reference,
            "configuration": {**self.configuration, "jobType": self.kind.upper()},
            "status": status,
            "statistics": {**told, **self.statistics, self.kind: self.details},
            "user_email": "tests@example.com",
        }


class Work(Protocol):
    """What jobs do."""

    def check(self, job: Job) -> None:
        """Refuse at once what the service refuses before there is a job."""
        ...

    def plan(self, job: Job) -> None:
        """Fill in what a dry run tells."""
        ...

    def run(self, job: Job) -> None:
        """Do the work, and fill in what it gave."""
        ...


class Jobs:
    """All jobs of the server, by the order of their creation."""

    def __init__(self, work: Work) -> None:
        self._work = work
        self._lock = threading.Lock()
        self._jobs: dict[JobKey, Job] = {}
        self._threads: list[threading.Thread] = []
        self._held = threading.Event()
        self._failures: deque[tuple[str, Refusal | None]] = deque()

    @contextmanager
    def held(self) -> Iterator[None]:
        """Jobs that start in the body stay RUNNING until it ends or they are cancelled."""
        self._held.set()
        try:
            yield
        finally:
            self._held.clear()

    def fail_next(self, reason: str, message: str, *, kind: str = "query", after: int = 0) -> None:
        """The next job of a kind, after so many good ones, ends with an error and does nothing."""
        self._failures.extend([(kind, None)] * after)
        self._failures.append((kind, Refusal(reason, message)))

    def all(self) -> list[Job]:
        """The jobs that were made; dry runs are none."""
        with self._lock:
            return list(self._jobs.values())

    def insert(self, project: str, request: Json, content: bytes | None = None) -> Job:
        """Start a job; a dry run is answered and forgotten."""
        reference = request.get("jobReference", {})
        name = reference.get("jobId") or f"job_{uuid.uuid4().hex}"
        check_job(name)
        check_labels(request["configuration"].get("labels"))
        job = Job(project, name, request["configuration"], reference.get("location") or "")
        job.content = content
        self._work.check(job)
        if request["configuration"].get("dryRun"):
            self._work.plan(job)
            job.state = "DONE"
            return job
        with self._lock:
            if (project, name) in self._jobs:
                raise already_exists("Job", f"{project}:{job.location}.{name}")
            self._jobs[project, name] = job
        thread = threading.Thread(target=self._run, args=(job,), name=f"job {name}", daemon=True)
        self._threads = [one for one in self._threads if one.is_alive()] + [thread]
        thread.start()
        # A client that finds a job running looks again after a second.
        if not self._held.is_set():
            job.done.wait(_AT_ONCE)
        return job

    def find(self, project: str, name: str, location: str | None) -> Job:
        """A job that must be there; one outside of the multi-regions only with its location."""
        with self._lock:
            job = self._jobs.get((project, name))
        is_asked = job is not None and (location or "US").upper() == job.location.upper()
        if job is None or not (is_asked or (location is None and job.location in {"US", "EU"})):
            where = f"{location}." if location else ""
            raise not_found("Job", f"{project}:{where}{name}")
        return job

    def cancel(self, job: Job) -> None:
        """Ask a job to stop; one that is done stays as it is."""
        job.stop.wish()

    def close(self) -> None:
        """Stop what runs, and wait for it."""
        for job in self.all():
            job.stop.wish()
        for thread in self._threads:
            thread.join()

    def _run(self, job: Job) -> None:
        job.started, job.state = now_ms(), "RUNNING"
        clock = time.perf_counter()
        timer = _deadline(job)
        try:
            self._wait_while_held(job)
            self._fail_if_told(job)
            self._work.run(job)
        except Refusal as refusal:
            job.error = refusal
        except duckdb.InterruptException:
            job.error = Refusal("stopped", job.why_stopped)
        except Exception as error:  # noqa: BLE001  a fault of this server, which no client retries
            where = traceback.extract_tb(error.__traceback__)[-1]
            told = f"The test server failed at {where.filename}:{where.lineno}: {error!r}"
            job.error = Refusal("notImplemented", told)
        finally:
            timer.cancel()
            slots = max(1, round((time.perf_counter() - clock) * 1000))
            job.statistics["totalSlotMs"] = job.details["totalSlotMs"] = str(slots)
            job.ended, job.state = now_ms(), "DONE"
            job.done.set()

    def _wait_while_held(self, job: Job) -> None:
        while self._held.is_set() and not job.stop.wished.wait(_SHORT):
            pass
        job.stop.check()

    def _fail_if_told(self, job: Job) -> None:
        with self._lock:
            if not self._failures or self._failures[0][0] != job.kind:
                return
            _, failure = self._failures.popleft()
        if failure is not None:
            raise failure


def _deadline(job: Job) -> threading.Timer:
    milliseconds = int(job.configuration.get("jobTimeoutMs") or 24 * 3600 * 1000)

    def stop() -> None:
        job.why_stopped = (
            f"Job execution was cancelled: Job timed out after {milliseconds / 1000:g}s"
        )
        job.stop.wish()

    timer = threading.Timer(milliseconds / 1000, stop)
    timer.daemon = True
    timer.start()
    return timer
