"""What units sent, one Parquet file a table and day: about 1.5 rows a unit and day in all.

Belongs here: the tables and their files. Does not: the units (`population`), what is measured of
the rows (`configuration`).

Every file of a table has the same number of rows, so that the rows that a statement read are
counted exactly by the files and row groups that it opened.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from incremental_bench.events import event_rows
from incremental_bench.population import BRANCHES, SEED, START, Floats, Integers, Population

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

SLUG = "quick-shelf-2024"
DAYS_BEFORE = 28
# Rows a unit and day.
ROWS = {
    "telemetry/clients_daily": 0.42,
    "search/search_daily": 0.48,
    "telemetry/feature_use": 0.3,
    "telemetry/events": 0.3,
}
_ROWS_A_UNIT = 3
_ROW_GROUP = 122_880
_NO_ANNOTATION_ON_FIRST_DAY = 0.1
_UNKNOWN = 0.02
_ENGINES = ("one", "two", "three", "four")
_ACTIONS = ("open", "use", "dismiss")


@dataclass(frozen=True)
class Day:
    """A day of the population; ``number`` counts from the experiment's first day."""

    population: Population
    number: int
    draw: np.random.Generator

    def active(self, share: float) -> Integers:
        """That share of the units, the livelier ones more often."""
        wait = self.draw.exponential(size=self.population.size) / self.population.liveliness
        count = round(share * self.population.size)
        return np.sort(np.argpartition(wait, count)[:count])

    def annotation(self, units: Integers) -> pa.Array:
        """The experiments that rows of these units say they are in: a list of (slug, branch)."""
        since = self.number - self.population.enrollment_day[units]
        # On its first day a unit has also rows from before it enrolled.
        is_late = self.draw.random(len(units)) >= _NO_ANNOTATION_ON_FIRST_DAY
        is_marked = (since > 0) | ((since == 0) & is_late)
        branches = pa.array(BRANCHES).take(pa.array(self.population.branch[units[is_marked]]))
        slugs = pa.repeat(pa.scalar(SLUG), len(branches))
        records = pa.StructArray.from_arrays([slugs, branches], ["key", "value"])
        ends = np.concatenate([[0], np.cumsum(is_marked)]).astype(np.int32)
        return pa.ListArray.from_arrays(pa.array(ends), records)


def write_telemetry(root: Path, population: Population, last_day: int) -> dict[str, int]:
    """Write all days up to the last, 28 before the first among them; the rows of each table a day.

    Files: ``<root>/<dataset>/<table>/submission_date=<date>/rows.parquet``.
    """
    rows = {}
    for name, build in _TABLES.items():
        for number in range(-DAYS_BEFORE, last_day + 1):
            draw = np.random.default_rng([SEED, len(name), DAYS_BEFORE + number])
            table = build(Day(population, number, draw))
            rows[name] = table.num_rows
            folder = root / name / f"submission_date={START + timedelta(days=number)}"
            folder.mkdir(parents=True)
            pq.write_table(
                table, folder / "rows.parquet", compression="zstd", row_group_size=_ROW_GROUP
            )
    return rows


def _clients_daily(day: Day) -> pa.Table:
    """One row a unit that was active."""
    units = day.active(ROWS["telemetry/clients_daily"])
    size, lively = len(units), day.population.liveliness[units]
    return pa.table(
        {
            "client_id": day.population.ids.take(pa.array(units)),
            "pings": 1 + day.draw.poisson(1.5, size),
            "active_minutes": _with_nulls(day, np.round(day.draw.gamma(0.6, 40 * lively), 4)),
            "pages": day.draw.poisson(25 * lively),
            "is_default": day.draw.random(size) < np.where(units % 3 == 0, 0.95, 0.02),
            "experiments": day.annotation(units),
        }
    )


def _search_daily(day: Day) -> pa.Table:
    """Several rows a unit that searched: one a search engine."""
    units = np.repeat(day.active(ROWS["search/search_daily"] / _ROWS_A_UNIT), _ROWS_A_UNIT)
    searches = day.draw.poisson(2 * day.population.liveliness[units])
    with_ads = day.draw.binomial(searches, 0.4)
    return pa.table(
        {
            "client_id": day.population.ids.take(pa.array(units)),
            "engine": pa.array(_ENGINES).take(pa.array(day.draw.integers(0, 4, len(units)))),
            "searches": searches,
            "tagged": day.draw.binomial(searches, 0.8),
            "organic": day.draw.poisson(0.3, len(units)),
            "with_ads": with_ads,
            "ad_clicks": day.draw.binomial(with_ads, 0.1),
        }
    )


def _feature_use(day: Day) -> pa.Table:
    """Several rows a unit that met the feature."""
    units = np.repeat(day.active(ROWS["telemetry/feature_use"] / _ROWS_A_UNIT), _ROWS_A_UNIT)
    size = len(units)
    return pa.table(
        {
            "client_id": day.population.ids.take(pa.array(units)),
            "action": pa.array(_ACTIONS).take(pa.array(day.draw.integers(0, 3, size))),
            "seconds": _with_nulls(day, np.round(day.draw.exponential(30, size), 3)),
        }
    )


def _events(day: Day) -> pa.Table:
    """Enrollments, exposures and departures; the rest of the day's rows are other events."""
    wanted = round(ROWS["telemetry/events"] * day.population.size)
    events = event_rows(day.population, day.number, wanted, SLUG, day.draw)
    columns = {
        "client_id": day.population.ids.take(pa.array(events.units)),
        **events.columns,
        "experiments": _native(day.annotation(events.units)),
    }
    return pa.table(columns)


def _native(annotation: pa.Array) -> pa.Array:
    """The annotation as events have it: the branch is the field of a record."""
    entries = annotation.values
    branch = pa.StructArray.from_arrays([entries.field("value")], ["branch"])
    records = pa.StructArray.from_arrays([entries.field("key"), branch], ["key", "value"])
    return pa.ListArray.from_arrays(annotation.offsets, records)


def _with_nulls(day: Day, values: Floats) -> pa.Array:
    return pa.array(values, mask=day.draw.random(len(values)) < _UNKNOWN)


_TABLES: dict[str, Callable[[Day], pa.Table]] = {
    "telemetry/clients_daily": _clients_daily,
    "search/search_daily": _search_daily,
    "telemetry/feature_use": _feature_use,
    "telemetry/events": _events,
}
