"""A window of a unit is the merge of its days: no source is read again.

Belongs here: merging stored states over the days of a window, and the values that follow. Does not:
how states are stored and found (`analysis.daily_aggregates`), stacking windows (`metrics`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlglot import exp

from jetstream_assets.sql import sources
from jetstream_assets.sql.source_states import SourceStates

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from jetstream_assets.sql.source_states import NamedState, SplitColumn

# Names unlike those of any segment or column.
PART, ANCHOR, ONLY_DAY = "jetstream_part", "jetstream_anchor", "jetstream_day"
_STORED = "s"


@dataclass(frozen=True)
class StatePart:
    """Stored days of some states: a table with analysis_id, day and one column a state."""

    table: exp.Table
    names: frozenset[str]


@dataclass(frozen=True)
class StoredSource:
    """What is stored of a source for some windows; no day of a state is in two parts."""

    states: SourceStates
    parts: tuple[StatePart, ...]


def merged_states(
    stored: StoredSource, columns: Collection[str], units: str, *, is_one_day: bool
) -> exp.Select:
    """One row per unit and part with any row in the part's window: the merged states.

    Columns: jetstream_part, analysis_id, and each state that the columns follow from. Windows of
    one day are met by their day, which finds a unit's row without looking at its other days;
    longer ones by the distance from the anchor.

    Args:
        stored: The states of one source.
        columns: The metrics and sanity columns that are asked for.
        units: Name of a relation with one row per unit and part: analysis_id, jetstream_part,
            jetstream_anchor (the DATE from which the window's days are counted), jetstream_day (the
            only DATE of a window of one day, else NULL), window_start, window_end.
        is_one_day: Whether all windows are of one day; else none is.
    """
    states = states_of(stored, columns)
    condition = _is_the_day() if is_one_day else _is_within()
    return _merged(_met(stored, states, units, condition), states)


def days(stored: StoredSource, columns: Collection[str]) -> exp.Query:
    """The stored rows: analysis_id, day, and each state that the columns follow from.

    With all states in one part a unit has one row a day, so that nothing has to be merged.
    """
    return _days(stored.parts, states_of(stored, columns))


def _is_the_day() -> exp.Expr:
    return exp.column("day", table=_STORED).eq(_unit(ONLY_DAY))


def _is_within() -> exp.Expr:
    distance = exp.DateDiff(
        this=exp.column("day", table=_STORED), expression=_unit(ANCHOR), unit=exp.var("DAY")
    )
    return exp.Between(this=distance, low=_unit("window_start"), high=_unit("window_end"))


def _met(
    stored: StoredSource, states: Sequence[NamedState], units: str, condition: exp.Expr
) -> exp.Select:
    """The stored days with the units of the parts that they belong to; nothing is selected yet."""
    same_unit = exp.column("analysis_id", table=_STORED).eq(_unit("analysis_id"))
    return (
        exp.select()
        .from_(_days(stored.parts, states).subquery(_STORED, copy=False), copy=False)
        .join(
            exp.alias_(exp.to_table(units), sources.UNIT_ALIAS, table=True),
            on=exp.and_(same_unit, condition, copy=False),
            copy=False,
        )
    )


def _merged(query: exp.Select, states: Sequence[NamedState]) -> exp.Select:
    merges = (
        exp.alias_(named.state.merged(exp.column(named.name, table=_STORED)), named.name)
        for named in states
    )
    return query.select(*_keys(), *merges, copy=False).group_by(*_keys(), copy=False)


def _keys() -> tuple[exp.Column, exp.Column]:
    return _unit(PART), exp.column("analysis_id", table=_STORED)


def _unit(column: str) -> exp.Column:
    return sources.unit_column(column)


def rolled_value(column: SplitColumn, merged: str) -> exp.Expr:
    """A metric of the unit ``e`` from its merged states in the relation ``merged``.

    A unit without any row has no row there; it has the states of an aggregate over one empty row.
    """
    has_no_row = exp.column("analysis_id", table=merged).is_(exp.null())
    values = [_state_value(named, merged, has_no_row) for named in column.states]
    return column.split.value(values)


def _state_value(named: NamedState, merged: str, has_no_row: exp.Expr) -> exp.Expr:
    state = exp.column(named.name, table=merged)
    empty = named.state.empty
    if isinstance(empty, exp.Null):
        return state
    return exp.If(this=has_no_row.copy(), true=empty.copy(), false=state)


def states_of(stored: StoredSource, columns: Iterable[str]) -> tuple[NamedState, ...]:
    """The states that the columns follow from, by name."""
    wanted = {s.name for name in columns for s in stored.states.columns[name].states}
    return tuple(named for named in stored.states.states if named.name in wanted)


def _days(parts: Sequence[StatePart], states: Sequence[NamedState]) -> exp.Query:
    """The stored days of all parts, a state that a part does not hold as NULL."""
    selects = [
        exp.select(
            "analysis_id", "day", *(_stored_state(part, named.name) for named in states)
        ).from_(part.table.copy())
        for part in parts
        if part.names & {named.name for named in states} or not states
    ]
    if len(selects) == 1:
        return selects[0]
    return exp.union(*selects, distinct=False)


def _stored_state(part: StatePart, name: str) -> exp.Expr:
    return exp.column(name) if name in part.names else exp.alias_(exp.null(), name)
