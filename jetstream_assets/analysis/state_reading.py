"""Reading what is missing of one source, in as few scans as there are sets of missing states.

Belongs here: which states of which days are missing, the scans, and states that the warehouse
refuses. Does not: the scan's query (`sql.state_scan`), what is stored (`state_catalogue`), all
sources of an experiment (`daily_aggregates`).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import TYPE_CHECKING

import pyarrow as pa
from sqlglot import exp

from jetstream_assets.analysis.slices import CODE_VERSION
from jetstream_assets.analysis.source_days import encoded, older_changes, stale
from jetstream_assets.analysis.state_catalogue import (
    Catalogue,
    StoredSlice,
    fingerprint,
    part_name,
)
from jetstream_assets.errors import QueryError
from jetstream_assets.sql.source_states import NamedState, SourceStates
from jetstream_assets.warehouse.base import Provenance, SourceDay, Warehouse, Written
from jetstream_assets.warehouse.tables import ResultTable, Slice

if TYPE_CHECKING:
    from collections.abc import Iterable

_NOTHING = pa.schema([pa.field("analysis_id", pa.string()), pa.field("day", pa.date32())])


@dataclass(frozen=True)
class SourceScan:
    """One statement that read a source: which days, how many states, what it did.

    ``rows`` is what the source holds of these days.
    """

    source: str
    first: date
    last: date
    days: int
    states: int
    rows: int
    written: Written

    @property
    def told(self) -> tuple[str, ...]:
        """Source, first and last day, days, states, rows written and bytes read, as texts."""
        numbers = (self.days, self.states, self.written.rows, self.written.bytes_read)
        return (self.source, str(self.first), str(self.last), *(f"{n:,}" for n in numbers))


@dataclass(frozen=True)
class ReadSource:
    """What is stored of a source after what was missing has been read.

    Args:
        states: What follows from states; a metric whose state was refused is windowed.
        slices: The valid slices of each day.
        scans: What had to be read.
        warnings: Sentences on changes of days that are not read again.
    """

    states: SourceStates
    slices: Mapping[date, Sequence[StoredSlice]]
    scans: tuple[SourceScan, ...] = ()
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class Missing:
    """States of a source and the days on which they are not stored, or no longer right."""

    names: frozenset[str]
    days: tuple[date, ...]


@dataclass(frozen=True)
class StateReading:
    """The states of one source on some days.

    Args:
        warehouse: Where source and states are.
        catalogue: What is stored; it is changed as slices are written.
        prefix: What the source's parts begin with.
        like: A slice of the experiment; only its date and part differ from those written.
        days: The days that are wanted, ascending.
        now: What the source holds of each day.
        units: The digest of the units that are known on each day.
        on: The date of the run.
        lookback: Days before it whose changes are followed.
        commit: The configuration's commit.
        scan: The query of some states on some days.
    """

    warehouse: Warehouse
    catalogue: Catalogue
    prefix: str
    like: Slice
    days: Sequence[date]
    now: Mapping[date, SourceDay]
    units: Mapping[date, str]
    on: date
    lookback: int
    commit: str
    scan: Callable[[Sequence[NamedState], Sequence[date]], exp.Select]

    def missing(self, states: SourceStates) -> tuple[Missing, ...]:
        """What must be read, one entry for each set of states that is missing on some days."""
        names = frozenset(named.name for named in states.states)
        found: dict[frozenset[str], list[date]] = defaultdict(list)
        for day in self.days:
            stored = frozenset().union(*(s.names for s in self.valid(day)))
            if names - stored:
                found[names - stored].append(day)
        ordered = sorted(found.items(), key=lambda item: sorted(item[0]))
        return tuple(Missing(absent, tuple(days)) for absent, days in ordered)

    def valid(self, day: date) -> list[StoredSlice]:
        """The stored slices of a day whose units and rows are still what was read."""
        return [
            stored
            for stored in self.catalogue.of(self.prefix, day)
            if not stale(
                {day: stored.read},
                self.now,
                [day],
                stored.read.fingerprint,
                self.on,
                self.lookback,
                self.units,
            )
        ]

    def read(self, states: SourceStates) -> ReadSource:
        """Read what is missing; states that the warehouse refuses are left out and told."""
        warnings = self._older_changes(states.source.name)
        scans: list[SourceScan] = []
        while missing := self.missing(states):
            try:
                scans.append(self._scan(states, missing[0]))
            except QueryError as error:
                refused = self._refused(states, missing[0], error)
                states = states.without(refused)
        slices = {day: self.valid(day) for day in self.days}
        return ReadSource(states, slices, tuple(scans), warnings)

    def _scan(self, states: SourceStates, missing: Missing) -> SourceScan:
        self._retire(missing)
        part = part_name(self.prefix, missing.names)
        table = ResultTable.DAILY_AGGREGATES
        targets = {
            day: replace(self.like, table=table, date=day, part=part) for day in missing.days
        }
        origin = Provenance(
            fingerprint(missing.names),
            self.commit,
            CODE_VERSION,
            encoded(missing.days, self.now, self.units),
        )
        query = self.scan(_named(states, missing.names), missing.days)
        written = self._replace(targets, query, origin)
        for target in targets.values():
            self.catalogue.note(self.prefix, target, origin)
        days = missing.days
        rows = sum(self.now[day].rows for day in days if day in self.now)
        return SourceScan(
            states.source.name, days[0], days[-1], len(days), len(missing.names), rows, written
        )

    def _replace(
        self, targets: Mapping[date, Slice], query: exp.Select, origin: Provenance
    ) -> Written:
        if len(targets) == 1:
            return self.warehouse.replace(next(iter(targets.values())), query, origin)
        return self.warehouse.replace_days(targets, query, origin)

    def _retire(self, missing: Missing) -> None:
        """Empty the slices that hold what is read anew, before it is: no state is there twice."""
        part = part_name(self.prefix, missing.names)
        for day in missing.days:
            for stored in self.catalogue.of(self.prefix, day):
                if stored.names & missing.names and stored.target.part != part:
                    nothing = Provenance("", self.commit, CODE_VERSION)
                    self.warehouse.replace(stored.target, _NOTHING.empty_table(), nothing)
                    self.catalogue.forget(self.prefix, stored)

    def _refused(self, states: SourceStates, missing: Missing, error: QueryError) -> dict[str, str]:
        """The states that fail alone, by binding or else by running; all of them if none does."""
        named = _named(states, missing.names)
        for check in (self.warehouse.dry_run, self.warehouse.query):
            refused = dict(self._failing(named, missing.days, check))
            if refused:
                return refused
        return {state.name: error.problem for state in named}

    def _failing(
        self,
        named: Iterable[NamedState],
        days: Sequence[date],
        check: Callable[[exp.Expr], object],
    ) -> Iterable[tuple[str, str]]:
        for state in named:
            try:
                check(_probe(self.scan([state], days), state.name))
            except QueryError as error:
                yield state.name, error.problem

    def _older_changes(self, source: str) -> tuple[str, ...]:
        read = {
            day: stored.read for day in self.days for stored in self.catalogue.of(self.prefix, day)
        }
        return older_changes(read, self.now, self.days, source, self.on, self.lookback)


def _named(states: SourceStates, names: frozenset[str]) -> list[NamedState]:
    return [named for named in states.states if named.name in names]


def _probe(scan: exp.Select, name: str) -> exp.Select:
    # A value is returned, since a warehouse may leave uncomputed what it only has to count.
    return exp.select(exp.alias_(exp.AnyValue(this=exp.column(name)), name)).from_(
        scan.subquery("probed")
    )
