"""Only what changed is read and computed again: another metric, late rows, nothing at all."""

from __future__ import annotations

import os
from dataclasses import replace
from datetime import date, timedelta
from typing import TYPE_CHECKING

import pytest

from jetstream_assets.analysis.daily_aggregates import DailyAggregates, compute_daily_aggregates
from jetstream_assets.analysis.forecast import Forecast, forecast
from jetstream_assets.analysis.metrics import compute_metrics
from jetstream_assets.analysis.options import DEFAULT_OPTIONS
from jetstream_assets.analysis.refresh import with_earlier
from jetstream_assets.analysis.slices import cell_slice
from jetstream_assets.experiments.metrics import ExperimentsColumn, Metric, Summary
from jetstream_assets.experiments.plan import make_plan
from jetstream_assets.experiments.windows import Period
from jetstream_assets.warehouse.duckdb_parquet import DuckDBParquetWarehouse
from jetstream_assets.warehouse.parquet_slices import slice_file
from jetstream_assets.warehouse.tables import ResultTable
from jetstream_assets_tests.analysis.test_incremental import (
    assert_equal_slices,
    compute,
    put_records,
    without,
)
from jetstream_assets_tests.sql import cases
from jetstream_assets_tests.sql.records import FIRST, LAST, Records, make_records

if TYPE_CHECKING:
    from pathlib import Path

    from jetstream_assets.experiments.configuration import AnalysisConfiguration

RECORDS = make_records(cases.SLUG, seed=11, units=40)
DATES = [LAST + timedelta(days=days) for days in range(4)]


@pytest.fixture
def warehouse(tmp_path: Path) -> DuckDBParquetWarehouse:
    put_records(RECORDS, tmp_path, by_day=True)
    return DuckDBParquetWarehouse(tmp_path, threads=1)


def _configuration(*more: str, period: Period = Period.DAY) -> AnalysisConfiguration:
    """Daily metrics; further ones in a period."""
    source = cases.activity(ExperimentsColumn.SIMPLE)
    of = cases.configuration(source)
    added = tuple(Metric(f"more_{n}", source, text) for n, text in enumerate(more))
    periods = tuple(
        replace(p, summaries=(*p.summaries, *(Summary(m.name, "mean") for m in added)))
        if p.period == period
        else p
        for p in of.periods
        if p.period in (Period.DAY, period)
    )
    return replace(of, metrics=of.metrics + added, periods=periods)


def _run(
    of: AnalysisConfiguration, on: date, warehouse: DuckDBParquetWarehouse
) -> tuple[DailyAggregates, list[date]]:
    """What was read, and the dates whose metrics were written."""
    plans = with_earlier([make_plan(of, on)], warehouse, DEFAULT_OPTIONS)
    aggregates = compute_daily_aggregates(plans, warehouse)
    assert aggregates is not None
    results = {p.date: compute_metrics(p, warehouse, aggregates=aggregates) for p in plans}
    return aggregates, [on for on, result in results.items() if result.written]


def _bytes(warehouse: DuckDBParquetWarehouse, of: AnalysisConfiguration, on: date) -> bytes:
    target = cell_slice(make_plan(of, on), ResultTable.METRICS)
    return slice_file(warehouse.root, target).read_bytes()


def test_a_day_is_read_once_and_a_second_run_does_nothing(
    warehouse: DuckDBParquetWarehouse,
) -> None:
    of = _configuration()
    read, _ = _run(of, DATES[0], warehouse)
    assert [(s.first, s.last) for s in read.scans] == [(FIRST, DATES[0])]
    read, written = _run(of, DATES[1], warehouse)
    assert [(s.first, s.last) for s in read.scans] == [(DATES[1], DATES[1])]
    assert written == [DATES[1]]
    read, written = _run(of, DATES[1], warehouse)
    assert not read.scans
    assert not written


def test_of_another_metric_only_its_state_is_read_and_only_its_windows_are_written(
    warehouse: DuckDBParquetWarehouse,
) -> None:
    week = LAST + timedelta(days=6)
    _run(_configuration(), week, warehouse)
    _run(_configuration(), week - timedelta(days=1), warehouse)
    before = _bytes(warehouse, _configuration(), week - timedelta(days=1))
    of = _configuration("MAX(hits)", period=Period.WEEK)
    read, written = _run(of, week, warehouse)
    assert [(s.first, s.last, s.states) for s in read.scans] == [(FIRST, week, 1)]
    assert written == [week]
    assert _bytes(warehouse, of, week - timedelta(days=1)) == before


def test_a_metric_that_is_only_named_anew_is_not_read_again(
    warehouse: DuckDBParquetWarehouse,
) -> None:
    _run(_configuration("MAX(hits)"), DATES[0], warehouse)
    of = _configuration("MIN(hits)", "MAX(hits)")
    read, written = _run(of, DATES[0], warehouse)
    assert [scan.states for scan in read.scans] == [1]
    assert written == [DATES[0]]


