"""Runs that Dagster has lost sight of: they are failed, or tried again, as they were to be.

Belongs here: which runs these are, and what follows. Does not: how it is told that a run will never
start (the launcher), the queue (`run_queue`), which failures are tried again (`attempts`).

Run monitoring asks only for runs that have started. One that lost its process before it could say
so, as when the database went away in that moment, keeps its experiment and one of the places of the
queue until the time to start is over. That is long, since nodes and images take long.

A run that fails is failed first and marked as to be tried again some moments later. A backfill that
is looked at in between counts as complete, and the run of a complete backfill is not tried again.
"""

import threading
from datetime import UTC, datetime, timedelta
from typing import Protocol, runtime_checkable

from dagster import DagsterEventType, DagsterInstance, DagsterRun, DagsterRunStatus, RunsFilter
from dagster._core.execution.backfill import BulkActionStatus
from dagster._core.storage.tags import BACKFILL_ID_TAG, WILL_RETRY_TAG

# Dagster names its daemon's threads so. The queue's is the only one that starts runs: while it is
# here, none is just being started.
_THREAD = "dagster-daemon-QUEUED_RUN_COORDINATOR"
# The daemon makes the next attempt some seconds after a failure.
_TO_RETRY = timedelta(seconds=30)
_LOOKED_BACK = timedelta(hours=1)
# What is announced in vain so often is left as it is.
_MOST_FAILURES = 3
_AGAIN = "The next attempt was not made: the backfill counted as complete. It is made now."


@runtime_checkable
class TellsOfLostStarts(Protocol):
    """A launcher that can tell whether a run which has not started will never start."""

    def lost_before_start(self, run: DagsterRun) -> str | None:
        """Why a run that nobody is starting now will never start; None: it may yet."""


def mend_lost_runs(instance: DagsterInstance) -> None:
    """Look for lost runs and mend them; nowhere but in the queue's daemon.

    Elsewhere a run could be on its way, and nobody else may ask the cluster.
    """
    if threading.current_thread().name == _THREAD:
        _fail_lost_starts(instance)
        _announce_lost_attempts(instance, datetime.now(UTC))


def _fail_lost_starts(instance: DagsterInstance) -> None:
    launcher = instance.run_launcher
    if not isinstance(launcher, TellsOfLostStarts):
        return
    for run in instance.get_runs(RunsFilter(statuses=[DagsterRunStatus.STARTING])):
        told = launcher.lost_before_start(run)
        # It may have started, and even ended, since it was asked for.
        now = instance.get_run_by_id(run.run_id)
        if told is not None and now is not None and now.status is DagsterRunStatus.STARTING:
            instance.report_run_failed(now, told)


def _announce_lost_attempts(instance: DagsterInstance, now: datetime) -> None:
    """Fail again the runs whose next attempt is due and not there; that makes the daemon look."""
    marked = RunsFilter(
        statuses=[DagsterRunStatus.FAILURE],
        tags={WILL_RETRY_TAG: "true"},
        updated_after=now - _LOOKED_BACK,
        updated_before=now - _TO_RETRY,
    )
    for run in instance.get_runs(marked):
        if run.is_complete_and_waiting_to_retry and _may_go_on(run, instance):
            instance.report_run_failed(run, _AGAIN)


def _may_go_on(run: DagsterRun, instance: DagsterInstance) -> bool:
    """Whether a run may be tried again; its backfill is opened where nobody has ended it."""
    failures = instance.all_logs(run.run_id, of_type=DagsterEventType.RUN_FAILURE)
    if len(failures) >= _MOST_FAILURES:
        return False
    if BACKFILL_ID_TAG not in run.tags:
        return True
    backfill = instance.get_backfill(run.tags[BACKFILL_ID_TAG])
    if backfill is not None and backfill.status is BulkActionStatus.COMPLETED_FAILED:
        backfill = backfill.with_status(BulkActionStatus.REQUESTED)  # type: ignore[no-untyped-call]
        instance.update_backfill(backfill)
    return backfill is not None and backfill.status is BulkActionStatus.REQUESTED
