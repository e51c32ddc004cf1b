"""An aggregate over a window is the merge of aggregates over its days, for nearly every aggregate.

Belongs here: splitting a metric's expression into states per unit and day, how states are merged,
and the expression around them. Does not: what an aggregate gives over no rows (`empty_rows`),
whether a source has days (`day_slices`), scanning (`state_scan`), merging (`rollup`).

The scalar expression around the aggregates is kept. What cannot be split exactly is refused with a
reason and computed from rows; nothing is approximated.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from sqlglot import exp

from jetstream_assets.sql.empty_rows import UncertainError, on_empty_row
from jetstream_assets.sql.snippet_columns import SnippetColumns

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Sequence

# A unit's columns that are the same from its enrollment on; others may be known only later.
_KNOWN_ON_THE_DAY = frozenset({"analysis_id", "branch", "enrollment_date"})
_KEY, _VALUE = "k", "v"
_SHOWN = 80


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


def split(
    tree: exp.Expr,
    day: exp.Expr,
    ids: Collection[exp.Expr],
    unit_columns: Collection[str] = (),
) -> Split:
    """Split a metric's expression.

    Args:
        tree: The expression over rows ``ds`` of the unit ``e``.
        day: The DATE of a row.
        ids: The columns that hold the unit's id.
        unit_columns: The columns of ``e``, which a snippet may name without ``e.``.

    Raises:
        UnsplittableError: The expression does not follow from its days.
    """
    return _Splitting(day, list(ids), SnippetColumns(frozenset(unit_columns))).split(tree)


def _extreme_pair(function: str, column: exp.Expr) -> exp.Expr:
    return _parsed(f"{function}(:pair, :pair.{_KEY})", pair=column)


def _first_pair(order: str, column: exp.Expr) -> exp.Expr:
    text = f"ARRAY_AGG(:pair IGNORE NULLS ORDER BY :pair.{_KEY}{order} LIMIT 1)[SAFE_OFFSET(0)]"
    return _parsed(text, pair=column)


_MERGES: dict[Merge, Callable[[exp.Expr], exp.Expr]] = {
    Merge.SUM: lambda column: exp.Sum(this=column),
    Merge.MIN: lambda column: exp.Min(this=column),
    Merge.MAX: lambda column: exp.Max(this=column),
    Merge.OR: lambda column: exp.LogicalOr(this=column),
    Merge.AND: lambda column: exp.LogicalAnd(this=column),
    Merge.ANY: lambda column: exp.AnyValue(this=column),
    Merge.MIN_BY: lambda column: _extreme_pair("MIN_BY", column),
    Merge.MAX_BY: lambda column: _extreme_pair("MAX_BY", column),
    Merge.FIRST: lambda column: _first_pair("", column),
    Merge.LAST: lambda column: _first_pair(" DESC", column),
}

# Aggregates of one argument that are their own merge.
_SELF_MERGING: dict[type[exp.Expr], Merge] = {
    exp.Sum: Merge.SUM,
    exp.Min: Merge.MIN,
    exp.Max: Merge.MAX,
    exp.LogicalOr: Merge.OR,
    exp.LogicalAnd: Merge.AND,
    exp.AnyValue: Merge.ANY,
}
# Of one value, whatever the number of rows, these give that value.
_OF_A_CONSTANT = (exp.Min, exp.Max, exp.LogicalOr, exp.LogicalAnd, exp.AnyValue)
_PAIRS = {exp.ArgMax: Merge.MAX_BY, exp.ArgMin: Merge.MIN_BY}


class _Splitting:
    """Splitting one expression: the states found so far, and the rules."""

    def __init__(self, day: exp.Expr, ids: list[exp.Expr], columns: SnippetColumns) -> None:
        self._day = day
        self._ids = ids
        self._columns = columns
        self._states: list[State] = []

    def split(self, tree: exp.Expr) -> Split:
        """Replace every aggregate by what follows from its states."""
        holder = exp.Paren(this=self._columns.qualified(tree))
        for node in list(_group_aggregates(holder)):
            node.replace(self._follows(node))
        self._check_around(holder)
        around: exp.Expr = holder.this
        return Split(tuple(self._states), around.pop())

    def _follows(self, node: exp.Expr) -> exp.Expr:
        """What takes the aggregate's place: an expression over merged states."""
        if isinstance(node, exp.Bracket):
            return self._first_element(node)
        argument = node.this
        if isinstance(argument, exp.HavingMax):
            raise UnsplittableError("ANY_VALUE with HAVING does not follow from its days.")
        if isinstance(node, exp.Count):
            return self._count(node)
        if isinstance(node, exp.CountIf):
            return self._count_if(node)
        if isinstance(node, exp.Avg):
            return self._mean(argument)
        if isinstance(node, exp.ArgMax | exp.ArgMin):
            return self._extreme(node)
        if type(node) in _SELF_MERGING:
            return self._self_merging(node)
        raise UnsplittableError(f"{_shown(node)} does not follow from its days.")

    def _self_merging(self, node: exp.Expr) -> exp.Expr:
        argument = node.this
        if isinstance(argument, exp.Distinct):
            if not isinstance(node, exp.Min | exp.Max):
                raise UnsplittableError(f"{_shown(node)} counts a value once over all days.")
            (argument,) = argument.expressions
        if isinstance(node, _OF_A_CONSTANT) and not self._columns.names_rows(argument):
            return argument.copy()
        daily = type(node)(this=argument.copy())
        return self._state(daily, _SELF_MERGING[type(node)], self._on_empty_row(argument))

    def _count(self, node: exp.Count) -> exp.Expr:
        argument = node.this
        if isinstance(argument, exp.Distinct):
            return self._distinct(node, argument)
        if isinstance(argument, exp.Star):
            return self._state(node, Merge.SUM, exp.convert(1))
        return self._state(node, Merge.SUM, _counted(self._on_empty_row(argument)))

    def _distinct(self, node: exp.Count, distinct: exp.Distinct) -> exp.Expr:
        """Days differ between days, so their counts add up; there is one unit."""
        if len(distinct.expressions) == 1:
            (argument,) = distinct.expressions
            if self._is_day_or_null(argument):
                return self._state(node, Merge.SUM, _counted(self._on_empty_row(argument)))
            if any(argument == self._columns.qualified(one) for one in self._ids):
                is_there = exp.not_(argument.copy().is_(exp.null()))
                daily = exp.LogicalOr(this=is_there)
                has_row = self._state(daily, Merge.OR, exp.false())
                return exp.If(this=has_row, true=exp.convert(1), false=exp.convert(0))
        raise UnsplittableError(f"{_shown(node)} may count a value of several days once.")

    def _count_if(self, node: exp.CountIf) -> exp.Expr:
        if isinstance(node.this, exp.Distinct):
            raise UnsplittableError(f"{_shown(node)} may count a value of several days once.")
        met = self._on_empty_row(node.this)
        if isinstance(met, exp.Boolean | exp.Null):
            empty = exp.convert(1 if isinstance(met, exp.Boolean) and met.this else 0)
        else:
            empty = exp.If(this=met, true=exp.convert(1), false=exp.convert(0))
        return self._state(node, Merge.SUM, empty)

    def _mean(self, argument: exp.Expr) -> exp.Expr:
        if isinstance(argument, exp.Distinct):
            raise UnsplittableError("AVG(DISTINCT ...) counts a value once over all days.")
        on_empty_row = self._on_empty_row(argument)
        total = self._state(exp.Sum(this=argument.copy()), Merge.SUM, on_empty_row)
        counted = exp.Count(this=argument.copy(), big_int=True)
        count = self._state(counted, Merge.SUM, _counted(on_empty_row))
        return exp.SafeDivide(this=total, expression=count)

    def _extreme(self, node: exp.ArgMax | exp.ArgMin) -> exp.Expr:
        value, key = node.this, node.expression
        if isinstance(value, exp.Distinct | exp.HavingMax) or node.args.get("count"):
            raise UnsplittableError(f"{_shown(node)} does not follow from its days.")
        if not isinstance(self._on_empty_row(key), exp.Null):
            raise UnsplittableError(
                f"It is not certain what {_shown(node)} gives for a unit without rows."
            )
        daily = type(node)(this=_pair(key, value), expression=key.copy())
        pair = self._state(daily, _PAIRS[type(node)], exp.null())
        return exp.Dot(this=pair, expression=exp.to_identifier(_VALUE))

    def _first_element(self, node: exp.Bracket) -> exp.Expr:
        """``ARRAY_AGG(value ORDER BY key LIMIT 1)[OFFSET(0)]``: the value of the first key."""
        aggregate = node.this
        ignores_nulls = isinstance(aggregate, exp.IgnoreNulls)
        limited = (aggregate.this if ignores_nulls else aggregate).this
        value, keys = limited.this.this, limited.this.expressions
        if len(keys) != 1 or isinstance(value, exp.Distinct):
            raise UnsplittableError(f"{_shown(node)} does not follow from its days.")
        key, descends = keys[0].this, bool(keys[0].args.get("desc"))
        if not isinstance(self._on_empty_row(value), exp.Null):
            raise UnsplittableError(
                f"It is not certain what {_shown(node)} gives for a unit without rows."
            )
        pair = _pair(key, value)
        if ignores_nulls:
            pair = exp.If(this=value.copy().is_(exp.null()), true=exp.null(), false=pair)
        order = " DESC" if descends else ""
        text = f"ARRAY_AGG(:pair IGNORE NULLS ORDER BY :key{order} LIMIT 1)[SAFE_OFFSET(0)]"
        daily = _parsed(text, pair=pair, key=key)
        state = self._state(daily, Merge.LAST if descends else Merge.FIRST, exp.null())
        return exp.Dot(this=state, expression=exp.to_identifier(_VALUE))

    def _state(self, daily: exp.Expr, merge: Merge, empty: exp.Expr) -> exp.Expr:
        """The place of a state in the expression; equal ones have one place."""
        names = self._columns.names_of_unit(daily)
        if names - _KNOWN_ON_THE_DAY:
            told = ", ".join(sorted(names - _KNOWN_ON_THE_DAY))
            raise UnsplittableError(
                f"{_shown(daily)} needs {told} of the unit, which is not known on the day."
            )
        state = State(daily.copy(), merge, empty)
        if state not in self._states:
            self._states.append(state)
        return exp.Placeholder(this=str(self._states.index(state)))

    def _on_empty_row(self, argument: exp.Expr) -> exp.Expr:
        try:
            return on_empty_row(argument, self._columns)
        except UncertainError as error:
            raise UnsplittableError(
                f"It is not certain what {_shown(argument)} is for a unit without rows: {error}"
            ) from error

    def _is_day_or_null(self, argument: exp.Expr) -> bool:
        """Whether the value is the row's day or NULL."""
        value = argument.unnest()
        if isinstance(value, exp.If):
            branches = [value.args["true"], value.args.get("false") or exp.null()]
        elif isinstance(value, exp.Case):
            branches = [one.args["true"] for one in value.args["ifs"]]
            branches.append(value.args.get("default") or exp.null())
        else:
            return bool(value == self._columns.qualified(self._day))
        return all(isinstance(b, exp.Null) or self._is_day_or_null(b) for b in branches)

    def _check_around(self, around: exp.Expr) -> None:
        """Outside of aggregates there are columns of the unit and scalars only."""
        for node in around.walk():
            if isinstance(node, exp.Query | exp.Window | exp.AggFunc | exp.AnonymousAggFunc):
                raise UnsplittableError(f"{_shown(node)} does not follow from its days.")
        if self._columns.names_rows(around):
            raise UnsplittableError(f"{_shown(around)} names a row's column outside of aggregates.")


