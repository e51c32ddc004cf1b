"""Each gap between the dialects is closed: results on small data, worked out by hand."""

from __future__ import annotations

import math
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest
from sqlglot import exp

from jetstream_assets.errors import QueryError
from jetstream_assets.warehouse.duckdb_dialect import to_duckdb
from jetstream_assets.warehouse.rendering import render_bigquery, render_duckdb
from jetstream_assets_tests.warehouse.laboratory import query

if TYPE_CHECKING:
    from jetstream_assets_tests.warehouse.laboratory import Laboratory

D = date
UNITS = pa.table({
    "id": [1, 2, 3],
    "day": pa.array([D(2024, 1, 31), D(2024, 2, 29), None], pa.date32()),
    "enrollment_date": pa.array([D(2024, 1, 1), D(2024, 1, 2), D(2024, 1, 3)], pa.date32()),
    "shift": pa.array([0, 1, -1], pa.int64()),
    "n": pa.array([5, None, 7], pa.int64()),
    "name": ["moz_crash", "mozXcrash", None],
    "doc": ['{"a": {"b": 1}, "c": "x", "d-e": [1, "y"], "n": null}', "no json", None],
    "pairs": [[{"key": "a", "value": 1}, {"key": "b", "value": 2}], [], None],
    "tags": [["x", "y"], [], None],
})  # fmt: skip


@pytest.fixture
def units(duckdb: Laboratory) -> Laboratory:
    duckdb.put("d", "units", UNITS)
    return duckdb


def column(laboratory: Laboratory, expression: str) -> list[Any]:
    """The expression for each of the three units."""
    rows = laboratory.rows(f"SELECT {expression} AS x FROM d.units AS ds ORDER BY id")  # noqa: S608
    return [row["x"] for row in rows]


def over_all(laboratory: Laboratory, aggregate: str, where: str = "TRUE") -> Any:  # noqa: ANN401
    sql = f"SELECT {aggregate} AS x FROM d.units AS ds WHERE {where}"  # noqa: S608
    return laboratory.rows(sql)[0]["x"]


