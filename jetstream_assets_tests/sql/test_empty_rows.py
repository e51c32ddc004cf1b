"""What an expression is on a row of NULLs: a rule each, and nothing where it is not certain."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import sqlglot
from sqlglot import exp

from jetstream_assets.sql.empty_rows import UncertainError, is_never_met, on_empty_row
from jetstream_assets.sql.snippet_columns import SnippetColumns, is_whole_row, path
from jetstream_assets.warehouse.duckdb_session import DuckDBSession
from jetstream_assets.warehouse.rendering import render_duckdb

if TYPE_CHECKING:
    from pathlib import Path

    import duckdb

COLUMNS = SnippetColumns(frozenset({"analysis_id", "branch", "enrollment_date", "is_new"}))

REDUCED = {
    # columns
    "x": "NULL",
    "ds.x": "NULL",
    "payload.info.x": "NULL",
    "E.Branch": "E.Branch",
    "5": "5",
    # strict operators and functions
    "x + 1": "NULL",
    "-x": "NULL",
    "x || 'a'": "NULL",
    "DATE_DIFF(ds.day, e.enrollment_date, DAY)": "NULL",
    "DATE_ADD(e.enrollment_date, INTERVAL x DAY)": "NULL",
    "SAFE_DIVIDE(COALESCE(x, 1), y)": "NULL",
    "unknown(x) + y": "NULL",
    "x = NULL": "NULL",
    "COALESCE(x, 0) * 5 / 3600": "(0 * 5) / 3600",
    "LENGTH(COALESCE(x, 'ab')) - 1": "LENGTH('ab') - 1",
    "(COALESCE(x, 1) + 1) * 2": "(1 + 1) * 2",
    "SAFE.SUBSTR(x, 1)": "NULL",
    "SAFE_CAST(x AS INT64)": "NULL",
    # fields and elements
    "f[OFFSET(0)]": "NULL",
    "f[OFFSET(0)].a": "NULL",
    # organisations' functions, in every spelling
    "mozfun.map.get_key(x, 'k')": "NULL",
    "`mozfun.map.get_key`(x, 'k')": "NULL",
    "`moz-fx-data-shared-prod`.udf.get_key(x, 'k')": "NULL",
    "`moz-fx-data-shared-prod.udf.json_extract_histogram`(x).sum": "NULL",
    "mozfun.hist.threshold_count(x, 3)": "0",
    # three-valued logic
    "x AND TRUE": "NULL",
    "x AND FALSE": "FALSE",
    "x AND y": "NULL",
    "x IS NULL AND TRUE": "TRUE",
    "x OR TRUE": "TRUE",
    "x OR FALSE": "NULL",
    "NOT x": "NULL",
    "NOT (x IS NULL)": "FALSE",
    "(x OR e.is_new) AND e.branch = 'a'": "(NULL OR e.is_new) AND (e.branch = 'a')",
    "NOT (x IS NULL AND (e.is_new OR e.branch = 'a'))": "NOT (e.is_new OR e.branch = 'a')",
    "x IS NULL": "TRUE",
    "x IS NOT NULL": "FALSE",
    "x IS TRUE": "FALSE",
    "x IS NOT TRUE": "TRUE",
    "COALESCE(x, TRUE) IS TRUE": "TRUE",
    "COALESCE(x, TRUE) IS FALSE": "FALSE",
    "COALESCE(x, 1) IS NULL": "FALSE",
    "COALESCE(x, e.is_new) IS NULL": "e.is_new IS NULL",
    # lists and ranges
    "x IN (1, 2)": "NULL",
    "x NOT IN (1, 2)": "NULL",
    "e.branch IN ('a', x)": "e.branch IN ('a', NULL)",
    "x BETWEEN 1 AND 2": "NULL",
    "5 BETWEEN x AND y": "NULL",
    # choices
    "IF(x > 1, 2, 3)": "3",
    "IF(x > 1, 2, y)": "NULL",
    "IF(x IS NULL, 2, y)": "2",
    "IF(x > 1, 2)": "NULL",
    "IF(e.is_new, x, 1)": "IF(e.is_new, NULL, 1)",
    "IF(unknown(x) AND y, 1, 0)": "0",
    "IF((unknown(x) AND y) OR y, 1, 0)": "0",
    "CASE WHEN x THEN 1 WHEN y IS NULL THEN 2 ELSE 3 END": "2",
    "CASE x WHEN 1 THEN 2 ELSE 4 END": "4",
    "CASE COALESCE(x, 7) WHEN 1 THEN 2 END": "IF(7 = 1, 2, NULL)",
    "COALESCE(x, y)": "NULL",
    "COALESCE(x, 0)": "0",
    "IFNULL(x, 'a')": "'a'",
    "COALESCE(x, e.branch, 'b', y)": "COALESCE(e.branch, 'b')",
    "NULLIF(x, 0)": "NULL",
    "NULLIF(COALESCE(x, 1), y)": "1",
    "NULLIF(COALESCE(x, 1), 1)": "NULLIF(1, 1)",
    # sub-queries over arrays
    "(SELECT a FROM UNNEST(x) AS a LIMIT 1)": "NULL",
    "(SELECT AS STRUCT a, b FROM UNNEST(x))": "NULL",
    "(SELECT COUNT(*) FROM UNNEST(x))": "0",
    "(SELECT COUNTIF(a > 1) FROM UNNEST(ds.x) AS a WHERE a > 0)": "0",
    "(SELECT SUM(a) FROM UNNEST(x) AS a)": "NULL",
    "(SELECT LOGICAL_AND(a) FROM UNNEST(x) AS a)": "NULL",
    "(SELECT COALESCE(SUM(a), 0) + COUNT(*) FROM UNNEST(x) AS a)": "COALESCE(NULL, 0) + 0",
    "(SELECT ARRAY_LENGTH(ARRAY_AGG(a IGNORE NULLS)) FROM UNNEST(x) AS a)": "ARRAY_LENGTH(NULL)",
    "(SELECT SUM(a) FROM UNNEST(x) AS a GROUP BY b LIMIT 1)": "NULL",
    "(SELECT SUM(b) FROM UNNEST(x) AS a, UNNEST(a.y) AS b)": "NULL",
    "(SELECT SUM(a.value) FROM UNNEST(mozfun.hist.extract(x).values) AS a)": "NULL",
    "EXISTS(SELECT 1 FROM UNNEST(x) AS a)": "FALSE",
}

UNCERTAIN = [
    "unknown(x)",
    "mozfun.norm.os(x)",
    "SAFE.unknown(x)",
    "COALESCE(unknown(x), 0)",
    "unknown(x) AND FALSE OR unknown(y)",
    # what differs between warehouses
    "GREATEST(x, 1)",
    "LEAST(x, 1)",
    "CONCAT(x, 'a')",
    # what is no NULL of a NULL
    "TO_JSON_STRING(x)",
    "FORMAT('%t', x)",
    "x IS NOT DISTINCT FROM y",
    "STRUCT(x AS a)",
    "STRUCT(x AS a).a",
    "[x]",
    "[x, 1][OFFSET(1)]",
    # FALSE of an empty array, NULL of others
    "x IN UNNEST(y)",
    "x IN (SELECT a FROM UNNEST(y) AS a)",
    # all columns
    "ds",
    "ds.*",
    # sub-queries with other rows
    "(SELECT x)",
    "(SELECT COUNT(*) FROM ds.x)",
    "(SELECT COUNT(*) FROM other)",
    "(SELECT a FROM UNNEST([1, 2]) AS a LIMIT 1)",
    "(SELECT COUNT(*) FROM UNNEST(x) HAVING COUNT(*) > 0)",
    "(SELECT COUNT(*) FROM UNNEST(x) LIMIT 0)",
    "(SELECT AS STRUCT COUNT(*) FROM UNNEST(x))",
    "(SELECT COUNT(*) FROM UNNEST(x) AS a RIGHT JOIN UNNEST([1]) AS b ON a = b)",
    "EXISTS(SELECT COUNT(*) FROM UNNEST(x))",
    "EXISTS(SELECT 1 FROM other)",
]


def parsed(text: str) -> exp.Expr:
    tree: exp.Expr = sqlglot.parse_one(text, dialect="bigquery")
    return tree


def reduced(text: str) -> str:
    return on_empty_row(parsed(text), COLUMNS).sql(dialect="bigquery")


@pytest.mark.parametrize(("text", "expected"), REDUCED.items())
def test_rules(text: str, expected: str) -> None:
    assert reduced(text) == expected


@pytest.mark.parametrize("text", UNCERTAIN)
def test_what_is_not_certain_is_refused(text: str) -> None:
    with pytest.raises(UncertainError, match="may not be NULL"):
        reduced(text)


def test_one_false_comparison_of_a_range_decides() -> None:
    text = "5 BETWEEN x AND COALESCE(y, 1)"
    assert reduced(text) == "NULL AND (5 <= 1)"


def test_the_expression_is_not_changed() -> None:
    text = "CASE x WHEN 1 THEN COALESCE(y, 2) ELSE IF(z BETWEEN 1 AND 2, 3, 4) END"
    tree = parsed(text)
    before = tree.copy()
    on_empty_row(tree, COLUMNS)
    assert tree == before
    assert all(node.parent is not None for node in tree.walk() if node is not tree)


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ("x", True),
        ("unknown(x) AND y", True),
        ("unknown(x) OR y", False),
        ("y OR (unknown(x) AND y)", True),
        ("x IS NULL", False),
        ("e.is_new", False),
        ("FALSE", True),
    ],
)
def test_conditions_that_are_never_met(condition: str, expected: bool) -> None:  # noqa: FBT001
    assert is_never_met(parsed(condition), COLUMNS) is expected


def test_names_of_the_unit_in_any_case() -> None:
    assert COLUMNS.names_of_unit(parsed("Branch = E.IS_NEW AND ds.x > 1")) == {"branch", "is_new"}
    assert COLUMNS.qualified(parsed("Branch = x")).sql() == "e.Branch = x"
    assert not COLUMNS.names_rows(parsed("E.anything + 1"))


def test_a_name_in_a_sub_query_may_be_the_units() -> None:
    tree = parsed("(SELECT COUNTIF(a = is_new) FROM UNNEST(x) AS a)")
    assert COLUMNS.names_of_unit(tree) == {"is_new"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [("ds.A.b", ("a", "b")), ("a.b", ("a", "b")), ("ds", ("ds",)), ("f(a).b", ()), ("a + b", ())],
)
def test_paths(text: str, expected: tuple[str, ...]) -> None:
    assert path(parsed(text)) == expected


def test_whole_rows() -> None:
    named: dict[str, Any] = {text: parsed(text) for text in ("ds", "ds.*", "e", "ds.x", "x")}
    assert [text for text, tree in named.items() if is_whole_row(tree)] == ["ds", "ds.*", "e"]


ROW = """
  CAST(NULL AS INT64) AS n, CAST(NULL AS STRING) AS t, CAST(NULL AS BOOL) AS b,
  CAST(NULL AS ARRAY<INT64>) AS many
