"""Which runs the repository's instance starts, and which wait."""

from __future__ import annotations

import shutil
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from dagster import DagsterEvent, DagsterEventType, DagsterInstance, DagsterRun
from dagster._core.remote_origin import (
    GrpcServerCodeLocationOrigin,
    RemoteJobOrigin,
    RemoteRepositoryOrigin,
)
from dagster._core.run_coordinator import SubmitRunContext
from dagster._core.storage.dagster_run import RunOpConcurrency
from dagster._core.storage.tags import RETRY_NUMBER_TAG
from dagster._core.workspace.context import WorkspaceProcessContext
from dagster._core.workspace.load_target import EmptyWorkspaceTarget
from dagster._daemon.run_coordinator import QueuedRunCoordinatorDaemon

from jetstream_assets.orchestration import run_tags
from jetstream_assets.orchestration.partitions import EXPERIMENT, Cell
from jetstream_assets.orchestration.resources import WAREHOUSE_POOL
from jetstream_assets.orchestration.run_queue import experiment_of, new_tags

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]
FIRST, LAST = Cell("a-slug", date(2026, 1, 1)), Cell("a-slug", date(2026, 1, 9))
OTHER = Cell("b-slug", date(2026, 1, 9))
_LOCATION = GrpcServerCodeLocationOrigin("localhost", port=1, location_name="jetstream_assets")
ORIGIN = RemoteJobOrigin(RemoteRepositoryOrigin(_LOCATION, "__repository__"), "analysis")


@pytest.fixture
def instance(tmp_path: Path) -> Iterator[DagsterInstance]:
    shutil.copy(ROOT / "dagster.yaml", tmp_path)
    with DagsterInstance.from_config(str(tmp_path)) as found:
        yield found


@contextmanager
def open_changed(home: Path, written: str, changed: str) -> Iterator[DagsterInstance]:
    """The repository's instance with another text in its settings."""
    text = (ROOT / "dagster.yaml").read_text()
    assert written in text
    (home / "dagster.yaml").write_text(text.replace(written, changed))
    with DagsterInstance.from_config(str(home)) as found:
        yield found


def of(cell: Cell) -> dict[str, str]:
    """The tags of a run of one cell."""
    return {run_tags.RANGE_START: str(cell.key), run_tags.RANGE_END: str(cell.key)}


def run_of(instance: DagsterInstance, run_id: str) -> DagsterRun:
    run = instance.get_run_by_id(run_id)
    assert run is not None
    return run


def queue(instance: DagsterInstance, *tags: dict[str, str], pools: str = "") -> list[str]:
    """Queue a run for each of these tags; their ids."""
    in_pools = RunOpConcurrency(
        root_key_counts={}, has_unconstrained_root_nodes=True, all_pools={pools}
    )
    queued = []
    workspace = WorkspaceProcessContext(instance, EmptyWorkspaceTarget()).create_request_context()
    for own in tags:
        run = DagsterRun(
            "analysis",
            tags=own,
            remote_job_origin=ORIGIN,
            run_op_concurrency=in_pools if pools else None,
        )
        instance.add_run(run)
        instance.run_coordinator.submit_run(SubmitRunContext(run, workspace))
        queued.append(run.run_id)
    return queued


def startable(instance: DagsterInstance) -> list[str]:
    """The runs that the daemon would start now."""
    with QueuedRunCoordinatorDaemon(interval_seconds=1) as daemon:
        limits = instance.get_concurrency_config()
        found = daemon._get_runs_to_dequeue(instance, limits, fixed_iteration_time=None)
    return [run.run_id for run in found]


def test_at_most_one_run_of_an_experiment_is_started(instance: DagsterInstance) -> None:
    first, second, other = queue(instance, of(FIRST), of(LAST), of(OTHER))
    assert startable(instance) == [first, other]
    assert run_of(instance, second).tags[run_tags.EXPERIMENT] == "a-slug"


