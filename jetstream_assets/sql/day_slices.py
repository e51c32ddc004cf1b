"""Whether the rows of a source can be taken day by day, or only all at once.

Belongs here: reading a source's from_expression for what looks across days, and which expressions
are its day. Does not: splitting aggregates over a source's rows (`splitting`).

A table can always be taken day by day. A query can where each of its rows follows from rows of that
day: selections, unions, joins and groups by the day, windows within a day. Other rows could still
change when later days arrive.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlglot import exp

from jetstream_assets.sql import sources
from jetstream_assets.sql.day_columns import dated_column, is_made_of_days
from jetstream_assets.sql.strictness import CHANGING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from jetstream_assets.experiments.metrics import DataSource

# By these names telemetry knows the day of a row, whatever a source calls it.
_DAYS = frozenset({"submission_date", "submission_timestamp"})
# What follows from all rows at once, in ways that are not looked into.
_WHOLE = (exp.Pivot, exp.MatchRecognize)


def undividable(source: DataSource) -> str:
    """Why the source cannot be taken day by day; empty when it can.

    Raises:
        QueryError: The from_expression cannot be part of a query.
    """
    relation = sources.relation(source)
    what = f"The data source {source.name}"
    days = _DAYS | {source.submission_date_column.rpartition(".")[2].lower()}
    if not all(_is_within_day(window, days) for window in relation.find_all(exp.Window)):
        return f"{what} has a window function, which may look at rows of other days."
    if relation.find(*CHANGING, exp.TableSample):
        return f"{what} depends on when it is asked."
    reasons = (
        *(_looks_across(select, days) for select in _whole_selects(relation)),
        *(_combines(operation, days) for operation in relation.find_all(exp.SetOperation)),
        _as_a_whole(relation, source.submission_date_column.rpartition(".")[2]),
    )
    return next((f"{what} {reason}" for reason in reasons if reason), "")


def days_of(source: DataSource) -> tuple[exp.Expr, ...]:
    """The expressions that are a row's day: the column, and what the source makes it of.

    Raises:
        QueryError: The source cannot be part of a query.
    """
    found = [sources.day(source)]
    select = sources.relation(source).this
    if isinstance(select, exp.Select):
        made = (_exposed(one, select) for one in select.selects if _is_day_column(one, source))
        found.extend(one for one in made if one is not None)
    return tuple(found)


def _is_day_column(projection: exp.Expr, source: DataSource) -> bool:
    return projection.alias.lower() == source.submission_date_column.lower()


def _exposed(projection: exp.Expr, select: exp.Select) -> exp.Expr | None:
    """``DATE(x)`` in terms of the source's columns, where it has ``x`` of the same relation."""
    made = projection.unalias()
    column = made.this if isinstance(made, exp.Date) else None
    if not isinstance(column, exp.Column) or len(column.parts) > 2:  # noqa: PLR2004  # table, name
        return None
    stars = [star for star in select.selects if _is_plain_star(star, column.table)]
    if not stars or (not column.table and _relations(select) > 1):
        return None
    found = made.copy()
    found.this.replace(exp.column(column.this.copy(), table=sources.SOURCE_ALIAS))
    return found


def _is_plain_star(projection: exp.Expr, table: str) -> bool:
    """``*``, or ``table.*``: all columns under their own names."""
    star = projection.this if isinstance(projection, exp.Column) else projection
    if not isinstance(star, exp.Star) or any(star.args.values()):
        return False
    return not isinstance(projection, exp.Column) or projection.table == table


def _relations(select: exp.Select) -> int:
    """How many relations' columns a bare name may be of; an array's elements are none."""
    joins = select.args.get("joins") or []
    return 1 + sum(not isinstance(join.this, exp.Unnest) for join in joins)


def _whole_selects(relation: exp.Expr) -> Iterator[exp.Select]:
    """The selects over tables; those over an array look at one row."""
    for select in relation.find_all(exp.Select):
        origin = select.args.get("from_")
        if origin is not None and not isinstance(origin.this, exp.Unnest):
            yield select


def _looks_across(select: exp.Select, days: frozenset[str]) -> str:
    if select.args.get("limit") or select.args.get("offset"):
        return "has a LIMIT, which counts rows over all days."
    if not _keeps_days(select, days):
        return "groups rows without their day, so that a row may be of several days."
    if not all(_joins_within_day(join, days) for join in select.args.get("joins") or []):
        return "joins rows without their day, so that a row may be of several days."
    if _looks_up(select):
        return "looks for rows in another query, which may be of other days."
    return ""


