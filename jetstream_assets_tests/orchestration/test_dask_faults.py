"""What happens when a Dask worker dies, and the faults of dagster-dask's own executor."""

from __future__ import annotations

import inspect
import os
import shutil
import signal
import threading
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from dagster import (
    DagsterEventType,
    DagsterInstance,
    DynamicOut,
    DynamicOutput,
    JobDefinition,
    ReexecutionOptions,
    execute_job,
    job,
    op,
    reconstructable,
)
from dagster._core.storage.tags import WILL_RETRY_TAG
from dagster_dask import dask_executor as library_executor
from dagster_dask.executor import DaskExecutor

from jetstream_assets.orchestration.jobs import reconstructable_analysis
from jetstream_assets.orchestration.launch import open_instance
from jetstream_assets.orchestration.settings import Executor
from jetstream_assets_tests.orchestration.laboratory import EXPERIMENT, FIRST_WEEK
from jetstream_assets_tests.ui.services import wait_for

if TYPE_CHECKING:
    from jetstream_assets_tests.orchestration.laboratory import Laboratory

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]

ROOT = Path(__file__).parents[2]
TABLES = ("enrollments", "preenrollment_metrics", "metrics", "statistics")


def kill_worker_in(instance: DagsterInstance, step: str) -> None:
    """``kill -9`` of the Dask worker that executes a step, when it has begun it."""
    begun: list[int] = []

    def has_begun() -> bool:
        for run in instance.get_runs(limit=1):
            logs = instance.all_logs(run.run_id)
            events = [entry.get_dagster_event() for entry in logs if entry.is_dagster_event]
            if any(event.is_step_start and event.step_key == step for event in events):
                kind = DagsterEventType.LOGS_CAPTURED
                told = [str(event.message) for event in events if event.event_type is kind]
                begun.append(int(told[-1].partition("pid: ")[2].partition(")")[0]))
        return bool(begun)

    assert wait_for(has_begun, 240)
    os.kill(begun[0], signal.SIGKILL)


def test_a_worker_that_is_killed_fails_the_run_and_the_retry_succeeds(
    laboratory: Laboratory, world: Laboratory, tmp_path: Path
) -> None:
    settings = laboratory.settings.model_copy(update={"executor": Executor.DASK, "workers": 1})
    (tmp_path / "home").mkdir()
    shutil.copy(ROOT / "dagster.yaml", tmp_path / "home")
    with open_instance(tmp_path / "home") as instance:
        killer = threading.Thread(target=kill_worker_in, args=(instance, "daily_aggregates"))
        killer.start()
        (first,) = laboratory.run(FIRST_WEEK, settings=settings, instance=instance)
        killer.join()
        assert not first.succeeded
        assert "The worker process of this step was lost" in " ".join(first.errors)
        # Nothing was started twice, and nothing was started on what the lost step left.
        starts = instance.all_logs(first.run_id, of_type=DagsterEventType.STEP_START)
        assert Counter(e.step_key for e in starts) == Counter(
            ["analysis_plan", "enrollments", "daily_aggregates"]
        )
        failed = instance.get_run_by_id(first.run_id)
        assert failed is not None
        assert failed.tags[WILL_RETRY_TAG] == "true"
        # What Dagster's daemon does with that tag.
        with execute_job(
            reconstructable_analysis(settings),
            instance,
            tags=dict(failed.tags),
            reexecution_options=ReexecutionOptions.from_failure(first.run_id, instance),
        ) as second:
            assert second.success
    alone = world.copy(tmp_path / "alone")
    assert all(run.succeeded for run in alone.run(FIRST_WEEK, slug=EXPERIMENT.slug))
    for table in TABLES:
        assert laboratory.files(table) == alone.files(table)


@op(out=DynamicOut())
def several() -> object:
    for number in range(2):
        yield DynamicOutput(number, mapping_key=str(number))


@op
def each(number: int) -> int:
    return number


@job(executor_def=library_executor)
def mapped() -> None:
    several().map(each)


def mapped_job() -> JobDefinition:
    return mapped


def test_the_librarys_executor_still_stops_after_dynamic_outputs(tmp_path: Path) -> None:
    """If this fails, upstream mended it: the statistics can be cut into as many steps as needed."""
    cluster = {"n_workers": 1, "processes": False, "dashboard_address": None}
    with (
        open_instance(tmp_path / "home") as instance,
        execute_job(
            reconstructable(mapped_job),
            instance,
            run_config={"execution": {"config": {"cluster": {"local": cluster}}}},
        ) as result,
    ):
        assert result.success
        steps = {event.step_key for event in result.all_events if event.is_step_success}
        assert steps == {"several"}


def test_the_librarys_tasks_are_still_named_after_the_step_alone() -> None:
    """If this fails, upstream mended it: runs could share a scheduler."""
    source = inspect.getsource(DaskExecutor.execute)
    assert 'dask_task_name = f"{job_name}.{step.key}"' in source
    assert "run_id" not in source.partition("dask_task_name =")[2].partition("\n")[0]