"""
ASKED = [
    "n + 1 > 2 AND b",
    "5 BETWEEN n AND COALESCE(n, 1)",
    "n NOT IN (1, 2)",
    "1 IN (2, n)",
    "NOT (b AND n > 1)",
    "CASE n WHEN 1 THEN 2 ELSE 4 END",
    "CASE COALESCE(n, 7) WHEN 7 THEN 2 END",
    "NULLIF(COALESCE(n, 1), n)",
    "b IS NOT TRUE",
    "COALESCE(n, 0) * 5 / 2",
    "(SELECT COALESCE(SUM(a), 0) + COUNT(*) FROM UNNEST(many) AS a)",
    "(SELECT ARRAY_LENGTH(ARRAY_AGG(a IGNORE NULLS)) FROM UNNEST(many) AS a)",
    "EXISTS(SELECT 1 FROM UNNEST(many) AS a)",
    "many[SAFE_OFFSET(0)]",
    "IF(STARTS_WITH(t, 'a') OR n IS NULL, 'x', t)",
]


@pytest.fixture(scope="module")
def cursor(tmp_path_factory: pytest.TempPathFactory) -> duckdb.DuckDBPyConnection:
    root: Path = tmp_path_factory.mktemp("warehouse")
    return DuckDBSession(root, 1, "512MB").cursor()


@pytest.mark.parametrize("text", ASKED)
def test_a_warehouse_says_the_same(text: str, cursor: duckdb.DuckDBPyConnection) -> None:
    query = parsed(f"SELECT ({text}) AS asked, 1 AS worked_out FROM (SELECT {ROW}) AS ds")  # noqa: S608
    worked_out = next(p for p in query.find_all(exp.Alias) if p.alias == "worked_out")
    worked_out.set("this", on_empty_row(parsed(text), COLUMNS))
    asked, value = cursor.execute(render_duckdb(query)).fetchall()[0]
    assert asked == value