@pytest.mark.parametrize(
    ("aggregate", "where", "expected"),
    [
        ("COUNTIF(n > 5)", "TRUE", 1),
        ("COUNTIF(n > 5)", "FALSE", 0),
        ("COUNTIF(n IS NULL)", "id = 2", 1),
        ("COUNTIF(DISTINCT n > 1)", "TRUE", 1),
        ("COUNTIF(n > 1) / COUNT(*)", "TRUE", 2 / 3),
        ("LOGICAL_OR(n > 5)", "TRUE", True),
        ("LOGICAL_AND(n > 5)", "TRUE", False),
        ("LOGICAL_OR(n > 5)", "FALSE", None),
        ("COALESCE(LOGICAL_OR(n > 5), FALSE)", "FALSE", False),
        ("MAX_BY(n, id)", "id < 3", None),
        ("MAX_BY(n, id)", "TRUE", 7),
        ("MIN_BY(n, id)", "id > 1", None),
        ("SUM(n)", "FALSE", None),
        ("SAFE_DIVIDE(SUM(n), COUNTIF(n > 100))", "TRUE", None),
        ("SAFE_DIVIDE(SUM(n), 5)", "TRUE", 2.4),
        ("ARRAY_AGG(n IGNORE NULLS ORDER BY id DESC LIMIT 1)[SAFE_OFFSET(0)]", "TRUE", 7),
        ("ARRAY_AGG(n ORDER BY id LIMIT 2)[SAFE_OFFSET(1)]", "TRUE", None),
        ("ARRAY_AGG(n ORDER BY id)[SAFE_OFFSET(2)]", "TRUE", 7),
        ("ARRAY_AGG(n ORDER BY id)[OFFSET(CAST(COUNT(n) AS INT64))]", "TRUE", 7),
        ("ARRAY_AGG(n IGNORE NULLS ORDER BY n DESC LIMIT 2)", "TRUE", [7, 5]),
        ("ARRAY_AGG(n IGNORE NULLS ORDER BY n DESC LIMIT 2)", "FALSE", None),
        ("ARRAY_AGG(n IGNORE NULLS ORDER BY id)", "TRUE", [5, 7]),
        ("ARRAY_AGG(DISTINCT n IGNORE NULLS ORDER BY n DESC LIMIT 1)", "TRUE", [7]),
        ("ARRAY_AGG(n)", "FALSE", None),
        ("ARRAY_AGG(n ORDER BY n)[OFFSET(0)]", "id < 3", None),
        ("ARRAY_AGG(mozfun.map.get_key(pairs, 'b') IGNORE NULLS)", "TRUE", [2]),
        ("ARRAY_LENGTH(ARRAY_CONCAT_AGG(tags))", "TRUE", 2),
        ("SUM((SELECT SUM(value) FROM UNNEST(pairs)))", "TRUE", 3),
        ("COUNT(DISTINCT DATE(enrollment_date))", "TRUE", 3),
        ("SUM(n * 0.5)", "TRUE", 6.0),
    ],
)
def test_aggregates(units: Laboratory, aggregate: str, where: str, expected: object) -> None:
    assert over_all(units, aggregate, where) == expected


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("EXTRACT(DAYOFWEEK FROM day)", [4, 5, None]),
        ("EXTRACT(DAYOFWEEK FROM DATE '2024-01-07')", [1, 1, 1]),
        ("EXTRACT(WEEK FROM DATE '2024-01-06')", [0, 0, 0]),
        ("EXTRACT(WEEK FROM DATE '2024-01-07')", [1, 1, 1]),
        ("EXTRACT(ISOWEEK FROM DATE '2024-01-07')", [1, 1, 1]),
        ("EXTRACT(DATE FROM TIMESTAMP '2024-01-07 23:00:00')", [D(2024, 1, 7)] * 3),
        ("DATE_ADD(day, INTERVAL 1 DAY)", [D(2024, 2, 1), D(2024, 3, 1), None]),
        ("DATE_ADD(day, INTERVAL 1 MONTH)", [D(2024, 2, 29), D(2024, 3, 29), None]),
        ("DATE_ADD(day, INTERVAL -1 YEAR)", [D(2023, 1, 31), D(2023, 2, 28), None]),
        ("DATE_ADD(day, INTERVAL shift DAY)", [D(2024, 1, 31), D(2024, 3, 1), None]),
        ("DATE_SUB(day, INTERVAL shift + 1 DAY)", [D(2024, 1, 30), D(2024, 2, 27), None]),
        ("DATE_SUB(day, INTERVAL 2 WEEK)", [D(2024, 1, 17), D(2024, 2, 15), None]),
        ("DATE_SUB('2024-03-01', INTERVAL 1 QUARTER)", [D(2023, 12, 1)] * 3),
        ("DATE_ADD(DATE_SUB(day, INTERVAL 1 DAY), INTERVAL 1 DAY) = day", [True, True, None]),
        ("enrollment_date + shift", [D(2024, 1, 1), D(2024, 1, 3), D(2024, 1, 2)]),
        ("enrollment_date - shift", [D(2024, 1, 1), D(2024, 1, 1), D(2024, 1, 4)]),
        ("enrollment_date + 3", [D(2024, 1, 4), D(2024, 1, 5), D(2024, 1, 6)]),
        ("ds.enrollment_date BETWEEN '2024-01-02' AND '2024-01-03'", [False, True, True]),
        ("enrollment_date > '2024-01-02'", [False, False, True]),
        ("DATE_TRUNC(day, MONTH)", [D(2024, 1, 1), D(2024, 2, 1), None]),
        ("DATE_TRUNC(day, WEEK)", [D(2024, 1, 28), D(2024, 2, 25), None]),
        ("DATE_TRUNC(day, ISOWEEK)", [D(2024, 1, 29), D(2024, 2, 26), None]),
        ("DATE_DIFF(day, enrollment_date, DAY)", [30, 58, None]),
        ("DATE_DIFF(DATE '2024-01-07', DATE '2024-01-06', WEEK)", [1, 1, 1]),
        ("FORMAT_DATE('%m-%d', day)", ["01-31", "02-29", None]),
        ("PARSE_DATE('%Y%m%d', '20240229')", [D(2024, 2, 29)] * 3),
        ("SAFE.PARSE_DATE('%Y%m%d', name)", [None, None, None]),
        ("DATE(TIMESTAMP '2024-01-01 23:30:00+00')", [D(2024, 1, 1)] * 3),
    ],
)
def test_dates(units: Laboratory, expression: str, expected: list[object]) -> None:
    assert column(units, expression) == expected


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("TIMESTAMP_DIFF('2024-01-02 01:00:00', '2024-01-01 23:00:00', DAY)", 0),
        ("TIMESTAMP_DIFF('2024-01-02 01:00:00', '2024-01-01 23:00:01', HOUR)", 1),
        ("TIMESTAMP_ADD(TIMESTAMP '2024-01-01 23:00:00', INTERVAL 1 HOUR)",
         datetime(2024, 1, 2, tzinfo=UTC)),
        ("TIMESTAMP_TRUNC(TIMESTAMP '2024-01-01 23:00:00', DAY)", datetime(2024, 1, 1, tzinfo=UTC)),
        ("CAST(2.5 AS INT64)", 3),
        ("CAST(-2.5 AS INT64)", -3),
        ("CAST(3.5 AS INT64)", 4),
        ("CAST('12' AS INT64)", 12),
        ("SAFE_CAST('1.5' AS INT64)", None),
        ("SAFE_CAST('x' AS INT64)", None),
        ("SAFE_CAST(NULL AS INT64)", None),
        ("CAST(TRUE AS INT64)", 1),
        ("CAST(1 > 2 AS INT64)", 0),
        ("CAST(0 AS BOOL)", False),
        ("SAFE_CAST('True' AS BOOL)", True),
        ("SAFE_CAST('yes' AS BOOL)", None),
        ("CAST('false' AS BOOL)", False),
        ("CAST(TRUE AS STRING)", "true"),
        ("CAST(12 AS STRING)", "12"),
        ("CAST(CAST(1 AS FLOAT64) AS STRING)", "1"),
        ("CAST(2.5 AS STRING)", "2.5"),
        ("CAST(1e20 AS STRING)", "1e+20"),
        ("SAFE_CAST(DATE '2024-01-01' AS STRING)", "2024-01-01"),
        ("SAFE_CAST('2024-13-01' AS DATE)", None),
        ("0.1 + 0.2", 0.1 + 0.2),
        ("7 / 2", 3.5),
        ("DIV(7, 2)", 3),
        ("MOD(-7, 3)", -1),
        ("ROUND(2.5)", 3.0),
        ("SAFE_DIVIDE(1, 0)", None),
        ("NULLIF(1, 1)", None),
        ("IFNULL(NULL, 2)", 2),
        ("LEAST(1, NULL)", None),
        ("IF(NULL, 1, 2)", 2),
        ("SUBSTR('abcdef', 0, 3)", "abc"),
        ("SUBSTR('abcdef', 2, 3)", "bcd"),
        ("SUBSTR('abcdef', -2)", "ef"),
        ("SAFE.SUBSTR('20240229', 0, 4)", "2024"),
        ("'moz_crash' LIKE r'moz\\_crash'", True),
        ("'mozXcrash' LIKE r'moz\\_crash'", False),
        ("'mozXcrash' NOT LIKE r'moz\\_crash'", True),
        ("'mozXcrash' LIKE 'moz_crash%'", True),
        ("REGEXP_CONTAINS('abc1', r'\\d$')", True),
        ("REGEXP_EXTRACT('v12.3', r'v(\\d+)')", "12"),
        ("REGEXP_EXTRACT('x', r'v(\\d+)')", None),
        ("REGEXP_REPLACE('a1b2', r'\\d', '')", "ab"),
        ("CONTAINS_SUBSTR('Hello', 'hELL')", True),
        ("SPLIT('a,b', ',')[OFFSET(1)]", "b"),
        ("SPLIT('a,b', ',')[SAFE_OFFSET(5)]", None),
        ("ARRAY_TO_STRING(['a', 'b'], '-')", "a-b"),
        ("CONCAT('a', NULL)", None),
        ("ENDS_WITH('abc', 'c')", True),
        ("2 IN UNNEST([1, 2])", True),
        ("STRUCT(1 AS a, 'x' AS b).b", "x"),
        ("JSON_VALUE('no json', '$.a')", None),
        ("JSON_VALUE('{\"a\": 1}', '$.a')", "1"),
        ("JSON_VALUE('{\"a\": {}}', '$.a')", None),
        ("JSON_VALUE('{\"a\": null}', '$.a')", None),
        ("JSON_EXTRACT_SCALAR('{\"a\": \"x\"}', '$.a')", "x"),
        ("JSON_EXTRACT('{\"a\": {\"b\": 1}}', '$.a')", '{"b":1}'),
        ("JSON_EXTRACT('no json', '$.a')", None),
        ("ARRAY_LENGTH(JSON_EXTRACT_ARRAY('{\"a\": [1, 2]}', '$.a'))", 2),
        ("JSON_EXTRACT_ARRAY('{\"a\": 1}', '$.a')", None),
        ("ARRAY_LENGTH(JSON_VALUE_ARRAY('{\"a\": [1, 2]}', '$.a'))", 2),
        ("BIT_COUNT(7)", 3),
        ("(SELECT COUNT(*) FROM UNNEST([1, 2, 3]))", 3),
        ("(SELECT SUM(x) FROM UNNEST([1, 2, 3]) AS x)", 6),
        ("(SELECT SUM(x * o) FROM UNNEST([5, 6, 7]) AS x WITH OFFSET AS o)", 20),
        ("(SELECT MAX(offset) FROM UNNEST([5, 6, 7]) WITH OFFSET)", 2),
        ("(SELECT SUM(v) FROM UNNEST([STRUCT('a' AS k, 1 AS v)]) WHERE k = 'a')", 1),
        ("(SELECT SUM(e.v) FROM UNNEST([STRUCT('a' AS k, 1 AS v)]) AS e WHERE e.k = 'a')", 1),
        ("(SELECT SUM(v) FROM UNNEST([STRUCT('a' AS k, 1 AS v)]) AS e WHERE k = 'a')", 1),
        ("EXISTS(SELECT * FROM UNNEST([STRUCT('a' AS k)]) AS r WHERE r.k = 'b')", False),
        ("ARRAY(SELECT x * 2 FROM UNNEST([1, 2]) AS x ORDER BY x)", [2, 4]),
        ("ARRAY(SELECT x FROM UNNEST([1]) AS x WHERE x > 1)", []),
    ],
)  # fmt: skip
def test_values(duckdb: Laboratory, expression: str, expected: object) -> None:
    assert duckdb.value(expression) == expected


