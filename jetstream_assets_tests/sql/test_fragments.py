from __future__ import annotations

from datetime import date

import pytest
import sqlglot
from sqlglot import exp

from jetstream_assets.errors import QueryError
from jetstream_assets.sql import fragments


@pytest.mark.parametrize(
    "text",
    [
        "SUM(x)",
        "COALESCE(LOGICAL_OR(a AND b), FALSE)",
        "(SELECT MAX(v) FROM UNNEST(ARRAY_AGG(x)) AS v)",
        "COUNT(*) -- rows",
        "SAFE_DIVIDE(SUM(a), SUM(b))",
    ],
)
def test_expressions_are_parsed(text: str) -> None:
    expected = sqlglot.parse_one(text, dialect="bigquery")
    assert fragments.parse_expression(text, "metric 'm'") == expected


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "'' is not one expression"),
        ("-- nothing", "is not one expression"),
        ("SUM(x", "line 1, column 5 near 'x'"),
        ("SUM(x) AS y", "near 'AS'"),
        ("a, b", "near ','"),
        ("a; b", "'a; b' is not one expression"),
        ("SELECT 1", "near 'SELECT'"),
        ("1; DROP TABLE x", "near 'DROP'"),
        ("'open", "a quote that is never closed"),
    ],
)
def test_anything_else_is_refused_with_its_place(text: str, problem: str) -> None:
    with pytest.raises(QueryError) as refused:
        fragments.parse_expression(text, "metric 'm'")
    assert refused.value.problem.startswith("metric 'm': ")
    assert problem in refused.value.problem
    assert refused.value.sql == text


@pytest.mark.parametrize(
    "text", ["events", "a.b", "`my-project.a.b`", "my-project.a.b", "(SELECT 1)", " (SELECT 1) "]
)
def test_relations_are_tables_or_queries(text: str) -> None:
    assert isinstance(fragments.parse_relation(text, "s"), (exp.Table, exp.Subquery))


@pytest.mark.parametrize("text", ["a JOIN b", "a AS x", "(SELECT 1) AS x", "(SELECT 1); b", "a;b"])
def test_other_relations_are_refused(text: str) -> None:
    with pytest.raises(QueryError, match="a table name or one query in parentheses"):
        fragments.parse_relation(text, "s")


def test_column_paths() -> None:
    paths = {
        text: fragments.parse_column_path(text, "ds", "s").sql("bigquery")
        for text in ("id", "info.id", "a.b.c.d.e", "`odd name`.id")
    }
    assert paths == {
        "id": "ds.id",
        "info.id": "ds.info.id",
        "a.b.c.d.e": "ds.a.b.c.d.e",
        "`odd name`.id": "ds.`odd name`.id",
    }


@pytest.mark.parametrize("text", ["NULL", "f(x)", "1", "a + b", "*", "a.*", ""])
def test_what_is_no_column_path_is_refused(text: str) -> None:
    with pytest.raises(QueryError, match="column's name"):
        fragments.parse_column_path(text, "ds", "s")


def test_map_access_is_the_tree_that_a_snippet_gives() -> None:
    written = sqlglot.parse_one("mozfun.map.get_key(ds.m, 'k')", dialect="bigquery")
    assert fragments.map_value(exp.column("m", table="ds"), "k") == written


def test_values_are_literals_whatever_they_contain() -> None:
    hostile = "x'; DROP TABLE `a`; -- \\"
    query = fragments.template("SELECT :v AS v WHERE :v = 'y'", v=fragments.text_literal(hostile))
    for dialect in ("bigquery", "duckdb"):
        again = sqlglot.parse_one(query.sql(dialect), dialect=dialect)
        found = [literal.this for literal in again.find_all(exp.Literal)]
        assert sorted(found) == sorted([hostile, hostile, "y"])


def test_tables_of_a_template_are_plain_tables() -> None:
    table = exp.table_("events", db="telemetry", catalog="shared")
    query = fragments.template("SELECT x FROM :t AS t CROSS JOIN :t", t=table)
    assert query == sqlglot.parse_one(
        "SELECT x FROM shared.telemetry.events AS t CROSS JOIN shared.telemetry.events",
        dialect="bigquery",
    )


def test_dates_and_days() -> None:
    day, anchor = exp.column("d"), exp.column("a")
    assert fragments.between_days(day, anchor, -7, -1).sql("bigquery") == (
        "DATE_DIFF(d, a, DAY) BETWEEN -7 AND -1"
    )
    assert fragments.between_dates(day, date(2024, 1, 1), date(2024, 1, 2)).sql("bigquery") == (
        "d BETWEEN CAST('2024-01-01' AS DATE) AND CAST('2024-01-02' AS DATE)"
    )
