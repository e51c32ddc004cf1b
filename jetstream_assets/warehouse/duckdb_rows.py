"""A statement is parsed and bound once: the rows tell their types, and are cast afterwards.

Belongs here: running a statement for its rows in memory. Does not: which types are stored
(`duckdb_types`), rows that go to a file (`duckdb_parquet`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa

from jetstream_assets.errors import QueryError
from jetstream_assets.warehouse.duckdb_types import fields, stored_type, with_stored_types

if TYPE_CHECKING:
    import duckdb
    from duckdb.sqltypes import DuckDBPyType

_ARROW = {"BIGINT": pa.int64(), "DOUBLE": pa.float64()}


def rows_of(cursor: duckdb.DuckDBPyConnection, sql: str) -> pa.Table:
    """The rows of a statement; integers are INT64, floats FLOAT64.

    Raises:
        QueryError: An integer is none of INT64.
    """
    # Private, so it may be gone with another DuckDB. What is public binds a statement twice, once
    # to tell its types: of few units a tenth of the time. `cursor.execute` binds it once, but makes
    # a table of its rows by another statement, whose profile takes the place of this one's.
    submit = getattr(cursor, "_submit", None)
    if submit is None:
        return _cast_by_duckdb(cursor, sql)
    found = submit(sql, format="arrow")
    types = [kind for _, kind, *_ in found.description]
    if any("UHUGEINT" in str(kind) for kind in types):  # Arrow's integers end before it
        return _cast_by_duckdb(cursor, sql)
    return _cast(found.arrow_table(), types, sql)


def _cast_by_duckdb(cursor: duckdb.DuckDBPyConnection, sql: str) -> pa.Table:
    relation = cursor.sql(sql)
    typed = with_stored_types(relation, sql)
    return (relation if typed is sql else cursor.sql(typed)).to_arrow_table()


def _cast(rows: pa.Table, types: list[DuckDBPyType], sql: str) -> pa.Table:
    for index, kind in enumerate(types):
        if stored_type(kind) == str(kind):
            continue
        field, column = rows.schema.field(index), rows.column(index)
        wanted = _stored(kind, field.type)
        try:
            rows = rows.set_column(index, field.with_type(wanted), column.cast(wanted))
        except pa.ArrowInvalid as error:
            raise QueryError(f"A value of {field.name!r} is no INT64: {error}", sql) from error
    return rows


def _stored(kind: DuckDBPyType, arrow: pa.DataType) -> pa.DataType:
    """The stored type of a type that is ``arrow`` in Arrow."""
    if kind.id != "struct":
        return arrow if stored_type(kind) == str(kind) else _ARROW[stored_type(kind)]
    below = zip(fields(kind).values(), arrow, strict=True)
    return pa.struct([field.with_type(_stored(k, field.type)) for k, field in below])
