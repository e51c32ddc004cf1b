"""What an expression is on a row whose columns are all NULL: units without rows meet such a row.

Belongs here: reducing an expression by three-valued logic, with the row's columns as NULL. Does
not: what aggregates make of it (`states`).

Most functions give NULL where an argument is NULL; the exceptions are listed. Where it is not
certain what an expression is, it is refused, never guessed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlglot import exp

if TYPE_CHECKING:
    from collections.abc import Callable

    from jetstream_assets.sql.snippet_columns import SnippetColumns


class UncertainError(ValueError):
    """It is not known what the expression is on an empty row."""


# Organisations' functions that give NULL for a NULL first argument; a test asks the macros.
STRICT_FUNCTIONS = frozenset(
    {
        "mozfun.map.get_key",
        "mozfun.norm.extract_version",
        "mozfun.norm.truncate_version",
        "mozfun.hist.extract",
        "udf.get_key",
    }
)
# Built in, but not NULL for a NULL argument, or not the same in all warehouses.
_NOT_STRICT = (
    exp.Array,
    exp.ArrayConcat,
    exp.Concat,
    exp.ConcatWs,
    exp.CurrentDate,
    exp.CurrentTimestamp,
    exp.Greatest,
    exp.Least,
    exp.Map,
    exp.Rand,
    exp.Struct,
    exp.ParseJSON,
    exp.AnonymousAggFunc,
)


def on_empty_row(tree: exp.Expr, columns: SnippetColumns) -> exp.Expr:
    """The expression on an empty row: NULL, a constant, or an expression of the unit's columns.

    Raises:
        UncertainError: It is not certain.
    """
    return _Reduction(columns).reduced(tree)


class _Reduction:
    """Reducing expressions with the row's columns as NULL."""

    def __init__(self, columns: SnippetColumns) -> None:
        self._columns = columns
        self._rules: dict[type[exp.Expr], Callable[..., exp.Expr]] = {
            exp.And: self._and,
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
            exp.Or: self._or,
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
        return self._strict(node)

    def _strict(self, node: exp.Expr) -> exp.Expr:
        """NULL when any argument is; for all operators and most functions."""
        is_known = isinstance(node, exp.Binary | exp.Unary | exp.Predicate | exp.Func | exp.Bracket)
        if not is_known or isinstance(node, (*_NOT_STRICT, exp.Anonymous)):
            raise UncertainError(f"{node.sql(dialect='bigquery')[:60]} may not be NULL")
        arguments = [child for child in node.iter_expressions() if not _is_keyword(child)]
        if any(isinstance(self.reduced(argument), exp.Null) for argument in arguments):
            return exp.null()
        raise UncertainError(f"{node.sql(dialect='bigquery')[:60]} may not be NULL")

    def _column(self, node: exp.Column) -> exp.Expr:
        del node  # the unit's columns do not come here
        return exp.null()

    def _paren(self, node: exp.Paren) -> exp.Expr:
        return self.reduced(node.this)

    def _and(self, node: exp.And) -> exp.Expr:
        return self._connected(node, absorbing=False)

    def _or(self, node: exp.Or) -> exp.Expr:
        return self._connected(node, absorbing=True)

    def _connected(self, node: exp.And | exp.Or, *, absorbing: bool) -> exp.Expr:
        sides = [self.reduced(side) for side in (node.this, node.expression)]
        if any(_is_boolean(side, absorbing) for side in sides):
            return exp.true() if absorbing else exp.false()
        open_ones = [side for side in sides if not _is_boolean(side, not absorbing)]
        if not open_ones:
            return exp.false() if absorbing else exp.true()
        if len(open_ones) == 1 or all(isinstance(side, exp.Null) for side in open_ones):
            return open_ones[0]
        return type(node)(this=sides[0], expression=sides[1])

    def _not(self, node: exp.Not) -> exp.Expr:
        inner = self.reduced(node.this)
        if isinstance(inner, exp.Boolean):
            return exp.false() if inner.this else exp.true()
        return inner if isinstance(inner, exp.Null) else exp.Not(this=inner)

    def _is(self, node: exp.Is) -> exp.Expr:
        value, wanted = self.reduced(node.this), node.expression
        if isinstance(wanted, exp.Null):
            if isinstance(value, exp.Null):
                return exp.true()
            if isinstance(value, exp.Literal | exp.Boolean):
                return exp.false()
            return exp.Is(this=value, expression=exp.null())
        if isinstance(wanted, exp.Boolean) and isinstance(value, exp.Null):
            return exp.false()
        raise UncertainError(f"{node.sql(dialect='bigquery')[:60]} is not constant")

    def _in(self, node: exp.In) -> exp.Expr:
        if isinstance(self.reduced(node.this), exp.Null):
            return exp.null()
        raise UncertainError(f"{node.sql(dialect='bigquery')[:60]} may not be NULL")

    def _if(self, node: exp.If) -> exp.Expr:
        otherwise = node.args.get("false") or exp.null()
        return self._chosen(node.this, node.args["true"], self.reduced(otherwise))

    def _case(self, node: exp.Case) -> exp.Expr:
        subject = node.args.get("this")
        found = self.reduced(node.args.get("default") or exp.null())
        for one in reversed(node.args["ifs"]):
            condition = one.this if subject is None else exp.EQ(this=subject, expression=one.this)
            found = self._chosen(condition.copy(), one.args["true"], found)
        return found

    def _chosen(self, condition: exp.Expr, met: exp.Expr, otherwise: exp.Expr) -> exp.Expr:
        decided = self.reduced(condition)
        if isinstance(decided, exp.Null) or _is_boolean(decided, value=False):
            return otherwise
        if _is_boolean(decided, value=True):
            return self.reduced(met)
        return exp.If(this=decided, true=self.reduced(met), false=otherwise)

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

    def _dot(self, node: exp.Dot) -> exp.Expr:
        """A field of NULL is NULL; so is what a strict function with dots in its name gives."""
        function = node.expression
        if not isinstance(function, exp.Anonymous):
            return self.reduced(node.this)
        name = f"{node.this.sql(dialect='bigquery')}.{function.name}".replace("`", "").lower()
        first = function.expressions[0] if function.expressions else None
        is_strict = name in STRICT_FUNCTIONS and first is not None
        if is_strict and isinstance(self.reduced(first), exp.Null):
            return exp.null()
        raise UncertainError(f"{name} may not be NULL")

    def _exists(self, node: exp.Exists) -> exp.Expr:
        if self._is_over_nothing(node.this):
            return exp.false()
        raise UncertainError(f"{node.sql(dialect='bigquery')[:60]} is not over an array")

    def _subquery(self, node: exp.Subquery) -> exp.Expr:
        """A scalar sub-query over a NULL array has no row, so it is NULL; an aggregate has one."""
        query = node.this
        if not isinstance(query, exp.Select) or not self._is_over_nothing(query):
            raise UncertainError(f"{node.sql(dialect='bigquery')[:60]} is not over an array")
        (selected,) = query.selects
        if query.args.get("group") or not selected.find(exp.AggFunc):
            return exp.null()
        value = selected.unalias()
        if isinstance(value, exp.Count | exp.CountIf):
            return exp.convert(0)
        if isinstance(value, exp.Sum | exp.Max | exp.Min | exp.Avg | exp.LogicalOr | exp.AnyValue):
            return exp.null()
        raise UncertainError(f"{node.sql(dialect='bigquery')[:60]} may not be NULL")

    def _is_over_nothing(self, query: exp.Expr) -> bool:
        """Whether the query's only relation is an array that is NULL."""
        origin = query.args.get("from_")
        array = origin.this if origin is not None else None
        if not isinstance(array, exp.Unnest) or query.args.get("joins"):
            return False
        return all(isinstance(self.reduced(part), exp.Null) for part in array.expressions)


def _is_boolean(node: exp.Expr, value: bool) -> bool:  # noqa: FBT001  # the value itself
    return isinstance(node, exp.Boolean) and bool(node.this) is value


def _is_keyword(node: exp.Expr) -> bool:
    """Parts of a call that are no arguments: types, units, paths."""
    return isinstance(node, exp.DataType | exp.Var | exp.Identifier | exp.JSONPath | exp.Interval)
