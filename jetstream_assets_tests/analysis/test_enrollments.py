"""Enrollments follow from events that are read once a day, and anew when these change."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from sqlglot import exp

from jetstream_assets.analysis.enrollments import compute_enrollments, ensure_enrollments
from jetstream_assets.analysis.event_days import enrollment_event_days, exposure_event_days
from jetstream_assets.analysis.known_units import (
    exposures_mark,
    known_units,
    units_marks,
)
from jetstream_assets.analysis.options import AnalysisOptions
from jetstream_assets.experiments.metrics import AnalysisBasis
from jetstream_assets.experiments.plan import make_plan
from jetstream_assets.sql.enrollments import enrollments_query
from jetstream_assets.warehouse.duckdb_parquet import DuckDBParquetWarehouse
from jetstream_assets.warehouse.tables import ResultTable, Slice
from jetstream_assets_tests.sql import cases
from jetstream_assets_tests.sql.records import FIRST, LAST, make_records, telemetry_tables

if TYPE_CHECKING:
    from datetime import date
    from pathlib import Path

    from jetstream_assets.analysis.stage import StageResult
    from jetstream_assets.experiments.configuration import AnalysisConfiguration

TABLES = telemetry_tables(make_records(cases.SLUG))
EVENTS = TABLES["telemetry", "events"]
CASES = cases.enrollment_cases()
PLAIN = cases.configuration()


class _Laboratory:
    """Telemetry in a folder a day, as it arrives."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.warehouse = DuckDBParquetWarehouse(root, threads=2)
        for day in pc.unique(EVENTS["submission_date"]).to_pylist():
            self.put(day, EVENTS.filter(pc.equal(EVENTS["submission_date"], day)))
        activity = root / "lab/activity"
        activity.mkdir(parents=True)
        pq.write_table(TABLES["lab", "activity"], activity / "rows.parquet")

    def put(self, day: date, rows: pa.Table) -> None:
        folder = self.root / f"telemetry/events/submission_date={day}"
        folder.mkdir(parents=True, exist_ok=True)
        pq.write_table(rows.drop_columns(["submission_date"]), folder / "rows.parquet")

    def add_late_event(self, day: date, client: str = "late") -> None:
        """One more enrollment event of a unit of its own."""
        rows = EVENTS.filter(pc.equal(EVENTS["submission_date"], day))
        is_enrollment = (pc.field("event_method") == "enroll") & (
            pc.field("event_category") == "normandy"
        )
        (event,) = rows.filter(is_enrollment).slice(0, 1).to_pylist()
        branch = [{"key": "branch", "value": "control"}]
        event |= {"client_id": client, "event_map_values": branch, "event_string_value": cases.SLUG}
        self.put(day, pa.concat_tables([rows, pa.Table.from_pylist([event], rows.schema)]))

    def rows(self, target: Slice) -> list[dict[str, object]]:
        rows: list[dict[str, object]] = self.warehouse.query(
            exp.select("*").from_(target.reference)
        ).to_pylist()
        return rows

    def compute(
        self, on: date, of: AnalysisConfiguration = PLAIN, lookback: int = 3
    ) -> StageResult:
        return compute_enrollments(make_plan(of, on), self.warehouse, AnalysisOptions(lookback))

    def enrolled(self, of: AnalysisConfiguration = PLAIN) -> list[dict[str, object]]:
        return self.rows(Slice(ResultTable.ENROLLMENTS, of.experiment.slug, LAST))


@pytest.fixture
def laboratory(tmp_path: Path) -> _Laboratory:
    return _Laboratory(tmp_path)


def test_each_day_of_events_is_read_once(laboratory: _Laboratory) -> None:
    # Enrollment events, exposure events, and the enrollments that follow.
    assert len(laboratory.compute(LAST).written) == 3
    again = laboratory.compute(LAST + timedelta(days=6))
    assert not again.written
    assert [target.table for target in again.reused] == [ResultTable.ENROLLMENTS]
    days = laboratory.warehouse.slices(ResultTable.ENROLLMENT_EVENTS, cases.SLUG, "jetstream")
    assert [target.date for target in days] == [FIRST + timedelta(days=n) for n in range(8)]