def _combines(operation: exp.SetOperation, days: frozenset[str]) -> str:
    """Why the rows of a UNION, INTERSECT or EXCEPT are not those of its parts' days."""
    if operation.args.get("limit") or operation.args.get("offset"):
        return "has a LIMIT, which counts rows over all days."
    # Equal rows are of one day where the day is among their columns.
    if operation.args.get("distinct") and not any(_is_day(one, days) for one in operation.selects):
        return "groups rows without their day, so that a row may be of several days."
    return ""


def _as_a_whole(relation: exp.Expr, day: str) -> str:
    if relation.find(*_WHOLE) or any(
        one.args.get("recursive") for one in relation.find_all(exp.With)
    ):
        return "makes its rows in a way that may look at rows of other days."
    if not is_made_of_days(day, relation):
        return f"makes {day} of something else than one row's day."
    return ""


def _keeps_days(select: exp.Select, days: frozenset[str]) -> bool:
    if select.args.get("distinct"):
        return any(_is_day(one, days) for one in select.selects)
    group = select.args.get("group")
    if group is None:
        parts = (*select.selects, select.args.get("having"))
        return not any(_aggregates(part) for part in parts if part is not None)
    return any(_is_day(key, days) for key in _keys(group, select))


def _keys(group: exp.Group, select: exp.Select) -> Iterable[exp.Expr]:
    """What a select groups by: positions and aliases as what they stand for."""
    if group.args.get("all"):
        return [one for one in select.selects if not _aggregates(one)]
    if any(group.args.get(part) for part in ("rollup", "cube", "grouping_sets")):
        return []  # some of their groups leave a key out
    return [_resolved(key, select) for key in group.expressions]


def _resolved(key: exp.Expr, select: exp.Select) -> exp.Expr:
    """A position or an alias in GROUP BY as what it stands for."""
    if isinstance(key, exp.Literal) and key.name.isdigit():
        position = int(key.name) - 1
        return select.selects[position] if position < len(select.selects) else key
    if isinstance(key, exp.Column) and len(key.parts) == 1:
        named = [one for one in select.selects if isinstance(one, exp.Alias)]
        return next((one for one in named if one.alias.lower() == key.name.lower()), key)
    return key


def _is_day(tree: exp.Expr, days: frozenset[str]) -> bool:
    """Whether equal values are of one day: the day, its timestamp, or a DATE by the day's name."""
    if isinstance(tree, exp.Star):
        return not any(tree.args.values())
    column = dated_column(tree.unalias())
    return column is not None and (tree.alias.lower() in days or column.name.lower() in days)


def _aggregates(part: exp.Expr) -> bool:
    """Whether the part of a select holds an aggregate of that select."""
    owner = part.parent_select
    return any(node.parent_select is owner for node in part.find_all(exp.AggFunc))


def _is_within_day(window: exp.Window, days: frozenset[str]) -> bool:
    return any(_is_day(key, days) for key in window.args.get("partition_by") or [])


def _joins_within_day(join: exp.Join, days: frozenset[str]) -> bool:
    """Whether both sides are of one day; an array's elements are of their row's."""
    if isinstance(join.this, exp.Unnest) or _is_array_of(join.this):
        return True
    if any(column.name.lower() in days for column in join.args.get("using") or []):
        return True
    condition = join.args.get("on")
    if condition is None:
        return False
    all_of = condition.flatten() if isinstance(condition, exp.And) else [condition.unnest()]
    return any(
        isinstance(one, exp.EQ) and _is_day(one.this, days) and _is_day(one.expression, days)
        for one in all_of
    )


def _is_array_of(relation: exp.Expr) -> bool:
    """Whether a joined relation is a column of an earlier one: ``FROM t, t.events``."""
    select = relation.parent_select
    if not isinstance(relation, exp.Table) or not relation.db or select is None:
        return False
    return any(other.alias_or_name == relation.db for other in select.find_all(exp.Table))


def _looks_up(select: exp.Select) -> bool:
    """Whether a row depends on a query over a table, in its condition or in what it selects."""
    parts = [*select.selects, select.args.get("where"), select.args.get("having")]
    inner = (query for part in parts if part is not None for query in part.find_all(exp.Select))
    return any(list(_whole_selects(query)) for query in inner)
