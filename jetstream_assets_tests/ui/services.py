"""The Dagster UI, daemon and code server as `make dev` starts them, for the length of a test.

Belongs here: processes, ports, environment, readiness. Does not: what is asked of them
(`endpoint`) or what they show (`browser`).
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import httpx

import jetstream_assets

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from jetstream_assets.orchestration.settings import Settings

ROOT = Path(jetstream_assets.__file__).parents[1]
READY_SECONDS = 240.0
_STOP_SECONDS = 20.0
_LOG_TAIL = 8000


@dataclass(frozen=True)
class Services:
    """Services that are up: where they answer, where their instance and their log are."""

    url: str
    home: Path
    log: Path

    def complaint(self, problem: str) -> str:
        """The problem with the end of the log, for a failing test's message."""
        return f"{problem}\n--- end of {self.log} ---\n{self.log.read_text()[-_LOG_TAIL:]}"


@contextmanager
def running_services(home: Path, settings: Settings) -> Iterator[Services]:
    """`dagster dev` over the repository's workspace and instance settings, until the body ends.

    Args:
        home: The DAGSTER_HOME to make; it gets a copy of the repository's ``dagster.yaml``.
        settings: The code location's settings, handed over as ``JETSTREAM_...`` variables.

    Raises:
        RuntimeError: The services end or are not ready before the deadline; the message has
            the end of their log.
    """
    home.mkdir(parents=True, exist_ok=True)
    shutil.copy(ROOT / "dagster.yaml", home / "dagster.yaml")
    host, port = "127.0.0.1", free_port()
    services = Services(f"http://{host}:{port}", home, home / "services.log")
    command = [
        *(sys.executable, "-m", "dagster", "dev", "-w", "workspace.yaml"),
        *("--host", host, "--port", str(port)),
    ]
    with running_group(command, environment(home, settings), services.log) as process:
        _wait_until_ready(services, process)
        yield services


@contextmanager
def running_group(
    command: Sequence[str], env: dict[str, str], log: Path
) -> Iterator[subprocess.Popen[bytes]]:
    """A command in a process group of its own; every process of it is gone afterwards."""
    with (
        log.open("wb") as output,
        subprocess.Popen(
            command,
            cwd=ROOT,
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        ) as process,
    ):
        try:
            yield process
        finally:
            _stop(process)


def environment(home: Path, settings: Settings) -> dict[str, str]:
    """This process's environment with only these settings, this instance and this interpreter."""
    inherited = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("JETSTREAM_", "DAGSTER_"))
    }
    fields = settings.model_dump(mode="json", exclude_none=True)
    return (
        inherited
        | {f"JETSTREAM_{name.upper()}": str(value) for name, value in fields.items()}
        | {
            "DAGSTER_HOME": str(home),
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        }
    )


def free_port() -> int:
    """A port that nothing listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for(condition: Callable[[], bool], seconds: float) -> bool:
    """Whether the condition holds before the deadline."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.2)
    return True


def is_listening(url: str) -> bool:
    """Whether anything accepts connections at this address."""
    address = urlsplit(url)
    try:
        with socket.create_connection((address.hostname, address.port), timeout=5.0):
            return True
    except OSError:
        return False


def _wait_until_ready(services: Services, process: subprocess.Popen[bytes]) -> None:
    """Wait until the webserver answers, or say why it does not."""

    def ended_or_answers() -> bool:
        return process.poll() is not None or answers(services.url)

    if not wait_for(ended_or_answers, READY_SECONDS):
        raise RuntimeError(services.complaint(f"Not ready after {READY_SECONDS:.0f} s."))
    if process.poll() is not None:
        raise RuntimeError(services.complaint(f"Ended with {process.returncode} while starting."))


def answers(url: str) -> bool:
    """Whether the webserver is up."""
    try:
        return httpx.get(f"{url}/server_info", timeout=5.0).status_code == httpx.codes.OK
    except httpx.TransportError:
        return False


def _stop(process: subprocess.Popen[bytes]) -> None:
    """Ask the leader to end its services; what is left of the group then is killed."""
    if process.poll() is None:
        process.send_signal(signal.SIGINT)
    wait_for(lambda: process.poll() is not None and not _signal(process, 0), _STOP_SECONDS)
    _signal(process, signal.SIGKILL)
    process.wait(_STOP_SECONDS)
    wait_for(lambda: not _signal(process, 0), _STOP_SECONDS)


def _signal(process: subprocess.Popen[bytes], number: int) -> bool:
    """Signal the group that ``process`` leads or led; whether there was anyone in it."""
    try:
        os.killpg(process.pid, number)
    except ProcessLookupError:
        return False
    return True
