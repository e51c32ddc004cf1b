"""Processes are killed in the middle of a run; without a human, its tables are as if none were.

The kills are `kill -9` of real processes, and all that is done after them is what a supervisor
does: to start a service again.
"""

from __future__ import annotations

import os
import signal
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from dagster import DagsterEventType
from dagster._core.storage.tags import RETRY_NUMBER_TAG

from jetstream_assets.orchestration import run_tags
from jetstream_assets.orchestration.partitions import Cell
from jetstream_assets.orchestration.settings import Executor
from jetstream_assets_tests.orchestration.laboratory import (
    EXPERIMENT,
    FIRST_WEEK,
    LAST_ENROLLMENT,
    Laboratory,
    days,
)
from jetstream_assets_tests.processes.installation import running_installation
from jetstream_assets_tests.processes.postgres import running_postgres
from jetstream_assets_tests.ui.services import wait_for

if TYPE_CHECKING:
    from datetime import date

    from jetstream_assets_tests.processes.installation import Installation
    from jetstream_assets_tests.ui.endpoint import Run

pytestmark = pytest.mark.slow

# Of days that are read together, daily_aggregates holds the rows in another order and says so.
TABLES = ("enrollments", "preenrollment_metrics", "metrics", "statistics")
STATES = "daily_aggregates"
LAST = FIRST_WEEK + timedelta(days=1)
SECONDS = 300.0
_WAITS = "was unable to continue due to a missing asset"
_PROCESS = "Started process for run"


@pytest.fixture(scope="module")
def undisturbed(
    laboratory: Laboratory, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, dict[str, bytes]]:
    """The files of all tables when nothing is killed."""
    alone = laboratory.copy(tmp_path_factory.mktemp("undisturbed") / "laboratory")
    assert all(run.succeeded for run in alone.run(*days(LAST_ENROLLMENT, LAST)))
    return {table: alone.files(table) for table in TABLES} | {STATES: _states(alone)}


def is_as_undisturbed(
    laboratory: Laboratory, undisturbed: dict[str, dict[str, bytes]], dates: list[date]
) -> bool:
    """Whether every slice of these dates is there with the bytes that it has when undisturbed."""
    names = {f"date={on}" for on in dates}
    states = _states(laboratory)
    wanted_states = {
        day: rows for day, rows in undisturbed[STATES].items() if day <= f"{dates[-1]}"
    }
    if wanted_states != {day: states.get(day) for day in wanted_states}:
        return False
    for table in TABLES:
        files = undisturbed[table]
        wanted = {path: of for path, of in files.items() if names & set(path.split("/"))}
        found = laboratory.files(table)
        if wanted != {path: found.get(path) for path in wanted}:
            return False
    return any(f"date={dates[-1]}" in path for path in undisturbed["statistics"])


def _states(laboratory: Laboratory) -> dict[str, bytes]:
    """The states of each day that follows enrollment or lies in it, whatever their order."""
    first = str(EXPERIMENT.start_date)
    found: dict[str, list[str]] = {}
    for row in laboratory.rows(STATES):
        found.setdefault(str(row["day"]), []).append(repr(sorted(row.items())))
    return {day: "\n".join(sorted(rows)).encode() for day, rows in found.items() if day >= first}


def backfill(installation: Installation, dates: list[date]) -> str:
    endpoint = installation.endpoint
    if EXPERIMENT.slug not in installation.instance.get_dynamic_partitions("experiment"):
        endpoint.add_experiment(EXPERIMENT.slug)
    return endpoint.backfill(endpoint.assets(), [Cell(EXPERIMENT.slug, on) for on in dates])


def run_in_step(installation: Installation, asked: str, step: str) -> str:
    """The run of a backfill when it has begun a step."""
    instance = installation.instance
    runs: list[Run] = []

    def has_begun() -> bool:
        runs[:] = installation.endpoint.runs(dagster__backfill=asked)
        starts = {DagsterEventType.STEP_START}
        return any(
            entry.step_key == step
            for run in runs
            for entry in instance.all_logs(run.run_id, of_type=starts)
        )

    assert wait_for(has_begun, SECONDS), installation.complaint(f"{step} has not begun")
    return runs[0].run_id


def kill_worker(installation: Installation, run_id: str) -> None:
    """``kill -9`` of the process that executes a run."""
    events = installation.instance.all_logs(run_id, of_type=DagsterEventType.ENGINE_EVENT)
    (told,) = (e.get_dagster_event() for e in events if (e.message or "").startswith(_PROCESS))
    os.kill(int(str(told.engine_event_data.metadata["pid"].value)), signal.SIGKILL)


def kill_dask_worker(installation: Installation, run_id: str) -> None:
    """``kill -9`` of the Dask worker that executes the run's newest step."""
    captured = {DagsterEventType.LOGS_CAPTURED}
    *_, told = installation.instance.all_logs(run_id, of_type=captured)
    pid = str(told.get_dagster_event().message).partition("pid: ")[2].partition(")")[0]
    os.kill(int(pid), signal.SIGKILL)


