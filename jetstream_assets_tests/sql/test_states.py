"""What follows from a unit's days is what one query over the window says; the rest is refused."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import sqlglot
from hypothesis import given, settings
from hypothesis import strategies as st

from jetstream_assets_tests.sql import expressions
from jetstream_assets_tests.sql.unit_days import (
    ENROLLED,
    Row,
    Unit,
    UnitDays,
    session,
    split_metric,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    import duckdb

# Two rows on one day, one on another, one after the window; a row of NULLs; no row in the window.
BUSY, BLANK, LATE = "busy", "blank", "late"
UNITS = [Unit(BUSY, "treatment"), Unit(BLANK), Unit(LATE, exposed=1)]
ROWS = [
    Row(BUSY, 0, n=1, m=2, f=0.5, t="x", b=True, place=4, items=(1, 2), pairs=(("k", 6),)),
    Row(BUSY, 0, n=3, t="a", place=1),
    Row(BUSY, 2, m=5, b=False, place=9, items=()),
    Row(BUSY, 4, n=100, m=100, f=100.0, t="late", b=True, place=100),
    Row(BLANK, 1),
    Row(LATE, -1, n=7, b=True, place=20),
    Row(LATE, 4, n=8, b=True, place=21),
]

# An expression, and what it is for the three units: worked out by hand.
VALUES: list[tuple[str, Any, Any, Any]] = [
    ("SUM(n)", 4, None, None),
    ("SUM(IF(ds.n > 0, 1, 0))", 2, 0, 0),
    ("SUM(1)", 3, 1, 1),
    ("COUNT(*)", 3, 1, 1),
    ("COUNT(1)", 3, 1, 1),
    ("COUNT(m)", 2, 0, 0),
    ("COUNT(e.branch)", 3, 1, 1),
    ("COUNTIF(n IS NULL)", 1, 1, 1),
    ("COUNTIF(n > 1)", 1, 0, 0),
    ("COUNTIF(e.branch = 'control')", 0, 1, 1),
    ("MIN(m)", 2, None, None),
    ("MAX(DISTINCT COALESCE(n, 2))", 3, 2, 2),
    ("LOGICAL_OR(b)", True, None, None),
    ("LOGICAL_AND(b)", False, None, None),
    ("LOGICAL_OR(ds.n IS NULL)", True, True, True),
    ("AVG(m)", 3.5, None, None),
    ("AVG(COALESCE(m, 0))", 7 / 3, 0.0, 0.0),
    ("ANY_VALUE(e.branch)", "treatment", "control", "control"),
    ("ANY_VALUE(f)", 0.5, None, None),
    # The value may be NULL; rows whose key is NULL do not count.
    ("MAX_BY(n, place)", None, None, None),
    ("MIN_BY(n, place)", 3, None, None),
    ("MAX_BY(place, n)", 1, None, None),
    ("ARRAY_AGG(n ORDER BY place DESC LIMIT 1)[OFFSET(0)]", None, None, None),
    ("ARRAY_AGG(n IGNORE NULLS ORDER BY place DESC LIMIT 1)[OFFSET(0)]", 1, None, None),
    ("ARRAY_AGG(place ORDER BY m LIMIT 1)[ORDINAL(1)]", 1, None, None),
    ("ARRAY_AGG(place ORDER BY m DESC LIMIT 1)[SAFE_OFFSET(0)]", 9, None, None),
    ("ARRAY_AGG(COALESCE(n, 9) ORDER BY place LIMIT 1)[OFFSET(0)]", 3, 9, 9),
    ("COUNT(DISTINCT submission_date)", 2, 1, 0),
    ("COUNT(DISTINCT IF(n > 0, ds.submission_date, NULL))", 1, 0, 0),
    ("COUNT(DISTINCT CASE WHEN m > 1 THEN submission_date END)", 2, 0, 0),
    ("COUNT(DISTINCT client_id)", 1, 1, 0),
    ("COUNT(DISTINCT IF(b, client_id, NULL))", 1, 0, 0),
    ("MIN(e.enrollment_date)", ENROLLED, ENROLLED, ENROLLED),
    ("DATE_DIFF(MAX(ds.submission_date), MIN(e.enrollment_date), DAY)", 2, 1, None),
    ("SAFE_DIVIDE(SUM(n), COUNT(*))", 4 / 3, None, None),
    ("COALESCE(SUM(n), 0) > 0 AND e.branch = 'treatment'", True, False, False),
    ("CASE WHEN COUNT(m) > 1 THEN 'often' ELSE 'rarely' END", "often", "rarely", "rarely"),
    ("CAST(COALESCE(LOGICAL_OR(b), FALSE) AS INT64)", 1, 0, 0),
    ("IF(e.exposure_date IS NULL, SUM(n), -1)", 4, None, -1),
    ("SUM((SELECT SUM(v) FROM UNNEST(ds.items) AS v))", 3, None, None),
    ("SUM((SELECT COUNT(*) FROM UNNEST(ds.items)))", 2, 0, 0),
    ("SUM(mozfun.map.get_key(pairs, 'k'))", 6, None, None),
    # What is kept of an empty row is an expression: it must keep its parentheses.
    ("COUNTIF(NOT COALESCE(n, 5) BETWEEN m AND 3)", 2, 1, 1),
    ("COUNTIF((COALESCE(n, 1) = 1 OR COALESCE(m, 1) = 1) AND IFNULL(t, 'q') = 'z')", 0, 0, 0),
    ("COUNTIF(NOT (COALESCE(n, 1) = 2 OR COALESCE(m, 1) = 1))", 2, 0, 0),
    ("SUM(COALESCE(n, 5) - (COALESCE(m, 2) - 1))", 0 + 2 + 1, 4, 4),
]

# An expression, and what the reason must say.
REFUSED = [
    ("COUNT(DISTINCT n)", "several days once"),
    ("COUNT(DISTINCT IF(b, client_id, 'other'))", "several days once"),
    ("COUNT(DISTINCT DATE(ts))", "several days once"),
    ("SUM(DISTINCT n)", "several days once"),
    ("AVG(DISTINCT n)", "several days once"),
    ("COUNTIF(DISTINCT b)", "several days once"),
    ("APPROX_COUNT_DISTINCT(n)", "several days once"),
    ("APPROX_QUANTILES(n, 4)[OFFSET(2)]", "in their order"),
    ("SUM(n) OVER (PARTITION BY m)", "window function"),
    ("STRING_AGG(t)", "every row"),
    ("ARRAY_LENGTH(ARRAY_AGG(n IGNORE NULLS))", "every row"),
    ("ARRAY_AGG(n ORDER BY place LIMIT 2)[OFFSET(0)]", "every row"),
    ("ARRAY_AGG(n ORDER BY place LIMIT 1)[SAFE_OFFSET(1)]", "every row"),
    ("ARRAY_AGG(n ORDER BY place NULLS LAST LIMIT 1)[OFFSET(0)]", "does not follow"),
    ("ARRAY_AGG(n ORDER BY place, m LIMIT 1)[OFFSET(0)]", "does not follow"),
    ("ANY_VALUE(n HAVING MAX place)", "does not follow"),
    ("STDDEV(n)", "does not follow"),
    ("MAX(n) + m", "outside of aggregates"),
    ("some.aggregate(n)", "outside of aggregates"),
    ("SUM(MAX(n))", "without rows"),
    ("SUM(some.function(n))", "without rows"),
    ("MAX(TO_JSON_STRING(n))", "without rows"),
    ("COUNTIF(n IS DISTINCT FROM 1)", "without rows"),
    ("COUNTIF(1 IN UNNEST(items))", "without rows"),
    ("MAX_BY(COALESCE(n, 0), place)", "without rows"),
    ("SUM(IF(e.exposure_date IS NULL, n, 0))", "exposure_date"),
    ("SUM(IF(exposure_date IS NULL, n, 0))", "exposure_date"),
    ("SUM(e.num_enrollment_events)", "num_enrollment_events"),
    ("SUM((SELECT COUNT(*) FROM UNNEST(items) AS v WHERE v > exposure_date))", "exposure_date"),
    ("SUM(n + (SELECT COUNT(*) FROM units))", "reads a table"),
    ("SUM(IF(submission_date < CURRENT_DATE(), n, 0))", "when it is asked"),
    ("SUM(n) FILTER (WHERE b)", "FILTER"),
    ("SUM(@parameter)", "parameter"),
    ("(SELECT SUM(x) FROM UNNEST(ARRAY_AGG(n)) AS x)", "does not follow"),
]


@pytest.fixture(scope="session")
def cursor(tmp_path_factory: pytest.TempPathFactory) -> duckdb.DuckDBPyConnection:
    return session(tmp_path_factory.mktemp("warehouse")).cursor()


@pytest.fixture
def days(cursor: duckdb.DuckDBPyConnection) -> UnitDays:
    return UnitDays(cursor, UNITS, ROWS)


def assert_equal(found: Mapping[str, Any], expected: Mapping[str, Any], text: str) -> None:
    """Whole numbers and truths exactly, fractions to the last digits."""
    assert found.keys() == expected.keys()
    for unit, value in expected.items():
        wanted = pytest.approx(value, rel=1e-12) if isinstance(value, float) else value
        assert found[unit] == wanted, (text, unit)


@pytest.mark.parametrize(("text", "busy", "blank", "late"), VALUES)
def test_values_are_those_worked_out_by_hand(
    days: UnitDays,
    text: str,
    busy: object,
    blank: object,
    late: object,
) -> None:
    column = split_metric(text)
    assert not isinstance(column, str), column
    expected = {BUSY: busy, BLANK: blank, LATE: late}
    assert_equal(days.over_window(text), expected, text)
    assert_equal(days.from_days(column), expected, text)


@pytest.mark.parametrize(("text", "told"), REFUSED)
def test_what_does_not_follow_from_days_is_refused_with_its_reason(text: str, told: str) -> None:
    reason = split_metric(text)
    assert isinstance(reason, str)
    assert told in reason
    assert reason.endswith(".")


def test_equal_states_are_kept_once() -> None:
    column = split_metric("SAFE_DIVIDE(SUM(n), COUNT(n)) + AVG(n) + SUM(n)")
    assert not isinstance(column, str)
    daily = [named.state.daily.sql(dialect="bigquery") for named in column.states]
    assert sorted(daily) == ["COUNT(n)", "SUM(n)"]


def test_metrics_share_states_and_others_have_keys_of_their_own() -> None:
    found = {text: split_metric(text) for text in ("SUM(n)", "SUM( n ) + 1", "MAX(n)", "SUM(m)")}
    names = {t: c.states[0].name for t, c in found.items() if not isinstance(c, str)}
    assert names["SUM(n)"] == names["SUM( n ) + 1"]
    assert len(set(names.values())) == 3


def test_a_state_that_a_day_lacks_disturbs_no_merge(cursor: duckdb.DuckDBPyConnection) -> None:
    texts = ["SUM(n)", "MAX_BY(n, place)", "ARRAY_AGG(n ORDER BY place LIMIT 1)[OFFSET(0)]"]
    texts += ["LOGICAL_AND(b)", "MIN(n)", "COUNT(*)", "COUNT(DISTINCT client_id)"]
    for text in texts:
        column = split_metric(text)
        assert not isinstance(column, str)
        days = UnitDays(cursor, UNITS, ROWS)
        before = days.from_days(column)
        assert_equal(days.from_days(column, with_lacking_day=True), before, text)


def test_a_split_changes_neither_the_snippet_nor_itself(days: UnitDays) -> None:
    column = split_metric("IF(SUM(n) > 1, MAX(n), e.num_exposure_events)")
    assert not isinstance(column, str)
    places = [sqlglot.column(f"s{number}") for number in range(len(column.states))]
    first, second = column.split.value(places), column.split.value(places)
    assert first == second
    assert days.from_days(column) == days.from_days(column)


@settings(max_examples=30, deadline=None, derandomize=True)
@given(st.lists(expressions.metrics, min_size=6, max_size=6), expressions.rows)
def test_days_give_what_the_window_gives(
    cursor: duckdb.DuckDBPyConnection, texts: list[str], rows: list[Row]
) -> None:
    days = UnitDays(cursor, expressions.UNITS, rows)
    for text in texts:
        column = split_metric(text)
        if not isinstance(column, str):
            assert_equal(days.from_days(column), days.over_window(text), text)
