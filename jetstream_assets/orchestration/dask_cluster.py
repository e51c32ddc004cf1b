"""The steps of a run on a local Dask cluster that lives as long as the run.

Belongs here: the cluster, the order of steps, what a lost worker means. Does not: running one step
(dagster-dask), how many workers (`dask_width`), choosing an executor (`executors`). Importing this
module costs seconds, since it imports Dask; it is imported when a run starts.

The library's own loop is not used, for four reasons: its local cluster outlives the run in a
process that goes on; it runs the steps after one that failed, which then read what an earlier run
left; a retry of the failed steps alone ends in a KeyError; and it keeps what steps gave in the
workers, so that a worker which dies makes Dask run steps again that had finished.
"""

import logging
from collections.abc import Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING

from dagster import DagsterEvent
from dagster._core.errors import raise_execution_interrupts
from dagster._core.execution.context.system import PlanOrchestrationContext
from dagster._core.execution.plan.objects import StepFailureData
from dagster._core.execution.plan.plan import ExecutionPlan
from dagster._utils import iterate_with_context
from dagster_dask.executor import DaskExecutor, query_on_dask_worker
from dagster_shared.error import SerializableErrorInfo

from jetstream_assets.orchestration.dask_width import granted_cores, width

if TYPE_CHECKING:
    from distributed import Client, Future, LocalCluster

_SECONDS_TO_START = "180s"


class LocalDaskExecutor(DaskExecutor):
    """Runs a run's steps on its own local cluster of worker processes, one thread each.

    Args:
        workers: Processes at most; 0: as many as cores are granted to this process.
    """

    def __init__(self, workers: int) -> None:
        super().__init__("local", {})  # type: ignore[no-untyped-call]  # it has no types
        self.workers = workers

    def execute(
        self, plan_context: PlanOrchestrationContext, execution_plan: ExecutionPlan
    ) -> Iterator[DagsterEvent]:
        """Run the steps and yield their events; what depends on a failed step is not run."""
        from distributed import Client

        levels = execution_plan.get_steps_to_execute_by_level()
        side_by_side = max(map(len, levels), default=1)
        processes, why = width(self.workers, granted_cores(), side_by_side)
        plan_context.log.info("Dask worker processes: %s, %s.", processes, why)
        with (
            _local_cluster(processes) as cluster,
            Client(cluster) as client,  # type: ignore[no-untyped-call]  # it has no types
        ):
            yield from _Steps(client, plan_context, execution_plan).events()


def _local_cluster(processes: int) -> "LocalCluster":
    import dask
    from distributed import LocalCluster

    dask.config.set(
        {
            # On a busy machine two processes may take longer to start than Dask's 30 seconds.
            "distributed.comm.timeouts.connect": _SECONDS_TO_START,
            # A step whose worker died fails. Trying it again is up to the run's next attempt,
            # after a pause: a step that takes too much memory would take it again at once.
            "distributed.scheduler.allowed-failures": 0,
        }
    )
    return LocalCluster(  # type: ignore[no-untyped-call]  # it has no types
        n_workers=processes,
        threads_per_worker=1,
        preload=["jetstream_assets.orchestration.dask_worker"],
        dashboard_address=None,
        # Without a dashboard the scheduler still serves HTTP, on a port that runs would share.
        scheduler_kwargs={"dashboard_address": "127.0.0.1:0"},
        silence_logs=logging.ERROR,
    )


class _Steps:
    """The steps of a run: each is handed to the cluster when all that it waits for are done."""

    def __init__(
        self, client: "Client", plan_context: PlanOrchestrationContext, plan: ExecutionPlan
    ) -> None:
        self.client = client
        self.plan_context = plan_context
        self.plan = plan
        steps = [step for level in plan.get_steps_to_execute_by_level() for step in level]
        keys = {step.key for step in steps}
        before = {
            step.key: {key for of in step.step_inputs for key in of.dependency_keys} & keys
            for step in steps
        }
        # In the order of the plan; what of them each step still waits for.
        self.waiting = before
        self.running: dict[Future[Sequence[DagsterEvent]], str] = {}

    def events(self) -> Iterator[DagsterEvent]:
        """Run all steps and yield the events of each when it ends."""
        from distributed import as_completed

        done = as_completed(self._start_ready())  # type: ignore[no-untyped-call]  # it has no types
        for future in iterate_with_context(raise_execution_interrupts, done):
            step = self.running.pop(future)
            events = _events(future) or [self._lost(step, future.exception())]
            yield from events
            if not any(event.is_step_failure for event in events):
                self._finish(step)
                for ready in self._start_ready():
                    done.add(ready)  # type: ignore[no-untyped-call]
        for step in self.waiting:
            self.plan_context.log.error("%s is not run: a step before it failed.", step)

    def _finish(self, step: str) -> None:
        for before in self.waiting.values():
            before.discard(step)

    def _start_ready(self) -> "list[Future[Sequence[DagsterEvent]]]":
        ready = [step for step, before in self.waiting.items() if not before]
        for step in ready:
            del self.waiting[step]
        started = {self._submit(step): step for step in ready}
        self.running |= started
        return list(started)

    def _submit(self, step: str) -> "Future[Sequence[DagsterEvent]]":
        context = self.plan_context
        # Bound, since Dask looks for futures in arguments and cannot look into a run's pools.
        run_step = partial(
            query_on_dask_worker,
            (),
            context.reconstructable_job,
            context.dagster_run,
            context.run_config,
            [step],
            context.instance.get_ref(),
            self.plan.known_state,
        )
        # A scheduler knows tasks by their key alone; another run's must not be taken for ours.
        return self.client.submit(run_step, key=f"{context.run_id}.{step}")

    def _lost(self, key: str, error: BaseException | None) -> DagsterEvent:
        """The event of a step that its worker did not report on."""
        step = self.plan.get_executable_step_by_key(key)
        told = f"The worker process of this step was lost ({type(error).__name__}): {error}"
        return DagsterEvent.step_failure_event(
            self.plan_context.for_step(step),
            StepFailureData(  # type: ignore[no-untyped-call]  # it has no types
                error=SerializableErrorInfo(told, [], type(error).__name__),
                user_failure_data=None,
            ),
        )


def _events(future: "Future[Sequence[DagsterEvent]]") -> Sequence[DagsterEvent]:
    """The events of a step; none when its worker did not report."""
    return () if future.status == "error" else future.result()