def test_documents_of_a_column(units: Laboratory) -> None:
    assert column(units, "JSON_VALUE(doc, '$.a.b')") == ["1", None, None]
    assert column(units, "JSON_VALUE(doc['c'])") == ["x", None, None]
    assert column(units, "JSON_VALUE(doc['a']['b'])") == ["1", None, None]
    assert column(units, "JSON_VALUE(doc, '$.\"d-e\"[1]')") == ["y", None, None]
    assert column(units, "JSON_VALUE(doc, '$.n')") == [None, None, None]


def test_arrays_of_a_column(units: Laboratory) -> None:
    assert column(units, "(SELECT SUM(value) FROM UNNEST(pairs) WHERE key = 'b')") == [
        2,
        None,
        None,
    ]
    assert column(units, "(SELECT COUNT(*) FROM UNNEST(tags))") == [2, 0, 0]
    assert column(units, "EXISTS(SELECT 1 FROM UNNEST(ds.pairs) AS p WHERE p.key = 'a')") == [
        True, False, False,
    ]  # fmt: skip
    assert column(units, "pairs[SAFE_OFFSET(0)].value") == [1, None, None]
    assert column(units, "'x' IN UNNEST(tags)") == [True, False, False]
    left = "SELECT id, key FROM d.units LEFT JOIN UNNEST(pairs) ORDER BY id, key"
    assert [tuple(row.values()) for row in units.rows(left)] == [
        (1, "a"), (1, "b"), (2, None), (3, None),
    ]  # fmt: skip
    cross = "SELECT id, p.key, o FROM d.units, UNNEST(pairs) AS p WITH OFFSET AS o ORDER BY o"
    assert [tuple(row.values()) for row in units.rows(cross)] == [(1, "a", 0), (1, "b", 1)]


