"""Telemetry is written a day at a time, so a world of any size needs the memory of a few blocks.

Belongs here: which files are written, and in which order. Does not: their content (`tables`,
`events`), what is true of it (`truth`).

Files: ``<root>/<dataset>/<table>/day=<date>/units-<number>.parquet`` and ``<root>/truth.json``. The
folder's key is not ``submission_date``, which is a column of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
from pyarrow import parquet

from jetstream_assets.simulation.behaviour import History, earlier_history, live_through
from jetstream_assets.simulation.events import events, events_stream
from jetstream_assets.simulation.tables import DAILY_TABLES, CohortDay
from jetstream_assets.simulation.truth import Tally, Truth
from jetstream_assets.simulation.units import Cohort, blocks, day_number, draw_cohort
from jetstream_assets.simulation.world import TelemetryTable, World

if TYPE_CHECKING:
    from pathlib import Path

Progress = Callable[[str, int, int], None]

_BLOCKS_PER_FILE = 4
_EPOCH = date(1970, 1, 1)
_BUILDERS: dict[TelemetryTable, Callable[[CohortDay], pa.Table]] = {
    **DAILY_TABLES,
    TelemetryTable.EVENTS: events,
    TelemetryTable.EVENTS_STREAM: events_stream,
}


@dataclass
class _Group:
    """The cohorts that share files, and what their days so far left behind."""

    number: int
    cohorts: list[Cohort]
    histories: list[History]

    @property
    def days(self) -> range:
        """The days on which any of the cohorts has telemetry."""
        bounds = [cohort.bounds for cohort in self.cohorts]
        return range(min(first for first, _ in bounds), max(last for _, last in bounds) + 1)


def simulate(world: World, root: Path, *, on_progress: Progress | None = None) -> Truth:
    """Write a world's telemetry and its truth.

    Equal worlds give equal bytes. Files of an earlier call into the same folder are overwritten,
    which is how a later ``as_of`` adds to it.

    Args:
        world: What to simulate.
        root: Folder of the warehouse; made when absent.
        on_progress: Called after each day with (date, days done, days in all). A world of more
            than a few blocks goes through its days once per file.
    """
    root.mkdir(parents=True, exist_ok=True)
    tallies = {e.slug: Tally(world, e) for e in world.experiments}
    total = _total_days(world)
    done = 0
    for group in _groups(world):
        for cohort in group.cohorts:
            tallies[cohort.experiment.slug].add_cohort(cohort)
        for day in group.days:
            _write_day(world, root, group, day, tallies)
            done += 1
            if on_progress is not None:
                on_progress(_date(day).isoformat(), done, total)
    truth = Truth(world.seed, tuple(tally.truth() for tally in tallies.values()))
    truth.write(root)
    return truth


def _write_day(
    world: World, root: Path, group: _Group, day: int, tallies: dict[str, Tally]
) -> None:
    known_until = day_number(world.as_of) if world.as_of else None
    parts: dict[TelemetryTable, list[pa.Table]] = {table: [] for table in world.tables}
    for index, cohort in enumerate(group.cohorts):
        if not cohort.bounds[0] <= day <= cohort.bounds[1]:
            continue
        activity = live_through(world.seed, cohort, day, group.histories[index])
        group.histories[index] = group.histories[index].after(activity)
        tallies[cohort.experiment.slug].add_day(cohort, day)
        if known_until is not None and day > known_until:
            continue
        is_here = np.ones(len(activity.units), bool)
        arrived = is_here if known_until is None else activity.arrives_on <= known_until
        seen = CohortDay(world.seed, cohort, activity, group.histories[index], arrived)
        for table, tables in parts.items():
            tables.append(_BUILDERS[table](seen))
    for table, tables in parts.items():
        if tables:
            _write(root / table / f"day={_date(day)}", group.number, pa.concat_tables(tables))


def _write(folder: Path, number: int, table: pa.Table) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    parquet.write_table(table, folder / f"units-{number:04}.parquet", compression="zstd")


def _groups(world: World) -> Iterator[_Group]:
    for number, names in enumerate(_group_names(world)):
        cohorts = [draw_cohort(world, world.experiments[e], block) for e, block in names]
        yield _Group(number, cohorts, [earlier_history(world.seed, c) for c in cohorts])


def _group_names(world: World) -> list[list[tuple[int, int]]]:
    """(experiment's number, block) of the cohorts of each file."""
    names = [(e, b) for e, found in enumerate(world.experiments) for b in blocks(found)]
    return [names[i : i + _BLOCKS_PER_FILE] for i in range(0, len(names), _BLOCKS_PER_FILE)]


def _total_days(world: World) -> int:
    total = 0
    for names in _group_names(world):
        bounds = [world.bounds(world.experiments[e]) for e, _ in names]
        total += (max(last for _, last in bounds) - min(first for first, _ in bounds)).days + 1
    return total


def _date(day: int) -> date:
    return _EPOCH + timedelta(days=day)
