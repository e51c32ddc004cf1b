"""Slices of many days at once, parts of a date, and what a source holds of each day."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from typing import TYPE_CHECKING

import pyarrow as pa
from sqlglot import exp

from jetstream_assets.warehouse.tables import ResultTable, Slice, slices_table
from jetstream_assets_tests.warehouse.laboratory import PROVENANCE, SLUG, a_slice, query

if TYPE_CHECKING:
    from jetstream_assets.warehouse.base import SourceDay
    from jetstream_assets_tests.warehouse.laboratory import Laboratory

FIRST = date(2024, 1, 1)
_ROWS = """
SELECT DATE_ADD(DATE '2024-01-01', INTERVAL n DAY) AS day, n AS x, 'unit' AS analysis_id
FROM UNNEST(GENERATE_ARRAY(0, 4)) AS n
"""


def _targets(days: int, part: str = "clients-1a") -> dict[date, Slice]:
    dates = [FIRST + timedelta(days=number) for number in range(days)]
    return {d: Slice(ResultTable.DAILY_AGGREGATES, SLUG, d, part=part) for d in dates}


def _put_days(laboratory: Laboratory, days: int, part: str = "clients-1a") -> dict[date, Slice]:
    targets = _targets(days, part)
    content = query(_ROWS)
    assert isinstance(content, exp.Query)
    written = laboratory.warehouse.replace_days(targets, content, PROVENANCE)
    assert written.rows == 5
    assert written.bytes_written > 0
    return targets


def test_every_day_has_its_own_slice_and_days_without_rows_an_empty_one(
    laboratory: Laboratory,
) -> None:
    targets = _put_days(laboratory, 7)
    found = [laboratory.read(target).to_pylist() for target in targets.values()]
    assert [[row["x"] for row in rows] for rows in found] == [[0], [1], [2], [3], [4], [], []]
    assert found[2] == [{"day": date(2024, 1, 3), "x": 2, "analysis_id": "unit"}]
    for target in targets.values():
        assert laboratory.warehouse.provenance(target) == PROVENANCE


def test_rows_of_days_that_are_not_asked_for_are_dropped(laboratory: Laboratory) -> None:
    targets = _put_days(laboratory, 2)
    stored = laboratory.warehouse.slices(ResultTable.DAILY_AGGREGATES, SLUG, "jetstream")
    assert stored == tuple(targets.values())


def test_more_days_than_files_can_be_open_at_once(laboratory: Laboratory) -> None:
    content = query(_ROWS.replace("(0, 4)", "(0, 499)"))
    assert isinstance(content, exp.Query)
    targets = _targets(500)
    laboratory.warehouse.replace_days(targets, content, PROVENANCE)
    reference = slices_table(list(targets), targets[FIRST])
    found = laboratory.warehouse.query(exp.select("x").from_(reference)).column("x").to_pylist()
    assert sorted(found) == list(range(500))


def test_parts_of_a_date_stand_beside_each_other(laboratory: Laboratory) -> None:
    first, second = _put_days(laboratory, 2), _put_days(laboratory, 2, "search-2b")
    stored = laboratory.warehouse.slices(ResultTable.DAILY_AGGREGATES, SLUG, "jetstream")
    assert set(stored) == {*first.values(), *second.values()}


def test_slices_of_several_dates_are_one_table_matched_by_name(laboratory: Laboratory) -> None:
    targets = _put_days(laboratory, 5)
    laboratory.warehouse.replace(targets[FIRST], query("SELECT 9 AS y"), PROVENANCE)
    days = [date(2024, 1, 4), FIRST, date(2024, 1, 2)]
    tree = exp.select("x", "y").from_(slices_table(days, targets[FIRST])).order_by("x")
    rows = laboratory.warehouse.query(tree).to_pylist()
    assert rows == [{"x": None, "y": 9}, {"x": 1, "y": None}, {"x": 3, "y": None}]


def test_details_of_a_slice_are_stored_with_it(laboratory: Laboratory) -> None:
    told = replace(PROVENANCE, details='{"it\'s": "quoted"}')
    laboratory.warehouse.replace(a_slice(), query("SELECT 1 AS x"), told)
    assert laboratory.warehouse.provenance(a_slice()) == told


def _source(days: list[int]) -> pa.Table:
    return pa.table({"submission_date": [date(2024, 1, d) for d in days], "x": days})


def _days(laboratory: Laboratory, first: int = 1, last: int = 9) -> dict[date, SourceDay]:
    relation = exp.alias_(exp.to_table("telemetry.clients_daily"), "ds", table=True)
    day = exp.column("submission_date", table="ds")
    return laboratory.warehouse.source_days(
        relation, day, date(2024, 1, first), date(2024, 1, last)
    )


def test_a_sources_days_are_counted_within_bounds(laboratory: Laboratory) -> None:
    laboratory.put("telemetry", "clients_daily", _source([1, 2, 2, 5, 7]))
    found = {day.day: found.rows for day, found in _days(laboratory, 2, 5).items()}
    assert found == {2: 2, 5: 1}


def test_a_days_mark_changes_when_its_rows_do_and_no_other_days(laboratory: Laboratory) -> None:
    laboratory.put("telemetry", "clients_daily", _source([1, 2, 5]))
    before = _days(laboratory)
    assert _days(laboratory) == before
    laboratory.put("telemetry", "clients_daily", _source([1, 2, 2, 5]))
    after = _days(laboratory)
    assert [d.day for d in after if before[d].mark != after[d].mark] == [2]
