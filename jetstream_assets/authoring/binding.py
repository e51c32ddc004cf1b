"""Whether DuckDB takes an expression, without any table of the organisation's.

Belongs here: binding over a table whose columns are inferred. Does not: the columns
(`inferred_columns`), binding to real tables (`dry_run`).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

from jetstream_assets.authoring.inferred_columns import inferred_columns, struct_type
from jetstream_assets.errors import QueryError
from jetstream_assets.warehouse.duckdb_errors import as_warehouse_errors
from jetstream_assets.warehouse.duckdb_session import DuckDBSession
from jetstream_assets.warehouse.rendering import render_bigquery, render_duckdb

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
    """Binds each distinct expression once.

    Args:
        folder: Where DuckDB may spill; nothing is left there.
    """

    folder: Path
    _known: dict[str, Bound] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._session = DuckDBSession(self.folder, 1, _MEMORY)

    def bind(self, text: str) -> Bound:
        """How far an aggregate over a data source ``ds`` and an enrollment ``e`` comes."""
        if text not in self._known:
            self._known[text] = self._bind(text)
        return self._known[text]

    def _bind(self, text: str) -> Bound:
        reached = Bound()
        try:
            tree = sqlglot.parse_one(text, dialect="bigquery")
            columns = inferred_columns(tree)
            for column in tree.find_all(exp.Column):
                # Both rows are one here, as both tables' columns are.
                if column.parts[0].name == "e" and len(column.parts) > 1:
                    column.parts[0].set("this", "ds")
            query = exp.select(exp.alias_(tree, "value")).from_(exp.to_table("ds"))
            render_bigquery(query)
            reached = Bound(bigquery=True)
            statement = render_duckdb(query)
            reached = Bound(bigquery=True, duckdb=True)
            row = ", ".join(f'"{name}" {struct_type(kind)}' for name, kind in columns.items())
            with as_warehouse_errors(text):
                cursor = self._session.cursor()
                cursor.execute(f"CREATE OR REPLACE TEMP TABLE ds ({row or 'nothing BIGINT'})")
                cursor.execute(f"EXPLAIN {statement}")
        except (QueryError, SqlglotError) as error:
            reason = str(error).splitlines()[0][:_LONGEST_REASON]
            return Bound(reached.bigquery, reached.duckdb, bound=False, reason=reason)
        return Bound(bigquery=True, duckdb=True, bound=True)
