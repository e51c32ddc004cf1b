"""The steps of a run on a Dask cluster that lives as long as the run.

Belongs here: the cluster, the order of steps, what a lost worker means. Does not: running one step
(dagster-dask), how many workers (`dask_width`), workers as pods (`dask_pods`), choosing an executor
(`executors`). Importing this module costs seconds, since it imports Dask; it is imported when a run
starts.

The library's own loop is not used, for four reasons: its local cluster outlives the run in a
process that goes on; it runs the steps after one that failed, which then read what an earlier run
left; a retry of the failed steps alone ends in a KeyError; and it keeps what steps gave in the
workers, so that a worker which dies makes Dask run steps again that had finished.
"""

import logging
import os
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
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

from jetstream_assets.orchestration import run_tags
from jetstream_assets.orchestration.dask_pods import worker_pods
from jetstream_assets.orchestration.dask_width import granted_cores, width

if TYPE_CHECKING:
    from distributed import Client, Future, LocalCluster

_SECONDS_TO_START = "180s"
# A node may have to be made, and the image be pulled.
_SECONDS_FOR_PODS = 600


class OwnDaskExecutor(DaskExecutor):
    """Runs a run's steps on its own cluster of worker processes or pods, one thread each.

    Args:
        workers: Workers at most; 0: as many processes as cores are granted to this process, or as
            many pods as steps may go side by side.
    """

    def __init__(self, workers: int) -> None:
        super().__init__("local", {})  # type: ignore[no-untyped-call]  # it has no types
        self.workers = workers

    def execute(
        self, plan_context: PlanOrchestrationContext, execution_plan: ExecutionPlan
    ) -> Iterator[DagsterEvent]:
        """Run the steps and yield their events; what depends on a failed step is not run."""
        levels = execution_plan.get_steps_to_execute_by_level()
        side_by_side = max(map(len, levels), default=1)
        with self._client(plan_context, side_by_side) as client:
            yield from _Steps(client, plan_context, execution_plan).events()

    @contextmanager
    def _client(self, context: PlanOrchestrationContext, side_by_side: int) -> "Iterator[Client]":
        """A client of the run's own cluster, whose workers are processes here or pods."""
        from distributed import Client

        run = context.dagster_run
        has_pods = run.tags.get(run_tags.WORKERS) == run_tags.PODS
        workers, why = width(self.workers, None if has_pods else granted_cores(), side_by_side)
        _configure()
        context.log.info(
            "Dask worker %s: %s, %s.", "pods" if has_pods else "processes", workers, why
        )
        with ExitStack() as stack:
            host = os.environ.get("POD_IP") if has_pods else None
            cluster = stack.enter_context(_local_cluster(0 if has_pods else workers, host))
            if has_pods:
                address, launcher = cluster.scheduler_address, context.instance.run_launcher
                stack.enter_context(worker_pods(launcher, run, workers, address))
            client = Client(cluster)  # type: ignore[no-untyped-call]  # it has no types
            stack.enter_context(client)
            client.wait_for_workers(1, timeout=_SECONDS_FOR_PODS)
            yield client


def _configure() -> None:
    import dask

    dask.config.set(
        {
            # On a busy machine two processes may take longer to start than Dask's 30 seconds.
            "distributed.comm.timeouts.connect": _SECONDS_TO_START,
            # A step whose worker died fails. Trying it again is up to the run's next attempt,
            # after a pause: a step that takes too much memory would take it again at once.
            "distributed.scheduler.allowed-failures": 0,
        }
    )


def _local_cluster(processes: int, host: str | None) -> "LocalCluster":
    from distributed import LocalCluster

    return LocalCluster(  # type: ignore[no-untyped-call]  # it has no types
        n_workers=processes,
        host=host,
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
