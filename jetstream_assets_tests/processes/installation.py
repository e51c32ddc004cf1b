"""Dagster as production runs it: a code server, a daemon and, where asked for, the UI's webserver.

Belongs here: processes that can be killed and started again, each by itself; an endpoint to ask.
Does not: the database and ``dagster.yaml`` (`postgres`), what is asked for (the tests).
"""

from __future__ import annotations

import signal
import subprocess
import sys
import warnings
from collections.abc import Callable
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from dagster import DagsterInstance
from dagster._core.workspace.context import WorkspaceProcessContext
from dagster._core.workspace.load_target import GrpcServerTarget
from dagster_graphql.test.utils import execute_dagster_graphql

from jetstream_assets_tests.processes.postgres import write_instance
from jetstream_assets_tests.ui.endpoint import Endpoint
from jetstream_assets_tests.ui.services import (
    READY_SECONDS,
    answers,
    environment,
    free_port,
    is_listening,
    running_group,
    wait_for,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from jetstream_assets.orchestration.settings import Settings

HOST = "127.0.0.1"
LOCATION = "jetstream_assets"
_LOG_TAIL = 8000

# Production's intervals are minutes. A test waits for each of them several times.
SHORT: Mapping[str, Any] = {
    "run_coordinator": {"config": {"dequeue_interval_seconds": 1, "pauses_seconds": [2, 3, 4]}},
    "run_launcher": {"config": {"settling_seconds": 8}},
    "run_monitoring": {"poll_interval_seconds": 2},
}
LOOKS_SECONDS = 5
# Dagster has no setting for how often its daemon looks whether code servers are there.
_DAEMON = f"""
from dagster._daemon import controller
from dagster._daemon.cli import main
controller.RELOAD_WORKSPACE_INTERVAL = {LOOKS_SECONDS}
main()
"""
_SHORT_VARIABLES = {"DAGSTER_EVENT_LOG_CONSUMER_DAEMON_INTERVAL_SECONDS": "1"}


@dataclass
class Service:
    """A process of the installation, which can be killed and started again."""

    name: str
    command: tuple[str, ...]
    variables: dict[str, str]
    folder: Path
    is_ready: Callable[[], bool]
    groups: ExitStack
    starts: int = 0
    process: subprocess.Popen[bytes] | None = None

    @property
    def log(self) -> Path:
        return self.folder / f"{self.name}-{self.starts}.log"

    def start(self) -> None:
        """Start the process without waiting for it; what it started before goes on."""
        self.starts += 1
        group = running_group(self.command, self.variables, self.log)
        self.process = self.groups.enter_context(group)

    def wait(self) -> None:
        """Wait until the service answers; raises RuntimeError with its log where it does not."""
        process = self.process
        assert process is not None
        wait_for(lambda: self.is_ready() or process.poll() is not None, READY_SECONDS)
        if process.poll() is not None or not self.is_ready():
            tail = self.log.read_text()[-_LOG_TAIL:]
            raise RuntimeError(f"The {self.name} is not ready (exit {process.poll()}):\n{tail}")

    def kill(self) -> None:
        """``kill -9`` of the process itself; its children learn of it in their own way."""
        assert self.process is not None
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()


@dataclass(frozen=True)
class WorkspaceEndpoint(Endpoint):
    """The UI's GraphQL schema over the same instance and code server, without a webserver."""

    workspace: WorkspaceProcessContext

    def ask(self, query: str, **variables: object) -> Any:  # noqa: ANN401  # a GraphQL answer
        """The data of an answer; errors fail the test with their text."""
        context = self.workspace.create_request_context()
        with warnings.catch_warnings():
            # What the schema's own code deprecates is not ours.
            warnings.simplefilter("ignore")
            return execute_dagster_graphql(context, query, cast("Any", variables)).data


@dataclass
class Installation:
    """What is running, and the instance that all of it shares.

    Args:
        home: The DAGSTER_HOME.
        instance: The instance, opened in the test's own process.
        endpoint: What the UI would ask, asked without it.
        code_server: Loads the assets and starts the runs' processes.
        daemon: Schedules, sensors, the queue, retries, monitoring and backfills.
        url: The UI's address; nothing answers there unless a webserver was asked for.
        services: Every process by its name.
    """

    home: Path
    instance: DagsterInstance
    endpoint: WorkspaceEndpoint
    code_server: Service
    daemon: Service
    url: str
    services: dict[str, Service] = field(default_factory=dict)

    def complaint(self, problem: str) -> str:
        """The problem with the ends of all logs, for a failing test's message."""
        tails = (
            f"--- end of {service.log} ---\n{service.log.read_text()[-_LOG_TAIL:]}"
            for service in self.services.values()
        )
        return "\n".join([problem, *tails])


@contextmanager
def running_installation(
    root: Path,
    settings: Settings,
    database: str,
    *,
    base: Mapping[str, Any] | None = None,
    changes: Mapping[str, Any] = SHORT,
    variables: Mapping[str, str] | None = None,
    webserver: bool = False,
) -> Iterator[Installation]:
    """A code server, a daemon and perhaps a webserver until the body ends.

    Args:
        root: A folder for the DAGSTER_HOME and the logs; it is made.
        settings: The code location's settings, handed over as ``JETSTREAM_...`` variables.
        database: The address of a Postgres database.
        base: An instance's settings instead of the repository's ``dagster.yaml``.
        changes: What differs from them; short intervals.
        variables: More environment variables of all processes.
        webserver: Whether the UI is to be there, too.

    Raises:
        RuntimeError: A service is not ready in time; the message has the end of its log.
    """
    home, port, ui_port = root / "home", free_port(), free_port()
    write_instance(home, database, changes, base)
    env = environment(home, settings) | _SHORT_VARIABLES | dict(variables or {})
    url = f"http://{HOST}:{ui_port}"
    # Stopped last to first, and the instance, which the test's process holds, before them.
    with ExitStack() as groups, ExitStack() as held:
        services = _services(root, env, port, url, groups, webserver=webserver)
        for service in services.values():
            service.start()
        for service in services.values():
            service.wait()
        instance = held.enter_context(DagsterInstance.from_config(str(home)))
        target = GrpcServerTarget(host=HOST, port=port, socket=None, location_name=LOCATION)
        workspace = held.enter_context(WorkspaceProcessContext(instance, target))
        endpoint = WorkspaceEndpoint(url, workspace)
        yield Installation(
            home,
            instance,
            endpoint,
            services["code-server"],
            services["daemon"],
            url,
            services,
        )


def _services(
    root: Path, env: dict[str, str], port: int, url: str, groups: ExitStack, *, webserver: bool
) -> dict[str, Service]:
    workspace = root / "workspace.yaml"
    workspace.write_text(
        f"load_from:\n  - grpc_server: {{host: {HOST}, port: {port}, location_name: {LOCATION}}}\n"
    )
    code = ("-m", "dagster", "api", "grpc", "-m", "jetstream_assets.definitions")
    server = (*code, "--host", HOST, "--port", str(port), "--location-name", LOCATION)
    daemon = ("-c", _DAEMON, "run", "-w", str(workspace))
    ui = ("-m", "dagster_webserver", "-h", HOST, "-p", url.rpartition(":")[2], "-w", str(workspace))
    named: dict[str, tuple[tuple[str, ...], Callable[[], bool]]] = {
        "code-server": (server, lambda: is_listening(f"http://{HOST}:{port}")),
        "daemon": (daemon, lambda: True),
    }
    if webserver:
        named["webserver"] = (ui, lambda: answers(url))
    return {
        name: Service(name, (sys.executable, *command), env, root, is_ready, groups)
        for name, (command, is_ready) in named.items()
    }
