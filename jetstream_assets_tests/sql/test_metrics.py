from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jetstream_assets.errors import QueryError
from jetstream_assets.experiments.metrics import (
    AnalysisBasis,
    DataSource,
    ExperimentsColumn,
    Metric,
)
from jetstream_assets.experiments.plan import PlannedWindow
from jetstream_assets.experiments.windows import AnalysisWindow, DueWindow, Period
from jetstream_assets.sql.metrics import metric_probe, metrics_query
from jetstream_assets_tests.sql import cases, oracle
from jetstream_assets_tests.sql.comparison import METRICS_KEY, assert_same_answers
from jetstream_assets_tests.sql.laboratory import Laboratory
from jetstream_assets_tests.sql.records import LAST, Records

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from jetstream_assets.experiments.configuration import AnalysisConfiguration

CASES = cases.metrics_cases()
WEEK = DueWindow(Period.WEEK, 1, AnalysisWindow(0, 6))


@pytest.mark.parametrize("name", CASES)
def test_rows_are_what_the_records_say(name: str, laboratories: Mapping[str, Laboratory]) -> None:
    of, windows = CASES[name].configuration, CASES[name].windows
    laboratory = laboratories[of.experiment.slug]
    found = laboratory.ask(metrics_query(of, windows, laboratory.enrolled(of))).to_pylist()
    assert_same_answers(found, oracle.metrics(of, windows, laboratory.records), METRICS_KEY)
    places = [tuple(row[column] for column in METRICS_KEY) for row in found]
    assert places == sorted(places)
    assert len(places) == len(set(places))


def test_every_branch_of_the_contract_occurs(laboratory: Laboratory) -> None:
    """Units without rows, rows dropped on the enrollment day, exposures with less than a week."""
    of = CASES["experiments-native"].configuration
    answers = oracle.metrics(of, CASES["experiments-native"].windows, laboratory.records)
    unguarded = CASES["experiments-none"]
    rows = oracle.metrics(unguarded.configuration, unguarded.windows, laboratory.records)
    assert any(answer["hits"] is None for answer in answers)
    assert [a["rows"] for a in answers] != [a["rows"] for a in rows]
    last_known = LAST + timedelta(days=6)
    assert any(
        answer["analysis_basis"] == AnalysisBasis.EXPOSURES
        and answer["exposure_date"] > answer["enrollment_date"]
        and answer["exposure_date"] + timedelta(days=6) > last_known - timedelta(days=1)
        for answer in answers
    )
    sanity = "activity_native_has_contradictory_branch", "activity_native_has_non_enrolled_data"
    for column in sanity:
        assert {True, False} == {answer[column] for answer in answers}
    without_rows = [answer for answer in answers if answer["hits"] is None]
    assert not any(answer[column] for answer in without_rows for column in sanity)


def test_columns_are_in_order_and_typed(laboratory: Laboratory) -> None:
    case = CASES["several-windows"]
    of = replace(case.configuration, segments=cases.SEGMENTS)
    reference = laboratory.enrolled(of)
    schema = laboratory.ask(metrics_query(of, case.windows, reference)).schema
    assert schema.names == [
        *("analysis_id", "branch", "enrollment_date", "num_enrollment_events"),
        *("busy", "seen", "quiet"),
        *("exposure_date", "num_exposure_events"),
        *("period", "window_index", "window_start", "window_end", "analysis_basis"),
        "is_provisional",
        *("ever", "hits", "spend"),
        "activity_simple_has_contradictory_branch",
        "activity_simple_has_non_enrolled_data",
    ]
    # NULL in the first part of the stack, BOOL in a later one.
    assert schema.field("ever").type == pa.bool_()
    assert schema.field("spend").type == pa.float64()
    for column in ("window_index", "window_start", "window_end"):
        assert schema.field(column).type == pa.int64()


def test_metric_left_out_is_null_there_and_gone_when_left_out_everywhere(
    laboratory: Laboratory,
) -> None:
    case = CASES["several-windows"]
    of, reference = case.configuration, laboratory.enrolled(case.configuration)
    everywhere = {
        (w.due.period, w.due.index, basis, "spend") for w in case.windows for basis in AnalysisBasis
    }
    week = {place for place in everywhere if place[0] == Period.WEEK}
    rows = laboratory.ask(metrics_query(of, case.windows, reference, without=week)).to_pylist()
    assert {row["spend"] for row in rows if row["period"] == "week"} == {None}
    assert None not in {row["spend"] for row in rows if row["period"] == "day"}
    gone = metrics_query(of, case.windows, reference, without=everywhere)
    assert "spend" not in gone.named_selects
    assert {"ever", "hits"} < set(gone.named_selects)


def test_window_without_any_metric_still_has_its_units(laboratory: Laboratory) -> None:
    of = cases.configuration()
    query = metrics_query(of, [PlannedWindow(WEEK, (), ())], laboratory.enrolled(of))
    rows = laboratory.ask(query).to_pylist()
    assert_same_answers(
        rows, oracle.metrics(of, (PlannedWindow(WEEK, (), ()),), laboratory.records), METRICS_KEY
    )


