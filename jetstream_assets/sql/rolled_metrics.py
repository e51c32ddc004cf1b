"""The metrics of several windows and bases from stored days, each source's days taken once.

Belongs here: the units of all parts as one relation, the merged states of each source for all of
them, and what has to be computed from rows. Does not: one part (`metric_parts`), merging
(`rollup`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from sqlglot import exp

from jetstream_assets.experiments.metrics import DataSource
from jetstream_assets.sql import fragments, sources
from jetstream_assets.sql.metric_parts import value_column
from jetstream_assets.sql.rollup import (
    ANCHOR,
    ONLY_DAY,
    PART,
    StoredSource,
    days,
    merged_states,
    rolled_value,
    states_of,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from jetstream_assets.sql.metric_parts import MetricPart

_UNITS = {True: "jetstream_day_units", False: "jetstream_units"}

# What is stored of each source for windows of one day (True) and for longer ones (False).
StoredByKind = Mapping[bool, Mapping[DataSource, StoredSource]]

# A column of a relation and the unit's that it equals, beside the unit's identifier.
_PartKey = tuple[str, str]
_BY_PART: _PartKey = (PART, PART)
_BY_DAY: _PartKey = ("day", ONLY_DAY)


def rolled_rows(
    parts: Sequence[MetricPart],
    stored: StoredByKind,
    value_columns: Sequence[str],
) -> tuple[exp.Query, dict[str, exp.Query]]:
    """One row per unit and part, and the relations that the query needs, by name.

    Windows of one day are apart from longer ones, since their values need no merging.

    Args:
        parts: The windows and bases.
        stored: What is stored of each source on the days of the parts of each kind.
        value_columns: The metrics and sanity columns, in the order of the rows.
    """
    kinds: dict[bool, list[MetricPart]] = {True: [], False: []}
    for part in parts:
        kinds[part.planned.due.window.is_one_day].append(part)
    rolled = [
        _rolled(own, stored[kind], value_columns, _UNITS[kind])
        for kind, own in kinds.items()
        if own
    ]
    relations = {name: query for _, needed in rolled for name, query in needed.items()}
    return stacked(query for query, _ in rolled), relations


def _rolled(
    parts: Sequence[MetricPart],
    stored: Mapping[DataSource, StoredSource],
    value_columns: Sequence[str],
    units: str,
) -> tuple[exp.Query, dict[str, exp.Query]]:
    query = exp.select(
        *(_unit(column) for column in parts[0].unit_columns),
        *(_unit(column.alias) for column in parts[0].window_columns()),
    ).from_(exp.alias_(exp.to_table(units), sources.UNIT_ALIAS, table=True))
    relations: dict[str, exp.Query] = {units: stacked(map(_units, range(len(parts)), parts))}
    values: dict[str, list[tuple[int, exp.Expr]]] = {name: [] for name in value_columns}
    for number, source in enumerate(_sources(parts)):
        rolled = stored[source].states.columns if source in stored else {}
        for alias, relation, part_key in _relations(
            number, source, parts, stored.get(source), units
        ):
            query = query.join(
                relation.subquery(alias, copy=False),
                on=_is_of_unit(alias, part_key),
                join_type="left",
                copy=False,
            )
        for index, part in enumerate(parts):
            for name in part.source_columns(source):
                is_rolled = name in rolled
                value = (
                    rolled_value(rolled[name], f"merged_{number}")
                    if is_rolled
                    else exp.column(fragments.name(name), table=f"source_{number}")
                )
                values[name].append((index, value))
            if set(part.source_columns(source)) - set(rolled):
                relations[part.units_name] = _units_of_part(index, part, units)
    selected = (value_column(name, _of_parts(values[name], len(parts))) for name in value_columns)
    return query.select(*selected, copy=False), relations


def stacked(selects: Iterable[exp.Query]) -> exp.Query:
    """The rows of all selects, which have the same columns."""
    first, *others = selects
    return exp.union(first, *others, distinct=False, copy=False) if others else first


def _units(index: int, part: MetricPart) -> exp.Select:
    """The units of a part with the part's number, its anchor date and its window."""
    units, window = part.units(), part.planned.due.window
    anchor = exp.column(part.anchor)
    only_day: exp.Expr = exp.cast(exp.null(), exp.DType.DATE)
    if window.is_one_day:
        distance = exp.convert(window.start)
        only_day = exp.DateAdd(this=anchor.copy(), expression=distance, unit=exp.var("DAY"))
    return units.select(
        exp.alias_(fragments.int64(index), PART),
        exp.alias_(anchor, ANCHOR),
        exp.alias_(only_day, ONLY_DAY),
        *part.window_columns(),
        copy=False,
    )


