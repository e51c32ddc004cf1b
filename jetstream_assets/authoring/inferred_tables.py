"""The tables that a whole query could be about: their columns, by the scopes that use them.

Belongs here: which table of a query a column is of. Does not: its type (`inferred_columns`),
binding (`binding`).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from sqlglot import exp
from sqlglot.optimizer.scope import Scope, traverse_scope

from jetstream_assets.authoring.inferred_columns import Elements, Nested, note_column

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

# Only there does BigQuery take a name of what is selected for a column.
_AFTER_SELECT = (exp.Group, exp.Order, exp.Having, exp.Qualify)


def with_named_tables(query: exp.Query) -> tuple[exp.Query, dict[str, Nested]]:
    """The query over tables ``t0``, ``t1`` ... in the place of the real ones, and their columns.

    A column without a table is of the first table of its scope that is no part of the query, unless
    the scope itself gives the name or another table is known to have it.
    """
    renamed = query.copy()
    tables = _Tables()
    scopes = traverse_scope(renamed)
    for scope in scopes:
        tables.note(scope)
    for scope in scopes:
        for table in _real_tables(scope).values():
            alias = table.alias_or_name
            table.replace(exp.alias_(exp.to_table(tables.name(table)), alias, table=True))
    return renamed, tables.columns


@dataclass
class _Tables:
    names: dict[str, str] = field(default_factory=dict)
    columns: dict[str, Nested] = field(default_factory=dict)

    def name(self, table: exp.Table) -> str:
        written = ".".join(part.name for part in table.parts)
        name = self.names.setdefault(written, f"t{len(self.names)}")
        self.columns.setdefault(name, {})
        return name

    def note(self, scope: Scope) -> None:
        """Add what a scope's columns tell of its tables, and then of the elements of arrays."""
        arrays = dict(_arrays(scope))
        uses = [column for column in scope.columns if _first(column) not in arrays]
        self._note_columns(scope, uses)
        self._note_shared(scope)
        for name, array in arrays.items():
            fields: Nested = Elements()
            for column in scope.columns:
                if _first(column) == name and len(column.parts) > 1:
                    note_column(fields, column, {name})
            if fields:
                self._put_elements(scope, array, fields)

    def _note_columns(self, scope: Scope, uses: Iterable[exp.Column]) -> None:
        query = scope.expression
        selects = query.selects if isinstance(query, exp.Query) else []
        selected = {one.alias for one in selects if isinstance(one, exp.Alias)}
        # What is said to be of a table first: a name alone may be of one that is known to have it.
        for column in sorted(uses, key=lambda use: _first(use) not in scope.sources):
            if _first(column) in selected and column.find_ancestor(*_AFTER_SELECT):
                continue
            found = [self.columns[self.name(table)] for table in _tables_of(column, scope)]
            if any(_first(column) in columns for columns in found[1:]):
                continue
            for columns in found[:1]:
                note_column(columns, column, scope.sources.keys())

    def _note_shared(self, scope: Scope) -> None:
        """Columns that joins name by USING are of all that is joined."""
        shared = {
            name.name
            for join in scope.expression.args.get("joins") or ()
            for name in join.args.get("using") or ()
        }
        for table in _real_tables(scope).values():
            for name in shared:
                self.columns[self.name(table)].setdefault(name, "BIGINT")

    def _put_elements(self, scope: Scope, array: exp.Column, fields: Nested) -> None:
        """Let an array of a table have these elements."""
        for table in _tables_of(array, scope):
            path = [part.name for part in array.parts]
            path = path[1:] if path[0] in scope.sources and len(path) > 1 else path
            columns = self.columns[self.name(table)]
            for name in path[:-1]:
                inner = columns.setdefault(name, {})
                if isinstance(inner, str):
                    return
                columns = inner
            columns[path[-1]] = fields


def _arrays(scope: Scope) -> Iterator[tuple[str, exp.Column]]:
    """The names of elements, each with the column that holds the array."""
    for array in scope.expression.find_all(exp.Unnest):
        alias = array.args.get("alias")
        (inner, *_) = array.expressions
        if alias is not None and alias.columns and isinstance(inner, exp.Column):
            yield alias.columns[0].name, inner


def _tables_of(column: exp.Column, scope: Scope) -> list[exp.Table]:
    """The real tables that a column may be of."""
    real, first = _real_tables(scope), _first(column)
    if first in scope.sources and len(column.parts) > 1:
        return [real[first]] if first in real else []
    return list(real.values())


def _real_tables(scope: Scope) -> dict[str, exp.Table]:
    return {name: one for name, one in scope.sources.items() if isinstance(one, exp.Table)}


def _first(column: exp.Column) -> str:
    return column.parts[0].name
