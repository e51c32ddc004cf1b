"""Runs as processes of a code server, watched: one that vanished is found, failed and retried.

Belongs here: whether a run's process is still there. Does not: what follows when it is not (run
monitoring and retries, `dagster.yaml`).

A code server notices when a run's process dies. Dagster's launcher does not notice when the code
server dies, too, as when a machine or a container restarts; such a run would count as started
for ever, and no other of its experiment would start.
"""

import json
import time
from collections.abc import Mapping
from typing import Any, NamedTuple, Self, cast

import stamina
from dagster import DagsterEventType, DagsterRun, Field, IntSource
from dagster._config.config_schema import UserConfigSchema
from dagster._core.errors import DagsterUserCodeUnreachableError
from dagster._core.launcher import CheckRunHealthResult, DefaultRunLauncher, WorkerStatus
from dagster._core.storage.tags import GRPC_INFO_TAG
from dagster._grpc.client import DagsterGrpcClient
from dagster._grpc.types import CanCancelExecutionRequest, CanCancelExecutionResult
from dagster._serdes import ConfigurableClassData, deserialize_value

_HERE = {"localhost", "127.0.0.1", "::1"}
_STARTED = "Started process for run"
_ANSWER_SECONDS = 10
# How often a code server on another machine is asked, whose runs cannot be looked for here.
_TRIES = 4
# How long a code server that is silent is waited for.
_SERVER_SECONDS = 300.0
# The daemon looks once a minute whether code servers are there. For so long it may believe that one
# which has come back is away, and would give up what it is asked to start there.
_SETTLING_SECONDS = 90
_SETTLING = "settling_seconds"
# A process that was started after the run's first event has got the number of one that ended.
_CLOCK_SECONDS = 5.0


class _Started(NamedTuple):
    """The process of a run: its number and when it told of itself, in seconds of Unix time."""

    pid: int
    told: float


class WatchedRunLauncher(DefaultRunLauncher):
    """Dagster's launcher of processes, with an answer to run monitoring's question.

    Args:
        settling_seconds: For how long a code server answers before a run of its predecessor's that
            is gone counts as failed, and is tried again.
    """

    def __init__(
        self,
        inst_data: ConfigurableClassData | None = None,
        settling_seconds: int = _SETTLING_SECONDS,
    ) -> None:
        super().__init__(inst_data)
        self._settling_seconds = settling_seconds
        self._silent_since: dict[str, float] = {}
        self._answered_since: dict[str, float] = {}

    @classmethod
    def config_type(cls) -> UserConfigSchema:
        """What ``dagster.yaml`` may say: how long a code server settles."""
        told = "Seconds for which a new code server answers before lost runs are tried again."
        return {_SETTLING: Field(IntSource, default_value=_SETTLING_SECONDS, description=told)}

    @classmethod
    def from_config_value(
        cls, inst_data: ConfigurableClassData, config_value: Mapping[str, Any]
    ) -> Self:
        """The launcher that ``dagster.yaml`` describes."""
        return cls(inst_data, **cast("dict[str, int]", config_value))

    @property
    def supports_check_run_worker_health(self) -> bool:
        """Run monitoring may ask."""
        return True

    def check_run_worker_health(self, run: DagsterRun) -> CheckRunHealthResult:
        """Whether the process of a started run is there.

        The code server knows its own runs. One that was restarted knows none of the runs that
        outlived its predecessor, so the process itself is looked for where it is on this machine.
        """
        server = json.loads(run.tags.get(GRPC_INFO_TAG, "{}"))
        is_here = "socket" in server or server.get("host") in _HERE
        known = _is_run_by(server, run.run_id, 1 if is_here else _TRIES)
        if known:
            return CheckRunHealthResult(WorkerStatus.RUNNING)
        started = self._started(run.run_id)
        if is_here and started is not None and _is_alive(started):
            return CheckRunHealthResult(WorkerStatus.RUNNING)
        if self._waits_for_server(run.run_id, is_silent=known is None):
            return CheckRunHealthResult(WorkerStatus.RUNNING, "Its code server is not back yet.")
        process = "its process" if started is None else f"its process (pid: {started.pid})"
        return CheckRunHealthResult(
            WorkerStatus.NOT_FOUND, f"The code server does not know the run, and {process} is gone."
        )

    def _waits_for_server(self, run_id: str, *, is_silent: bool) -> bool:
        """Whether a run that is gone is not given up yet.

        Dagster's daemon starts the next attempt as soon as the run has failed, and gives it up for
        good where the code server does not answer or the daemon does not know yet that it does.
        """
        now = time.monotonic()
        if is_silent:
            self._answered_since.pop(run_id, None)
            return now - self._silent_since.setdefault(run_id, now) < _SERVER_SECONDS
        return now - self._answered_since.setdefault(run_id, now) < self._settling_seconds

    def _started(self, run_id: str) -> _Started | None:
        for entry in self._instance.all_logs(run_id, of_type=DagsterEventType.ENGINE_EVENT):
            event = entry.get_dagster_event()
            pid = event.engine_event_data.metadata.get("pid")
            if pid is not None and (event.message or "").startswith(_STARTED):
                return _Started(int(str(pid.value)), entry.timestamp)
        return None


def _is_run_by(server: dict[str, Any], run_id: str, tries: int) -> bool | None:
    """Whether the code server that started a run says that it still runs; None: it is silent."""
    if not server:
        return False
    client = DagsterGrpcClient(
        port=server.get("port"),
        socket=server.get("socket"),
        host=server.get("host", "localhost"),
        use_ssl=bool(server.get("use_ssl", False)),
    )
    request = CanCancelExecutionRequest(run_id=run_id)
    silent = DagsterUserCodeUnreachableError
    try:
        for attempt in stamina.retry_context(on=silent, attempts=tries, wait_initial=2.0):
            with attempt:
                answer = client.can_cancel_execution(request, timeout=_ANSWER_SECONDS)
                return bool(deserialize_value(answer, CanCancelExecutionResult).can_cancel)
    except silent:
        return None
    raise AssertionError("a retry context either returns or raises")


def _is_alive(started: _Started) -> bool:
    import psutil  # noqa: PLC0415  # only the daemon needs it

    try:
        process = psutil.Process(started.pid)
        is_same = process.create_time() <= started.told + _CLOCK_SECONDS
        return bool(is_same and process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False
