"""What an expression is on a row whose columns are all NULL: units without rows meet such a row.

Belongs here: reducing an expression by three-valued logic, with the row's columns as NULL. Does
not: which functions are NULL for NULL (`strictness`), sub-queries (`empty_arrays`), what aggregates
make of it (`splitting`).

Where it is not certain what an expression is, it is refused, never guessed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlglot import exp

from jetstream_assets.sql.empty_arrays import aggregates_of, first_array, over_nothing
from jetstream_assets.sql.snippet_columns import is_whole_row
from jetstream_assets.sql.strictness import is_strict, on_null

if TYPE_CHECKING:
    from collections.abc import Callable

    from jetstream_assets.sql.snippet_columns import SnippetColumns

_SHOWN = 60


class UncertainError(ValueError):
    """It is not known what the expression is on an empty row."""


def on_empty_row(tree: exp.Expr, columns: SnippetColumns) -> exp.Expr:
    """The expression on an empty row: NULL, a constant, or an expression of the unit's columns.

    Raises:
        UncertainError: It is not certain.
    """
    return _Reduction(columns).reduced(tree)


def is_never_met(condition: exp.Expr, columns: SnippetColumns) -> bool:
    """Whether a condition is certainly FALSE or NULL on an empty row, perhaps not which."""
    return _Reduction(columns).is_never_met(condition)


class _Reduction:
    """Reducing expressions with the row's columns as NULL."""

    def __init__(self, columns: SnippetColumns) -> None:
        self._columns = columns
        self._rules: dict[type[exp.Expr], Callable[..., exp.Expr]] = {
            exp.And: self._connected,
            exp.Anonymous: self._function,
            exp.Between: self._between,
            exp.Bracket: self._bracket,
            exp.Case: self._case,
            exp.Coalesce: self._coalesce,
            exp.Column: self._column,
            exp.Dot: self._dot,
            exp.Exists: self._exists,
            exp.If: self._if,
            exp.In: self._in,
            exp.Is: self._is,
            exp.Not: self._not,
            exp.Nullif: self._nullif,
            exp.Or: self._connected,
            exp.Paren: self._paren,
            exp.Subquery: self._subquery,
        }

    def reduced(self, node: exp.Expr) -> exp.Expr:
        """The node without the row's columns."""
        if not self._columns.names_rows(node):
            return node.copy()
        rule = self._rules.get(type(node))
        if rule is not None:
            return rule(node)
        if is_strict(node):
            return self._strict(node)
        raise _uncertain(node)

    def is_never_met(self, condition: exp.Expr) -> bool:
        """Whether it is FALSE or NULL: one side of AND is enough."""
        inner = condition.unnest()
        if isinstance(inner, exp.And):
            return self.is_never_met(inner.this) or self.is_never_met(inner.expression)
        if isinstance(inner, exp.Or):
            return self.is_never_met(inner.this) and self.is_never_met(inner.expression)
        try:
            value = self.reduced(inner)
        except UncertainError:
            return False
        return isinstance(value, exp.Null) or _is_boolean(value, value=False)

    def _strict(self, node: exp.Expr) -> exp.Expr:
        """NULL when any argument is, even if others are uncertain; else the same of its values."""
        doubt: UncertainError | None = None
        found = node.copy()
        for child in list(found.iter_expressions()):
            try:
                value = self.reduced(child)
            except UncertainError as error:
                doubt = error
                continue
            if isinstance(value, exp.Null):
                return exp.null()
            if self._columns.names_rows(child):
                child.replace(_grouped(value))
        if doubt is not None:
            raise doubt
        return found

    def _column(self, node: exp.Column) -> exp.Expr:
        if isinstance(node.this, exp.Func):
            # A function with dots in its name is a column's path to the parser in some places.
            return self._called(node.sql(dialect="bigquery").partition("(")[0], node.this)
        if is_whole_row(node):
            raise _uncertain(node)
        return exp.null()

    def _function(self, node: exp.Anonymous) -> exp.Expr:
        return self._called(node.name, node)

    def _dot(self, node: exp.Dot) -> exp.Expr:
        """A field of NULL is NULL; or a function with dots in its name."""
        function = node.expression
        if isinstance(function, exp.Anonymous):
            return self._called(f"{node.this.sql(dialect='bigquery')}.{function.name}", function)
        return self._null_of_null(node)

    def _bracket(self, node: exp.Bracket) -> exp.Expr:
        return self._null_of_null(node)

    def _null_of_null(self, node: exp.Expr) -> exp.Expr:
        if isinstance(self.reduced(node.this), exp.Null):
            return exp.null()
        raise _uncertain(node)

    def _called(self, name: str, function: exp.Expr) -> exp.Expr:
        value, arguments = on_null(name), function.expressions
        if value is not None and arguments and isinstance(self.reduced(arguments[0]), exp.Null):
            return value
        raise _uncertain(function)

    def _paren(self, node: exp.Paren) -> exp.Expr:
        return self.reduced(node.this)

    def _connected(self, node: exp.And | exp.Or) -> exp.Expr:
        absorbing = isinstance(node, exp.Or)
        sides = [self.reduced(side) for side in (node.this, node.expression)]
        if any(_is_boolean(side, absorbing) for side in sides):
            return exp.convert(absorbing)
        open_ones = [side for side in sides if not _is_boolean(side, not absorbing)]
        if not open_ones:
            return exp.convert(not absorbing)
        if len(open_ones) == 1 or all(isinstance(side, exp.Null) for side in open_ones):
            return open_ones[0]
        return type(node)(this=_grouped(sides[0]), expression=_grouped(sides[1]))

    def _not(self, node: exp.Not) -> exp.Expr:
        inner = self.reduced(node.this)
        if isinstance(inner, exp.Boolean):
            return exp.convert(not inner.this)
        return inner if isinstance(inner, exp.Null) else exp.Not(this=_grouped(inner))

    def _is(self, node: exp.Is) -> exp.Expr:
        value, wanted = self.reduced(node.this), node.expression
        if not isinstance(wanted, exp.Null | exp.Boolean):
            raise _uncertain(node)
        if isinstance(value, exp.Null | exp.Literal | exp.Boolean):
            is_met = (
                isinstance(value, exp.Null) if isinstance(wanted, exp.Null) else value == wanted
            )
            return exp.convert(bool(is_met))
        return exp.Is(this=_grouped(value), expression=wanted.copy())

    def _in(self, node: exp.In) -> exp.Expr:
        """NULL in a list is NULL; in an array or a query it is FALSE where those are empty."""
        if not node.expressions or node.args.get("query") or node.args.get("unnest"):
            raise _uncertain(node)
        value = self.reduced(node.this)
        if isinstance(value, exp.Null):
            return value
        return exp.In(this=_grouped(value), expressions=[self.reduced(o) for o in node.expressions])

    def _between(self, node: exp.Between) -> exp.Expr:
        """As two comparisons: one that is FALSE decides, though the other be NULL."""
        value = _grouped(node.this.copy())
        above = exp.GTE(this=value, expression=_grouped(node.args["low"].copy()))
        below = exp.LTE(this=value.copy(), expression=_grouped(node.args["high"].copy()))
        return self.reduced(exp.And(this=above, expression=below))

    def _if(self, node: exp.If) -> exp.Expr:
        otherwise = node.args.get("false") or exp.null()
        return self._chosen(node.this, node.args["true"], otherwise)

    def _case(self, node: exp.Case) -> exp.Expr:
        subject = node.args.get("this")
        found: exp.Expr = node.args.get("default") or exp.null()
        for one in reversed(node.args["ifs"]):
            condition = one.this.copy()
            if subject is not None:
                condition = exp.EQ(this=_grouped(subject.copy()), expression=_grouped(condition))
            found = exp.If(this=condition, true=one.args["true"].copy(), false=found.copy())
        return self.reduced(found)

    def _chosen(self, condition: exp.Expr, met: exp.Expr, otherwise: exp.Expr) -> exp.Expr:
        if self.is_never_met(condition):
            return self.reduced(otherwise)
        decided = self.reduced(condition)
        if _is_boolean(decided, value=True):
            return self.reduced(met)
        return exp.If(this=decided, true=self.reduced(met), false=self.reduced(otherwise))

    def _coalesce(self, node: exp.Coalesce) -> exp.Expr:
        kept: list[exp.Expr] = []
        for argument in (node.this, *node.expressions):
            value = self.reduced(argument)
            if isinstance(value, exp.Null):
                continue
            kept.append(value)
            if isinstance(value, exp.Literal | exp.Boolean):
                break
        if len(kept) <= 1:
            return kept[0] if kept else exp.null()
        return exp.Coalesce(this=kept[0], expressions=kept[1:])

    def _nullif(self, node: exp.Nullif) -> exp.Expr:
        value, other = self.reduced(node.this), self.reduced(node.expression)
        if isinstance(value, exp.Null) or isinstance(other, exp.Null):
            return value
        return exp.Nullif(this=value, expression=other)

    def _exists(self, node: exp.Exists) -> exp.Expr:
        """Nothing is in a NULL array; but an aggregate over nothing is a row."""
        query = node.this
        if self._is_over_nothing(query) and not aggregates_of(query):
            return exp.false()
        raise _uncertain(node)

    def _subquery(self, node: exp.Subquery) -> exp.Expr:
        """A scalar sub-query over a NULL array."""
        value = over_nothing(node.this) if self._is_over_nothing(node.this) else None
        if value is None:
            raise _uncertain(node)
        return self.reduced(value)

    def _is_over_nothing(self, query: exp.Expr) -> bool:
        array = first_array(query)
        return array is not None and isinstance(self.reduced(array), exp.Null)


def _uncertain(node: exp.Expr) -> UncertainError:
    return UncertainError(f"{node.sql(dialect='bigquery')[:_SHOWN]} may not be NULL")


def _grouped(value: exp.Expr) -> exp.Expr:
    """In parentheses, where another operator would take a part of it."""
    # AND and OR are functions to the parser as well; parentheses around a real one do no harm.
    is_open = isinstance(value, exp.Binary | exp.Unary | exp.Predicate)
    is_whole = isinstance(value, exp.Paren | exp.Dot)
    return exp.Paren(this=value) if is_open and not is_whole else value


def _is_boolean(node: exp.Expr, value: bool) -> bool:  # noqa: FBT001  # the value itself
    return isinstance(node, exp.Boolean) and bool(node.this) is value
