"""Whose column a name in a snippet is: a row's (``ds``) or the unit's (``e``).

Belongs here: telling the two apart. Does not: what is made of it (`states`, `empty_rows`).

A name without a table is the unit's where the unit has such a column, else a row's: a name that
both have is ambiguous to a warehouse, too. Names that a sub-query brings along are its own.
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
    """The columns of the unit, by name."""

    of_unit: frozenset[str]

    def qualified(self, tree: exp.Expr) -> exp.Expr:
        """A copy in which bare names of the unit's columns have its table."""
        holder = exp.Paren(this=tree.copy())
        for column in _outer_columns(holder):
            if len(column.parts) == 1 and column.name in self.of_unit:
                column.set("table", exp.to_identifier(_UNIT))
        found: exp.Expr = holder.this
        return found.pop()

    def is_of_unit(self, column: exp.Column) -> bool:
        """Whether the column is the unit's."""
        first = column.parts[0].name
        if len(column.parts) > 1:
            return bool(first == _UNIT)
        return first in self.of_unit

    def names_rows(self, tree: exp.Expr) -> bool:
        """Whether the expression depends on a row."""
        return any(not self.is_of_unit(column) for column in _outer_columns(tree))

    def names_of_unit(self, tree: exp.Expr) -> frozenset[str]:
        """The unit's columns that the expression names."""
        columns = (c for c in _outer_columns(tree) if self.is_of_unit(c))
        return frozenset(column.parts[min(1, len(column.parts) - 1)].name for column in columns)


def _outer_columns(tree: exp.Expr) -> Iterator[exp.Column]:
    """Columns that no sub-query brings along; inside one, only what its table function reads."""
    for column in tree.find_all(exp.Column):
        query = column.find_ancestor(exp.Select)
        if query is None or _is_of_outer_relation(column):
            yield column


def _is_of_outer_relation(column: exp.Column) -> bool:
    """Inside a sub-query: a column with ``e`` or ``ds``, or the array that it unnests."""
    return column.parts[0].name in {_UNIT, _ROW} or column.find_ancestor(exp.Unnest) is not None
