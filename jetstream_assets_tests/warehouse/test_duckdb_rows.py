"""Rows in memory have the stored types, whichever way DuckDB is asked for them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import duckdb
import pyarrow as pa
import pytest

from jetstream_assets.errors import QueryError
from jetstream_assets.warehouse.duckdb_errors import as_warehouse_errors
from jetstream_assets.warehouse.duckdb_rows import rows_of

if TYPE_CHECKING:
    from collections.abc import Iterator

EVERY_TYPE = """
SELECT 1::TINYINT AS a, 2::UBIGINT AS b, SUM(3::BIGINT) AS c, 4.5::FLOAT AS d, NULL AS e,
  {'x': SUM(5::BIGINT), 'y': NULL, 'z': {'w': 6::SMALLINT}} AS f, 7.25::DECIMAL(38, 2) AS g,
  8::DECIMAL(38, 0) AS h, [9::INTEGER] AS i, 'x' AS j, DATE '2024-01-01' AS k,
  TIMESTAMPTZ '2024-01-01 00:00:00+00' AS l, [SUM(1::BIGINT)] AS m, 8::UHUGEINT AS n
"""
WITHOUT_UHUGEINT = EVERY_TYPE.replace(", 8::UHUGEINT AS n", "")


class OnlyPublic:
    """A cursor of a DuckDB that has nothing but what it documents."""

    def __init__(self, cursor: duckdb.DuckDBPyConnection) -> None:
        self.sql = cursor.sql


@pytest.fixture
def cursor() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        yield connection


@pytest.mark.parametrize("sql", [EVERY_TYPE, WITHOUT_UHUGEINT, "SELECT 1 AS a WHERE FALSE"])
def test_rows_are_the_same_where_duckdb_is_asked_by_what_is_public(
    cursor: duckdb.DuckDBPyConnection, sql: str
) -> None:
    public: Any = OnlyPublic(cursor)
    rows, expected = rows_of(cursor, sql), rows_of(public, sql)
    assert rows.schema == expected.schema
    assert rows.to_pylist() == expected.to_pylist()


def test_integers_and_floats_have_one_type_fields_of_structs_included(
    cursor: duckdb.DuckDBPyConnection,
) -> None:
    schema = rows_of(cursor, WITHOUT_UHUGEINT).schema
    integer = pa.int64()
    struct = pa.struct({"x": integer, "y": integer, "z": pa.struct({"w": integer})})
    types = [integer, integer, integer, pa.float64(), integer, struct, pa.decimal128(38, 2)]
    assert schema.types[:8] == [*types, pa.decimal128(38, 0)]


def test_large_integers_are_exact(cursor: duckdb.DuckDBPyConnection) -> None:
    largest, smallest = 9_223_372_036_854_775_807, -9_223_372_036_854_775_808
    values = "(VALUES (9223372036854775807), (-9223372036854775807 - 1)) AS t (x)"
    rows = rows_of(cursor, f"SELECT SUM(x) AS x FROM {values} GROUP BY x ORDER BY x")  # noqa: S608
    assert rows["x"].to_pylist() == [smallest, largest]


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT SUM(x) AS big FROM (SELECT 9223372036854775807 AS x FROM range(2))",
        "SELECT 18446744073709551615::UBIGINT AS big",
        "SELECT {'x': 170141183460469231731687303715884105727::HUGEINT} AS big",
        "SELECT 340282366920938463463374607431768211455::UHUGEINT AS big",
    ],
)
def test_an_integer_that_is_too_large_is_refused(
    cursor: duckdb.DuckDBPyConnection, sql: str
) -> None:
    with pytest.raises(QueryError) as refused, as_warehouse_errors(sql):
        rows_of(cursor, sql)
    assert refused.value.sql == sql


def test_the_profile_afterwards_is_that_of_the_statement(
    cursor: duckdb.DuckDBPyConnection,
) -> None:
    cursor.execute("SET enable_profiling = 'no_output'")
    assert rows_of(cursor, "SELECT SUM(range) AS n FROM range(5000)")["n"].to_pylist() == [12497500]
    assert json.loads(cursor.get_profiling_information())["operator"]
