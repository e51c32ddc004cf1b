"""Rows of a few units on a few days, and a metric of them: over the window, and from its days."""

from __future__ import annotations

from dataclasses import dataclass, fields
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pyarrow as pa
from sqlglot import exp

from jetstream_assets.experiments.configuration import AnalysisConfiguration
from jetstream_assets.experiments.experiment import AnalysisUnit, Experiment
from jetstream_assets.experiments.metrics import DataSource, ExperimentsColumn, Metric
from jetstream_assets.sql import fragments, sources
from jetstream_assets.sql.rollup import rolled_value
from jetstream_assets.sql.source_states import source_states
from jetstream_assets.warehouse.duckdb_session import DuckDBSession
from jetstream_assets.warehouse.rendering import render_duckdb

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import duckdb

    from jetstream_assets.sql.source_states import SplitColumn

SOURCE = DataSource("activity", "activity", ExperimentsColumn.NONE)
CONFIGURATION = AnalysisConfiguration(Experiment("any-experiment", (), None, None, 0))
ENROLLED = date(2024, 1, 10)
# Days since enrollment; rows lie outside of it as well.
FIRST, LAST = 0, 3


@dataclass(frozen=True)
class Row:
    """A row of the source; ``day`` counts from the enrollment date. ``place`` is unique or NULL."""

    unit: str
    day: int
    n: int | None = None
    m: int | None = None
    f: float | None = None
    t: str | None = None
    b: bool | None = None
    place: int | None = None
    items: tuple[int | None, ...] | None = None
    pairs: tuple[tuple[str, int | None], ...] | None = None

    @property
    def cells(self) -> dict[str, Any]:
        """What the table holds."""
        own = {field.name: getattr(self, field.name) for field in fields(self)[2:]}
        pairs = None if self.pairs is None else [{"key": k, "value": v} for k, v in self.pairs]
        day = ENROLLED + timedelta(days=self.day)
        moment = datetime(day.year, day.month, day.day, abs(self.n or 0) % 24, tzinfo=UTC)
        deep = None if self.m is None else {"a": self.n, "t": self.t}
        keys = {"client_id": self.unit, "submission_date": day, "ts": moment, "deep": deep}
        return {**keys, **own, "items": self.items, "pairs": pairs}


@dataclass(frozen=True)
class Unit:
    """An enrolled unit; ``exposed`` counts days from the enrollment date."""

    name: str
    branch: str = "control"
    exposed: int | None = None


_ROWS = pa.schema(
    [
        ("client_id", pa.string()),
        ("submission_date", pa.date32()),
        ("ts", pa.timestamp("us", tz="UTC")),
        ("deep", pa.struct([("a", pa.int64()), ("t", pa.string())])),
        ("n", pa.int64()),
        ("m", pa.int64()),
        ("f", pa.float64()),
        ("t", pa.string()),
        ("b", pa.bool_()),
        ("place", pa.int64()),
        ("items", pa.list_(pa.int64())),
        ("pairs", pa.list_(pa.struct([("key", pa.string()), ("value", pa.int64())]))),
    ]
)
_UNITS = pa.schema(
    [
        ("analysis_id", pa.string()),
        ("branch", pa.string()),
        ("enrollment_date", pa.date32()),
        ("num_enrollment_events", pa.int64()),
        ("exposure_date", pa.date32()),
        ("num_exposure_events", pa.int64()),
    ]
)


def session(root: Path) -> DuckDBSession:
    """A DuckDB that knows the macros."""
    return DuckDBSession(root, 1, "512MB")


def split_metric(text: str, source: DataSource = SOURCE) -> SplitColumn | str:
    """The expression's states, or why it has none."""
    found = source_states(CONFIGURATION, source, [Metric("metric", source, text)])
    return found.columns.get("metric") or found.windowed["metric"]