def test_dates_of_aggregates(units: Laboratory) -> None:
    assert over_all(units, "DATE_ADD(MIN(enrollment_date), INTERVAL 1 DAY)") == D(2024, 1, 2)
    assert over_all(units, "DATE_DIFF(MAX(enrollment_date), MIN(enrollment_date), DAY)") == 2
    assert over_all(units, "CAST(SUM(n) / 5 AS INT64)") == 2
    assert over_all(units, "MIN(enrollment_date) + MAX(shift)") == D(2024, 1, 2)


def test_adding_days_to_a_timestamp_is_refused_and_not_cut(units: Laboratory) -> None:
    with pytest.raises(QueryError, match="need a DATE"):
        units.value("DATE_ADD(TIMESTAMP '2024-01-01 05:00:00', INTERVAL 1 DAY)")


def test_windows_and_qualify(units: Laboratory) -> None:
    first = "SELECT id FROM d.units QUALIFY ROW_NUMBER() OVER (ORDER BY n) = 1"
    assert units.rows(first) == [{"id": 2}], "NULL sorts first"
    last = "SELECT id FROM d.units QUALIFY ROW_NUMBER() OVER (ORDER BY n DESC) = 1"
    assert units.rows(last) == [{"id": 3}]
    counts = "SELECT COUNTIF(n > 5) OVER (PARTITION BY id) AS c FROM d.units ORDER BY id"
    assert [row["c"] for row in units.rows(counts)] == [0, 0, 1]


