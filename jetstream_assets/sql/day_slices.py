"""Whether the rows of a source can be taken day by day, or only all at once.

Belongs here: reading a source's from_expression for what looks across days. Does not: splitting
aggregates over a source's rows (`states`).

A table can always be taken day by day. A query can where each of its rows follows from rows of that
day: selections, joins, unions, and groups that hold the day.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlglot import exp

from jetstream_assets.sql import sources

if TYPE_CHECKING:
    from collections.abc import Iterator

    from jetstream_assets.experiments.metrics import DataSource

_NOW = (exp.CurrentDate, exp.CurrentTimestamp, exp.CurrentDatetime, exp.Rand)
# By these names telemetry knows the day of a row, whatever a source calls it.
_DAYS = frozenset({"submission_date", "submission_timestamp"})


def undividable(source: DataSource) -> str:
    """Why the source cannot be taken day by day; empty when it can.

    Raises:
        QueryError: The from_expression cannot be part of a query.
    """
    relation = sources.relation(source)
    what = f"The data source {source.name}"
    if relation.find(exp.Window, exp.Qualify):
        return f"{what} has a window function, which may look at rows of other days."
    if relation.find(*_NOW):
        return f"{what} depends on when it is asked."
    days = _DAYS | {source.submission_date_column.rpartition(".")[2]}
    for select in _whole_selects(relation):
        if select.args.get("limit"):
            return f"{what} has a LIMIT, which counts rows over all days."
        if not _keeps_days(select, days):
            return f"{what} groups rows without their day, so that a row may be of several days."
    return ""


def _whole_selects(relation: exp.Expr) -> Iterator[exp.Select]:
    """The selects over tables; those over an array look at one row."""
    for select in relation.find_all(exp.Select):
        origin = select.args.get("from_")
        if origin is not None and not isinstance(origin.this, exp.Unnest):
            yield select


def _keeps_days(select: exp.Select, days: frozenset[str]) -> bool:
    if select.args.get("distinct"):
        return any(_names_day(projection, days) for projection in select.selects)
    group = select.args.get("group")
    if group is None:
        return not any(_aggregates(projection) for projection in select.selects)
    if group.args.get("all"):
        keys = [p for p in select.selects if not _aggregates(p)]
    else:
        keys = [_resolved(key, select) for key in group.expressions]
    return any(_names_day(key, days) for key in keys)


def _resolved(key: exp.Expr, select: exp.Select) -> exp.Expr:
    """A position or an alias in GROUP BY as what it stands for."""
    if isinstance(key, exp.Literal) and key.name.isdigit():
        position = int(key.name) - 1
        return select.selects[position] if position < len(select.selects) else key
    if isinstance(key, exp.Column) and len(key.parts) == 1:
        named = [p for p in select.selects if isinstance(p, exp.Alias) and p.alias == key.name]
        return named[0] if named else key
    return key


def _names_day(tree: exp.Expr, days: frozenset[str]) -> bool:
    return any(column.name in days for column in tree.find_all(exp.Column)) or (
        isinstance(tree, exp.Star)
    )


def _aggregates(projection: exp.Expr) -> bool:
    """Whether the projection holds an aggregate of its own select."""
    owner = projection.parent_select
    return any(node.parent_select is owner for node in projection.find_all(exp.AggFunc))
