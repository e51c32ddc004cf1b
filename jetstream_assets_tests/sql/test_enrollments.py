from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pyarrow as pa
import pytest

from jetstream_assets.errors import QueryError
from jetstream_assets.experiments.configuration import EnrollmentsQueryType
from jetstream_assets.experiments.experiment import AnalysisUnit
from jetstream_assets.experiments.metrics import Segment, SegmentDataSource
from jetstream_assets.sql.enrollments import enrollments_query
from jetstream_assets_tests.sql import cases, oracle
from jetstream_assets_tests.sql.comparison import assert_same_answers
from jetstream_assets_tests.sql.laboratory import Laboratory
from jetstream_assets_tests.sql.records import FIRST, LAST, Records

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

CASES = cases.enrollment_cases()


@pytest.mark.parametrize("name", CASES)
def test_table_is_what_the_records_say(name: str, laboratories: Mapping[str, Laboratory]) -> None:
    of = CASES[name]
    laboratory = laboratories[of.experiment.slug]
    found = laboratory.ask(enrollments_query(of)).to_pylist()
    assert_same_answers(found, oracle.enrollments(of, laboratory.records), ("analysis_id",))
    assert [row["analysis_id"] for row in found] == sorted(row["analysis_id"] for row in found)


def test_records_hold_the_awkward_units(laboratory: Laboratory) -> None:
    """The oracle tests mean something only where these occur."""
    of = replace(cases.configuration(), segments=cases.SEGMENTS)
    units = oracle.enrollments(of, laboratory.records)
    active = {row.client for row in laboratory.records.rows}
    at_the_edge = {
        event.client
        for event in laboratory.records.events
        if event.sample_id == CASES["sample"].sample_size
    }
    early = {
        event.client
        for event in laboratory.records.events
        if event.branch and 4 <= (FIRST - event.day).days <= 7
    }
    for occurs in (
        [unit["is_excluded"] for unit in units],
        [unit["exposure_date"] is None for unit in units],
        [(unit["exposure_date"] or LAST) > unit["enrollment_date"] for unit in units],
        [unit["analysis_id"] in active for unit in units],
        [unit["analysis_id"] in at_the_edge for unit in units],
        [unit["analysis_id"] in early for unit in units],
        *([unit[segment.name] for unit in units] for segment in of.segments),
    ):
        assert {True, False} <= set(occurs)


def test_columns_and_types(laboratory: Laboratory) -> None:
    of = replace(cases.configuration(), segments=cases.SEGMENTS)
    schema = laboratory.ask(enrollments_query(of)).schema
    assert dict(zip(schema.names, schema.types, strict=True)) == {
        "analysis_id": pa.string(),
        "branch": pa.string(),
        "enrollment_date": pa.date32(),
        "num_enrollment_events": pa.int64(),
        "num_branches": pa.int64(),
        "is_excluded": pa.bool_(),
        "busy": pa.bool_(),
        "seen": pa.bool_(),
        "quiet": pa.bool_(),
        "exposure_date": pa.date32(),
        "num_exposure_events": pa.int64(),
    }


@pytest.mark.parametrize("name", ["segments", "signal-late", "fenix-fallback", "custom-query"])
def test_data_after_the_last_enrollment_date_changes_nothing(
    name: str, laboratory: Laboratory, tmp_path: Path
) -> None:
    known = laboratory.records
    until = Records(
        known.slug,
        tuple(event for event in known.events if event.day <= LAST),
        tuple(row for row in known.rows if row.day <= LAST),
    )
    assert len(until.rows) < len(known.rows)
    assert len(until.events) < len(known.events)
    query = enrollments_query(CASES[name])
    assert Laboratory(until, tmp_path).ask(query).equals(laboratory.ask(query))


def test_numeric_ids_of_a_custom_query_become_text(laboratory: Laboratory) -> None:
    query = (
        "SELECT 7 AS analysis_id, 'control' AS branch, DATE '2024-01-03' AS enrollment_date, "
        "2 AS num_enrollment_events"
    )
    (row,) = laboratory.ask(
        enrollments_query(replace(cases.configuration(), enrollment_query=query))
    ).to_pylist()
    assert (row["analysis_id"], row["num_enrollment_events"]) == ("7", 2)


@pytest.mark.parametrize(
    "around",
    ["{}", "SELECT * FROM ({})", "WITH q AS ({}) SELECT * FROM q", "({0}) UNION ALL ({0})"],
)
def test_a_custom_query_may_name_its_unit(around: str, laboratory: Laboratory) -> None:
    query = (
        "SELECT 'a' AS client_id, 'control' AS branch, DATE '2024-01-03' AS enrollment_date, "
        "1 AS num_enrollment_events"
    )
    of = replace(cases.configuration(), enrollment_query=around.format(query))
    (row,) = laboratory.ask(enrollments_query(of)).to_pylist()
    assert (row["analysis_id"], row["branch"]) == ("a", "control")


@pytest.mark.parametrize(
    ("columns", "missing"),
    [
        ("client_id, branch, enrollment_date", "num_enrollment_events"),
        ("branch, num_enrollment_events", "analysis_id, enrollment_date"),
        ("1", "analysis_id, branch, enrollment_date, num_enrollment_events"),
    ],
)
def test_a_column_that_a_custom_query_lacks_is_named(columns: str, missing: str) -> None:
    for query in (f"SELECT {columns} FROM t", f"SELECT * FROM (SELECT {columns} FROM t)"):  # noqa: S608
        with pytest.raises(QueryError, match=f"has no column {missing};.* has to have analysis_id"):
            enrollments_query(replace(cases.configuration(), enrollment_query=query))


@pytest.mark.parametrize(
    "kind", [kind for kind in EnrollmentsQueryType if kind != EnrollmentsQueryType.NORMANDY]
)
def test_events_that_name_no_profile_group_are_refused(kind: EnrollmentsQueryType) -> None:
    of = replace(cases.configuration(unit=AnalysisUnit.PROFILE_GROUP), enrollments_query_type=kind)
    with pytest.raises(QueryError, match=f"{kind.value}.*profile_group_id.*enrollment_query"):
        enrollments_query(of)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("SELECT profile_group_id AS analysis_id FROM x", "mentions profile_group_id"),
        ("SELECT 1 AS analysis_id; DROP TABLE x", "one query and no other statement"),
        ("DROP TABLE x", "one query and no other statement"),
        ("SELECT FROM (", "enrollment_query: SQL is wrong at line 1"),
        ("", "one query"),
    ],
)
def test_custom_query_is_one_query_of_the_right_unit(text: str, message: str) -> None:
    with pytest.raises(QueryError, match=message):
        enrollments_query(replace(cases.configuration(), enrollment_query=text))


def test_segment_named_like_a_column_is_refused() -> None:
    segment = Segment("Branch", SegmentDataSource("s", "x.y"), "TRUE")
    with pytest.raises(QueryError, match="column 'Branch' would exist twice"):
        enrollments_query(replace(cases.configuration(), segments=(segment,)))