@pytest.mark.parametrize("name", ["normandy", "signal", "signal-late", "segments", "custom-query"])
def test_enrollments_are_those_of_one_query_over_the_sources(
    name: str, laboratory: _Laboratory
) -> None:
    of = CASES[name]
    laboratory.compute(LAST + timedelta(days=6), of)
    assert laboratory.enrolled(of) == laboratory.warehouse.query(enrollments_query(of)).to_pylist()


def test_whatever_order_dates_are_asked_in_the_enrollments_are_the_same(
    laboratory: _Laboratory, tmp_path: Path
) -> None:
    dates = [LAST + timedelta(days=int(n)) for n in np.random.default_rng(3).permutation(5)]
    for on in [*dates, LAST, LAST]:
        laboratory.compute(on)
    found = laboratory.warehouse.provenance(Slice(ResultTable.ENROLLMENTS, cases.SLUG, LAST))
    rows = laboratory.enrolled()
    laboratory.root.joinpath("jetstream").rename(tmp_path / "former")
    laboratory.compute(LAST)
    assert laboratory.enrolled() == rows
    assert found == laboratory.warehouse.provenance(
        Slice(ResultTable.ENROLLMENTS, cases.SLUG, LAST)
    )


def test_a_changed_day_within_the_lookback_is_read_again(laboratory: _Laboratory) -> None:
    laboratory.compute(LAST)
    laboratory.add_late_event(LAST - timedelta(days=2))
    result = laboratory.compute(LAST + timedelta(days=1))
    assert not result.warnings
    assert len(result.written) == 3
    assert {"late"} <= {row["analysis_id"] for row in laboratory.enrolled()}


def test_an_older_change_is_told_and_not_followed(laboratory: _Laboratory) -> None:
    laboratory.compute(LAST)
    laboratory.add_late_event(FIRST)
    result = laboratory.compute(LAST + timedelta(days=1))
    assert not result.written
    # Both kinds of events are in the table, so both were read before the change.
    (told, *_) = result.warnings
    assert f"telemetry.events changed after it was read, on {FIRST} (" in told
    assert {"late"} & {row["analysis_id"] for row in laboratory.enrolled()} == set()
    laboratory.compute(LAST + timedelta(days=1), lookback=30)
    assert {"late"} <= {row["analysis_id"] for row in laboratory.enrolled()}


def test_another_sample_reads_the_days_again(laboratory: _Laboratory) -> None:
    laboratory.compute(LAST)
    sample = replace(PLAIN, sample_size=35)
    # The exposure events do not depend on the sample.
    assert len(laboratory.compute(LAST, sample).written) == 2
    expected = laboratory.warehouse.query(enrollments_query(sample)).to_pylist()
    assert laboratory.enrolled() == expected


def test_the_digest_of_units_moves_with_days_up_to_the_date_alone(laboratory: _Laboratory) -> None:
    plan = make_plan(PLAIN, LAST + timedelta(days=1))
    laboratory.compute(plan.date)
    days = [FIRST + timedelta(days=n) for n in range(12)]
    before = units_marks(plan, laboratory.warehouse, days)
    assert before[days[0]] == units_marks(plan, laboratory.warehouse, days[:1])[days[0]]
    assert len(set(before.values())) == 8
    assert before[LAST] == before[days[-1]]
    changed = LAST - timedelta(days=1)
    laboratory.add_late_event(changed)
    laboratory.compute(plan.date)
    after = units_marks(plan, laboratory.warehouse, days)
    assert [day for day in days if before[day] != after[day]] == [d for d in days if d >= changed]