def attempts(installation: Installation, asked: str, number: int) -> list[Run]:
    """The runs of a backfill when so many of them ended, first to last."""
    found = installation.endpoint.finished_runs(number, SECONDS, dagster__backfill=asked)
    return found[::-1]


def assert_second_attempt_succeeds(installation: Installation, asked: str) -> None:
    runs = attempts(installation, asked, 2)
    statuses = [run.status for run in runs]
    assert statuses == ["FAILURE", "SUCCESS"], installation.complaint(str(statuses))
    tags = runs[1].tags
    assert tags[RETRY_NUMBER_TAG] == "1"
    record = installation.instance.get_run_record_by_id(runs[1].run_id)
    assert record is not None
    assert record.start_time is not None
    started = datetime.fromtimestamp(record.start_time, UTC)
    assert started >= datetime.fromisoformat(tags[run_tags.NOT_BEFORE])


def test_a_backfill_is_run_by_processes_over_postgres(
    installation: Installation, laboratory: Laboratory
) -> None:
    endpoint = installation.endpoint
    assert wait_for(lambda: all(endpoint.daemons().values()), 60), endpoint.daemons()
    assert endpoint.locations() == {"jetstream_assets": "LOADED"}
    (run,) = attempts(installation, backfill(installation, [LAST_ENROLLMENT]), 1)
    assert run.status == "SUCCESS", installation.complaint(run.status)
    assert laboratory.rows("statistics")
    assert "postgres" in type(installation.instance.event_log_storage).__module__


def test_a_run_whose_process_is_killed_is_tried_again_after_a_pause(
    installation: Installation,
    laboratory: Laboratory,
    undisturbed: dict[str, dict[str, bytes]],
) -> None:
    asked = backfill(installation, [FIRST_WEEK])
    kill_worker(installation, run_in_step(installation, asked, "daily_aggregates"))
    assert_second_attempt_succeeds(installation, asked)
    assert is_as_undisturbed(laboratory, undisturbed, [FIRST_WEEK])


def test_a_run_that_dies_with_its_code_server_is_tried_again(
    installation: Installation,
    laboratory: Laboratory,
    undisturbed: dict[str, dict[str, bytes]],
) -> None:
    asked = backfill(installation, [LAST])
    run_id = run_in_step(installation, asked, "enrollments")
    installation.code_server.kill()
    kill_worker(installation, run_id)
    # Down for so long that the backfill is looked at while the daemon knows none of its assets.
    waits = f"Backfill {asked} {_WAITS}"
    assert wait_for(lambda: waits in installation.daemon.log.read_text(), 60.0)
    installation.code_server.start()
    assert_second_attempt_succeeds(installation, asked)
    assert is_as_undisturbed(laboratory, undisturbed, [LAST])


def test_a_run_whose_dask_worker_is_killed_is_tried_again(
    laboratory: Laboratory,
    undisturbed: dict[str, dict[str, bytes]],
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    own = laboratory.copy(tmp_path_factory.mktemp("dask") / "laboratory")
    settings = own.settings.model_copy(update={"executor": Executor.DASK, "workers": 1})
    root = tmp_path_factory.mktemp("dask-services")
    with (
        running_postgres() as database,
        running_installation(root, settings, database.address) as installation,
    ):
        asked = backfill(installation, [FIRST_WEEK])
        run_id = run_in_step(installation, asked, "daily_aggregates")
        kill_dask_worker(installation, run_id)
        assert_second_attempt_succeeds(installation, asked)
        events = installation.instance.all_logs(run_id)
        told = [entry.get_dagster_event() for entry in events if entry.is_dagster_event]
        # Nothing was started twice, and nothing was started on what the lost step left.
        steps = ["analysis_plan", "enrollments", "daily_aggregates"]
        assert [event.step_key for event in told if event.is_step_start] == steps
        (failed,) = (event for event in told if event.is_step_failure)
        assert "worker process of this step was lost" in str(failed.step_failure_data.error)
    assert is_as_undisturbed(own, undisturbed, [FIRST_WEEK])


def test_overlapping_backfills_outlive_a_killed_daemon(
    installation: Installation,
    laboratory: Laboratory,
    undisturbed: dict[str, dict[str, bytes]],
) -> None:
    dates = days(LAST_ENROLLMENT, LAST_ENROLLMENT + timedelta(days=3))
    first, second = backfill(installation, dates[:3]), backfill(installation, dates[1:])
    run_in_step(installation, first, "enrollments")
    installation.daemon.kill()
    installation.daemon.start()
    for asked in (first, second):
        (run,) = attempts(installation, asked, 1)
        assert run.status == "SUCCESS", installation.complaint(run.status)
    assert is_as_undisturbed(laboratory, undisturbed, dates)
