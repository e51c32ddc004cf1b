"""dagster-dask's executor with a cluster that is closed when its run ends.

Belongs here: the life of the cluster. Does not: choosing an executor (`executors`). Importing this
module costs seconds, since it imports Dask; it is imported when a run starts.
"""

import logging
from collections.abc import Iterator

from dagster import DagsterEvent
from dagster._core.execution.context.system import PlanOrchestrationContext
from dagster._core.execution.plan.plan import ExecutionPlan
from dagster_dask.executor import DaskExecutor


class LocalDaskExecutor(DaskExecutor):
    """Runs a run's steps on its own local cluster of worker processes, one thread each.

    The library's own local cluster outlives the run in a process that goes on, such as a command
    line with several experiments.
    """

    def __init__(self, workers: int) -> None:
        super().__init__("local", {})  # type: ignore[no-untyped-call]  # it has no types
        self.workers = workers

    def execute(
        self, plan_context: PlanOrchestrationContext, execution_plan: ExecutionPlan
    ) -> Iterator[DagsterEvent]:
        """Run the steps and yield their events."""
        from distributed import LocalCluster

        dask_setup()
        cluster = LocalCluster(  # type: ignore[no-untyped-call]  # it has no types
            n_workers=self.workers,
            threads_per_worker=1,
            preload=[__name__],
            dashboard_address=None,
            silence_logs=logging.ERROR,
        )
        with cluster:
            self.cluster_type = "existing"
            self.cluster_configuration = {"address": cluster.scheduler_address}
            yield from super().execute(plan_context, execution_plan)


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
