"""The steps of a run on a local Dask cluster that lives as long as the run.

Belongs here: the cluster, the order of steps. Does not: running one step (dagster-dask), choosing
an executor (`executors`). Importing this module costs seconds, since it imports Dask; it is
imported when a run starts.

The library's own loop is not used, for three reasons: its local cluster outlives the run in a
process that goes on; it runs the steps after one that failed, which then read what an earlier run
left; and a retry of the failed steps alone ends in a KeyError.
"""

import logging
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from dagster import DagsterEvent
from dagster._core.errors import raise_execution_interrupts
from dagster._core.execution.context.system import PlanOrchestrationContext
from dagster._core.execution.plan.plan import ExecutionPlan
from dagster._utils import iterate_with_context
from dagster_dask.executor import DaskExecutor, query_on_dask_worker

if TYPE_CHECKING:
    from distributed import Client, Future

_SECONDS_TO_START = "180s"

# The events of a step; None for one that did not run, since one before it failed.
StepEvents = Sequence[DagsterEvent] | None


class LocalDaskExecutor(DaskExecutor):
    """Runs a run's steps on its own local cluster of worker processes, one thread each."""

    def __init__(self, workers: int) -> None:
        super().__init__("local", {})  # type: ignore[no-untyped-call]  # it has no types
        self.workers = workers

    def execute(
        self, plan_context: PlanOrchestrationContext, execution_plan: ExecutionPlan
    ) -> Iterator[DagsterEvent]:
        """Run the steps and yield their events; what depends on a failed step is not run."""
        import dask
        from distributed import Client, LocalCluster, as_completed

        # On a busy machine two processes may take longer to start than Dask's 30 seconds.
        dask.config.set({"distributed.comm.timeouts.connect": _SECONDS_TO_START})
        cluster = LocalCluster(  # type: ignore[no-untyped-call]  # it has no types
            n_workers=self.workers,
            threads_per_worker=1,
            preload=["jetstream_assets.orchestration.dask_worker"],
            dashboard_address=None,
            # Without a dashboard the scheduler still serves HTTP, on a port that runs would share.
            scheduler_kwargs={"dashboard_address": "127.0.0.1:0"},
            silence_logs=logging.ERROR,
        )
        with cluster, Client(cluster) as client:  # type: ignore[no-untyped-call]  # it has no types
            futures = _submit(client, plan_context, execution_plan)
            key_of = {future.key: key for key, future in futures.items()}
            done = as_completed(futures.values(), with_results=True)  # type: ignore[no-untyped-call]
            for future, events in iterate_with_context(raise_execution_interrupts, done):
                if events is None:
                    step = key_of[future.key]
                    plan_context.log.error("%s is not run: a step before it failed.", step)
                else:
                    yield from events


def _submit(
    client: "Client", plan_context: PlanOrchestrationContext, plan: ExecutionPlan
) -> "dict[str, Future[StepEvents]]":
    """All steps of the plan, each waiting for those before it that are in the plan, too."""
    futures: dict[str, Future[StepEvents]] = {}
    for step in (step for level in plan.get_steps_to_execute_by_level() for step in level):
        before = {key for step_input in step.step_inputs for key in step_input.dependency_keys}
        futures[step.key] = client.submit(
            step_events,
            [futures[key] for key in sorted(before & futures.keys())],
            plan_context.reconstructable_job,
            plan_context.dagster_run,
            plan_context.run_config,
            [step.key],
            plan_context.instance.get_ref(),
            plan.known_state,
            key=f"{plan_context.run_id}.{step.key}",
        )
    return futures


def step_events(before: Sequence[StepEvents], *step: Any) -> StepEvents:  # noqa: ANN401  # passed on
    """Run one step in a worker process, unless one before it failed or was not run.

    Args:
        before: The events of the steps that this one depends on.
        step: What `query_on_dask_worker` needs to find the step again.
    """
    if any(events is None or any(e.is_step_failure for e in events) for events in before):
        return None
    return query_on_dask_worker(before, *step)
