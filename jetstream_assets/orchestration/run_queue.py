"""The queue of the instance: one run an experiment at once, and a pause before each new attempt.

Belongs here: which runs wait in the queue, and until when. Does not: the limits' and the pauses'
numbers (`dagster.yaml`), which failures are tried again (`attempts`), runs from a command line
(`launch`).

A run of one cell carries its experiment as a partition's tag. The run of a backfill has only the
first and the last key of its range; without a tag of its own it would run beside others of its
experiment. Dates of an experiment share what they compute: side by side they are right, but compute
it twice. A run over several experiments waits until none of them has another run, queued or not,
and while it runs theirs wait.

Dagster retries a failed run at once. Here a retry is tagged with the time before which it is not
started, and the queue's daemon, which asks for the limits each time it looks for runs to start, is
told of a limit of none for each such time that is still to come. In the same moment runs are looked
for that Dagster has lost sight of (`lost_runs`).

A backfill whose code server restarts has, for a moment, no assets; Dagster would call it failed.
The queue tells the daemon, which opens it, to wait for the assets instead.
"""

import os
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Self, cast

from dagster import (
    Array,
    DagsterInstance,
    DagsterRun,
    DagsterRunStatus,
    Field,
    IntSource,
    RunsFilter,
)
from dagster._config.config_schema import UserConfigSchema
from dagster._core.run_coordinator import QueuedRunCoordinator, SubmitRunContext
from dagster._core.run_coordinator.queued_run_coordinator import RunQueueConfig
from dagster._core.storage.dagster_run import IN_PROGRESS_RUN_STATUSES
from dagster._core.storage.tags import RETRY_NUMBER_TAG
from dagster._serdes import ConfigurableClassData

from jetstream_assets.orchestration import run_tags
from jetstream_assets.orchestration.lost_runs import mend_lost_runs
from jetstream_assets.orchestration.partitions import EXPERIMENT
from jetstream_assets.orchestration.run_size import range_size_tags

Limit = dict[str, object]

_STARTED = (*IN_PROGRESS_RUN_STATUSES, DagsterRunStatus.CANCELING)
_CELL = f"dagster/partition/{EXPERIMENT}"
_PAUSES = "pauses_seconds"
_DEFAULT_PAUSES = [60, 300, 900]
# Read by Dagster's daemon alone, which has no setting for it.
_WAIT_FOR_ASSETS = "DAGSTER_BACKFILL_RETRY_DEFINITION_CHANGED_ERROR"


class ExperimentRunCoordinator(QueuedRunCoordinator):
    """Dagster's queue; runs are tagged with their experiment, and retries wait for a while.

    Args:
        pauses_seconds: Seconds before the second attempt, the third, and so on; the last one holds
            for all attempts after it. None: attempts follow each other at once.
        queue: What Dagster's own queue takes.
    """

    def __init__(
        self,
        pauses_seconds: Sequence[int] = (),
        **queue: Any,  # noqa: ANN401  # passed on to Dagster, which checks them
    ) -> None:
        super().__init__(**queue)
        os.environ.setdefault(_WAIT_FOR_ASSETS, "1")
        self.pauses_seconds = tuple(pauses_seconds)

    @classmethod
    def config_type(cls) -> UserConfigSchema:
        """What ``dagster.yaml`` may say: Dagster's own keys and the pauses."""
        told = "Seconds before the second attempt of a run, the third, ..."
        pauses = Field(Array(IntSource), default_value=_DEFAULT_PAUSES, description=told)
        return {**cast("dict[str, Field]", super().config_type()), _PAUSES: pauses}

    @classmethod
    def from_config_value(
        cls, inst_data: ConfigurableClassData, config_value: Mapping[str, Any]
    ) -> Self:
        """The queue that ``dagster.yaml`` describes."""
        return cls(inst_data=inst_data, **config_value)

    def submit_run(self, context: SubmitRunContext) -> DagsterRun:
        """Tag the run and queue it."""
        run = context.dagster_run
        tags = new_tags(run.tags, datetime.now(UTC), self.pauses_seconds)
        if len(experiments_of(run.tags, self._instance)) > 1:
            tags[run_tags.SEVERAL] = run.run_id
        if tags:
            self._instance.add_run_tags(run.run_id, tags)
        return super().submit_run(context)

    def get_run_queue_config(self) -> RunQueueConfig:
        """The limits of this moment: those of ``dagster.yaml``, and none of what has to wait."""
        told = super().get_run_queue_config()
        if not self.has_instance:
            return told
        mend_lost_runs(self._instance)
        runs = self._instance.get_runs(RunsFilter(statuses=[*_STARTED, DagsterRunStatus.QUEUED]))
        waiting = (*_pauses(runs, datetime.now(UTC)), *_boxes(runs, self._instance))
        return told._replace(tag_concurrency_limits=[*told.tag_concurrency_limits, *waiting])


def _pauses(runs: Sequence[DagsterRun], now: datetime) -> Iterator[Limit]:
    """No run whose time is still to come."""
    for text in sorted({run.tags.get(run_tags.NOT_BEFORE, "") for run in runs}):
        if text and datetime.fromisoformat(text) > now:
            yield _none(run_tags.NOT_BEFORE, text)


def _boxes(runs: Sequence[DagsterRun], instance: DagsterInstance) -> Iterator[Limit]:
    """No run of several experiments beside another of one of them, nor the other way round."""
    for box in (run for run in runs if run_tags.SEVERAL in run.tags):
        slugs = experiments_of(box.tags, instance)
        if box.status in _STARTED:
            yield from (_none(run_tags.EXPERIMENT, slug) for slug in slugs)
        elif any(other.tags.get(run_tags.EXPERIMENT) in slugs for other in runs):
            yield _none(run_tags.SEVERAL, box.run_id)


def _none(key: str, value: str) -> Limit:
    return {"key": key, "value": value, "limit": 0}


def new_tags(found: Mapping[str, str], now: datetime, pauses: Sequence[int]) -> dict[str, str]:
    """The tags that a run gets when it is queued.

    Args:
        found: The tags that it has.
        now: The time at which it is queued.
        pauses: Seconds before the second attempt, the third, and so on.
    """
    slug, retry = experiment_of(found), found.get(RETRY_NUMBER_TAG)
    tags = {run_tags.EXPERIMENT: slug} if slug else {}
    tags |= range_size_tags(found)
    if retry is not None and pauses:
        pause = pauses[min(int(retry), len(pauses)) - 1]
        until = now + timedelta(seconds=pause)
        tags[run_tags.NOT_BEFORE] = until.isoformat(timespec="seconds")
    return tags


def experiment_of(found: Mapping[str, str]) -> str:
    """The experiment of a run's tags; empty where it has none or several.

    A partition's text is ``date|experiment``, and a slug holds no ``|``.
    """
    if _CELL in found:
        return found[_CELL]
    ends = set(_ends(found))
    return ends.pop() if len(ends) == 1 else ""


def experiments_of(found: Mapping[str, str], instance: DagsterInstance) -> list[str]:
    """The experiments of a run's tags, in the order of the partition space; none of other runs."""
    slug = experiment_of(found)
    if slug:
        return [slug]
    start, end = _ends(found)
    known = list(instance.get_dynamic_partitions(EXPERIMENT)) if start and end else []
    if start not in known or end not in known:
        return [end for end in (start, end) if end]
    return known[known.index(start) : known.index(end) + 1]


def _ends(found: Mapping[str, str]) -> tuple[str, str]:
    start, end = (found.get(bound, "").partition("|")[2] for bound in run_tags.RANGE)
    return start, end
