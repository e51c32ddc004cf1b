"""The aggregates of an expression, as they stand in it.

Belongs here: finding them, the parts of a first element, why some cannot be split, texts for
messages. Does not: which states the others follow from (`splitting`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlglot import exp

if TYPE_CHECKING:
    from collections.abc import Iterator

_SHOWN = 80
_LISTS = (exp.ArrayAgg, exp.ArrayConcatAgg, exp.GroupConcat)
_QUANTILES = (exp.ApproxQuantile, exp.ApproxQuantiles, exp.PercentileCont, exp.PercentileDisc)


@dataclass(frozen=True)
class FirstElement:
    """``ARRAY_AGG(value ORDER BY key LIMIT 1)[OFFSET(0)]``: the value of the first key.

    ``has_own_nulls`` is where NULL keys are not sorted as the smallest.
    """

    value: exp.Expr
    key: exp.Expr
    descends: bool
    ignores_nulls: bool
    has_own_nulls: bool


def aggregates(tree: exp.Expr) -> Iterator[exp.Expr]:
    """The outermost aggregates that are not of a sub-query; a first element with its brackets."""
    for node in tree.find_all(exp.AggFunc):
        if not node.find_ancestor(exp.Query, exp.Window, exp.AggFunc):
            yield _with_brackets(node)


def first_element(node: exp.Expr) -> FirstElement | None:
    """The parts of a first element; None for other nodes, and where several keys sort."""
    if not isinstance(node, exp.Bracket):
        return None
    ignores_nulls = isinstance(node.this, exp.IgnoreNulls)
    ordered = (node.this.this if ignores_nulls else node.this).this.this
    value, keys = ordered.this, ordered.expressions
    if len(keys) != 1 or isinstance(value, exp.Distinct):
        return None
    descends, nulls_first = bool(keys[0].args.get("desc")), keys[0].args.get("nulls_first")
    is_own = nulls_first is not None and bool(nulls_first) is descends
    return FirstElement(value, keys[0].this, descends, ignores_nulls, is_own)


def why_not(node: exp.Expr) -> str:
    """Why an expression that has no rule does not follow from its days, a sentence."""
    if isinstance(node, exp.Window):
        return f"{shown(node)} is a window function, which looks at rows of all days."
    if isinstance(node, _LISTS):
        return f"{shown(node)} keeps a value of every row; only of LIMIT 1 a day keeps one."
    if isinstance(node, _QUANTILES):
        return f"{shown(node)} needs the values of all days in their order."
    if isinstance(node, exp.ApproxDistinct):
        return f"{shown(node)} may count a value of several days once."
    return f"{shown(node)} does not follow from its days."


def reads_table(tree: exp.Expr) -> bool:
    """Whether a sub-query reads a table, rather than an array of the row."""
    aliases = (
        name.name.lower()
        for unnest in tree.find_all(exp.Unnest)
        if unnest.args.get("alias") is not None
        for name in unnest.args["alias"].find_all(exp.Identifier)
    )
    rows = {"ds", "e", *aliases}
    return any(
        len(table.parts) == 1 or table.parts[0].name.lower() not in rows
        for table in tree.find_all(exp.Table)
    )


def shown(node: exp.Expr) -> str:
    """The expression for a message, cut where it is long."""
    text = node.sql(dialect="bigquery")
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]} ..."


def _with_brackets(node: exp.Expr) -> exp.Expr:
    """``ARRAY_AGG(... LIMIT 1)`` with the brackets that take its element, else the node."""
    if not isinstance(node, exp.ArrayAgg) or not isinstance(node.this, exp.Limit):
        return node
    outer = node.parent if isinstance(node.parent, exp.IgnoreNulls) else node
    limit, brackets = node.this, outer.parent if outer is not None else None
    is_first = (
        isinstance(limit.this, exp.Order)
        and limit.expression.name == "1"
        and isinstance(brackets, exp.Bracket)
        and brackets.this is outer
        and brackets.expressions[0].name == str(brackets.args.get("offset"))
    )
    return brackets if is_first and brackets is not None else node
