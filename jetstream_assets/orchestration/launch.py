"""Runs that are started from a command line: the same job as in the UI, one run an experiment.

Belongs here: turning asked cells into runs and following them. Does not: choosing the cells (the
command line, schedules).
"""

import threading
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import groupby
from pathlib import Path

from dagster import (
    DagsterEventType,
    DagsterInstance,
    JobExecutionResult,
    RunsFilter,
    execute_job,
)
from dagster_shared.error import SerializableErrorInfo
from sqlalchemy.exc import OperationalError

from jetstream_assets.errors import JetstreamError
from jetstream_assets.orchestration import run_tags
from jetstream_assets.orchestration.configuration_check import PLAN
from jetstream_assets.orchestration.jobs import reconstructable_analysis
from jetstream_assets.orchestration.partitions import EXPERIMENT, Cell
from jetstream_assets.orchestration.settings import Settings

_POLL_SECONDS = 0.3

Progress = Callable[[str, str], None]


@dataclass(frozen=True)
class RunOutcome:
    """One experiment's run.

    Args:
        slug: The experiment slug.
        run_id: The run's id in the instance.
        succeeded: Whether every step succeeded.
        plan_is_fresh: Whether the plans of its cells were made by this run.
        errors: A sentence for each step that did not succeed.
    """

    slug: str
    run_id: str
    succeeded: bool
    plan_is_fresh: bool
    errors: tuple[str, ...]


def run_cells(
    settings: Settings,
    instance: DagsterInstance,
    cells: Sequence[Cell],
    *,
    on_step: Progress | None = None,
    log_level: str = "CRITICAL",
) -> Iterator[RunOutcome]:
    """Run the cells of each experiment as one run over its dates, one experiment after another.

    Args:
        settings: The code location's settings, with absolute paths.
        instance: A persistent instance where the steps' processes write to it.
        cells: The cells; the dates of an experiment are consecutive.
        on_step: Called with (slug, step) as steps finish, by a thread that asks the instance; its
            storage has to allow that. None for nobody.
        log_level: The least level of Dagster's log that is shown.
    """
    ordered = sorted(cells)
    instance.add_dynamic_partitions(EXPERIMENT, sorted({cell.slug for cell in ordered}))
    for slug, group in groupby(ordered, key=lambda cell: cell.slug):
        yield _run(settings, instance, slug, list(group), on_step, log_level)


def open_instance(home: Path) -> DagsterInstance:
    """The instance whose runs and events are stored under ``home``, which is made when absent."""
    home.mkdir(parents=True, exist_ok=True)
    config = home / "dagster.yaml"
    if not config.exists():
        config.write_text("telemetry:\n  enabled: false\n")
    return DagsterInstance.from_config(str(home))


def _run(
    settings: Settings,
    instance: DagsterInstance,
    slug: str,
    cells: list[Cell],
    on_step: Progress | None,
    log_level: str,
) -> RunOutcome:
    request = uuid.uuid4().hex
    tags = {
        run_tags.REQUEST: request,
        run_tags.EXPERIMENT: slug,
        run_tags.RANGE_START: cells[0].key,
        run_tags.RANGE_END: cells[-1].key,
    }
    logging = {"loggers": {"console": {"config": {"log_level": log_level}}}}
    with (
        _followed(instance, request, on_step and partial(on_step, slug)),
        execute_job(
            reconstructable_analysis(settings),
            instance=instance,
            run_config=logging,
            tags=tags,
            raise_on_error=False,
        ) as result,
    ):
        planned = {event.asset_key for event in result.get_asset_materialization_events()}
        return RunOutcome(
            slug, result.run_id, result.success, PLAN in planned, tuple(_errors(result))
        )


def _errors(result: JobExecutionResult) -> list[str]:
    """A sentence for each step that failed; for the run where it failed without one."""
    failed = [event for event in result.all_events if event.is_step_failure]
    if failed:
        return [f"{e.step_key}: {sentence(e.step_failure_data.error)}" for e in failed]
    stopped = [event for event in result.all_events if event.is_job_failure]
    return [sentence(event.job_failure_data.error) for event in stopped]


def sentence(error: SerializableErrorInfo | None) -> str:
    """What our code raised, without Dagster's wrapping and without the class of our own errors."""
    if error is None:
        return "no reason was given"
    raised = error.cause or error
    message = raised.message.strip()
    own = f"{JetstreamError.__module__}.{raised.cls_name}: "
    return message.removeprefix(own)


@contextmanager
def _followed(
    instance: DagsterInstance, request: str, on_step: Callable[[str], None] | None
) -> Iterator[None]:
    """Report the steps of the run with this request tag while the body runs it."""
    if on_step is None:
        yield
        return
    stopped = threading.Event()

    def follow() -> None:
        seen: set[str] = set()
        while not stopped.wait(_POLL_SECONDS):
            try:
                finished = _finished_steps(instance, request)
            except OperationalError:
                # SQLite is being written to by the run itself; the next look tells the same.
                continue
            for step in finished - seen:
                seen.add(step)
                on_step(step)

    thread = threading.Thread(target=follow, daemon=True)
    thread.start()
    try:
        yield
    finally:
        stopped.set()
        thread.join()


def _finished_steps(instance: DagsterInstance, request: str) -> set[str]:
    runs = instance.get_runs(RunsFilter(tags={run_tags.REQUEST: request}), limit=1)
    if not runs:
        return set()
    finished = {DagsterEventType.STEP_SUCCESS, DagsterEventType.STEP_FAILURE}
    entries = instance.all_logs(runs[0].run_id, of_type=finished)
    return {entry.step_key for entry in entries if entry.step_key}
