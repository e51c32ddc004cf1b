"""Rows that a statement read: all that were read, passed on or not, and those of sources apart."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

import pyarrow as pa
import pytest
from sqlglot import exp

from jetstream_assets.warehouse.duckdb_profile import readings
from jetstream_assets_tests.warehouse.laboratory import (
    PROVENANCE,
    Laboratory,
    a_slice,
    query,
    write_parquet,
)

if TYPE_CHECKING:
    from pathlib import Path

    from jetstream_assets.warehouse.base import Answer

ROWS_A_DAY = 3000
DAYS = 12


@pytest.fixture
def filled(duckdb: Laboratory, tmp_path: Path) -> Laboratory:
    """Twelve days of a table, and a slice with two of its units."""
    units = [f"unit-{number}" for number in range(ROWS_A_DAY)]
    for day in range(1, DAYS + 1):
        folder = tmp_path / "warehouse" / "telemetry" / "main" / f"submission_date=2024-01-{day:02}"
        write_parquet(folder, pa.table({"unit": units, "n": list(range(ROWS_A_DAY))}))
    chosen = pa.table({"unit": ["unit-7", "unit-70"]})
    duckdb.warehouse.replace(a_slice(), chosen, PROVENANCE)
    return duckdb


def answer(laboratory: Laboratory, sql: str) -> Answer:
    return laboratory.warehouse.answer(query(sql))


@pytest.mark.parametrize(
    ("where", "days"),
    [
        ("TRUE", 12),
        ("submission_date BETWEEN '2024-01-02' AND '2024-01-09'", 8),
        ("submission_date = '2024-01-02'", 1),
        ("submission_date = '2023-01-02'", 0),
        ("n = 7", 12),
        ("unit = 'unit-7' AND submission_date >= '2024-01-03'", 10),
    ],
)
def test_rows_of_the_files_that_are_read_are_counted(
    filled: Laboratory, where: str, days: int
) -> None:
    found = answer(filled, f"SELECT SUM(n) AS s FROM telemetry.main WHERE {where}")  # noqa: S608
    assert found.rows_scanned == found.source_rows_scanned == days * ROWS_A_DAY


def test_rows_are_counted_for_every_time_that_they_are_read(filled: Laboratory) -> None:
    twice = "SELECT SUM(n) AS s FROM telemetry.main UNION ALL SELECT MAX(n) FROM telemetry.main"
    assert answer(filled, twice).rows_scanned == 2 * DAYS * ROWS_A_DAY


def test_rows_of_slices_are_told_apart_and_rows_that_a_join_drops_count(filled: Laboratory) -> None:
    chosen = exp.select("unit").from_(a_slice().reference)
    joined = exp.select("SUM(n) AS s").from_("telemetry.main")
    joined = joined.join(chosen.subquery("chosen"), using=["unit"])
    found = filled.warehouse.answer(joined)
    assert found.rows.to_pylist() == [{"s": DAYS * 77}]
    assert found.source_rows_scanned == DAYS * ROWS_A_DAY
    assert found.rows_scanned == DAYS * ROWS_A_DAY + 2


def test_replacements_tell_rows_as_well(filled: Laboratory) -> None:
    days = {date(2024, 1, day): a_slice(day, "days") for day in (1, 2, 3)}
    content = query(
        "SELECT submission_date AS day, SUM(n) AS s FROM telemetry.main "
        "WHERE submission_date <= '2024-01-03' GROUP BY submission_date"
    )
    assert isinstance(content, exp.Query)
    by_day = filled.warehouse.replace_days(days, content, PROVENANCE)
    assert by_day.source_rows_scanned == by_day.rows_scanned == 3 * ROWS_A_DAY
    copied = exp.select("*").from_(a_slice(2, "days").reference)
    written = filled.warehouse.replace(a_slice(4, "copy"), copied, PROVENANCE)
    assert (written.source_rows_scanned, written.rows_scanned) == (0, 1)


def test_what_reads_no_file_scans_nothing(filled: Laboratory) -> None:
    given = filled.warehouse.replace(a_slice(5), pa.table({"a": [1]}), PROVENANCE)
    assert (given.rows_scanned, given.source_rows_scanned) == (0, 0)
    assert answer(filled, "SELECT 1 AS a").rows_scanned == 0


def test_skipped_row_groups_are_not_counted(duckdb: Laboratory, tmp_path: Path) -> None:
    folder = tmp_path / "warehouse" / "telemetry" / "main"
    for day in range(1, 4):
        write_parquet(folder, pa.table({"day": [day] * 500}), f"part-{day}.parquet")
    found = answer(duckdb, "SELECT SUM(day) AS n FROM telemetry.main")
    assert found.rows_scanned == 3 * 500
    found = answer(duckdb, "SELECT MAX(day) AS n FROM telemetry.main WHERE day = 2")
    assert found.rows_scanned == 500


def test_a_table_named_as_a_result_table_is_a_source(duckdb: Laboratory, tmp_path: Path) -> None:
    folder = tmp_path / "warehouse" / "telemetry" / "metrics"
    write_parquet(folder / "day=2024-01-01", pa.table({"a": [1, 2]}))
    assert answer(duckdb, "SELECT MAX(a + 1) AS a FROM telemetry.metrics").source_rows_scanned == 2


def test_files_that_are_gone_count_what_the_scan_passed_on(tmp_path: Path) -> None:
    profile = """{"operator": [{"extra_info": {}, "children": [{
        "extra_info": {"Filename(s)": "/nowhere/a.parquet, ..."},
        "row_groups_scanned": 2, "rows_scanned": 11}]}]}"""
    found = readings(profile, tmp_path)
    assert (found.bytes_read, found.rows_scanned, found.source_rows_scanned) == (None, 11, 11)