def _changed(records: Records, day: date, root: Path) -> None:
    """Twice the rows of a day."""
    again = tuple(row for row in records.rows if row.day == day)
    assert again
    put_records(replace(records, rows=records.rows + again), root, by_day=True)


def _only_day_changes(warehouse: DuckDBParquetWarehouse, day: date) -> None:
    """Write the source's day anew, with other rows; other days keep their files."""
    folder = warehouse.root / "lab" / "activity"
    kept = {f: (f.stat().st_mtime_ns, f.read_bytes()) for f in folder.rglob("*.parquet")}
    _changed(RECORDS, day, warehouse.root)
    for file, (changed, content) in kept.items():
        if f"day={day}" not in str(file):
            file.write_bytes(content)
            os.utime(file, ns=(changed, changed))


def test_a_late_day_is_read_again_and_everything_above_it_is_refreshed(
    warehouse: DuckDBParquetWarehouse, tmp_path: Path
) -> None:
    of = _configuration()
    for on in DATES[:3]:
        _run(of, on, warehouse)
    late = DATES[1]
    _only_day_changes(warehouse, late)
    read, written = _run(of, DATES[3], warehouse)
    assert {(s.first, s.last) for s in read.scans} == {(late, DATES[3])}
    assert [scan.days for scan in read.scans] == [2]
    assert written == [DATES[1], DATES[2], DATES[3]]
    assert not read.warnings
    full = DuckDBParquetWarehouse(tmp_path / "full", threads=1)
    again = tuple(row for row in RECORDS.rows if row.day == late)
    put_records(replace(RECORDS, rows=RECORDS.rows + again), full.root)
    for on in DATES:
        plan = make_plan(of, on)
        compute(plan, full, replace(DEFAULT_OPTIONS, is_full=True))
        assert_equal_slices(warehouse, full, cell_slice(plan, ResultTable.METRICS))


def test_an_older_change_is_told_with_its_day_and_rows_and_not_followed(
    warehouse: DuckDBParquetWarehouse,
) -> None:
    of = _configuration()
    _run(of, DATES[0], warehouse)
    before = _bytes(warehouse, of, DATES[0])
    rows = sum(row.day == FIRST for row in RECORDS.rows)
    _only_day_changes(warehouse, FIRST)
    read, _ = _run(of, DATES[3], warehouse)
    assert not any(scan.first <= FIRST for scan in read.scans)
    (warning,) = read.warnings
    assert "activity_simple" in warning
    assert f"{FIRST} ({rows:,} rows, now {2 * rows:,})" in warning
    assert _bytes(warehouse, of, DATES[0]) == before


def _told(told: list[Forecast]) -> set[tuple[str, str]]:
    return {(one.what, one.action) for one in told}


def test_what_a_run_would_do_is_told_before_and_writes_nothing(
    warehouse: DuckDBParquetWarehouse,
) -> None:
    of = _configuration()
    plan = make_plan(of, DATES[0])
    files = sorted(warehouse.root.rglob("*.parquet"))
    told = list(forecast([plan], warehouse, DEFAULT_OPTIONS))
    assert sorted(warehouse.root.rglob("*.parquet")) == files
    assert {("metrics", "compute"), ("statistics", "compute")} <= _told(told)
    (scan,) = (one for one in told if one.what == "scan of activity_simple")
    days = (DATES[0] - FIRST).days + 1
    rows = sum(FIRST <= row.day <= DATES[0] for row in RECORDS.rows)
    assert (scan.days, scan.rows) == (days, rows)
    _run(of, DATES[0], warehouse)
    told = list(forecast([plan], warehouse, DEFAULT_OPTIONS))
    assert ("metrics", "reuse") in _told(told)
    assert not any(one.days for one in told)


def test_another_metric_is_foretold_with_its_reason(warehouse: DuckDBParquetWarehouse) -> None:
    _run(_configuration(), DATES[0], warehouse)
    of = _configuration("MAX(hits)")
    told = list(forecast([make_plan(of, DATES[0])], warehouse, DEFAULT_OPTIONS))
    (scan,) = (one for one in told if one.days)
    assert "1 state is not stored" in scan.why
    (metrics,) = (one for one in told if one.what == "metrics")
    assert "configuration changed" in metrics.why


def test_a_day_that_comes_later_is_no_empty_day_for_ever(
    warehouse: DuckDBParquetWarehouse, tmp_path: Path
) -> None:
    of, day = _configuration(), DATES[0]
    missing = [n for n, row in enumerate(RECORDS.rows) if row.day == day]
    root = tmp_path / "late"
    put_records(without(RECORDS, missing), root, by_day=True)
    late = DuckDBParquetWarehouse(root, threads=1)
    _run(of, day, late)
    put_records(RECORDS, root, by_day=True)
    _run(of, DATES[1], late)
    _run(of, day, warehouse)
    target = cell_slice(make_plan(of, day), ResultTable.METRICS)
    assert_equal_slices(late, warehouse, target)
