"""Checks of what a cell was computed from: every source has its days, and rows of enrolled units.

Belongs here: the verdicts on sources. Does not: which sources a cell needs (`freshness`), waiting
for them (`orchestration`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING

from sqlglot import exp

from jetstream_assets.analysis.freshness import needed_sources
from jetstream_assets.analysis.slices import cell_slice, enrollment_slice
from jetstream_assets.analysis.state_catalogue import part_prefix
from jetstream_assets.errors import QueryError
from jetstream_assets.experiments.checks import Check, Limits, Listing, Verdict
from jetstream_assets.sql import fragments, sources
from jetstream_assets.warehouse.base import SourceDay
from jetstream_assets.warehouse.tables import ResultTable, slices_table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from jetstream_assets.experiments.metrics import DataSource
    from jetstream_assets.experiments.plan import AnalysisPlan
    from jetstream_assets.warehouse.base import Warehouse
    from jetstream_assets.warehouse.tables import Slice

# A source with so many rows a day has no day without rows by chance: the probability is e^-20.
BUSY = 20.0
_LISTED = 10


@dataclass(frozen=True)
class _Days:
    """What a source holds of the days of a cell, or why it could not be asked."""

    name: str
    rows: Mapping[date, SourceDay]
    missing: tuple[date, ...]
    problem: str = ""

    @property
    def row(self) -> tuple[object, ...]:
        """Cells for a person."""
        listed = ", ".join(map(str, self.missing[:_LISTED]))
        more = f" and {len(self.missing) - _LISTED} more" if len(self.missing) > _LISTED else ""
        last = max(self.rows, default=None)
        return (self.name, last, len(self.missing), self.problem or listed + more)


def check_sources_are_fresh(plan: AnalysisPlan, warehouse: Warehouse, limits: Limits) -> Verdict:
    """Whether every source has rows of each day from the first enrollment date to the cell's date.

    A source with few rows (fewer than `BUSY` a day that has any) may have none on a quiet day.
    """
    del limits
    first = plan.experiment.timeline.first_enrollment_date
    found = [
        _days(warehouse, n.source.name, n.source.relation, n.source.day, first, n.until)
        for n in needed_sources(plan)
    ]
    lacking = [days for days in found if days.missing or days.problem]
    message = f"{len(found)} sources have every day from {first} to {plan.date}."
    if lacking:
        told = "; ".join(f"{d.name}: {d.problem or f'{len(d.missing)} days'}" for d in lacking)
        message = f"Sources lack days from {first} to {plan.date}: {told}."
    facts = {"sources": len(found), "sources_that_lack_days": len(lacking)}
    ordered = sorted(found, key=lambda days: -len(days.missing))
    header = ("source", "last day", "days without rows", "which")
    listing = Listing(header, tuple(days.row for days in ordered))
    return Verdict(Check.SOURCES_ARE_FRESH, not lacking, message, facts, listing)


def check_sources_join(plan: AnalysisPlan, warehouse: Warehouse, limits: Limits) -> Verdict:
    """Whether each data source that has rows has some of enrolled units.

    Without any, ids do not match: every metric of the source would be a well-formed zero.
    """
    del limits
    aggregates = _aggregates(plan, warehouse)
    rows: list[tuple[object, ...]] = []
    unjoined: list[str] = []
    problems: list[str] = []
    for source in _data_sources(plan):
        try:
            has_rows, joined = _joined(plan, warehouse, source, aggregates)
        except QueryError as error:
            problems.append(source.name)
            rows.append((source.name, "", "", error.problem))
            continue
        if has_rows and not joined:
            unjoined.append(source.name)
        rows.append((source.name, has_rows, joined, ""))
    message = f"Each of {len(rows)} data sources has rows of enrolled units, or no rows at all."
    if unjoined:
        message = f"No row of {', '.join(unjoined)} is of an enrolled unit: do the ids match?"
    if problems:
        message += f" It could not be asked of {', '.join(problems)}."
    passed = not unjoined and not problems
    facts = {"sources": len(rows), "sources_that_do_not_join": len(unjoined)}
    header = ("source", "has rows", "rows of enrolled units", "problem")
    ordered = sorted(rows, key=lambda row: row[0] not in unjoined)
    return Verdict(Check.SOURCES_JOIN, passed, message, facts, Listing(header, tuple(ordered)))


def _days(
    warehouse: Warehouse, name: str, relation: exp.Expr, day: exp.Expr, first: date, last: date
) -> _Days:
    try:
        found = warehouse.source_days(relation, day, first, last)
    except QueryError as error:
        return _Days(name, {}, (), error.problem)
    rows = {on: of for on, of in found.items() if of.rows}
    is_busy = not rows or sum(of.rows for of in rows.values()) / len(rows) >= BUSY
    wanted = (first + timedelta(days=number) for number in range((last - first).days + 1))
    return _Days(name, rows, tuple(on for on in wanted if on not in rows) if is_busy else ())


def _data_sources(plan: AnalysisPlan) -> list[DataSource]:
    """Those of the due windows after enrollment, by name."""
    names = {name for window in plan.observation_windows for name in window.metrics}
    found = {plan.settled.metric(name).data_source for name in names}
    return sorted((source for source in found if source), key=lambda source: source.name)


def _aggregates(plan: AnalysisPlan, warehouse: Warehouse) -> list[Slice]:
    """The stored days of all sources since the first enrollment date."""
    like = cell_slice(plan, ResultTable.DAILY_AGGREGATES)
    first = plan.experiment.timeline.first_enrollment_date
    stored = warehouse.slices(like.table, like.experiment, like.dataset)
    return [target for target in stored if first <= target.date <= plan.date]


def _joined(
    plan: AnalysisPlan, warehouse: Warehouse, source: DataSource, aggregates: Sequence[Slice]
) -> tuple[bool, int]:
    """Whether the source has rows of the cell's days, and how many of them are of enrolled units.

    What was aggregated is counted by unit and day; the source itself is asked only where that
    shows no unit.
    """
    first = plan.experiment.timeline.first_enrollment_date
    prefix = part_prefix(source.name)
    parts: dict[str, list[Slice]] = {}
    for target in aggregates:
        if target.part.rpartition("-")[0] == prefix:
            parts.setdefault(target.part, []).append(target)
    tables = (slices_table([t.date for t in targets], targets[0]) for targets in parts.values())
    joined = max((_count(warehouse, exp.select().from_(table)) for table in tables), default=0)
    if joined:
        return True, joined
    found = warehouse.source_days(sources.relation(source), sources.day(source), first, plan.date)
    has_rows = any(of.rows for of in found.values())
    if has_rows and not parts:
        joined = _count(warehouse, _join_query(plan, source, first))
    return has_rows, joined


def _join_query(plan: AnalysisPlan, source: DataSource, first: date) -> exp.Select:
    """The rows of the source that are of enrolled units."""
    unit = fragments.string(sources.id_column(source, plan.experiment.analysis_unit))
    units = enrollment_slice(plan, ResultTable.ENROLLMENTS).reference
    return (
        exp.select()
        .from_(sources.relation(source))
        .join(
            exp.alias_(units, sources.UNIT_ALIAS, table=True),
            on=unit.eq(sources.unit_column("analysis_id")),
        )
        .where(fragments.between_dates(sources.day(source), first, plan.date))
    )


def _count(warehouse: Warehouse, query: exp.Select) -> int:
    counted = query.select(exp.alias_(exp.Count(this=exp.Star(), big_int=True), "found"))
    (row,) = warehouse.query(counted).to_pylist()
    return int(row["found"])
