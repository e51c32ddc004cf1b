"""Whether a day of a source is what it was: told by its partitions, or counted.

Belongs here: finding out which of both, and the marks. Does not: when a day is read again
(`analysis.daily_aggregates`).

A table that is partitioned by the day that is asked for tells of each partition its rows and when
it was changed, which scans nothing. Of any other table and of a view the rows of each day are
counted, which reads one column, and a change that keeps their number is not seen.
"""

from __future__ import annotations

from datetime import date, datetime
from typing import TYPE_CHECKING

from sqlglot import exp

from jetstream_assets.errors import QueryError
from jetstream_assets.warehouse.base import SourceDay, Warehouse
from jetstream_assets.warehouse.bigquery_script import day_literal, table_of
from jetstream_assets.warehouse.named_tables import is_slice

if TYPE_CHECKING:
    import pyarrow as pa
    from google.cloud.bigquery import Table, TableReference

    from jetstream_assets.warehouse.bigquery_queries import Queries
    from jetstream_assets.warehouse.bigquery_tables import ExperimentTables

_PARTITIONS = "INFORMATION_SCHEMA.PARTITIONS"
_ROWS = "rows"
_NAMED = 2


def source_days(
    warehouse: Warehouse,
    queries: Queries,
    tables: ExperimentTables,
    relation: exp.Expr,
    day: exp.Expr,
    span: tuple[date, date],
) -> dict[date, SourceDay]:
    """What is there of a source on each day of a span, inclusive; days without rows are absent."""
    told = _told_by_partitions(queries, tables, relation, day, span)
    return told if told is not None else _counted(warehouse, relation, day, span)


def _counted(
    warehouse: Warehouse, relation: exp.Expr, day: exp.Expr, span: tuple[date, date]
) -> dict[date, SourceDay]:
    is_asked = exp.Between(this=day.copy(), low=day_literal(span[0]), high=day_literal(span[1]))
    count = exp.alias_(exp.Count(this=exp.Star(), big_int=True), _ROWS, quoted=True)
    query = exp.select(exp.alias_(day.copy(), "day"), count).from_(relation.copy())
    found = warehouse.query(query.where(is_asked).group_by(day.copy())).to_pylist()
    return {
        row["day"]: SourceDay(f"rows={row[_ROWS]}", row[_ROWS])
        for row in found
        if row["day"] is not None
    }


def _told_by_partitions(
    queries: Queries,
    tables: ExperimentTables,
    relation: exp.Expr,
    day: exp.Expr,
    span: tuple[date, date],
) -> dict[date, SourceDay] | None:
    """By the partitions of the table; None where it has none by this day or does not tell."""
    column = _column_of(day)
    reference = _reference(relation, tables)
    if column is None or reference is None or not _is_partitioned_by(tables, reference, column):
        return None
    try:
        _, rows = queries.read(_partitions_query(reference).sql(dialect="bigquery", pretty=True))
    except QueryError:
        return None  # this account may read rows and not what is known of them
    return _of_partitions(rows, span)


def _column_of(day: exp.Expr) -> str | None:
    """The column that a day is taken from, as itself or as the date of a timestamp."""
    inside = day.this if isinstance(day, exp.Date | exp.TsOrDsToDate | exp.Cast) else day
    return inside.name if isinstance(inside, exp.Column) else None


def _reference(relation: exp.Expr, tables: ExperimentTables) -> TableReference | None:
    from google.cloud.bigquery import TableReference

    if not isinstance(relation, exp.Table) or is_slice(relation):
        return None
    parts = [part.name for part in relation.parts]
    if len(parts) < _NAMED:
        return None
    project = tables.options.source_project or tables.options.project
    *above, dataset, table = parts
    given = {"projectId": above[0] if above else project, "datasetId": dataset, "tableId": table}
    return TableReference.from_api_repr(given)


def _is_partitioned_by(tables: ExperimentTables, reference: TableReference, column: str) -> bool:
    from google.api_core.exceptions import ClientError  # noqa: PLC0415

    try:
        table: Table = tables.get(reference)
    except ClientError:
        return False  # the query that counts says what is wrong
    by = table.time_partitioning
    is_by_day = by is not None and by.type_ == "DAY" and by.field is not None
    return is_by_day and by.field.lower() == column.lower()


def _partitions_query(reference: TableReference) -> exp.Select:
    inside = table_of(reference)
    inside.set("this", exp.to_identifier(_PARTITIONS, quoted=False))
    return (
        exp.select("partition_id", "total_rows", "last_modified_time")
        .from_(inside)
        .where(exp.column("table_name").eq(exp.Literal.string(reference.table_id)))
    )


def _of_partitions(rows: pa.Table, span: tuple[date, date]) -> dict[date, SourceDay]:
    found = {}
    for row in rows.to_pylist():
        try:
            day = datetime.strptime(row["partition_id"], "%Y%m%d").date()  # noqa: DTZ007  a date
        except (ValueError, TypeError):
            continue  # the partition of NULL, or of what still streams in
        if span[0] <= day <= span[1] and row["total_rows"]:
            mark = f"{row['total_rows']} rows of {row['last_modified_time']:%Y-%m-%dT%H:%M:%S.%f}"
            found[day] = SourceDay(mark, row["total_rows"])
    return found
