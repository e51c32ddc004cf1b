"""What a query is charged for: the columns it names, in the partitions that it cannot leave out.

Belongs here: the bytes and rows that are read of each table. Does not: reading them.

As in BigQuery only comparisons of the bare partition column with constants leave partitions out.
Here they must stand in the WHERE or ON beside the table, whereas the real service also moves them
down from around a sub-query or a view; and a `*` is all columns, whatever is used of it above.
"""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

import duckdb
import pyarrow as pa
from sqlglot import exp

from jetstream_assets.warehouse.duckdb_dialect import to_duckdb
from jetstream_assets.warehouse.duckdb_macros import create_macros
from jetstream_assets_tests.bigquery.names import TableKey
from jetstream_assets_tests.bigquery.partitions import partition_column
from jetstream_assets_tests.bigquery.refusals import invalid_query
from jetstream_assets_tests.bigquery.sizes import column_size

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from jetstream_assets_tests.bigquery.tables import Stored

_COMPARISONS = (exp.EQ, exp.LT, exp.LTE, exp.GT, exp.GTE, exp.Between, exp.In)


@dataclass(frozen=True)
class Scan:
    """What is read of a table that a query names."""

    key: TableKey
    size: int
    rows: int


def scans(
    tree: exp.Expr, tables: Sequence[exp.Table], find: Callable[[exp.Table], Stored]
) -> list[Scan]:
    """What a query in BigQuery's dialect reads of each table that it names."""
    names = {column.name.lower() for column in tree.find_all(exp.Column, exp.Dot)}
    return [_scan(table, find(table), names) for table in tables]


def partitions_met(stored: Stored, condition: exp.Expr) -> list[str]:
    """The partitions of which a row may meet a condition."""
    column = partition_column(stored.resource)
    conditions = [one for one in _parts(condition) if column and _leaves_out(one, column)]
    if not column or not conditions:
        return list(stored.partitions)
    return _meeting(stored, column, conditions)


def _scan(table: exp.Table, stored: Stored, names: set[str]) -> Scan:
    select = table.find_ancestor(exp.Select)
    is_all = select is not None and select.is_star
    wanted = [one for one in stored.rows.schema.names if is_all or one.lower() in names]
    kept = _kept(table, select, stored)
    parts = [stored.partitions[one] for one in kept]
    size = sum(column_size(part.column(one)) for part in parts for one in wanted)
    return Scan(stored.key, size, sum(part.num_rows for part in parts))


def _kept(table: exp.Table, select: exp.Select | None, stored: Stored) -> list[str]:
    column = partition_column(stored.resource)
    if column is None:
        return list(stored.partitions)
    conditions = [one for one in _conjuncts(table, select) if _leaves_out(one, column)]
    if not conditions:
        by_time = stored.resource.get("timePartitioning") or {}
        if by_time.get("requirePartitionFilter") or stored.resource.get("requirePartitionFilter"):
            name = ".".join(stored.key)
            raise invalid_query(
                f"Cannot query over table '{name}' without a filter over column(s) '{column}' that "
                "can be used for partition elimination"
            )
        return list(stored.partitions)
    return _meeting(stored, column, conditions)


def _conjuncts(table: exp.Table, select: exp.Select | None) -> Iterator[exp.Expr]:
    clauses = [select.args.get("where")] if select is not None else []
    above = table.parent
    if isinstance(above, exp.Join) and above.args.get("on"):
        clauses.append(exp.Where(this=above.args["on"].copy()))
    for clause in clauses:
        if clause is not None:
            yield from _parts(clause.this)


def _parts(condition: exp.Expr) -> Iterator[exp.Expr]:
    inner = condition.unnest()
    if isinstance(inner, exp.And):
        yield from _parts(inner.this)
        yield from _parts(inner.expression)
    else:
        yield inner


def _leaves_out(condition: exp.Expr, column: str) -> bool:
    inner = condition.unnest()
    if isinstance(inner, exp.Or):
        return _leaves_out(inner.this, column) and _leaves_out(inner.expression, column)
    if not isinstance(inner, _COMPARISONS) or inner.find(exp.Query):
        return False
    sides = [inner.this, inner.args.get("expression")]
    columns = list(inner.find_all(exp.Column))
    is_bare = any(isinstance(side, exp.Column) for side in sides)
    return is_bare and len(columns) == 1 and columns[0].name.lower() == column.lower()


def _meeting(stored: Stored, column: str, conditions: list[exp.Expr]) -> list[str]:
    """The partitions with a row that meets all conditions."""
    parts = list(stored.partitions)
    if not parts:
        return []
    values = [stored.partitions[part].column(column).unique() for part in parts]
    ids = [part for part, found in zip(parts, values, strict=True) for _ in found]
    kept = pa.table({"id": pa.array(ids, pa.string()), column: pa.chunked_array(values)})
    where = exp.and_(*(condition.copy() for condition in conditions))
    for named in where.find_all(exp.Column):
        named.set("table", None)
    query = to_duckdb(exp.select("id").distinct().from_("kept").where(where))
    with closing(_connection().cursor()) as cursor:
        cursor.register("kept", kept)
        return [row[0] for row in cursor.sql(query.sql(dialect="duckdb")).fetchall()]


@cache
def _connection() -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect()
    connection.execute("SET GLOBAL TimeZone = 'UTC'")
    create_macros(connection)
    return connection
