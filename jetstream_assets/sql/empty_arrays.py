"""What a scalar sub-query over an array gives when the array holds nothing.

Belongs here: the shape of such sub-queries, and aggregates over no rows. Does not: whether an
array is NULL (`empty_rows`).
"""

from __future__ import annotations

from sqlglot import exp

_OUTER_JOINS = frozenset({"RIGHT", "FULL"})
# What could drop the one row of an aggregate.
_DROPS_ROWS = ("having", "limit", "offset", "qualify")


def first_array(query: exp.Expr) -> exp.Expr | None:
    """The array that a query unnests first; None when it reads something else.

    Joined relations do not matter: where the first has no row, the join has none, unless it is a
    right or full join.
    """
    origin = query.args.get("from_") if isinstance(query, exp.Select) else None
    unnested = origin.this if origin is not None else None
    if not isinstance(unnested, exp.Unnest) or len(unnested.expressions) != 1:
        return None
    joins = query.args.get("joins") or []
    if any((join.args.get("side") or "").upper() in _OUTER_JOINS for join in joins):
        return None
    array: exp.Expr = unnested.expressions[0]
    return array


def aggregates_of(query: exp.Expr) -> list[exp.AggFunc]:
    """The aggregates of the query itself, not of queries in it."""
    return [node for node in query.find_all(exp.AggFunc) if node.parent_select is query]


def over_nothing(query: exp.Expr) -> exp.Expr | None:
    """The query's one value when it has no rows; None when that is not certain.

    Without aggregates there is no row, so the value is NULL; so it is with groups. Aggregates alone
    make one row: the selected expression with each aggregate as it is of nothing.
    """
    group = query.args.get("group")
    if not aggregates_of(query) or (group is not None and group.expressions):
        return exp.null()
    selected = query.selects if isinstance(query, exp.Select) else []
    is_dropped = any(query.args.get(part) for part in (*_DROPS_ROWS, "group", "kind"))
    if is_dropped or len(selected) != 1:
        return None
    holder = exp.Paren(this=selected[0].unalias().copy())
    if holder.find(exp.Query, exp.Window):
        return None
    for node in list(holder.find_all(exp.AggFunc)):
        is_count = isinstance(node, exp.Count | exp.CountIf)
        with_nulls = isinstance(node.parent, exp.IgnoreNulls | exp.RespectNulls)
        whole = node.parent if with_nulls and node.parent is not None else node
        whole.replace(exp.convert(0) if is_count else exp.null())
    found: exp.Expr = holder.this
    return found.pop()
