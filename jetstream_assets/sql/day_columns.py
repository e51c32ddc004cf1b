"""Which columns of a query are the days of its rows.

Belongs here: following a column's name through the selects that make it. Does not: whether rows
depend on rows of other days (`day_slices`).

A column of a table is trusted to be what its name says; what a query makes of it is read.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlglot import exp

if TYPE_CHECKING:
    from collections.abc import Iterator

# Of a day these give the same for all of its rows, and another for another day's.
_OF_A_DAY = (exp.Date, exp.TsOrDsToDate, exp.Paren, exp.Timestamp)
_DAYS_AND_TIMES = (exp.DType.DATE, exp.DType.TIMESTAMP, exp.DType.TIMESTAMPTZ, exp.DType.DATETIME)


def dated_column(tree: exp.Expr) -> exp.Column | None:
    """The column whose day an expression is: ``x``, ``DATE(x)``, ``CAST(x AS DATE)``; else None."""
    while isinstance(tree, _OF_A_DAY) or _is_cast_to_day(tree) or _is_cut_to_day(tree):
        tree = tree.this
    return tree if isinstance(tree, exp.Column) else None


def is_made_of_days(name: str, relation: exp.Expr) -> bool:
    """Whether every select that makes a column of this name makes it of a row's day.

    A select that cuts days to months, shifts them, or takes the first of several does not: rows of
    one of its days are of several days.
    """
    wanted, seen = {name.lower()}, set[str]()
    while wanted:
        current = wanted.pop()
        seen.add(current)
        for made in _definitions(current, relation):
            columns = _dated_columns(made)
            if not columns:
                return False
            wanted |= {column.name.lower() for column in columns} - seen
    return True


def _dated_columns(made: exp.Expr) -> list[exp.Column]:
    """The columns that may be the day; a full join has one of each side. Empty for others."""
    parts = [made.this, *made.expressions] if isinstance(made, exp.Coalesce) else [made]
    columns = [dated_column(part) for part in parts]
    found = [column for column in columns if column is not None]
    return found if len(found) == len(columns) else []


def _definitions(name: str, relation: exp.Expr) -> Iterator[exp.Expr]:
    """What is called by a name, in any select of rows; what merely passes it on is left out."""
    for select in relation.find_all(exp.Select):
        if select.args.get("from_") is None:
            continue  # a row of constants has the same day whenever it is asked
        for projection in select.selects:
            for one in (projection, *_replaced(projection)):
                if isinstance(one, exp.Alias) and one.alias.lower() == name:
                    yield one.this


def _replaced(projection: exp.Expr) -> list[exp.Expr]:
    """The columns of ``* REPLACE (...)``."""
    star = projection.this if isinstance(projection, exp.Column) else projection
    return star.args.get("replace") or [] if isinstance(star, exp.Star) else []


def _is_cast_to_day(tree: exp.Expr) -> bool:
    return isinstance(tree, exp.Cast) and tree.to.this in _DAYS_AND_TIMES


def _is_cut_to_day(tree: exp.Expr) -> bool:
    is_cut = isinstance(tree, exp.TimestampTrunc | exp.DateTrunc)
    return is_cut and tree.args["unit"].name.upper() == "DAY"