def _units_of_part(index: int, part: MetricPart, units: str) -> exp.Select:
    columns = (exp.column(fragments.name(column)) for column in part.unit_columns)
    return exp.select(*columns).from_(units).where(exp.column(PART).eq(index))


def _sources(parts: Iterable[MetricPart]) -> list[DataSource]:
    found = {source: None for part in parts for source in part.sources}
    return sorted(found, key=lambda source: source.name)


def _relations(
    number: int,
    source: DataSource,
    parts: Sequence[MetricPart],
    stored: StoredSource | None,
    units: str,
) -> Iterator[tuple[str, exp.Query, _PartKey]]:
    """What the values of a source come from: stored states and, for what is left, its rows.

    With the alias and the columns by which a unit and part find their only row.
    """
    columns = {name for part in parts for name in part.source_columns(source)}
    rolled = columns & set(stored.states.columns) if stored else set()
    # What follows from the unit alone needs no rows.
    if stored and states_of(stored, rolled):
        is_one_day = all(part.planned.due.window.is_one_day for part in parts)
        if is_one_day and len(stored.parts) == 1:
            yield f"merged_{number}", days(stored, rolled), _BY_DAY
        else:
            merged = merged_states(stored, rolled, units, is_one_day=is_one_day)
            yield f"merged_{number}", merged, _BY_PART
    left = sorted(columns - rolled)
    if left:
        asked = [
            _from_rows(index, part, source, left)
            for index, part in enumerate(parts)
            if set(left) & set(part.source_columns(source))
        ]
        yield f"source_{number}", stacked(asked), _BY_PART


def _from_rows(
    index: int, part: MetricPart, source: DataSource, columns: Sequence[str]
) -> exp.Select:
    """The columns of a part that are computed from the source's rows; others are NULL."""
    query = part.source_query(source, without=set(part.source_columns(source)) - set(columns))
    own = set(query.named_selects)
    values = (exp.column(fragments.name(name)) if name in own else exp.null() for name in columns)
    return exp.select(
        exp.alias_(fragments.int64(index), PART),
        exp.column("analysis_id"),
        *(exp.alias_(v, fragments.name(n)) for n, v in zip(columns, values, strict=True)),
    ).from_(query.subquery("asked", copy=False), copy=False)


def _of_parts(values: Sequence[tuple[int, exp.Expr]], count: int) -> exp.Expr | None:
    """The value where the part has it, else NULL."""
    if not values:
        return None
    value = values[0][1]
    if len(values) == count:
        return value
    is_part = exp.In(this=_unit(PART), expressions=[exp.convert(index) for index, _ in values])
    return exp.If(this=is_part, true=value, false=exp.null())


def _is_of_unit(alias: str, part_key: _PartKey) -> exp.Expr:
    column, unit_column = part_key
    is_unit = exp.column("analysis_id", table=alias).eq(_unit("analysis_id"))
    return exp.and_(is_unit, exp.column(column, table=alias).eq(_unit(unit_column)))


def _unit(column: str) -> exp.Column:
    return exp.column(fragments.name(column), table=sources.UNIT_ALIAS)
