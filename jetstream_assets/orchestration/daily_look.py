"""One look at records, configuration and sources: what to request, and what is still open.

Belongs here: run requests for days, the partition space kept up to date, which days are settled.
Does not: when to look (`schedules`), which cells a day asks for (`daily`).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import TYPE_CHECKING

from dagster import DagsterInstance, RunRequest, RunsFilter, SensorResult
from pydantic import BaseModel, ConfigDict, ValidationError

from jetstream_assets.errors import ConfigError
from jetstream_assets.orchestration import run_tags
from jetstream_assets.orchestration.clock import DAY
from jetstream_assets.orchestration.partitions import EXPERIMENT
from jetstream_assets.orchestration.resources import (
    DocumentsResource,
    InputsResource,
)
from jetstream_assets.orchestration.run_size import size_tags
from jetstream_assets.orchestration.settings import Settings
from jetstream_assets.orchestration.warehouse_resource import WarehouseResource

if TYPE_CHECKING:
    from jetstream_assets.analysis.freshness import Freshness
    from jetstream_assets.config.planning import Planner
    from jetstream_assets.orchestration.daily import DailyRequest
    from jetstream_assets.report.store import DocumentStore

# The schedule goes first; whoever looks again looks at a day that it should have asked for by now.
_HEAD_START = timedelta(minutes=15)
# A day that lies further back is not caught up by itself; a backfill does that.
_DAYS_CAUGHT_UP = 7


class OpenDays(BaseModel):
    """Which days must be looked at again.

    Args:
        looked: The newest date that was looked at.
        waiting: Dates up to it, ascending, of which some cell waits for its sources.
    """

    model_config = ConfigDict(frozen=True)

    looked: date
    waiting: tuple[date, ...] = ()

    def due(self, now: datetime, daily_at: time) -> tuple[date, ...]:
        """The dates to look at now, ascending: those that wait, and those that have ended since.

        A date is looked at when the schedule has had time to ask for it, and not more than 7 days
        later.
        """
        since_midnight = timedelta(hours=daily_at.hour, minutes=daily_at.minute)
        newest = (now - since_midnight - _HEAD_START).date() - DAY
        oldest = newest - timedelta(days=_DAYS_CAUGHT_UP)
        ended = (newest - self.looked).days
        new = [self.looked + timedelta(days=number) for number in range(1, ended + 1)]
        return tuple(day for day in (*self.waiting, *new) if day >= oldest)


def loaded(cursor: str | None, yesterday: date) -> OpenDays:
    """The days of a cursor; without one that can be read, the first to look at is ``yesterday``."""
    try:
        return OpenDays.model_validate_json(cursor or "")
    except ValidationError:
        return OpenDays(looked=yesterday - DAY)


@dataclass(frozen=True)
class DailyLook:
    """What schedule and sensor look through; records, configuration and sources are read once."""

    instance: DagsterInstance
    planner: "Planner"
    freshness: "Freshness"
    documents: "DocumentStore"
    patience: timedelta
    shards: int

    def at(self, on: date) -> "DailyRequest":
        """What the date asks for and no run was requested for yet."""
        from jetstream_assets.orchestration.daily import daily_request  # noqa: PLC0415

        return daily_request(
            self.planner,
            self.freshness,
            on,
            requested=_requested(self.instance, on),
            patience=self.patience,
        )

    def requests(self, found: "DailyRequest") -> list[RunRequest]:
        """A run for each cell, of what was read of the configuration when it was planned.

        Their experiments are added to the partition space.
        """
        from jetstream_assets.orchestration.accepted_configuration import (  # noqa: PLC0415
            publish_snapshot,
        )

        if found.cells:
            publish_snapshot(self.documents, self.planner.repository)
        slugs = sorted({cell.slug for cell in found.cells})
        self.instance.add_dynamic_partitions(EXPERIMENT, slugs)
        commit = {run_tags.COMMIT: self.planner.repository.commit}
        return [
            RunRequest(
                run_key=str(cell.key),
                partition_key=cell.key,
                tags=commit
                | {run_tags.DAILY: found.on.isoformat(), run_tags.EXPERIMENT: cell.slug}
                | size_tags([self.planner.plan(cell.slug, cell.date)], self.shards),
            )
            for cell in found.cells
        ]

    def settle(self, days: OpenDays, due: Sequence[date]) -> SensorResult:
        """What these dates ask for, and which of them are still open then."""
        found = [self.at(on) for on in due]
        requests = [request for of_day in found for request in self.requests(of_day)]
        told = "\n".join(sentence for of_day in found for sentence in of_day.sentences)
        waiting = tuple(of_day.on for of_day in found if of_day.waiting)
        return SensorResult(
            run_requests=requests,
            skip_reason=None if requests else told,
            cursor=OpenDays(looked=max(days.looked, due[-1]), waiting=waiting).model_dump_json(),
        )

    def retire(self, on: date) -> tuple[str, ...]:
        """Take experiments out of the partition space that ended long before the date."""
        from jetstream_assets.orchestration.daily import long_ended  # noqa: PLC0415

        known = self.instance.get_dynamic_partitions(EXPERIMENT)
        retired = long_ended(self.planner, known, on)
        for slug in retired:
            self.instance.delete_dynamic_partition(EXPERIMENT, slug)
        return retired


def open_look(
    instance: DagsterInstance,
    inputs: InputsResource,
    warehouse: WarehouseResource,
    documents: DocumentsResource,
    settings: Settings,
    today: date,
) -> DailyLook:
    """Read records and configuration as they are now.

    Raises:
        ExperimentError: The records cannot be reached or are not JSON.
        ConfigError: The configuration cannot be reached, and none was accepted before.
        DocumentStoreError: The documents cannot be reached.
    """
    from jetstream_assets.analysis.freshness import Freshness  # noqa: PLC0415

    store = documents.open()
    return DailyLook(
        instance,
        _planner(inputs, store),
        Freshness(warehouse.open(), today),
        store,
        timedelta(days=settings.patience),
        settings.shards,
    )


def _planner(inputs: InputsResource, store: "DocumentStore") -> "Planner":
    """The configuration as it is now, or else as it was accepted: a day needs no repository."""
    from jetstream_assets.orchestration.accepted_configuration import (  # noqa: PLC0415
        find_accepted,
    )

    try:
        return inputs.planner()
    except ConfigError:
        accepted = find_accepted(store, inputs.source)
        if accepted is None:
            raise
        return inputs.planner(accepted.commit)


def _requested(instance: DagsterInstance, on: date) -> set[str]:
    runs = instance.get_runs(RunsFilter(tags={run_tags.DAILY: on.isoformat()}))
    return {run.tags[run_tags.EXPERIMENT] for run in runs if run_tags.EXPERIMENT in run.tags}
