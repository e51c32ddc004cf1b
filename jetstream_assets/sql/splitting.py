"""Which states a metric's expression follows from.

Belongs here: the rule of each aggregate, and the check of what is around them. Does not: what a
state is (`states`), what an aggregate gives over no rows (`empty_rows`), whether a source has days
(`day_slices`).

The scalar expression around the aggregates is kept. What cannot be split exactly is refused with a
reason and computed from rows; nothing is approximated.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlglot import exp

from jetstream_assets.sql.aggregates import (
    aggregates,
    first_element,
    reads_table,
    shown,
    why_not,
)
from jetstream_assets.sql.empty_rows import UncertainError, is_never_met, on_empty_row
from jetstream_assets.sql.snippet_columns import SnippetColumns, path
from jetstream_assets.sql.states import (
    KEY,
    VALUE,
    Merge,
    Split,
    State,
    UnsplittableError,
    filled,
    first_pair,
)
from jetstream_assets.sql.strictness import CHANGING

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

# A unit's columns that are the same from its enrollment on; others may be known only later.
_KNOWN_ON_THE_DAY = frozenset({"analysis_id", "branch", "enrollment_date"})
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
_PAIRS: dict[type[exp.Expr], Merge] = {exp.ArgMax: Merge.MAX_BY, exp.ArgMin: Merge.MIN_BY}


def split(
    tree: exp.Expr,
    days: Collection[exp.Expr],
    ids: Collection[exp.Expr],
    unit_columns: Collection[str] = (),
) -> Split:
    """Split a metric's expression.

    Args:
        tree: The expression over rows ``ds`` of the unit ``e``. It is not changed.
        days: Expressions that are the DATE of a row.
        ids: The columns that hold the unit's id.
        unit_columns: The columns of ``e``, which a snippet may name without ``e.``.

    Raises:
        UnsplittableError: The expression does not follow from its days.
    """
    columns = SnippetColumns(frozenset(name.lower() for name in unit_columns))
    return _Splitting(days, ids, columns).split(tree)


class _Splitting:
    """Splitting one expression: the states found so far, and the rules."""

    def __init__(
        self, days: Collection[exp.Expr], ids: Collection[exp.Expr], columns: SnippetColumns
    ) -> None:
        self._days = days
        self._ids = ids
        self._columns = columns
        self._states: list[State] = []
        self._rules: dict[type[exp.Expr], Callable[..., exp.Expr]] = {
            exp.ArgMax: self._extreme,
            exp.ArgMin: self._extreme,
            exp.Avg: self._mean,
            exp.Bracket: self._first_element,
            exp.Count: self._count,
            exp.CountIf: self._count_if,
            **dict.fromkeys(_SELF_MERGING, self._self_merging),
        }

    def split(self, tree: exp.Expr) -> Split:
        """Replace every aggregate by what follows from its states."""
        if tree.find(exp.Placeholder, exp.Parameter):
            raise UnsplittableError(f"{shown(tree)} has a parameter without a value.")
        if tree.find(exp.Filter):
            raise UnsplittableError(f"{shown(tree)} has a FILTER, which is not everywhere.")
        holder = exp.Paren(this=self._columns.qualified(tree))
        for node in list(aggregates(holder)):
            rule = self._rules.get(type(node), self._refused)
            node.replace(rule(node))
        self._check_around(holder)
        around: exp.Expr = holder.this
        return Split(tuple(self._states), around.pop())

    def _refused(self, node: exp.Expr) -> exp.Expr:
        raise UnsplittableError(why_not(node))

    def _self_merging(self, node: exp.Expr) -> exp.Expr:
        argument = node.this
        if isinstance(argument, exp.HavingMax):
            return self._refused(node)
        if isinstance(argument, exp.Distinct):
            if not isinstance(node, exp.Min | exp.Max):
                raise _counted_once(node)
            (argument,) = argument.expressions
        if isinstance(node, _OF_A_CONSTANT) and not self._columns.names_rows(argument):
            return exp.paren(argument)
        daily = type(node)(this=argument.copy())
        return self._state(daily, _SELF_MERGING[type(node)], self._on_empty_row(argument))

    def _count(self, node: exp.Count) -> exp.Expr:
        argument = node.this
        if node.expressions:
            return self._refused(node)
        if isinstance(argument, exp.Distinct):
            return self._distinct(node, argument)
        if isinstance(argument, exp.Star):
            return self._state(node, Merge.SUM, exp.convert(1))
        return self._state(node, Merge.SUM, _counted(self._on_empty_row(argument)))

    def _distinct(self, node: exp.Count, distinct: exp.Distinct) -> exp.Expr:
        """Days differ between days, so their counts add up; there is one unit."""
        argument = distinct.expressions[0]
        if len(distinct.expressions) == 1 and _is_one_or_null(argument, self._days):
            return self._state(node, Merge.SUM, exp.convert(0))
        if len(distinct.expressions) == 1 and _is_one_or_null(argument, self._ids):
            is_there = exp.not_(exp.Is(this=exp.paren(argument), expression=exp.null()))
            found = self._state(exp.LogicalOr(this=is_there), Merge.OR, exp.false())
            return exp.If(this=found, true=exp.convert(1), false=exp.convert(0))
        raise _counted_once(node)

    def _count_if(self, node: exp.CountIf) -> exp.Expr:
        if isinstance(node.this, exp.Distinct):
            raise _counted_once(node)
        if is_never_met(node.this, self._columns):
            return self._state(node, Merge.SUM, exp.convert(0))
        met = self._on_empty_row(node.this)
        if isinstance(met, exp.Boolean):
            return self._state(node, Merge.SUM, exp.convert(int(met.this)))
        empty = exp.If(this=met, true=exp.convert(1), false=exp.convert(0))
        return self._state(node, Merge.SUM, empty)

    def _mean(self, node: exp.Avg) -> exp.Expr:
        argument = node.this
        if isinstance(argument, exp.Distinct):
            raise _counted_once(node)
        on_empty_row = self._on_empty_row(argument)
        total = self._state(exp.Sum(this=argument.copy()), Merge.SUM, on_empty_row)
        counted = exp.Count(this=argument.copy(), big_int=True)
        count = self._state(counted, Merge.SUM, _counted(on_empty_row))
        return exp.SafeDivide(this=total, expression=count)

    def _extreme(self, node: exp.ArgMax | exp.ArgMin) -> exp.Expr:
        """NULL keys do not count; warehouses differ where every key is NULL."""
        value, key = node.this, node.expression
        if isinstance(value, exp.Distinct | exp.HavingMax) or node.args.get("count"):
            return self._refused(node)
        if not self._is_null_on_empty_row(value):
            raise _uncertain(node)
        daily = type(node)(this=_pair(key, value), expression=key.copy())
        return _field(self._state(daily, _PAIRS[type(node)], exp.null()))

    def _first_element(self, node: exp.Bracket) -> exp.Expr:
        parts = first_element(node)
        if parts is None or parts.has_own_nulls:
            return self._refused(node)
        pair = _pair(parts.key, parts.value)
        if parts.ignores_nulls:
            is_null = exp.Is(this=exp.paren(parts.value), expression=exp.null())
            pair = exp.If(this=is_null, true=exp.null(), false=pair)
        daily = first_pair(pair, parts.key, descends=parts.descends)
        on_empty_row = self._on_empty_row(parts.value)
        merge = Merge.LAST if parts.descends else Merge.FIRST
        found = _field(self._state(daily, merge, exp.null()))
        if isinstance(on_empty_row, exp.Null):
            return found
        # The pair of a unit without rows has a key of unknown type, so it is no state.
        has_row = self._state(exp.LogicalOr(this=exp.true()), Merge.OR, exp.false())
        return exp.If(this=has_row, true=found, false=on_empty_row)

    def _state(self, daily: exp.Expr, merge: Merge, empty: exp.Expr) -> exp.Expr:
        """The place of a state in the expression; equal ones have one place."""
        later = self._columns.names_of_unit(daily) - _KNOWN_ON_THE_DAY
        if later:
            told = ", ".join(sorted(later))
            raise UnsplittableError(
                f"{shown(daily)} needs {told} of the unit, which is not known on the day."
            )
        if daily.find(*CHANGING):
            raise UnsplittableError(f"{shown(daily)} depends on when it is asked.")
        if reads_table(daily):
            raise UnsplittableError(f"{shown(daily)} reads a table beside its source.")
        state = State(daily.copy(), merge, empty)
        if state not in self._states:
            self._states.append(state)
        return exp.Placeholder(this=str(self._states.index(state)))

    def _on_empty_row(self, argument: exp.Expr) -> exp.Expr:
        try:
            return on_empty_row(argument, self._columns)
        except UncertainError as error:
            raise UnsplittableError(
                f"It is not certain what {shown(argument)} is for a unit without rows: {error}."
            ) from error

    def _is_null_on_empty_row(self, argument: exp.Expr) -> bool:
        return isinstance(self._on_empty_row(argument), exp.Null)

    def _check_around(self, around: exp.Expr) -> None:
        """Outside of aggregates there are columns of the unit and scalars only."""
        refused = (
            exp.Query,
            exp.Window,
            exp.AggFunc,
            exp.IgnoreNulls,
            exp.RespectNulls,
            exp.WithinGroup,
        )
        for node in around.walk():
            if isinstance(node, refused):
                raise UnsplittableError(why_not(node))
        if self._columns.names_rows(around):
            raise UnsplittableError(f"{shown(around)} names a row's column outside of aggregates.")


def _is_one_or_null(argument: exp.Expr, ones: Collection[exp.Expr]) -> bool:
    """Whether the value is one of these expressions, or NULL."""
    value = argument.unnest()
    if isinstance(value, exp.If):
        branches = [value.args["true"], value.args.get("false") or exp.null()]
    elif isinstance(value, exp.Case):
        branches = [one.args["true"] for one in value.args["ifs"]]
        branches.append(value.args.get("default") or exp.null())
    else:
        return any(_is_same(value, one) for one in ones)
    return all(isinstance(b, exp.Null) or _is_one_or_null(b, ones) for b in branches)


def _is_same(first: exp.Expr, second: exp.Expr) -> bool:
    """Whether both are the same column, or the same DATE of a column."""
    if isinstance(first, exp.Date | exp.Cast) and type(first) is type(second):
        others = (first.args.get("zone"), first.args.get("to"))
        if others == (second.args.get("zone"), second.args.get("to")):
            return not first.expressions and _is_same(first.this, second.this)
    return bool(path(first)) and path(first) == path(second)


def _pair(key: exp.Expr, value: exp.Expr) -> exp.Expr:
    return filled(f"STRUCT(:key AS {KEY}, :value AS {VALUE})", key=key, value=value)


def _field(pair: exp.Expr) -> exp.Expr:
    return exp.Dot(this=pair, expression=exp.to_identifier(VALUE))


def _counted(value: exp.Expr) -> exp.Expr:
    """How much a value counts: nothing when it is NULL."""
    if isinstance(value, exp.Null):
        return exp.convert(0)
    if isinstance(value, exp.Literal | exp.Boolean):
        return exp.convert(1)
    is_null = exp.Is(this=exp.paren(value), expression=exp.null())
    return exp.If(this=is_null, true=exp.convert(0), false=exp.convert(1))


def _counted_once(node: exp.Expr) -> UnsplittableError:
    return UnsplittableError(f"{shown(node)} may count a value of several days once.")


def _uncertain(node: exp.Expr) -> UnsplittableError:
    return UnsplittableError(f"It is not certain what {shown(node)} gives for a unit without rows.")
