"""Which days of a source are read, read again, or only told of."""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING

import pytest
from sqlglot import exp, parse_one

from jetstream_assets.analysis import source_days
from jetstream_assets.analysis.source_days import StoredDay
from jetstream_assets.warehouse.base import Provenance, SourceDay
from jetstream_assets.warehouse.duckdb_parquet import DuckDBParquetWarehouse
from jetstream_assets.warehouse.tables import ResultTable, Slice

if TYPE_CHECKING:
    from pathlib import Path

FIRST = date(2024, 1, 1)
DAYS = [FIRST + timedelta(days=number) for number in range(10)]
ON = DAYS[-1]
NOW = {day: SourceDay(f"mark of {day}", 100) for day in DAYS}
STORED = {day: StoredDay("asked", of.mark, of.rows) for day, of in NOW.items()}


def _changed(*days: date) -> dict[date, SourceDay]:
    return NOW | dict.fromkeys(days, SourceDay("changed", 120))


def test_nothing_is_read_twice() -> None:
    assert source_days.stale(STORED, NOW, DAYS, "asked", ON) == ()
    assert source_days.older_changes(STORED, NOW, DAYS, "telemetry.events", ON) == ()


def test_days_that_are_not_stored_are_read() -> None:
    stored = {day: STORED[day] for day in DAYS[2:5]}
    found = source_days.stale(stored, NOW, DAYS[::-1], "asked", ON)
    assert found == (*DAYS[:2], *DAYS[5:])


def test_days_that_were_read_for_another_purpose_are_read() -> None:
    stored = STORED | {DAYS[1]: StoredDay("other", NOW[DAYS[1]].mark, 100)}
    assert source_days.stale(stored, NOW, DAYS, "asked", ON) == (DAYS[1],)


def test_days_of_other_units_are_read_at_any_age() -> None:
    assert source_days.stale(STORED, NOW, DAYS, "asked", ON, units={DAYS[0]: "u"}) == (DAYS[0],)


@pytest.mark.parametrize(
    ("lookback", "again"), [(0, DAYS[9:]), (3, DAYS[6:]), (100, DAYS)], ids=str
)
def test_changed_days_are_read_again_within_the_lookback_and_told_before_it(
    lookback: int, again: list[date]
) -> None:
    now = _changed(*DAYS)
    assert source_days.stale(STORED, now, DAYS, "asked", ON, lookback) == tuple(again)
    told = source_days.older_changes(STORED, now, DAYS, "telemetry.events", ON, lookback)
    assert len(told) == (len(again) < len(DAYS))
    for day in DAYS:
        assert any(f"{day} (" in sentence for sentence in told) == (day not in again)


def test_the_sentence_names_source_days_and_rows() -> None:
    now = _changed(DAYS[1])
    del now[DAYS[2]]
    (told,) = source_days.older_changes(STORED, now, DAYS, "telemetry.events", ON)
    assert told.startswith(
        "telemetry.events changed after it was read, on 2024-01-02 (100 rows, now 120), "
        "2024-01-03 (100 rows, now 0). "
    )


def test_days_that_a_run_for_an_earlier_date_does_not_need_are_left_alone() -> None:
    now = _changed(*DAYS)
    assert source_days.stale(STORED, now, DAYS[:4], "asked", DAYS[3], 1) == tuple(DAYS[2:4])


def test_a_day_that_lost_all_rows_has_changed() -> None:
    now = {day: of for day, of in NOW.items() if day != ON}
    assert source_days.stale(STORED, now, DAYS, "asked", ON) == (ON,)


def test_what_is_stored_is_read_back(tmp_path: Path) -> None:
    warehouse = DuckDBParquetWarehouse(tmp_path)
    like = Slice(ResultTable.ENROLLMENT_EVENTS, "slug", FIRST, part="this")
    now = {FIRST: SourceDay("m1", 7)}
    details = source_days.encoded(DAYS[:2], now, {FIRST: "units"})
    content = parse_one("SELECT DATE '2024-01-01' AS day", dialect="bigquery")
    assert isinstance(content, exp.Query)
    for part in ("this", "other"):
        targets = {day: Slice(like.table, like.experiment, day, part=part) for day in DAYS[:2]}
        warehouse.replace_days(targets, content, Provenance(part, "", "1", details))
    warehouse.replace(
        Slice(like.table, like.experiment, DAYS[5], part="this"),
        content,
        Provenance("this", "", "1", "no details"),
    )
    found = source_days.read(warehouse, like.table, "slug", like.dataset, "this")
    assert found == {
        DAYS[0]: StoredDay("this", "m1", 7, "units"),
        DAYS[1]: StoredDay("this", "", 0, ""),
    }
