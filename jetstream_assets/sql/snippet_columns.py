"""Whose column a name in a snippet is: a row's (``ds``) or the unit's (``e``).

Belongs here: telling the two apart. Does not: what is made of it (`splitting`, `empty_rows`).

A name without a table is the unit's where the unit has such a column, else a row's: a name that
both have is ambiguous to a warehouse, too. Inside a sub-query a bare name may be the sub-query's
own; whatever may be somebody's is taken to be, so that a doubt ends in a refusal.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlglot import exp

if TYPE_CHECKING:
    from collections.abc import Iterator

_UNIT, _ROW = "e", "ds"


@dataclass(frozen=True)
class SnippetColumns:
    """The columns of the unit, by name in lower case."""

    of_unit: frozenset[str]

    def qualified(self, tree: exp.Expr) -> exp.Expr:
        """A copy in which bare names of the unit's columns have its table."""
        holder = exp.Paren(this=tree.copy())
        for column in _outer_columns(holder):
            if len(column.parts) == 1 and column.name.lower() in self.of_unit:
                column.set("table", exp.to_identifier(_UNIT))
        found: exp.Expr = holder.this
        return found.pop()

    def is_of_unit(self, column: exp.Column) -> bool:
        """Whether the column is the unit's."""
        first = column.parts[0].name.lower()
        return bool(first == _UNIT if len(column.parts) > 1 else first in self.of_unit)

    def names_rows(self, tree: exp.Expr) -> bool:
        """Whether the expression depends on a row; a sub-query over anything is taken to."""
        if any(not self.is_of_unit(column) for column in _outer_columns(tree)):
            return True
        return any(query.find(exp.Column, exp.Table) for query in tree.find_all(exp.Query))

    def names_of_unit(self, tree: exp.Expr) -> frozenset[str]:
        """The unit's columns that the expression names, or may name from a sub-query."""
        columns = (c for c in tree.find_all(exp.Column) if self.is_of_unit(c))
        return frozenset(
            column.parts[min(1, len(column.parts) - 1)].name.lower() for column in columns
        )


def is_whole_row(column: exp.Column) -> bool:
    """Whether the name stands for all columns: ``ds``, ``ds.*``."""
    is_alias = len(column.parts) == 1 and column.name.lower() in {_UNIT, _ROW}
    return is_alias or isinstance(column.this, exp.Star)


def path(tree: exp.Expr) -> tuple[str, ...]:
    """The names of a column or a field in one, without ``ds``; empty for other expressions.

    Names of columns are the same in upper and lower case.
    """
    root = tree
    while isinstance(root, exp.Dot):
        root = root.this
    if not isinstance(root, exp.Column):
        return ()
    parts = tree.parts if isinstance(tree, exp.Column | exp.Dot) else []
    if not all(isinstance(part, exp.Identifier) for part in parts):
        return ()
    names = tuple(part.name.lower() for part in parts)
    return names[1:] if len(names) > 1 and names[0] == _ROW else names


def _outer_columns(tree: exp.Expr) -> Iterator[exp.Column]:
    """Columns that no sub-query brings along; inside one, only what its table function reads."""
    for column in tree.find_all(exp.Column):
        query = column.find_ancestor(exp.Select)
        if query is None or _is_of_outer_relation(column):
            yield column


def _is_of_outer_relation(column: exp.Column) -> bool:
    """Inside a sub-query: a column with ``e`` or ``ds``, or the array that it unnests."""
    names = {_UNIT, _ROW}
    return column.parts[0].name.lower() in names or column.find_ancestor(exp.Unnest) is not None