def test_columns_can_be_left_out_and_replaced(units: Laboratory) -> None:
    row = units.rows("SELECT * EXCEPT (doc, pairs, tags, day, name) FROM d.units ORDER BY id")[0]
    assert row == {"id": 1, "enrollment_date": D(2024, 1, 1), "shift": 0, "n": 5}
    row = units.rows("SELECT * REPLACE (id + 1 AS id) FROM d.units ORDER BY id")[0]
    assert row["id"] == 2


def test_trees_built_by_hand_sort_as_in_bigquery(units: Laboratory) -> None:
    ordered = exp.select("id").from_("d.units").order_by(exp.Ordered(this=exp.column("n")))
    assert units.warehouse.query(ordered).column("id").to_pylist() == [2, 1, 3]


def test_not_a_number_is_no_error(duckdb: Laboratory) -> None:
    assert math.isnan(duckdb.value("CAST('nan' AS FLOAT64)"))
    assert duckdb.value("CAST('inf' AS FLOAT64)") == math.inf


def test_the_translation_leaves_its_input_alone() -> None:
    tree = query("SELECT COUNTIF(a), ARRAY_AGG(x LIMIT 1) FROM t, UNNEST(t.m) AS m")
    before = tree.copy()
    to_duckdb(tree)
    assert tree == before


def test_an_expression_translates_like_a_query() -> None:
    assert render_duckdb(query("COUNTIF(a > 1)")).split() == (
        ["COUNT(*)", "FILTER(WHERE", "a", ">", "1)"]
    )


def test_rendering_is_for_reading() -> None:
    tree = query("SELECT a, COUNTIF(b) AS n FROM `p-x.d.t` GROUP BY a")
    assert render_bigquery(tree).splitlines()[0] == "SELECT"
    assert "COUNTIF(b)" in render_bigquery(tree)
    assert 'FROM "p-x"."d"."t"' in render_duckdb(tree)
