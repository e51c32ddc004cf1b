"""A statement reads the same everywhere: one layout for files, logs and golden tests.

Belongs here: trees in BigQuery's dialect turned into formatted text of a dialect. Does not: the
translation itself (`duckdb_dialect`), where a table's bytes are (adapters).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from jetstream_assets.warehouse.duckdb_dialect import to_duckdb

if TYPE_CHECKING:
    from collections.abc import Collection

    from sqlglot import exp


def render_bigquery(tree: exp.Expr) -> str:
    """The statement for BigQuery, formatted."""
    return tree.sql(dialect="bigquery", pretty=True)


def render_duckdb(tree: exp.Expr, own_macros: Collection[str] = ()) -> str:
    """The statement for DuckDB, formatted; table names are left as they are.

    Args:
        tree: A query or an expression in BigQuery's dialect.
        own_macros: Names of macros beyond the shipped ones.

    Raises:
        QueryError: The tree calls an organisation's function that has no DuckDB macro.
    """
    return to_duckdb(tree, own_macros).sql(dialect="duckdb", pretty=True)
