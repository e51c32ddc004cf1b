"""The daily schedule and the sensor that waits, over real inputs and a real instance."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from typing import TYPE_CHECKING

import pytest
from dagster import (
    DagsterInstance,
    RepositoryDefinition,
    RunRequest,
    build_schedule_context,
    build_sensor_context,
    job,
)

from jetstream_assets.definitions import build_definitions
from jetstream_assets.orchestration import run_tags
from jetstream_assets.orchestration.accepted_configuration import (
    AcceptedConfiguration,
    publish_accepted,
    publish_snapshot,
)
from jetstream_assets.orchestration.daily_look import OpenDays, loaded
from jetstream_assets.orchestration.jobs import ANALYSIS
from jetstream_assets.orchestration.partitions import EXPERIMENT as EXPERIMENTS
from jetstream_assets.orchestration.partitions import Cell
from jetstream_assets.orchestration.resources import InputsResource, resources
from jetstream_assets.orchestration.schedules import DAILY, waiting_sensor
from jetstream_assets.simulation.demo import experimenter_record
from jetstream_assets_tests.orchestration.laboratory import (
    CONFIGURATION,
    END,
    EXPERIMENT,
    FIRST_WEEK,
    LAST_ENROLLMENT,
    Laboratory,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

DAY = timedelta(days=1)
CELL = Cell(EXPERIMENT.slug, FIRST_WEEK)


@pytest.fixture
def instance(tmp_path: Path) -> Iterator[DagsterInstance]:
    """An instance that ticks find again by its reference."""
    home = tmp_path / "home"
    home.mkdir()
    with DagsterInstance.local_temp(str(home)) as local:
        yield local


@dataclass(frozen=True)
class Tick:
    """What a tick asked for and said."""

    requests: list[RunRequest]
    said: str
    cursor: str | None = None

    @property
    def cells(self) -> list[str | None]:
        return [request.partition_key for request in self.requests]


@cache
def code_location(laboratory: Laboratory) -> RepositoryDefinition:
    """Made once a test, since a context that has ended leaves its instance behind for the next."""
    return build_definitions(laboratory.settings).get_repository_def()


def schedule_tick(laboratory: Laboratory, instance: DagsterInstance, on: date) -> Tick:
    """The tick at 04:00 of the day after ``on``."""
    location = code_location(laboratory)
    context = build_schedule_context(
        instance=instance,
        scheduled_execution_time=datetime.combine(on + DAY, time(4), UTC),
        resources=resources(laboratory.settings),
        repository_def=location,
    )
    found = location.get_schedule_def(DAILY).evaluate_tick(context)
    return Tick(list(found.run_requests or []), found.skip_message or "")


def sensor_tick(
    laboratory: Laboratory, instance: DagsterInstance, now: datetime, cursor: str | None = None
) -> Tick:
    location = code_location(laboratory)
    with build_sensor_context(
        instance_ref=instance.get_ref(),
        cursor=cursor,
        resources=resources(laboratory.settings),
        repository_def=location,
    ) as context:
        found = waiting_sensor(laboratory.settings, lambda: now).evaluate_tick(context)
    return Tick(list(found.run_requests or []), found.skip_message or "", found.cursor)


def launched(instance: DagsterInstance, tick: Tick) -> None:
    """What a daemon does with the requests, as far as the next tick sees it."""
    for request in tick.requests:
        instance.create_run_for_job(empty, tags=dict(request.tags))


@job(name=ANALYSIS)
def empty() -> None:
    """A run of it stands for one that was requested."""


def hide(laboratory: Laboratory, table: str, on: date) -> None:
    """Take the rows of a day and of all later ones away."""
    for folder in (laboratory.root / "warehouse/telemetry" / table).rglob("day=*"):
        if date.fromisoformat(folder.name.partition("=")[2]) >= on:
            shutil.move(folder, laboratory.root / f"hidden-{table}-{folder.name}")


def test_a_due_cell_is_requested_once(laboratory: Laboratory, instance: DagsterInstance) -> None:
    first = schedule_tick(laboratory, instance, FIRST_WEEK)
    assert first.cells == [str(CELL.key)]
    assert first.requests[0].run_key == str(CELL.key)
    tags = first.requests[0].tags
    assert tags[run_tags.EXPERIMENT] == EXPERIMENT.slug
    assert tags[run_tags.DAILY] == FIRST_WEEK.isoformat()
    assert tags[run_tags.COMMIT].startswith("files:")
    # Few metrics are computed by one worker.
    requests = {"requests": {"cpu": "1"}}
    assert json.loads(tags[run_tags.POD]) == {"container_config": {"resources": requests}}
    assert instance.get_dynamic_partitions(EXPERIMENTS) == [EXPERIMENT.slug]
    launched(instance, first)
    again = schedule_tick(laboratory, instance, FIRST_WEEK)
    assert (again.cells, again.said.count("0 experiments to analyse")) == ([], 1)


def test_a_run_uses_the_configuration_with_which_it_was_planned(
    laboratory: Laboratory, instance: DagsterInstance
) -> None:
    tick = schedule_tick(laboratory, instance, FIRST_WEEK)
    laboratory.configure("[metrics]\nweekly = 3\n")
    commit = tick.requests[0].tags[run_tags.COMMIT]
    inputs = resources(laboratory.settings)["inputs"]
    assert isinstance(inputs, InputsResource)
    assert inputs.planner(commit).plan(CELL.slug, CELL.date).windows
    assert inputs.planner().plan(CELL.slug, CELL.date).refusal


def test_a_day_needs_no_repository_once_a_configuration_is_accepted(
    laboratory: Laboratory, instance: DagsterInstance
) -> None:
    inputs = resources(laboratory.settings)["inputs"]
    assert isinstance(inputs, InputsResource)
    store, repository = laboratory.documents, inputs.planner().repository
    publish_snapshot(store, repository)
    publish_accepted(
        store, AcceptedConfiguration(source=inputs.source.name, commit=repository.commit)
    )
    shutil.rmtree(laboratory.root / "configuration")
    assert schedule_tick(laboratory, instance, FIRST_WEEK).cells == [str(CELL.key)]


def test_what_is_not_due_is_left_out_with_its_reason(
    laboratory: Laboratory, instance: DagsterInstance
) -> None:
    weekly = '[metrics]\nweekly = ["searches"]\n[metrics.searches.statistics.bootstrap_mean]\n'
    laboratory.configure(weekly)
    tick = schedule_tick(laboratory, instance, LAST_ENROLLMENT + DAY)
    assert tick.cells == []
    assert f"{EXPERIMENT.slug}: Nothing is due on {LAST_ENROLLMENT + DAY}" in tick.said
    after = schedule_tick(laboratory, instance, END + DAY)
    assert (after.cells, f"It ended on {END}" in after.said) == ([], True)


def test_a_broken_configuration_is_requested_so_that_its_reason_is_stored(
    laboratory: Laboratory, instance: DagsterInstance
) -> None:
    laboratory.configure("[metrics]\nweekly = 3\n")
    assert schedule_tick(laboratory, instance, FIRST_WEEK).cells == [str(CELL.key)]


def test_a_source_day_that_is_not_there_is_waited_for(
    laboratory: Laboratory, instance: DagsterInstance
) -> None:
    hide(laboratory, "clients_daily", FIRST_WEEK)
    tick = schedule_tick(laboratory, instance, FIRST_WEEK)
    assert tick.cells == []
    reason = f"{EXPERIMENT.slug}: clients_daily has no rows of {FIRST_WEEK} or later yet."
    assert reason in tick.said

    morning = datetime.combine(FIRST_WEEK + DAY, time(5), UTC)
    looked = sensor_tick(laboratory, instance, morning)
    assert (looked.cells, reason in looked.said) == ([], True)
    for folder in laboratory.root.glob("hidden-clients_daily-*"):
        place = laboratory.root / "warehouse/telemetry/clients_daily"
        shutil.move(folder, place / folder.name.removeprefix("hidden-clients_daily-"))
    come = sensor_tick(laboratory, instance, morning + timedelta(hours=1), looked.cursor)
    assert come.cells == [str(CELL.key)]
    launched(instance, come)
    settled = sensor_tick(laboratory, instance, morning + timedelta(hours=2), come.cursor)
    assert (settled.cells, "are requested" in settled.said) == ([], True)


def test_a_source_that_does_not_come_is_given_up(
    laboratory: Laboratory, instance: DagsterInstance
) -> None:
    hide(laboratory, "clients_daily", FIRST_WEEK)
    cursor = OpenDays(looked=FIRST_WEEK, waiting=(FIRST_WEEK,)).model_dump_json()
    still = datetime.combine(FIRST_WEEK + 3 * DAY, time(12), UTC)
    waiting = sensor_tick(laboratory, instance, still, cursor)
    assert str(CELL.key) not in waiting.cells
    given_up = sensor_tick(laboratory, instance, still + DAY, waiting.cursor)
    assert str(CELL.key) in given_up.cells


def test_days_without_a_daemon_are_caught_up(
    laboratory: Laboratory, instance: DagsterInstance
) -> None:
    launched(instance, schedule_tick(laboratory, instance, FIRST_WEEK))
    cursor = OpenDays(looked=FIRST_WEEK - DAY).model_dump_json()
    now = datetime.combine(FIRST_WEEK + 3 * DAY, time(12), UTC)
    tick = sensor_tick(laboratory, instance, now, cursor)
    missed = [Cell(EXPERIMENT.slug, FIRST_WEEK + n * DAY) for n in (1, 2)]
    assert tick.cells == [str(cell.key) for cell in missed]


def test_what_ended_long_ago_leaves_the_partitions_and_keeps_its_history(
    laboratory: Laboratory, instance: DagsterInstance
) -> None:
    laboratory.run(FIRST_WEEK, instance=instance)
    slugs = [EXPERIMENT.slug, "made-by-hand"]
    instance.add_dynamic_partitions(EXPERIMENTS, slugs)
    schedule_tick(laboratory, instance, END + 90 * DAY)
    assert sorted(instance.get_dynamic_partitions(EXPERIMENTS)) == sorted(slugs)
    schedule_tick(laboratory, instance, END + 91 * DAY)
    assert instance.get_dynamic_partitions(EXPERIMENTS) == ["made-by-hand"]
    assert instance.get_runs_count() == 1
    assert laboratory.rows("statistics")


def test_records_that_cannot_be_read_are_the_ticks_reason(
    laboratory: Laboratory, instance: DagsterInstance
) -> None:
    (laboratory.root / "experiments.json").unlink()
    tick = schedule_tick(laboratory, instance, FIRST_WEEK)
    assert (tick.cells, "experiments.json" in tick.said) == ([], True)
    now = datetime.combine(FIRST_WEEK + DAY, time(12), UTC)
    assert "experiments.json" in sensor_tick(laboratory, instance, now).said


def test_many_experiments_are_requested_by_one_tick(
    laboratory: Laboratory, instance: DagsterInstance
) -> None:
    record = experimenter_record(EXPERIMENT)
    slugs = [f"experiment-{number}" for number in range(30)]
    laboratory.record(*({**record, "slug": slug} for slug in slugs))
    for slug in slugs:
        laboratory.configure(CONFIGURATION, slug)
    tick = schedule_tick(laboratory, instance, FIRST_WEEK)
    assert sorted(map(str, tick.cells)) == sorted(str(Cell(s, FIRST_WEEK).key) for s in slugs)


@pytest.mark.parametrize(
    ("now", "due"),
    [
        (datetime(2026, 3, 12, 4, 14, tzinfo=UTC), []),
        (datetime(2026, 3, 12, 4, 15, tzinfo=UTC), [date(2026, 3, 11)]),
        (datetime(2026, 3, 14, 4, 0, tzinfo=UTC), [date(2026, 3, 11), date(2026, 3, 12)]),
    ],
)
def test_a_day_is_looked_at_when_the_schedule_had_time(now: datetime, due: list[date]) -> None:
    assert list(OpenDays(looked=date(2026, 3, 10)).due(now, time(4))) == due


def test_only_a_week_is_caught_up() -> None:
    due = OpenDays(looked=date(2026, 1, 1), waiting=(date(2025, 12, 31),)).due(
        datetime(2026, 3, 12, 12, tzinfo=UTC), time(4)
    )
    assert list(due) == [date(2026, 3, 4) + n * DAY for n in range(8)]


def test_open_days_survive_in_a_cursor() -> None:
    days = OpenDays(looked=date(2026, 3, 10), waiting=(date(2026, 3, 9),))
    assert loaded(days.model_dump_json(), date(2026, 4, 1)) == days
    assert loaded(None, date(2026, 4, 1)) == OpenDays(looked=date(2026, 3, 31))
