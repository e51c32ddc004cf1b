"""An aggregate over a window is the merge of aggregates over its days, for nearly every aggregate.

Belongs here: what a state is, how states of several days are merged, and an expression in terms of
merged states. Does not: finding the states of an expression (`splitting`), scanning (`state_scan`),
rolling up (`rollup`).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from sqlglot import exp

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

# The fields of a state that is a pair.
KEY, VALUE = "k", "v"


class UnsplittableError(ValueError):
    """An expression that does not follow from its days; ``reason`` is a sentence."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Merge(StrEnum):
    """How the states of several days become one. NULL is a day that says nothing."""

    SUM = "sum"
    MIN = "min"
    MAX = "max"
    OR = "or"
    AND = "and"
    ANY = "any"
    # A pair of key and value: the pair of the smallest or largest key.
    MIN_BY = "min_by"
    MAX_BY = "max_by"
    # The same, where a NULL key is the smallest.
    FIRST = "first"
    LAST = "last"


@dataclass(frozen=True)
class State:
    """One value per unit and day that can be merged over days.

    Args:
        daily: The aggregate over the rows ``ds`` of one unit ``e`` and one day.
        merge: How several days become one.
        empty: The state of a unit that has no row at all: what the aggregate gives over one row
            whose columns are all NULL. It names only ``e.`` columns and constants.
    """

    daily: exp.Expr
    merge: Merge
    empty: exp.Expr

    def merged(self, column: exp.Expr) -> exp.Expr:
        """The aggregate over a column of stored states."""
        return _MERGES[self.merge](column)

    @property
    def key(self) -> str:
        """A text that is equal for equal computations."""
        return f"{self.merge}({self.daily.sql(dialect='bigquery')})"


@dataclass(frozen=True)
class Split:
    """A metric's expression in terms of merged states."""

    states: tuple[State, ...]
    around: exp.Expr

    def value(self, states: Sequence[exp.Expr]) -> exp.Expr:
        """The metric from the merged states, in the order of `states`."""
        holder = exp.Paren(this=self.around.copy())
        for place in list(holder.find_all(exp.Placeholder)):
            place.replace(states[int(place.name)].copy())
        found: exp.Expr = holder.this
        return found.pop()


def filled(text: str, **values: exp.Expr) -> exp.Expr:
    """An expression of this package's own, with trees in the places of its ``:name``s."""
    tree: exp.Expr = exp.maybe_parse(text, dialect="bigquery")
    return exp.replace_placeholders(tree, **values).copy()


def first_pair(pair: exp.Expr, key: exp.Expr, *, descends: bool) -> exp.Expr:
    """The pair that comes first by a key; NULL pairs do not count."""
    order = " DESC" if descends else ""
    text = f"ARRAY_AGG(:pair IGNORE NULLS ORDER BY :key{order} LIMIT 1)[SAFE_OFFSET(0)]"
    return filled(text, pair=pair, key=key)


def _extreme_pair(function: str, column: exp.Expr) -> exp.Expr:
    return filled(f"{function}(:pair, :pair.{KEY})", pair=column)


def _first_merged(column: exp.Expr, *, descends: bool) -> exp.Expr:
    return first_pair(column, exp.Dot.build([column, exp.to_identifier(KEY)]), descends=descends)


_MERGES: dict[Merge, Callable[[exp.Expr], exp.Expr]] = {
    Merge.SUM: lambda column: exp.Sum(this=column),
    Merge.MIN: lambda column: exp.Min(this=column),
    Merge.MAX: lambda column: exp.Max(this=column),
    Merge.OR: lambda column: exp.LogicalOr(this=column),
    Merge.AND: lambda column: exp.LogicalAnd(this=column),
    Merge.ANY: lambda column: exp.AnyValue(this=column),
    Merge.MIN_BY: lambda column: _extreme_pair("MIN_BY", column),
    Merge.MAX_BY: lambda column: _extreme_pair("MAX_BY", column),
    Merge.FIRST: lambda column: _first_merged(column, descends=False),
    Merge.LAST: lambda column: _first_merged(column, descends=True),
}
