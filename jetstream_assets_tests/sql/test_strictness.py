"""What is said to be NULL for NULL is, in the embedded warehouse."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import sqlglot
from sqlglot import exp

from jetstream_assets.sql.strictness import (
    STRICT_BUILT_IN,
    STRICT_FUNCTIONS,
    STRICT_OPERATORS,
    ZERO_FUNCTIONS,
    is_strict,
    on_null,
)
from jetstream_assets.warehouse.duckdb_macros import ORGANISATION_MACROS
from jetstream_assets.warehouse.duckdb_session import DuckDBSession
from jetstream_assets.warehouse.rendering import render_duckdb

if TYPE_CHECKING:
    import duckdb

_PAIRS = "CAST(NULL AS ARRAY<STRUCT<key STRING, value INT64>>)"
_TEXT, _WHOLE = "CAST(NULL AS STRING)", "CAST(NULL AS INT64)"
# The arguments that each takes, the first of them NULL.
CALLED = {
    "mozfun.bits28.days_since_seen": _WHOLE,
    "mozfun.hist.extract": _TEXT,
    "mozfun.hist.threshold_count": f"{_TEXT}, 1",
    "mozfun.map.extract_keyed_scalar_sum": _PAIRS,
    "mozfun.map.get_key": f"{_PAIRS}, 'k'",
    "mozfun.norm.extract_version": f"{_TEXT}, 'major'",
    "mozfun.norm.fenix_build_to_datetime": _TEXT,
    "mozfun.norm.truncate_version": f"{_TEXT}, 'minor'",
    "udf.get_key": f"{_PAIRS}, 'k'",
    "udf.histogram_max_key_with_nonzero_value": _TEXT,
    "udf.histogram_to_threshold_count": f"{_TEXT}, 1",
    "udf.json_extract_histogram": _TEXT,
    "udf.keyed_histogram_get_sum": "CAST(NULL AS ARRAY<STRUCT<key STRING, value STRING>>), 'k'",
    "udf.normalize_search_engine": _TEXT,
}

_DATE, _TIME, _TRUTH = "CAST(NULL AS DATE)", "CAST(NULL AS TIMESTAMP)", "CAST(NULL AS BOOL)"
_MOMENT, _FRACTION = "TIMESTAMP '2024-01-02 03:04:05+00'", "CAST(NULL AS FLOAT64)"
# At least one call of every kind, with NULL in each place that an argument may have.
BUILT_IN = [
    f"{_WHOLE} + 1",
    f"1 - {_WHOLE}",
    f"{_WHOLE} * 2",
    f"{_WHOLE} / 2",
    f"1 / {_WHOLE}",
    f"MOD({_WHOLE}, 2)",
    f"DIV({_WHOLE}, 2)",
    f"{_WHOLE} & 1",
    f"{_WHOLE} | 1",
    f"{_WHOLE} ^ 1",
    f"~{_WHOLE}",
    f"{_WHOLE} << 1",
    f"{_WHOLE} >> 1",
    f"-{_WHOLE}",
    f"{_TEXT} || 'a'",
    f"'a' || {_TEXT}",
    f"{_WHOLE} = 1",
    f"1 <> {_WHOLE}",
    f"{_WHOLE} > 1",
    f"{_WHOLE} >= 1",
    f"1 < {_WHOLE}",
    f"{_WHOLE} <= 1",
    f"{_TEXT} LIKE 'a%'",
    f"'a' LIKE {_TEXT}",
    f"ABS({_WHOLE})",
    f"SIGN({_FRACTION})",
    f"CEIL({_FRACTION})",
    f"FLOOR({_FRACTION})",
    f"ROUND({_FRACTION}, 1)",
    f"SQRT({_FRACTION})",
    f"EXP({_FRACTION})",
    f"LN({_FRACTION})",
    f"LOG({_FRACTION}, 2)",
    f"POW({_FRACTION}, 2)",
    f"POW(2, {_FRACTION})",
    f"IS_NAN({_FRACTION})",
    f"IS_INF({_FRACTION})",
    f"SAFE_DIVIDE({_WHOLE}, 2)",
    f"SAFE_DIVIDE(2, {_WHOLE})",
    f"CAST({_TRUTH} AS INT64)",
    f"CAST({_WHOLE} AS STRING)",
    f"CAST({_WHOLE} AS BOOL)",
    f"CAST({_TEXT} AS FLOAT64)",
    f"SAFE_CAST({_TEXT} AS INT64)",
    f"SAFE_CAST({_TEXT} AS DATE)",
    f"SAFE.SUBSTR({_TEXT}, 1)",
    f"LOWER({_TEXT})",
    f"UPPER({_TEXT})",
    f"TRIM({_TEXT})",
    f"LENGTH({_TEXT})",
    f"REVERSE({_TEXT})",
    f"LEFT({_TEXT}, 1)",
    f"RIGHT({_TEXT}, 1)",
    f"SUBSTR({_TEXT}, 1, 2)",
    f"SUBSTR('abc', {_WHOLE})",
    f"REPLACE({_TEXT}, 'a', 'b')",
    f"STRPOS({_TEXT}, 'a')",
    f"STARTS_WITH({_TEXT}, 'a')",
    f"STARTS_WITH('a', {_TEXT})",
    f"ENDS_WITH({_TEXT}, 'a')",
    f"CONTAINS_SUBSTR({_TEXT}, 'a')",
    f"REGEXP_CONTAINS({_TEXT}, 'a')",
    f"REGEXP_EXTRACT({_TEXT}, 'a')",
    f"REGEXP_REPLACE({_TEXT}, 'a', 'b')",
    f"JSON_VALUE({_TEXT}, '$.a')",
    f"JSON_QUERY({_TEXT}, '$.a')",
    f"JSON_QUERY_ARRAY({_TEXT}, '$.a')",
    f"JSON_VALUE_ARRAY({_TEXT}, '$.a')",
    "ARRAY_LENGTH(CAST(NULL AS ARRAY<INT64>))",
    f"DATE({_TIME})",
    f"DATE_ADD({_DATE}, INTERVAL 1 DAY)",
    f"DATE_ADD(DATE '2024-01-01', INTERVAL {_WHOLE} DAY)",
    f"DATE_SUB({_DATE}, INTERVAL 1 MONTH)",
    f"DATE_DIFF({_DATE}, DATE '2024-01-01', DAY)",
    f"DATE_DIFF(DATE '2024-01-01', {_DATE}, DAY)",
    f"DATE_TRUNC({_DATE}, MONTH)",
    f"EXTRACT(DAYOFWEEK FROM {_DATE})",
    f"EXTRACT(HOUR FROM {_TIME})",
    f"FORMAT_DATE('%Y', {_DATE})",
    f"PARSE_DATETIME('%Y-%m-%d', {_TEXT})",
    f"TIMESTAMP_ADD({_TIME}, INTERVAL 1 HOUR)",
    f"TIMESTAMP_SUB({_TIME}, INTERVAL 1 HOUR)",
    f"TIMESTAMP_DIFF({_TIME}, {_MOMENT}, SECOND)",
    f"TIMESTAMP_DIFF({_MOMENT}, {_TIME}, SECOND)",
    f"TIMESTAMP_TRUNC({_TIME}, DAY)",
    f"UNIX_SECONDS({_TIME})",
    f"{_MOMENT} + INTERVAL {_WHOLE} HOUR",
]
# These stand in others: a pattern's escape, a distance in time.
_PARTS = {exp.Escape, exp.Interval}


@pytest.fixture(scope="module")
def cursor(tmp_path_factory: pytest.TempPathFactory) -> duckdb.DuckDBPyConnection:
    return DuckDBSession(tmp_path_factory.mktemp("warehouse"), 1, "512MB").cursor()


def value(cursor: duckdb.DuckDBPyConnection, expression: str) -> object:
    query = sqlglot.parse_one(f"SELECT {expression} AS value", dialect="bigquery")
    return cursor.execute(render_duckdb(query)).fetchall()[0][0]


@pytest.mark.parametrize("name", sorted(STRICT_FUNCTIONS))
def test_organisations_functions_are_null(name: str, cursor: duckdb.DuckDBPyConnection) -> None:
    assert value(cursor, f"{name}({CALLED[name]})") is None
    assert on_null(name) == exp.null()


@pytest.mark.parametrize("name", sorted(ZERO_FUNCTIONS))
def test_organisations_functions_count_nothing(
    name: str, cursor: duckdb.DuckDBPyConnection
) -> None:
    assert value(cursor, f"{name}({CALLED[name]})") == 0
    assert on_null(name) == exp.convert(0)


def test_every_function_has_a_macro() -> None:
    macros = {name.replace(".", "_") for name in STRICT_FUNCTIONS | ZERO_FUNCTIONS}
    assert macros <= set(ORGANISATION_MACROS)


@pytest.mark.parametrize(
    "name", ["mozfun.norm.os", "unknown", "map.get_key", "other.mozfun.map.get_key", "udf.x"]
)
def test_others_are_not_known(name: str) -> None:
    assert on_null(name) is None


def test_spellings_of_a_name() -> None:
    for name in ("UDF.get_key", "`a-project`.udf.get_key", "`a-project.udf.get_key`"):
        assert on_null(name) == exp.null()


@pytest.mark.parametrize("expression", BUILT_IN)
def test_built_in_ones_are_null(expression: str, cursor: duckdb.DuckDBPyConnection) -> None:
    assert is_strict(sqlglot.parse_one(expression, dialect="bigquery"))
    assert value(cursor, expression) is None


def test_every_built_in_one_is_asked() -> None:
    trees = [sqlglot.parse_one(text, dialect="bigquery") for text in BUILT_IN]
    asked = {type(node) for tree in trees for node in tree.walk()}
    assert {*STRICT_OPERATORS, *STRICT_BUILT_IN} - asked - _PARTS == set()
