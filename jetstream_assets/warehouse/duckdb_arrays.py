"""An array of structs is a table in BigQuery; in DuckDB it is one after a lateral sub-query.

Belongs here: UNNEST in FROM, arrays named by path in FROM, and aggregates that build arrays. Does
not: expressions over arrays that sqlglot translates well (subscripts, lengths, IN UNNEST).
"""

from __future__ import annotations

from sqlglot import exp

# The limit of DuckDB's MAX(x, n).
_MOST_KEPT = 1_000_000


def unnest(node: exp.Unnest) -> exp.Expr:
    """UNNEST in FROM as a sub-query with the element, its fields and its offset as columns.

    - Without an alias the fields of the structs are the columns.
    - With an alias the element is a column of that name; where the query also uses bare names, the
      fields are columns too, as in BigQuery.
    - WITH OFFSET counts from 0 (DuckDB's WITH ORDINALITY counts from 1).

    A NULL array has no rows, in both.
    """
    if not isinstance(node.parent, exp.From | exp.Join):
        return node
    return _rows(node, node.expressions[0], _element_alias(node), node.args.get("offset"))


def correlated_array(node: exp.Table) -> exp.Expr:
    """``FROM ds.events`` inside a query over ``ds`` is an array of its row, not a table."""
    parts = [part for part in node.parts if isinstance(part, exp.Identifier)]
    if len(parts) < 2 or not _is_source(parts[0].name, node):  # noqa: PLR2004  a path: alias.field
        return node
    path = exp.column(parts[1].copy(), table=parts[0].copy(), fields=[*parts[2:]] or None)
    alias = node.args.get("alias")
    return _rows(node, path, alias.this if alias and alias.this else parts[-1], None)


def _rows(
    node: exp.Unnest | exp.Table,
    array: exp.Expr,
    alias: exp.Identifier | None,
    offset: exp.Identifier | None,
) -> exp.Expr:
    columns: list[exp.Expr] = []
    if alias:
        columns.append(_named(_unnest_call(array), alias))
    if not alias or _uses_bare_names(node, {alias.name, offset.name if offset else ""}):
        columns.append(_unnest_call(array, with_fields=True))
    if offset:
        length = exp.Anonymous(this="LEN", expressions=[array.copy()])
        positions = exp.Anonymous(this="RANGE", expressions=[length])
        columns.append(_named(_unnest_call(positions), offset))
    join = node.parent
    if isinstance(join, exp.Join) and join.side and not join.args.get("on"):
        join.set("on", exp.true())
    return exp.Subquery(this=exp.select(*columns))


def _named(column: exp.Expr, name: exp.Identifier) -> exp.Expr:
    return exp.Alias(this=column, alias=name.copy())


def list_aggregate(node: exp.ArrayAgg | exp.IgnoreNulls) -> exp.Expr:
    """ARRAY_AGG([DISTINCT] x [IGNORE NULLS] [ORDER BY ...] [LIMIT n]); NULL without rows."""
    aggregate = node.this if isinstance(node, exp.IgnoreNulls) else node
    is_whole = not isinstance(node.parent, exp.IgnoreNulls | exp.RespectNulls)
    if not isinstance(aggregate, exp.ArrayAgg) or not is_whole:
        return node
    content, limit = aggregate.this, None
    if isinstance(content, exp.Limit):
        if isinstance(node, exp.IgnoreNulls) and _is_highest(content):
            return exp.Anonymous(
                this="MAX",
                expressions=[_aggregated(content.this).copy(), content.expression.copy()],
            )
        content, limit = content.this, content.expression
    translated: exp.Expr = exp.ArrayAgg(this=content.copy())
    if isinstance(node, exp.IgnoreNulls):
        present = exp.Not(this=exp.Is(this=_aggregated(content).copy(), expression=exp.Null()))
        translated = exp.Filter(this=translated, expression=exp.Where(this=present))
    if limit is None:
        return translated if isinstance(node, exp.IgnoreNulls) else node
    first = exp.Literal.number(1)
    return exp.Anonymous(this="LIST_SLICE", expressions=[translated, first, limit.copy()])


def _is_highest(content: exp.Limit) -> bool:
    """Whether the highest values themselves are asked for, the highest first.

    DuckDB keeps only these, but at most a million of them.
    """
    order, limit = content.this, content.expression
    if not isinstance(order, exp.Order) or len(order.expressions) != 1:
        return False
    by = order.expressions[0]
    is_number = isinstance(limit, exp.Literal) and not limit.is_string
    return bool(
        by.args.get("desc") and by.this == order.this and is_number and int(limit.name) < _MOST_KEPT
    )


def _aggregated(content: exp.Expr) -> exp.Expr:
    if isinstance(content, exp.Order):
        return _aggregated(content.this)
    if isinstance(content, exp.Distinct):
        distinct: exp.Expr = content.expressions[0]
        return distinct
    return content


def _element_alias(node: exp.Unnest) -> exp.Identifier | None:
    alias = node.args.get("alias")
    if alias is None:
        return None
    # The parser of BigQuery's dialect keeps the element's name as a column, trees may not.
    names: list[exp.Identifier] = [*alias.args.get("columns", ()), alias.this]
    return next((name for name in names if name), None)


def _unnest_call(array: exp.Expr, *, with_fields: bool = False) -> exp.Expr:
    arguments: list[exp.Expr] = [array.copy()]
    if with_fields:
        depth = exp.to_identifier("max_depth")
        arguments.append(exp.PropertyEQ(this=depth, expression=exp.Literal.number(2)))
    return exp.Anonymous(this="UNNEST", expressions=arguments)


def _uses_bare_names(node: exp.Unnest | exp.Table, own: set[str]) -> bool:
    """Whether the query has bare names that may be fields; those of two sources are ambiguous."""
    select = node.find_ancestor(exp.Select)
    if select is None or select.is_star:
        return False
    own = {name.lower() for name in own}
    inside = {id(column) for column in node.find_all(exp.Column)}
    return any(
        not column.table and column.name.lower() not in own and id(column) not in inside
        for column in select.find_all(exp.Column)
        if isinstance(column.this, exp.Identifier)
    )


def _is_source(name: str, node: exp.Table) -> bool:
    """Whether a source of the same query or of one around it goes by this name."""
    select = node.find_ancestor(exp.Select)
    while select is not None:
        clauses = [select.args.get("from_"), *select.args.get("joins", ())]
        sources = [clause.this for clause in clauses if clause is not None]
        others = [source for source in sources if source is not node]
        if any(source.alias_or_name.lower() == name.lower() for source in others):
            return True
        select = select.find_ancestor(exp.Select)
    return False
