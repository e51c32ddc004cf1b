"""Running jobs: an id that says what is computed, waiting, trying again, cancelling.

Belongs here: one job from its start to its end. Does not: what jobs do (`bigquery_queries`), what
an error means (`bigquery_errors`).

The id of a job that stores something is made of all that decides what it stores. A run that was
killed and is tried again finds the job that it had started, running or done, and does not start it
again. A job that failed stays in the way of its id, so the next attempt has the next number.
"""

from __future__ import annotations

import itertools
import random
import time
from collections.abc import Callable
from concurrent.futures import TimeoutError as WaitedTooLongError
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from jetstream_assets.errors import WarehouseError
from jetstream_assets.warehouse.bigquery_errors import as_ours, is_transient

if TYPE_CHECKING:
    from collections.abc import Iterator

    from google.cloud.bigquery import Client, LoadJob, QueryJob  # noqa: TC004  text at run time

    from jetstream_assets.warehouse.bigquery_session import BigQuerySession

    Job = QueryJob | LoadJob

J = TypeVar("J", bound="Job")

# Seconds before a job that the service could not run is tried again.
_PAUSES = (1.0, 4.0, 16.0)
REQUEST_SECONDS = 60.0
_LOOK_SECONDS = 60.0
_CANCEL_SECONDS = 10.0
_DONE = "DONE"
# How to cancel each job that this process waits for, by its id.
_RUNNING: dict[str, Callable[[], None]] = {}


def retry_of_requests() -> Any:  # noqa: ANN401  the library's class, which is loaded at first use
    """How long a request is sent again: while the service says that it may work, a minute."""
    from google.cloud.bigquery.retry import DEFAULT_RETRY

    return DEFAULT_RETRY.with_timeout(REQUEST_SECONDS)


def cancel_running_jobs() -> None:
    """Cancel what this process waits for; for a process that is ended from outside of its steps."""
    for cancel in list(_RUNNING.values()):
        cancel()


@contextmanager
def readable(sql: str, what: str) -> Iterator[None]:
    """Turn errors of the client library into ours."""
    try:
        yield
    except WarehouseError:
        raise
    except Exception as error:
        if not _is_of_the_service(error):
            raise
        # Its text may quote what the token service answers; logs show the whole chain of causes.
        raise as_ours(error, sql, what) from None


def _is_of_the_service(error: Exception) -> bool:
    from google.api_core.exceptions import GoogleAPIError  # noqa: PLC0415
    from google.auth.exceptions import GoogleAuthError  # noqa: PLC0415
    from requests.exceptions import RequestException  # noqa: PLC0415

    kinds = (GoogleAPIError, GoogleAuthError, RequestException, ConnectionError, WaitedTooLongError)
    return isinstance(error, kinds)


@dataclass(frozen=True)
class JobPlan(Generic[J]):
    """A job that is to run.

    Args:
        name: The start of its id, by `bigquery_names.job_name`.
        start: Starts it under an id.
        is_usable: Whether what a job of this name did earlier is still there.
        sql: Its statement, for errors.
        what: What it does, for errors.
    """

    name: str
    start: Callable[[Client, str], J]
    is_usable: Callable[[J], bool]
    sql: str
    what: str


class Jobs:
    """The jobs of one warehouse.

    Args:
        session: The client.
        location: Tells where jobs run; None leaves it to the service, which then cannot find jobs
            outside of its two largest locations again.
        timeout_seconds: After this time a job is stopped.
    """

    def __init__(
        self,
        session: BigQuerySession,
        location: Callable[[], str | None],
        timeout_seconds: float,
    ) -> None:
        self._session = session
        self._location = location
        self._timeout = timeout_seconds

    def run(self, plan: JobPlan[J]) -> J:
        """The job when it is done; what the service could not do is tried again.

        Raises:
            QueryError: The service refuses what the statement says.
            WarehouseError: The service, the network or the set-up is in trouble.
        """
        with readable(plan.sql, plan.what):
            for pause in _PAUSES:
                try:
                    return self._done(plan)
                except Exception as error:
                    if not is_transient(error):
                        raise
                    time.sleep(pause * random.uniform(0.5, 1.5))  # noqa: S311  no secret
            return self._done(plan)

    def _done(self, plan: JobPlan[J]) -> J:
        job = self._started(plan)
        self._wait(job)
        return job

    def _started(self, plan: JobPlan[J]) -> J:
        """A job that was started now or is found under its id."""
        from google.api_core.exceptions import Conflict  # noqa: PLC0415

        for number in itertools.count():
            job_id = f"{plan.name}-{number}"
            try:
                with self._cancelled_if_interrupted(job_id):
                    return plan.start(self._session.client, job_id)
            except Conflict:
                found: J = self._found(job_id)
            if found.state != _DONE or (found.error_result is None and plan.is_usable(found)):
                return found
        raise AssertionError  # there is always a next number

    def _found(self, job_id: str) -> Any:  # noqa: ANN401  the library's jobs have no common class
        return self._session.client.get_job(
            job_id, location=self._location(), retry=retry_of_requests(), timeout=REQUEST_SECONDS
        )

    def _wait(self, job: Job) -> None:
        """Wait until a job is done; one that takes too long is stopped."""
        last = time.monotonic() + self._timeout + _LOOK_SECONDS
        with self._cancelled_if_interrupted(job.job_id):
            while True:
                with suppress(WaitedTooLongError):
                    job.result(retry=retry_of_requests(), timeout=_LOOK_SECONDS)
                    return
                if time.monotonic() > last:
                    self._cancel(job.job_id)
                    raise WaitedTooLongError

    @contextmanager
    def _cancelled_if_interrupted(self, job_id: str) -> Iterator[None]:
        """Cancel the job when the process is told to stop, so that nothing runs for nobody.

        After an error of the network the job goes on, and the next attempt finds it.
        """
        _RUNNING[job_id] = lambda: self._cancel(job_id)
        try:
            yield
        except Exception:
            raise
        except BaseException:
            self._cancel(job_id)
            raise
        finally:
            _RUNNING.pop(job_id, None)

    def _cancel(self, job_id: str) -> None:
        with suppress(Exception):
            self._session.client.cancel_job(
                job_id, location=self._location(), timeout=_CANCEL_SECONDS
            )
