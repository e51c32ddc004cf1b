"""Runs that ended since a sensor last looked, and what is known of them.

Belongs here: following the ends of runs, what a run was of, why it failed. Does not: what is done
about it (`notifications`).
"""

from collections.abc import Iterator
from datetime import date, timedelta
from typing import Self

from dagster import DagsterEventType, DagsterInstance, DagsterRun
from dagster._core.storage.tags import RETRY_NUMBER_TAG
from pydantic import BaseModel

from jetstream_assets.orchestration import run_tags
from jetstream_assets.orchestration.launch import sentence
from jetstream_assets.orchestration.partitions import DATE, EXPERIMENT, Cell
from jetstream_assets.orchestration.run_queue import experiments_of

_RUNS_A_LOOK = 50
_PARTITION = "dagster/partition/"


class Followed(BaseModel):
    """What a sensor remembers from look to look, as its cursor.

    Args:
        after: For each type of end, up to where its events were seen.
        waiting: Runs that ended and of which nothing has been said yet.
        undelivered: Runs of which a message has to be sent again.
    """

    after: dict[str, str] = {}
    waiting: list[str] = []
    undelivered: list[str] = []

    @classmethod
    def loaded(cls, cursor: str | None) -> Self:
        """What a cursor says; nothing for None."""
        return cls() if cursor is None else cls.model_validate_json(cursor)

    def look(self, instance: DagsterInstance, *ends: DagsterEventType) -> None:
        """Add the runs that ended since the last look; the first look finds none of the past."""
        for end in ends:
            if end.value not in self.after:
                seen = instance.fetch_run_status_changes(end, limit=1)
                self.after[end.value] = seen.cursor if seen.records else ""
                continue
            after = self.after[end.value] or None
            found = instance.fetch_run_status_changes(
                end, limit=_RUNS_A_LOOK, cursor=after, ascending=True
            )
            if found.records:
                self.after[end.value] = found.cursor
            self.waiting += [record.run_id for record in found.records]


def attempt_of(run: DagsterRun) -> int:
    """Which attempt a run is, from 1."""
    return int(run.tags.get(RETRY_NUMBER_TAG, "0")) + 1


def cells_of(run: DagsterRun, instance: DagsterInstance) -> list[Cell]:
    """The cells of a run by its tags: one cell, or the box of a range; none for other runs."""
    slug, day = (run.tags.get(_PARTITION + name) for name in (EXPERIMENT, DATE))
    if slug and day:
        return [Cell(slug, date.fromisoformat(day))]
    first, last = (run.tags.get(bound, "").partition("|")[0] for bound in run_tags.RANGE)
    slugs = experiments_of(run.tags, instance)
    return [Cell(slug, on) for slug in slugs for on in _days(first, last)]


def dates_of(cells: list[Cell]) -> str:
    """The dates of cells as a person says them; empty for no cells."""
    days = sorted({cell.date for cell in cells})
    if len(days) > 1:
        return f"{days[0]} to {days[-1]}"
    return str(days[0]) if days else ""


def reason_of(run: DagsterRun, instance: DagsterInstance) -> str:
    """Why a run failed, in a sentence or two."""
    ends = {DagsterEventType.STEP_FAILURE, DagsterEventType.RUN_FAILURE}
    events = [entry.get_dagster_event() for entry in instance.all_logs(run.run_id, of_type=ends)]
    steps = [event for event in events if event.is_step_failure]
    if steps:
        told = (f"{e.step_key}: {sentence(e.step_failure_data.error)}" for e in steps)
        return "\n".join(told)
    return next((event.message for event in events if event.message), "no reason was given")


def failed_steps(run: DagsterRun, instance: DagsterInstance) -> set[str]:
    """The keys of the steps that failed; none where the run failed without one."""
    failures = instance.all_logs(run.run_id, of_type=DagsterEventType.STEP_FAILURE)
    return {entry.step_key for entry in failures if entry.step_key}


def failed_checks(
    run: DagsterRun, instance: DagsterInstance, *, warnings: bool
) -> Iterator[tuple[str, str]]:
    """The checks of a run that failed, with what each found; warnings only where asked for."""
    evaluations = {DagsterEventType.ASSET_CHECK_EVALUATION}
    for entry in instance.all_logs(run.run_id, of_type=evaluations):
        found = entry.get_dagster_event().asset_check_evaluation_data
        if not found.passed and (warnings or found.severity.value == "ERROR"):
            yield found.asset_check_key.name, found.description or "failed"


def _days(first: str, last: str) -> Iterator[date]:
    start, end = date.fromisoformat(first), date.fromisoformat(last)
    for day in range((end - start).days + 1):
        yield start + timedelta(days=day)
