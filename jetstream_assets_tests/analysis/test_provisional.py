"""Metrics of units that have lived through a window, while others enroll: what the records say."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from sqlglot import exp

from jetstream_assets.analysis.slices import cell_slice
from jetstream_assets.experiments.configuration import AnalysisConfiguration, EnrollmentsQueryType
from jetstream_assets.experiments.metrics import AnalysisBasis, ExperimentsColumn, WindowBound
from jetstream_assets.experiments.plan import AnalysisPlan, make_plan
from jetstream_assets.experiments.windows import Period
from jetstream_assets.warehouse.duckdb_parquet import DuckDBParquetWarehouse
from jetstream_assets.warehouse.tables import ResultTable
from jetstream_assets_tests.analysis.test_incremental import FULL, compute, put_records
from jetstream_assets_tests.sql import cases, oracle
from jetstream_assets_tests.sql.comparison import assert_same_answers
from jetstream_assets_tests.sql.records import FIRST, LAST, Records, make_records

if TYPE_CHECKING:
    from pathlib import Path

RECORDS = make_records(cases.SLUG)
KEY = ("period", "window_index", "analysis_basis", "analysis_id")
OPEN = [FIRST + timedelta(days=number) for number in range((LAST - FIRST).days)]
PLAIN = replace(
    cases.configuration(cases.activity(ExperimentsColumn.SIMPLE)), segments=cases.SEGMENTS
)
SIGNAL = replace(
    cases.SIGNAL,
    window_start=WindowBound.ENROLLMENT_START,
    window_end=WindowBound.ANALYSIS_WINDOW_END,
)
CONFIGURATIONS = {
    "events": PLAIN,
    "signal": replace(PLAIN, exposure_signal=SIGNAL),
    "fenix": replace(PLAIN, enrollments_query_type=EnrollmentsQueryType.FENIX_FALLBACK),
}


@pytest.fixture
def warehouse(tmp_path: Path) -> DuckDBParquetWarehouse:
    put_records(RECORDS, tmp_path)
    return DuckDBParquetWarehouse(tmp_path, threads=2)


def _metrics(warehouse: DuckDBParquetWarehouse, plan: AnalysisPlan) -> list[dict[str, Any]]:
    target = cell_slice(plan, ResultTable.METRICS)
    rows: list[dict[str, Any]] = warehouse.query(
        exp.select("*").from_(target.reference)
    ).to_pylist()
    return rows


def _said(
    of: AnalysisConfiguration, plan: AnalysisPlan, monkeypatch: pytest.MonkeyPatch
) -> list[dict[str, Any]]:
    """The answers of the records up to the date, of the units that have lived through a window."""
    on = plan.date
    known = Records(
        RECORDS.slug,
        tuple(event for event in RECORDS.events if event.day <= on),
        tuple(row for row in RECORDS.rows if row.day <= on),
    )
    monkeypatch.setattr(oracle, "LAST", on)
    found = oracle.metrics(replace(of, segments=()), plan.windows, known)
    return [
        row | {"is_provisional": True}
        for row in found
        if _anchor(of, row) + timedelta(days=row["window_end"]) <= on
    ]


def _anchor(of: AnalysisConfiguration, row: dict[str, Any]) -> date:
    is_exposed = row["analysis_basis"] == AnalysisBasis.EXPOSURES and of.exposure_signal is None
    found: date = row["exposure_date" if is_exposed else "enrollment_date"]
    return found


@pytest.mark.parametrize("on", [OPEN[0], OPEN[3], OPEN[-1]], ids=str)
@pytest.mark.parametrize("name", CONFIGURATIONS)
def test_provisional_metrics_are_what_the_records_say(
    name: str, on: date, warehouse: DuckDBParquetWarehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    of = CONFIGURATIONS[name]
    plan = make_plan(of, on)
    compute(plan, warehouse)
    found = _metrics(warehouse, plan)
    assert_same_answers(found, _said(of, plan, monkeypatch), KEY)
    assert on == OPEN[0] or {row["analysis_basis"] for row in found} == set(AnalysisBasis)
    assert (Period.WEEK in {row["period"] for row in found}) == (on == OPEN[-1])


@pytest.mark.parametrize("name", ["events", "signal"])
def test_whatever_order_dates_run_in_each_has_the_metrics_of_one_full_computation(
    name: str, warehouse: DuckDBParquetWarehouse, tmp_path: Path
) -> None:
    of = CONFIGURATIONS[name]
    dates = [*OPEN[::2], LAST, LAST + timedelta(days=6)]
    for number in np.random.default_rng(5).permutation(len(dates)):
        compute(make_plan(of, dates[int(number)]), warehouse)
    put_records(RECORDS, tmp_path / "full")
    full = DuckDBParquetWarehouse(tmp_path / "full", threads=2)
    for plan in (make_plan(of, on) for on in dates):
        compute(plan, full, FULL)
        assert_same_answers(_metrics(warehouse, plan), _metrics(full, plan), KEY)
