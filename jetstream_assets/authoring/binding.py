"""Whether DuckDB takes an expression or a query, without any table of the organisation's.

Belongs here: binding over tables whose columns are inferred. Does not: the columns
(`inferred_columns`, `inferred_tables`), binding to real tables (`dry_run`).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

from jetstream_assets.authoring.inferred_columns import Nested, inferred_columns, struct_type
from jetstream_assets.authoring.inferred_tables import with_named_tables
from jetstream_assets.errors import QueryError
from jetstream_assets.warehouse.duckdb_errors import as_warehouse_errors
from jetstream_assets.warehouse.duckdb_own_macros import NO_MACROS, OwnMacros
from jetstream_assets.warehouse.duckdb_session import DuckDBSession
from jetstream_assets.warehouse.rendering import render_bigquery, render_duckdb

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_MEMORY = "512MB"
_LONGEST_REASON = 160


@dataclass(frozen=True)
class Bound:
    """How far an expression comes: each step needs the one before.

    ``reason`` is a sentence where it does not come to the end.
    """

    bigquery: bool = False
    duckdb: bool = False
    bound: bool = False
    reason: str = ""


@dataclass
class Binder:
    """Binds each distinct expression once, and queries.

    Args:
        folder: Where DuckDB may spill; nothing is left there.
        macros: The organisation's functions beyond those that are shipped.
    """

    folder: Path
    macros: OwnMacros = NO_MACROS
    _known: dict[str, Bound] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._session = DuckDBSession(self.folder, 1, _MEMORY, self.macros)

    def bind(self, text: str) -> Bound:
        """How far an aggregate over a data source ``ds`` and an enrollment ``e`` comes."""
        if text not in self._known:
            self._known[text] = self._steps(lambda: over_inferred_row(text))
        return self._known[text]

    def bind_query(self, build: Callable[[], exp.Query]) -> Bound:
        """How far a query of tables of the organisation's comes, once it is built."""
        return self._steps(lambda: with_named_tables(build()))

    def _steps(self, build: Callable[[], tuple[exp.Query, Mapping[str, Nested]]]) -> Bound:
        reached = Bound()
        try:
            query, tables = build()
            render_bigquery(query)
            reached = Bound(bigquery=True)
            statement = render_duckdb(query, self.macros.names)
            reached = Bound(bigquery=True, duckdb=True)
            with as_warehouse_errors(statement):
                cursor = self._session.cursor()
                for name, columns in tables.items():
                    cursor.execute(f"CREATE OR REPLACE TEMP TABLE {name} ({_row(columns)})")
                cursor.execute(f"EXPLAIN {statement}")
        except (QueryError, SqlglotError) as error:
            reason = str(error).splitlines()[0][:_LONGEST_REASON]
            return Bound(reached.bigquery, reached.duckdb, bound=False, reason=reason)
        return Bound(bigquery=True, duckdb=True, bound=True)


def over_inferred_row(text: str) -> tuple[exp.Select, dict[str, Nested]]:
    """A query of an aggregate over a table ``ds`` and an enrollment ``e``, both as one table.

    Returns:
        The query, and the columns of its table ``ds``.

    Raises:
        SqlglotError: The text is no expression.
    """
    tree = sqlglot.parse_one(text, dialect="bigquery")
    columns = inferred_columns(tree)
    for column in tree.find_all(exp.Column):
        # Both rows are one here, as both tables' columns are.
        if column.parts[0].name == "e" and len(column.parts) > 1:
            column.parts[0].set("this", "ds")
    query = exp.select(exp.alias_(tree, "value")).from_(exp.to_table("ds"))
    return query, {"ds": columns}


def _row(columns: Nested) -> str:
    row = ", ".join(
        f"{exp.to_identifier(name, quoted=True).sql(dialect='duckdb')} {struct_type(kind)}"
        for name, kind in columns.items()
    )
    return row or "nothing BIGINT"
