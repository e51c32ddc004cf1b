"""How the steps of a run are executed: Dask worker processes, or this process.

Belongs here: executor definitions. Does not: how many runs go at once (``dagster.yaml``).
"""

import logging
from typing import TYPE_CHECKING

from dagster import (
    ExecutorDefinition,
    Field,
    InitExecutorContext,
    executor,
    in_process_executor,
    multiple_process_executor_requirements,
)

from jetstream_assets.orchestration.settings import Executor, Settings

if TYPE_CHECKING:
    from dagster_dask.executor import DaskExecutor


@executor(
    name="dask",
    requirements=multiple_process_executor_requirements(),
    config_schema={"workers": Field(int, default_value=1, description="Worker processes.")},
)
def dask_executor(init_context: InitExecutorContext) -> "DaskExecutor":
    """dagster-dask's executor on a cluster of worker processes that lives as long as the run.

    A scheduler shared by runs would mix them up, since tasks are named after the step alone. The
    library costs seconds to import, so it is imported when a run starts and not when the code
    location is loaded.
    """
    from dagster_dask.executor import DaskExecutor  # noqa: PLC0415

    dask_setup()
    cluster = {
        "n_workers": init_context.executor_config["workers"],
        "threads_per_worker": 1,
        "preload": [__name__],
        "dashboard_address": None,
    }
    return DaskExecutor("local", cluster)  # type: ignore[no-untyped-call]  # it has no types


def run_executor(settings: Settings) -> ExecutorDefinition:
    """The executor that the settings ask for."""
    if settings.executor is Executor.IN_PROCESS:
        return in_process_executor
    return dask_executor.configured({"workers": settings.workers}, name="dask")


def dask_setup(worker: object = None) -> None:
    """Dask calls this in every worker process that starts.

    Dagster's step events have no size that Dask could measure; it would say so at every step. A
    filter, since the cluster sets levels of its own.
    """
    del worker
    logging.getLogger("distributed.sizeof").addFilter(_drop)


def _drop(record: logging.LogRecord) -> bool:
    del record
    return False
