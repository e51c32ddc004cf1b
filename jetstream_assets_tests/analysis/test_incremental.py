"""Days in any order, twice, after a crash, with late rows: the tables of one full computation."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlglot import exp

from jetstream_assets.analysis.daily_aggregates import compute_daily_aggregates
from jetstream_assets.analysis.metrics import compute_metrics
from jetstream_assets.analysis.options import DEFAULT_OPTIONS, AnalysisOptions
from jetstream_assets.analysis.refresh import with_earlier
from jetstream_assets.analysis.slices import cell_slice, enrollment_slice
from jetstream_assets.experiments.configuration import AnalysisConfiguration, PeriodSummaries
from jetstream_assets.experiments.metrics import ExperimentsColumn, Metric, Summary
from jetstream_assets.experiments.plan import AnalysisPlan, make_plan
from jetstream_assets.experiments.windows import Period
from jetstream_assets.sql.source_states import states_by_source
from jetstream_assets.warehouse.duckdb_parquet import DuckDBParquetWarehouse
from jetstream_assets.warehouse.tables import ResultTable, Slice
from jetstream_assets_tests.sql import cases
from jetstream_assets_tests.sql.records import (
    END,
    FIRST,
    LAST,
    Records,
    make_records,
    telemetry_tables,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pyarrow as pa

    from jetstream_assets.warehouse.base import Provenance, Written

FULL = AnalysisOptions(is_full=True)
KEY = ("period", "window_index", "analysis_basis", "analysis_id")

# Every kind of aggregate that is split, some that is not, and what surrounds them.
SNIPPETS = {
    "mean_value": "AVG(value)",
    "most": "MAX(hits)",
    "least": "MIN(IF(is_shown, hits, NULL))",
    "always": "LOGICAL_AND(is_shown)",
    "days": "COUNT(DISTINCT ds.%DAY%)",
    "shown_days": "COUNT(DISTINCT IF(is_shown, ds.%DAY%, NULL))",
    "rate": "SAFE_DIVIDE(COALESCE(SUM(hits), 0), COUNT(value))",
    "largest": "MAX_BY(hits, hits * 10 + value)",
    "first_value": "ARRAY_AGG(value IGNORE NULLS ORDER BY value LIMIT 1)[SAFE_OFFSET(0)]",
    "any_branch": "ANY_VALUE(e.branch)",
    "flags": "SUM(CASE WHEN value > 3 THEN 1 ELSE 0 END)",
    "nothing": "COUNTIF(value IS NULL)",
    "distinct_hits": "COUNT(DISTINCT hits)",
}


def configuration(kind: ExperimentsColumn, *, with_signal: bool = False) -> AnalysisConfiguration:
    source = cases.activity(kind)
    found = cases.metrics(source) + tuple(
        Metric(name, source, text.replace("%DAY%", source.submission_date_column))
        for name, text in sorted(SNIPPETS.items())
    )
    summaries = tuple(Summary(metric.name, "mean") for metric in found)
    periods = tuple(PeriodSummaries(period, summaries) for period in Period)
    of = replace(cases.configuration(source), metrics=found, periods=periods)
    return replace(
        of, segments=cases.SEGMENTS, exposure_signal=cases.SIGNAL if with_signal else None
    )


def put_records(records: Records, root: Path, *, by_day: bool = False) -> None:
    for (dataset, table), rows in telemetry_tables(records).items():
        folder = root / dataset / table
        folder.mkdir(parents=True, exist_ok=True)
        if by_day and (dataset, table) == ("lab", "activity"):
            for day in sorted(set(rows["submission_date"].to_pylist())):
                of_day = rows.filter([d == day for d in rows["submission_date"].to_pylist()])
                (folder / f"day={day}").mkdir(exist_ok=True)
                pq.write_table(of_day, folder / f"day={day}" / "rows.parquet")
        else:
            pq.write_table(rows, folder / "rows.parquet")


def without(records: Records, late: Sequence[int]) -> Records:
    """The records without some rows of activity."""
    return replace(
        records, rows=tuple(row for n, row in enumerate(records.rows) if n not in set(late))
    )


def compute(
    plan: AnalysisPlan,
    warehouse: DuckDBParquetWarehouse,
    options: AnalysisOptions = DEFAULT_OPTIONS,
) -> None:
    """What the assets do for one cell."""
    plans = with_earlier([plan], warehouse, options)
    aggregates = compute_daily_aggregates(plans, warehouse, options)
    for each in plans:
        compute_metrics(each, warehouse, options, aggregates)


def rows_of(
    warehouse: DuckDBParquetWarehouse, target: Slice
) -> dict[tuple[Any, ...], dict[str, Any]]:
    found = warehouse.query(exp.select("*").from_(target.reference)).to_pylist()
    return {tuple(row[column] for column in KEY): row for row in found}


def assert_equal_slices(
    first: DuckDBParquetWarehouse, second: DuckDBParquetWarehouse, target: Slice
) -> None:
    """Equal rows; floats up to the order of additions, everything else exactly."""
    found, expected = rows_of(first, target), rows_of(second, target)
    assert found.keys() == expected.keys()
    for key, row in expected.items():
        assert found[key].keys() == row.keys()
        for name, value in row.items():
            wanted = pytest.approx(value, rel=1e-12) if isinstance(value, float) else value
            assert found[key][name] == wanted, (key, name)


class CrashError(Exception):
    """The process stops here."""


class CrashingWarehouse(DuckDBParquetWarehouse):
    """A warehouse whose process dies before its n-th slice is put."""

    left = 10**9

    def _count(self) -> None:
        type(self).left -= 1
        if type(self).left <= 0:
            raise CrashError

    def replace(
        self, target: Slice, content: exp.Expr | pa.Table, provenance: Provenance
    ) -> Written:
        self._count()
        return super().replace(target, content, provenance)

    def replace_days(
        self, targets: Mapping[date, Slice], content: exp.Query, provenance: Provenance
    ) -> Written:
        self._count()
        return super().replace_days(targets, content, provenance)


def check(
    of: AnalysisConfiguration,
    records: Records,
    dates: Sequence[date],
    *,
    crashes: Mapping[int, int] | None = None,
    late: Sequence[int] = (),
    by_day: bool = False,
) -> None:
    """Compute the dates in this order, and compare every cell with its full computation."""
    with TemporaryDirectory() as folder:
        root, whole = Path(folder) / "days", Path(folder) / "full"
        put_records(without(records, late), root, by_day=by_day)
        put_records(records, whole)
        for number, on in enumerate(dates):
            plan = make_plan(of, on)
            if number == len(dates) // 2:
                put_records(records, root, by_day=by_day)
            if crashes and number in crashes:
                CrashingWarehouse.left = crashes[number]
                # A cell that puts fewer slices is done before its process would die.
                with suppress(CrashError):
                    compute(plan, CrashingWarehouse(root, threads=1))
                CrashingWarehouse.left = 10**9
            compute(plan, DuckDBParquetWarehouse(root, threads=1))
        kept, full = (DuckDBParquetWarehouse(r, threads=1) for r in (root, whole))
        for on in sorted(set(dates)):
            plan = make_plan(of, on)
            compute(plan, full, FULL)
            if plan.observation_windows:
                target = cell_slice(plan, ResultTable.METRICS)
                assert on < LAST or rows_of(full, target)
                assert_equal_slices(kept, full, target)
            if plan.preenrollment:
                target = enrollment_slice(plan, ResultTable.PREENROLLMENT_METRICS)
                assert_equal_slices(kept, full, target)


def from_rows(of: AnalysisConfiguration) -> set[str]:
    """The metrics that are not rolled up."""
    names = [metric.name for metric in of.metrics]
    return {name for states in states_by_source(of, names) for name in states.windowed}


@pytest.mark.parametrize("kind", ExperimentsColumn)
def test_rolled_up_windows_are_those_of_one_full_query(kind: ExperimentsColumn) -> None:
    of, dates = configuration(kind), [LAST + timedelta(days=6), END, LAST, LAST + timedelta(days=1)]
    check(of, make_records(cases.SLUG, seed=5, units=60), dates)
    assert from_rows(of) == {"distinct_hits"}


def test_exposures_by_signal_are_rolled_up_as_well() -> None:
    of = configuration(ExperimentsColumn.SIMPLE, with_signal=True)
    dates = [LAST + timedelta(days=6), LAST, LAST + timedelta(days=2)]
    check(of, make_records(cases.SLUG, seed=6, units=60), dates)
    assert from_rows(of) == {"distinct_hits"}


_DATES = st.lists(
    st.integers(0, (END - FIRST).days).map(lambda days: FIRST + timedelta(days=days)),
    min_size=3,
    max_size=6,
)


@pytest.mark.slow
@settings(
    max_examples=8, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)
@given(
    kind=st.sampled_from(list(ExperimentsColumn)),
    with_signal=st.booleans(),
    seed=st.integers(0, 1000),
    dates=_DATES,
    crashes=st.dictionaries(st.integers(0, 3), st.integers(1, 4), max_size=2),
)
def test_any_order_repeats_and_crashes_give_the_tables_of_one_full_computation(
    kind: ExperimentsColumn,
    with_signal: bool,  # noqa: FBT001  # hypothesis names it
    seed: int,
    dates: list[date],
    crashes: dict[int, int],
) -> None:
    of = configuration(kind, with_signal=with_signal)
    check(of, make_records(cases.SLUG, seed=seed, units=25), dates, crashes=crashes)