def test_a_run_of_several_experiments_is_alone_with_each_of_them(
    instance: DagsterInstance,
) -> None:
    instance.add_dynamic_partitions(EXPERIMENT, ["a-slug", "between", "b-slug", "c-slug"])
    box = {run_tags.RANGE_START: str(FIRST.key), run_tags.RANGE_END: str(OTHER.key)}
    inside = Cell("between", FIRST.date)
    whole, again, single = queue(instance, box, box, of(inside))
    (outside,) = queue(instance, of(Cell("c-slug", FIRST.date)))
    assert startable(instance) == [single, outside]
    instance.report_run_failed(run_of(instance, single))
    assert startable(instance) == [whole, outside]
    instance.report_dagster_event(DagsterEvent(DagsterEventType.RUN_START.value, "analysis"), whole)
    (late,) = queue(instance, of(inside))
    assert startable(instance) == [outside]
    instance.report_run_failed(run_of(instance, whole))
    assert startable(instance) == [outside, late]
    instance.report_run_failed(run_of(instance, late))
    assert startable(instance) == [again, outside]


def test_at_most_five_runs_are_started(instance: DagsterInstance) -> None:
    runs = queue(instance, *({run_tags.EXPERIMENT: str(number)} for number in range(7)))
    assert startable(instance) == runs[:5]


def test_the_number_of_runs_can_be_a_variable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RUNS_AT_ONCE", "2")
    written, changed = "max_concurrent_runs: 5", "max_concurrent_runs: {env: RUNS_AT_ONCE}"
    with open_changed(tmp_path, written, changed) as found:
        runs = queue(found, *({run_tags.EXPERIMENT: str(number)} for number in range(3)))
        assert startable(found) == runs[:2]


def test_the_pool_of_the_warehouse_counts_runs(tmp_path: Path) -> None:
    with open_changed(tmp_path, "default_limit: 5", "default_limit: 1") as found:
        first, second = queue(found, of(FIRST), of(OTHER), pools=WAREHOUSE_POOL)
        (outside,) = queue(found, {run_tags.EXPERIMENT: "c-slug"})
        # In an instance's life the daemon's first look only makes the pool known.
        startable(found)
        assert startable(found) == [first, outside]
        found.report_dagster_event(
            DagsterEvent(DagsterEventType.RUN_START.value, "analysis"), first
        )
        assert startable(found) == [outside]
        found.report_run_failed(run_of(found, first))
        assert startable(found) == [second, outside]


def test_a_retry_waits_in_the_queue_until_its_time(instance: DagsterInstance) -> None:
    before = datetime.now(UTC)
    retried, fresh = queue(instance, {RETRY_NUMBER_TAG: "1"}, of(OTHER))
    assert startable(instance) == [fresh]
    until = datetime.fromisoformat(run_of(instance, retried).tags[run_tags.NOT_BEFORE])
    assert timedelta(seconds=59) <= until - before < timedelta(seconds=90)
    past = (before - timedelta(seconds=1)).isoformat()
    instance.add_run_tags(retried, {run_tags.NOT_BEFORE: past})
    assert startable(instance) == [retried, fresh]


@pytest.mark.parametrize(
    ("retry", "pauses", "seconds"),
    [
        ("1", [60, 300, 900], 60),
        ("2", [60, 300, 900], 300),
        ("3", [60, 300, 900], 900),
        ("4", [60, 300, 900], 900),
        ("1", [], None),
    ],
)
def test_pauses_grow(retry: str, pauses: list[int], seconds: int | None) -> None:
    now = datetime(2026, 3, 2, 4, tzinfo=UTC)
    # What the attempt before had is replaced.
    found = {RETRY_NUMBER_TAG: retry, run_tags.NOT_BEFORE: "2026-03-02T03:00:00+00:00"}
    tags = new_tags(found, now, pauses)
    expected = {} if seconds is None else {now + timedelta(seconds=seconds)}
    assert {datetime.fromisoformat(text) for text in tags.values()} == set(expected)


@pytest.mark.parametrize(
    ("tags", "slug"),
    [
        ({"dagster/partition/experiment": "a-slug"}, "a-slug"),
        ({run_tags.RANGE_START: str(FIRST.key), run_tags.RANGE_END: str(LAST.key)}, "a-slug"),
        ({run_tags.RANGE_START: str(FIRST.key), run_tags.RANGE_END: str(OTHER.key)}, ""),
        ({}, ""),
    ],
)
def test_a_run_is_of_the_experiment_that_its_tags_name(tags: dict[str, str], slug: str) -> None:
    assert experiment_of(tags) == slug
