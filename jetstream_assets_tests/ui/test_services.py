"""What the other tests of this folder stand on: services end with the test, whatever happens."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from jetstream_assets.orchestration.settings import Executor, Settings
from jetstream_assets_tests.ui.endpoint import Endpoint
from jetstream_assets_tests.ui.services import (
    environment,
    free_port,
    is_listening,
    running_group,
    running_services,
    wait_for,
)

if TYPE_CHECKING:
    from pathlib import Path

# A leader that leaves as it is asked, and a child that does not listen.
STUBBORN = """
import subprocess, sys
child = '''
import http.server, signal, sys
signal.signal(signal.SIGINT, signal.SIG_IGN)
http.server.HTTPServer(("127.0.0.1", {port}), http.server.BaseHTTPRequestHandler).serve_forever()
'''
subprocess.Popen([sys.executable, "-c", child]).wait()
"""


@pytest.mark.slow
def test_a_group_ends_with_its_stubborn_children_when_the_test_fails(tmp_path: Path) -> None:
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    command = [sys.executable, "-c", STUBBORN.format(port=port)]

    def fail_while_it_runs() -> None:
        with running_group(command, {}, tmp_path / "log"):
            assert wait_for(lambda: is_listening(url), 20)
            raise AssertionError("a failing test")

    with pytest.raises(AssertionError, match="a failing test"):
        fail_while_it_runs()
    assert not is_listening(url)


def test_settings_become_variables_and_foreign_ones_are_dropped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JETSTREAM_STRICT", "true")
    monkeypatch.setenv("JETSTREAM_CONFIGURATION_REF", "elsewhere")
    monkeypatch.setenv("DAGSTER_HOME", "/elsewhere")
    settings = Settings(warehouse=tmp_path, executor=Executor.IN_PROCESS, strict=False)
    settings = settings.model_copy(update={"configuration_ref": None})
    variables = environment(tmp_path, settings)
    assert variables["DAGSTER_HOME"] == str(tmp_path)
    assert "JETSTREAM_CONFIGURATION_REF" not in variables
    for name in [name for name in variables if name.startswith("JETSTREAM_")]:
        monkeypatch.setenv(name, variables[name])
    monkeypatch.delenv("JETSTREAM_CONFIGURATION_REF")
    assert Settings() == settings


@pytest.mark.slow
def test_services_are_ready_and_their_port_is_free_afterwards(tmp_path: Path) -> None:
    with running_services(tmp_path / "home", Settings(warehouse=tmp_path)) as services:
        assert is_listening(services.url)
        assert "telemetry:\n  enabled: false" in (services.home / "dagster.yaml").read_text()
    assert not is_listening(services.url)


@pytest.mark.slow
def test_services_that_end_while_starting_are_told_with_their_log(tmp_path: Path) -> None:
    (tmp_path / "history").write_text("a file where the instance needs a folder")
    with (
        pytest.raises(RuntimeError, match=r"(?s)Ended with 1 .*services\.log.*history"),
        running_services(tmp_path, Settings(warehouse=tmp_path)),
    ):
        pass


@pytest.mark.slow
def test_a_code_location_that_cannot_be_loaded_is_told(tmp_path: Path) -> None:
    wrong = Settings().model_copy(update={"shards": 0})
    with running_services(tmp_path, wrong) as services:
        locations = Endpoint(services.url).locations()
    assert "JETSTREAM_SHARDS" in locations["jetstream_assets"]