class UnitDays:
    """Units and rows in a DuckDB."""

    def __init__(
        self, cursor: duckdb.DuckDBPyConnection, units: Sequence[Unit], rows: Sequence[Row]
    ) -> None:
        self._cursor = cursor
        self._put("activity", pa.Table.from_pylist([row.cells for row in rows], schema=_ROWS))
        told = [
            {
                "analysis_id": unit.name,
                "branch": unit.branch,
                "enrollment_date": ENROLLED,
                "num_enrollment_events": 1,
                "exposure_date": None
                if unit.exposed is None
                else ENROLLED + timedelta(days=unit.exposed),
                "num_exposure_events": 0 if unit.exposed is None else 1,
            }
            for unit in units
        ]
        self._put("units", pa.Table.from_pylist(told, schema=_UNITS))

    def over_window(self, text: str) -> dict[str, Any]:
        """The metric by unit, aggregated over the rows of the window."""
        tree = fragments.parse_expression(text, "metric")
        within = fragments.between_days(
            sources.day(SOURCE), sources.unit_column("enrollment_date"), FIRST, LAST
        )
        unit = AnalysisUnit.CLIENT
        query = sources.per_unit("units", SOURCE, unit, [within], {"v": tree}, _UNITS.names)
        return self._ask(query)

    def from_days(self, column: SplitColumn, *, with_lacking_day: bool = False) -> dict[str, Any]:
        """The metric by unit, of states that are computed for each day and merged.

        A lacking day is one of which the unit has other states, but not these.
        """
        self._put_query("stored", self._scan(column))
        if with_lacking_day:
            self._cursor.execute("INSERT INTO stored BY NAME SELECT analysis_id, day FROM stored")
        self._put_query("merged", self._merged(column))
        same = sources.unit_column("analysis_id").eq(exp.column("analysis_id", table="merged"))
        query = (
            exp.select(sources.unit_column("analysis_id"))
            .select(exp.alias_(rolled_value(column, "merged"), "v"))
            .from_("units AS e")
            .join("merged", on=same, join_type="left")
        )
        return self._ask(query)

    def _scan(self, column: SplitColumn) -> exp.Select:
        day = sources.day(SOURCE)
        states = (exp.alias_(s.state.daily.copy(), s.name) for s in column.states)
        same = sources.id_column(SOURCE, AnalysisUnit.CLIENT).eq(sources.unit_column("analysis_id"))
        # What a scan knows of a unit on the day, and no more.
        known = "(SELECT analysis_id, branch, enrollment_date FROM units) AS e"
        return (
            exp.select(sources.unit_column("analysis_id"), exp.alias_(day, "day"), *states)
            .from_(sources.relation(SOURCE))
            .join(exp.maybe_parse(known, into=exp.From, prefix="FROM").this, on=same)
            .group_by(sources.unit_column("analysis_id"), day.copy())
        )

    def _merged(self, column: SplitColumn) -> exp.Select:
        merges = (
            exp.alias_(s.state.merged(exp.column(s.name, table="stored")), s.name)
            for s in column.states
        )
        window = (ENROLLED + timedelta(days=FIRST), ENROLLED + timedelta(days=LAST))
        return (
            exp.select("stored.analysis_id", *merges)
            .from_("stored")
            .where(fragments.between_dates(exp.column("day", table="stored"), *window))
            .group_by("stored.analysis_id")
        )

    def _put(self, name: str, content: pa.Table) -> None:
        self._cursor.register("content", content)
        self._cursor.execute(f"CREATE OR REPLACE TEMP TABLE {name} AS SELECT * FROM content")  # noqa: S608
        self._cursor.unregister("content")

    def _put_query(self, name: str, query: exp.Select) -> None:
        self._cursor.execute(f"CREATE OR REPLACE TEMP TABLE {name} AS {render_duckdb(query)}")

    def _ask(self, query: exp.Select) -> dict[str, Any]:
        return dict(self._cursor.execute(render_duckdb(query)).fetchall())
