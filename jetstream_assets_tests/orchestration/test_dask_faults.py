"""The faults of dagster-dask's own executor, for which this project has its own."""

from __future__ import annotations

import inspect
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import TYPE_CHECKING

import pytest
from dagster import (
    DynamicOut,
    DynamicOutput,
    JobDefinition,
    execute_job,
    job,
    op,
    reconstructable,
)
from dagster_dask import dask_executor as library_executor
from dagster_dask.executor import DaskExecutor

from jetstream_assets.orchestration.launch import open_instance

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


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


def _succeeded_steps(home: Path) -> set[str | None]:
    """The steps of the job that succeed, of a run that succeeds."""
    cluster = {
        "n_workers": 1,
        "processes": False,
        "dashboard_address": None,
        # Its HTTP port would else be one that any other cluster of this machine wants, too.
        "scheduler_kwargs": {"dashboard_address": "127.0.0.1:0"},
    }
    with (
        open_instance(home) as instance,
        execute_job(
            reconstructable(mapped_job),
            instance,
            run_config={"execution": {"config": {"cluster": {"local": cluster}}}},
        ) as result,
    ):
        assert result.success
        return {event.step_key for event in result.all_events if event.is_step_success}


def test_the_librarys_executor_still_stops_after_dynamic_outputs(tmp_path: Path) -> None:
    """If this fails, upstream mended it: the statistics can be cut into as many steps as needed."""
    # A process of its own, since the library leaves its cluster running in the one that asked.
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as processes:
        steps = processes.submit(_succeeded_steps, tmp_path / "home").result(timeout=300)
    assert steps == {"several"}


def test_the_librarys_tasks_are_still_named_after_the_step_alone() -> None:
    """If this fails, upstream mended it: runs could share a scheduler."""
    source = inspect.getsource(DaskExecutor.execute)
    assert 'dask_task_name = f"{job_name}.{step.key}"' in source
    assert "run_id" not in source.partition("dask_task_name =")[2].partition("\n")[0]