def _group_aggregates(tree: exp.Expr) -> Iterator[exp.Expr]:
    """The outermost aggregates that are not of a sub-query; a first element with its brackets."""
    for node in tree.find_all(exp.AggFunc):
        if node.find_ancestor(exp.Query, exp.Window, exp.AggFunc):
            continue
        yield _with_brackets(node)


def _with_brackets(node: exp.Expr) -> exp.Expr:
    """``ARRAY_AGG(... LIMIT 1)`` with the brackets that take its element, else the node."""
    if not isinstance(node, exp.ArrayAgg) or not isinstance(node.this, exp.Limit):
        return node
    outer = node.parent if isinstance(node.parent, exp.IgnoreNulls) else node
    limit, brackets = node.this, outer.parent if outer else None
    is_first = (
        isinstance(limit.this, exp.Order)
        and limit.expression.name == "1"
        and isinstance(brackets, exp.Bracket)
        and brackets.this is outer
        and brackets.expressions[0].name == str(brackets.args.get("offset"))
    )
    return brackets if is_first and brackets is not None else node


def _pair(key: exp.Expr, value: exp.Expr) -> exp.Expr:
    return _parsed(f"STRUCT(:key AS {_KEY}, :value AS {_VALUE})", key=key, value=value)


def _counted(value: exp.Expr) -> exp.Expr:
    """How much a value counts: nothing when it is NULL."""
    if isinstance(value, exp.Null):
        return exp.convert(0)
    if isinstance(value, exp.Literal | exp.Boolean):
        return exp.convert(1)
    return exp.If(this=value.is_(exp.null()), true=exp.convert(0), false=exp.convert(1))


def _parsed(text: str, **values: exp.Expr) -> exp.Expr:
    tree = exp.maybe_parse(text, dialect="bigquery")
    filled = exp.replace_placeholders(tree, **values)
    return filled.copy()


def _shown(node: exp.Expr) -> str:
    text = node.sql(dialect="bigquery")
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]} ..."