def test_the_digest_of_exposures_moves_with_days_after_enrollment_too(
    laboratory: _Laboratory,
) -> None:
    on = LAST + timedelta(days=6)
    source = replace(cases.SIGNAL.data_source, from_expression="`mozdata.telemetry.events`")
    source = replace(source, client_id_column="client_id", submission_date_column="submission_date")
    late = replace(
        cases.SIGNAL, data_source=source, select_expression="TRUE", window_end=30, window_start=0
    )
    plan = make_plan(replace(PLAIN, exposure_signal=late), on)
    compute_enrollments(plan, laboratory.warehouse)
    before = exposures_mark(plan, laboratory.warehouse)
    units = units_marks(plan, laboratory.warehouse, [on])[on]
    laboratory.add_late_event(on - timedelta(days=1))
    compute_enrollments(plan, laboratory.warehouse)
    assert exposures_mark(plan, laboratory.warehouse) != before
    assert units_marks(plan, laboratory.warehouse, [on])[on] == units


def test_units_of_a_custom_query_are_those_of_its_enrollments(laboratory: _Laboratory) -> None:
    of = CASES["custom-query"]
    plan = make_plan(of, LAST)
    compute_enrollments(plan, laboratory.warehouse)
    assert not laboratory.warehouse.slices(ResultTable.ENROLLMENT_EVENTS, cases.SLUG, "jetstream")
    marks = units_marks(plan, laboratory.warehouse, [FIRST, LAST])
    stored = laboratory.warehouse.provenance(Slice(ResultTable.ENROLLMENTS, cases.SLUG, LAST))
    assert stored is not None
    assert marks == {FIRST: stored.fingerprint, LAST: stored.fingerprint}
    assert len(laboratory.warehouse.query(exp.select("*").from_(known_units(plan)))) > 0


def test_exposures_that_cannot_be_read_are_a_failure_until_they_can(
    laboratory: _Laboratory,
) -> None:
    source = replace(cases.SIGNAL.data_source, from_expression="`mozdata.lab.nowhere`")
    of = replace(PLAIN, exposure_signal=replace(cases.SIGNAL, data_source=source))
    result = laboratory.compute(LAST, of)
    assert [failure.analysis_basis for failure in result.failures] == [AnalysisBasis.EXPOSURES]
    assert {row["exposure_date"] for row in laboratory.enrolled()} == {None}
    assert laboratory.compute(LAST + timedelta(days=1), of).reused
    (laboratory.root / "lab/activity").rename(laboratory.root / "lab/nowhere")
    assert not laboratory.compute(LAST + timedelta(days=1), of).failures
    assert {row["exposure_date"] for row in laboratory.enrolled()} > {None}


def test_events_that_cannot_be_read_leave_nothing_known(laboratory: _Laboratory) -> None:
    laboratory.root.joinpath("telemetry").rename(laboratory.root / "elsewhere")
    result = laboratory.compute(LAST)
    (whole, *_) = result.failures
    assert (whole.analysis_basis, whole.segment) == (None, None)
    assert "enrollments of reader-mode could not be computed" in whole.message


def test_a_full_run_reads_the_sources_and_keeps_no_day(laboratory: _Laboratory) -> None:
    full = AnalysisOptions(is_full=True)
    plan = make_plan(PLAIN, LAST + timedelta(days=6))
    assert len(compute_enrollments(plan, laboratory.warehouse, full).written) == 1
    assert not laboratory.warehouse.slices(ResultTable.ENROLLMENT_EVENTS, cases.SLUG, "jetstream")
    rows = laboratory.enrolled()
    assert len(ensure_enrollments(plan, laboratory.warehouse).written) == 3
    assert laboratory.enrolled() == rows


def test_days_are_those_up_to_the_date(laboratory: _Laboratory) -> None:
    del laboratory
    plan = make_plan(PLAIN, LAST + timedelta(days=6))
    assert enrollment_event_days(plan).days[-1] == LAST
    assert exposure_event_days(plan).days[-1] == LAST
    late = make_plan(CASES["signal-late"], LAST + timedelta(days=6))
    assert exposure_event_days(late).days[-1] == late.date