def test_data_after_the_window_of_the_last_unit_changes_nothing(
    laboratory: Laboratory, tmp_path: Path
) -> None:
    case = CASES["signal"]
    of, known = case.configuration, laboratory.records
    last = LAST + timedelta(days=6)
    until = Records(known.slug, known.events, tuple(r for r in known.rows if r.day <= last))
    assert len(until.rows) < len(known.rows)
    earlier = Laboratory(until, tmp_path)
    query = metrics_query(of, case.windows, laboratory.enrolled(of))
    earlier.enrolled(of)
    assert earlier.ask(query).equals(laboratory.ask(query))


def test_no_window_is_a_mistake_of_the_caller() -> None:
    of = cases.configuration()
    with pytest.raises(ValueError, match="at least one window"):
        metrics_query(of, [], cases.enrollments_slice(of).reference)


@settings(max_examples=12, deadline=None, derandomize=True)
@given(
    start=st.integers(-35, 40),
    length=st.integers(1, 30),
    kind=st.sampled_from(list(ExperimentsColumn)),
)
def test_any_window_is_what_the_records_say(
    laboratory: Laboratory, start: int, length: int, kind: ExperimentsColumn
) -> None:
    end = min(start + length - 1, -1) if start < 0 else start + length - 1
    of = cases.configuration(cases.activity(kind))
    names = tuple(metric.name for metric in of.metrics)
    window = PlannedWindow(DueWindow(Period.WEEK, 1, AnalysisWindow(start, end)), names, ())
    found = laboratory.ask(metrics_query(of, [window], laboratory.enrolled(of))).to_pylist()
    assert_same_answers(found, oracle.metrics(of, (window,), laboratory.records), METRICS_KEY)


FAULTY = {
    "missing_column": "SUM(no_such_column)",
    "no_aggregate": "value",
    "bad_cast": "SUM(CAST(CONCAT('x', CAST(hits AS STRING)) AS INT64))",
    "not_sql": "SUM(",
    "statement": "1; DROP TABLE x",
    "alias": "SUM(hits) AS hits",
}


def _with_faulty_metrics() -> tuple[AnalysisConfiguration, PlannedWindow]:
    of = cases.configuration()
    source = of.metrics[0].data_source
    faulty = tuple(Metric(name, source, text) for name, text in FAULTY.items())
    of = replace(of, metrics=(*of.metrics, *faulty))
    return of, PlannedWindow(WEEK, tuple(metric.name for metric in of.metrics), ())


@pytest.mark.parametrize("name", FAULTY)
def test_probe_fails_for_a_faulty_metric(name: str, laboratory: Laboratory) -> None:
    of, window = _with_faulty_metrics()
    reference = laboratory.enrolled(of)
    with pytest.raises(QueryError):
        laboratory.ask(metric_probe(of, window, AnalysisBasis.ENROLLMENTS, name, reference))


@pytest.mark.parametrize("name", [metric.name for metric in cases.configuration().metrics])
def test_probe_gives_one_row_for_a_sound_metric(name: str, laboratory: Laboratory) -> None:
    of, window = _with_faulty_metrics()
    reference = laboratory.enrolled(of)
    probe = metric_probe(of, window, AnalysisBasis.EXPOSURES, name, reference)
    table = laboratory.ask(probe)
    assert (table.num_rows, table.column_names) == (1, [name])


def test_query_without_the_faulty_metrics_succeeds(laboratory: Laboratory) -> None:
    of, window = _with_faulty_metrics()
    without = {(Period.WEEK, 1, basis, name) for basis in AnalysisBasis for name in FAULTY}
    query = metrics_query(of, [window], laboratory.enrolled(of), without=without)
    assert laboratory.ask(query).num_rows > 0


def test_names_of_metrics_and_sources_are_data(laboratory: Laboratory) -> None:
    odd = """a"b'); DROP TABLE x --"""
    source = replace(cases.activity(ExperimentsColumn.SIMPLE), name=odd)
    of = replace(cases.configuration(), metrics=(Metric(odd, source, "SUM(hits)"),))
    query = metrics_query(of, [PlannedWindow(WEEK, (odd,), ())], laboratory.enrolled(of))
    names = laboratory.ask(query).column_names
    assert names[-3:] == [odd, f"{odd}_has_contradictory_branch", f"{odd}_has_non_enrolled_data"]


def test_metric_named_like_a_column_is_refused() -> None:
    source = DataSource("s", "x.y", ExperimentsColumn.NONE)
    of = replace(cases.configuration(), metrics=(Metric("period", source, "SUM(x)"),))
    with pytest.raises(QueryError, match="'period' would exist twice"):
        metrics_query(
            of, [PlannedWindow(WEEK, ("period",), ())], cases.enrollments_slice(of).reference
        )


def test_metric_with_sql_but_no_source_is_refused() -> None:
    of = replace(cases.configuration(), metrics=(Metric("lost", None, "SUM(x)"),))
    with pytest.raises(QueryError, match="'lost' has no data source"):
        metrics_query(
            of, [PlannedWindow(WEEK, ("lost",), ())], cases.enrollments_slice(of).reference
        )
