"""Which folders of days a statement can need: opening the others' files takes longer than reading.

Belongs here: the range of days that a statement asks of a table, and the folders of that range.
Does not: reading them (`parquet_relations`); DuckDB leaves out the rows of other days by itself,
but has opened every file by then, once to bind the statement and once to run it.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

import pyarrow as pa
from sqlglot import exp

from jetstream_assets.warehouse.parquet_files import day_of_name
from jetstream_assets.warehouse.parquet_footers import read_footer

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

# Clauses that make a query's rows depend on rows that the range leaves out.
_WHOLE = ("group", "having", "qualify", "distinct", "limit", "offset", "windows", "joins", "with_")


@dataclass(frozen=True)
class DayRange:
    """A statement needs rows of a table only where a column is from first to last, inclusive."""

    column: str
    first: date
    last: date


def asked_range(table: exp.Table) -> DayRange | None:
    """The range of days that the statement asks of one of its tables; None where it asks of all.

    A range is a condition ``<alias>.<column> BETWEEN <date> AND <date>`` that every row must meet:
    in the WHERE of the query, in the ON of the join that brings the table in, or of a query around
    one that only passes its rows on.
    """
    relation: exp.Expr = table
    while True:
        found = next(_ranges(relation), None)
        outer = _passed_on(relation)
        if found is not None or outer is None:
            return found
        relation = outer


def needed_folders(folder: str, files: Sequence[str], asked: DayRange) -> tuple[str, ...]:
    """The names of the folders ``<column>=<date>`` of the range; empty where all have to be read.

    That is so where the column is no folder's key, where the files differ in their columns or
    types, which DuckDB unites over all of them, and where the range has most of the folders.
    """
    days: dict[str, date] = {}
    below = len(folder) + len(os.sep)
    for name in {file[below:].partition(os.sep)[0] for file in files}:
        day = _day(name, asked.column)
        if day is None:
            return ()
        days[name] = day
    needed = sorted(name for name, day in days.items() if asked.first <= day <= asked.last)
    if 2 * len(needed) > len(days) or not _are_alike(files):
        return ()
    return tuple(needed)


def _ranges(relation: exp.Expr) -> Iterator[DayRange]:
    place, alias = relation.parent, relation.alias_or_name
    conditions = []
    if isinstance(place, exp.Join) and place.side in ("", "LEFT"):
        conditions.append(place.args.get("on"))
    query = place.parent if isinstance(place, exp.From | exp.Join) else None
    where = query.args.get("where") if isinstance(query, exp.Select) else None
    if where is not None:
        conditions.append(where.this)
    for condition in conditions:
        for part in condition.flatten() if isinstance(condition, exp.And) else (condition,):
            if (found := _range(part, alias)) is not None:
                yield found


def _range(condition: exp.Expr | None, alias: str) -> DayRange | None:
    if not isinstance(condition, exp.Between) or not isinstance(condition.this, exp.Column):
        return None
    first, last = _date(condition.args["low"]), _date(condition.args["high"])
    if first is None or last is None or condition.this.table != alias:
        return None
    return DayRange(condition.this.name, first, last)


def _date(value: exp.Expr) -> date | None:
    if not isinstance(value, exp.Cast) or not value.this.is_string:
        return None
    try:
        return date.fromisoformat(value.this.name)
    except ValueError:
        return None


def _passed_on(relation: exp.Expr) -> exp.Expr | None:
    """The sub-query that passes on this relation's rows as they are, if there is one around it."""
    query = relation.parent.parent if isinstance(relation.parent, exp.From) else None
    if not isinstance(query, exp.Select) or any(query.args.get(clause) for clause in _WHOLE):
        return None
    is_everything = len(query.expressions) == 1 and query.expressions[0] == exp.Star()
    outer = query.parent
    return outer if is_everything and isinstance(outer, exp.Subquery) else None


def _day(name: str, column: str) -> date | None:
    key = name.partition("=")[0]
    return day_of_name(name) if key.lower() == column.lower() else None


def _are_alike(files: Iterable[str]) -> bool:
    try:
        kinds = {read_footer(file).columns for file in files}
    except (OSError, pa.ArrowInvalid):
        return False  # DuckDB names the damaged file
    return len(kinds) == 1
