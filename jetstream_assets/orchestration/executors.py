"""How the steps of a run are executed: Dask worker processes, or this process.

Belongs here: executor definitions. Does not: how many runs go at once (``dagster.yaml``).
"""

from typing import TYPE_CHECKING, cast

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
    from jetstream_assets.orchestration.dask_cluster import OwnDaskExecutor


@executor(
    name="dask",
    requirements=multiple_process_executor_requirements(),
    config_schema={
        "workers": Field(
            int,
            default_value=0,
            description="Worker processes at most; 0: as many as cores are granted to the run.",
        )
    },
)
def dask_executor(init_context: InitExecutorContext) -> "OwnDaskExecutor":
    """dagster-dask's executor on a cluster of worker processes that lives as long as the run.

    A scheduler shared by runs would mix them up, since tasks are named after the step alone. The
    library costs seconds to import, so it is imported when a run starts and not when the code
    location is loaded.
    """
    from jetstream_assets.orchestration.dask_cluster import OwnDaskExecutor  # noqa: PLC0415

    return OwnDaskExecutor(cast("int", init_context.executor_config["workers"]))


def run_executor(settings: Settings) -> ExecutorDefinition:
    """The executor that the settings ask for."""
    if settings.executor is Executor.IN_PROCESS:
        return in_process_executor
    return dask_executor.configured({"workers": settings.workers}, name="dask")
