"""BigQuery has one integer and one float type, and so has every column that DuckDB makes.

Belongs here: the types in which DuckDB's columns are stored. Does not: rows in memory
(`duckdb_rows`), SQL's meaning (`duckdb_dialect`).

A file per date must not differ in types because one date's numbers are small. An untyped NULL is an
INT64, too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from sqlglot import exp

if TYPE_CHECKING:
    import duckdb
    from duckdb.sqltypes import DuckDBPyType

_INTEGERS = frozenset(
    f"{sign}{size}"
    for sign in ("", "U")
    for size in ("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT")
) - {"BIGINT"}
_STORED_TYPES = dict.fromkeys((*_INTEGERS, '"NULL"'), "BIGINT") | {"FLOAT": "DOUBLE"}


def with_stored_types(relation: duckdb.DuckDBPyRelation, sql: str) -> str:
    """The query of the relation with columns of other numeric types cast to INT64 and FLOAT64."""
    casts = [
        exp.alias_(
            exp.cast(exp.column(name, quoted=True), wanted, dialect="duckdb"), name, quoted=True
        )
        for name, kind in zip(relation.columns, relation.types, strict=True)
        if (wanted := stored_type(kind)) != str(kind)
    ]
    if not casts:
        return sql
    replaced = ", ".join(cast.sql(dialect="duckdb") for cast in casts)
    return f"SELECT * REPLACE ({replaced}) FROM (\n{sql}\n)"  # noqa: S608  rendered from trees


def stored_type(kind: DuckDBPyType) -> str:
    """The type in which values of a type are stored, fields of structs included."""
    if kind.id != "struct":
        return _STORED_TYPES.get(str(kind), str(kind))
    typed = fields(kind)
    stored = {name: stored_type(field) for name, field in typed.items()}
    if all(stored[name] == str(field) for name, field in typed.items()):
        return str(kind)
    named = ((exp.to_identifier(name, quoted=True).sql(), t) for name, t in stored.items())
    return f"STRUCT({', '.join(f'{name} {field}' for name, field in named)})"


def fields(kind: DuckDBPyType) -> dict[str, DuckDBPyType]:
    """The fields of a struct with their types."""
    # Children of a struct are its fields' names and types, whatever the stubs say of other types.
    return dict(cast("list[tuple[str, DuckDBPyType]]", kind.children))


def bigquery_type(stored: str) -> str:
    """The type of BigQuery's SQL for a stored type."""
    kind = "FLOAT64" if stored.startswith("DECIMAL") else stored
    return exp.DataType.build(kind, dialect="duckdb").sql(dialect="bigquery")
