"""The states of an experiment's units, day by day, from which every window is rolled up.

Belongs here: reading what is missing of all sources that an experiment needs, and what there is for
a window. Does not: one source (`state_reading`), the days and their scans (`state_spans`), rolling
up (`sql.rollup`).

Whatever order cells are computed in, alone, in parallel or twice: a cell reads what is missing up
to its date, each source's missing days in one scan, and finds the rest.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import TYPE_CHECKING

from jetstream_assets.analysis.enrollments import available_bases, computable, ensure_enrollments
from jetstream_assets.analysis.options import DEFAULT_OPTIONS, AnalysisOptions
from jetstream_assets.analysis.slices import cell_slice, enrollment_slice
from jetstream_assets.analysis.stage import StageResult
from jetstream_assets.analysis.state_catalogue import Catalogue, chosen_parts, read_catalogue
from jetstream_assets.analysis.state_reading import ReadSource, StateReading
from jetstream_assets.analysis.state_spans import EarlierDays, ObservedDays, Span
from jetstream_assets.errors import QueryError
from jetstream_assets.experiments.configuration import AnalysisConfiguration
from jetstream_assets.experiments.metrics import DataSource
from jetstream_assets.experiments.plan import AnalysisPlan, PlannedWindow
from jetstream_assets.sql.rollup import StoredSource
from jetstream_assets.sql.source_states import SourceStates, states_by_source
from jetstream_assets.warehouse.base import Warehouse
from jetstream_assets.warehouse.tables import ResultTable, Slice

if TYPE_CHECKING:
    from jetstream_assets.analysis.state_reading import SourceScan


@dataclass(frozen=True)
class DailyAggregates:
    """What is stored of an experiment's sources.

    Args:
        observed: The days since the first enrollment date, by source.
        earlier: The days before enrollment, as one slice a source.
        enrolled: What making sure of the enrollments did.
        enrollments: Their slice.
    """

    observed: Mapping[DataSource, ReadSource]
    earlier: Mapping[DataSource, ReadSource]
    enrolled: StageResult
    enrollments: Slice

    @property
    def scans(self) -> tuple[SourceScan, ...]:
        """What had to be read."""
        return tuple(scan for read in self._all for scan in read.scans)

    @property
    def warnings(self) -> tuple[str, ...]:
        """Sentences on changes that were not followed."""
        return tuple(dict.fromkeys(text for read in self._all for text in read.warnings))

    @property
    def windowed(self) -> dict[str, str]:
        """The metrics that are computed from their source's rows, and why."""
        return {name: why for read in self._all for name, why in read.states.windowed.items()}

    def stored(
        self, plan: AnalysisPlan, windows: Sequence[PlannedWindow]
    ) -> dict[bool, dict[DataSource, StoredSource]]:
        """What windows of a cell are rolled up from, by source.

        All of the windows lie before enrollment, or all after it. What windows of one day need is
        under True, what longer ones need under False: one day is found among fewer.
        """
        kinds: dict[bool, list[PlannedWindow]] = defaultdict(list)
        for planned in windows:
            kinds[planned.due.window.is_one_day].append(planned)
        return {kind: self._stored(plan, of_kind) for kind, of_kind in kinds.items()}

    def _stored(
        self, plan: AnalysisPlan, windows: Sequence[PlannedWindow]
    ) -> dict[DataSource, StoredSource]:
        metrics = {name for planned in windows for name in planned.metrics}
        found = {}
        for source, read in self._of(windows[0]).items():
            names = read.states.names(metrics)
            days = {day for planned in windows for day in _days(read, plan, planned)}
            parts = chosen_parts(sorted(days), read.slices, names)
            found[source] = StoredSource(read.states, parts)
        return found

    def mark(self, plan: AnalysisPlan, planned: PlannedWindow) -> str:
        """Digest of what the days of a cell's window were read from.

        States that other windows need do not enter, so that adding one changes no other mark.
        """
        told = [
            (source.name, day.isoformat(), sorted(_read_from(read, day, planned)))
            for source, read in self._of(planned).items()
            for day in _days(read, plan, planned)
        ]
        return hashlib.sha256(repr(told).encode()).hexdigest()[:16]

    def windowed_sources(self, planned: PlannedWindow) -> tuple[DataSource, ...]:
        """The sources that a window's metrics read rows of."""
        wanted, reads = set(planned.metrics), self._of(planned)
        return tuple(s for s, read in reads.items() if wanted & set(read.states.windowed))

    def _of(self, planned: PlannedWindow) -> Mapping[DataSource, ReadSource]:
        return self.earlier if planned.due.period.is_preenrollment else self.observed

    @property
    def _all(self) -> list[ReadSource]:
        return [*self.observed.values(), *self.earlier.values()]


def compute_daily_aggregates(
    plans: Sequence[AnalysisPlan],
    warehouse: Warehouse,
    options: AnalysisOptions = DEFAULT_OPTIONS,
) -> DailyAggregates | None:
    """Read what the cells of one experiment need and is not stored; None when they need nothing.

    Args:
        plans: The cells' plans, of one experiment. What the latest one needs serves all.
        warehouse: Where sources and states are.
        options: How far back changes are followed.
    """
    due = [plan for plan in plans if plan.windows]
    if not due or options.is_full:
        return None
    plan = max(due, key=lambda plan: plan.date)
    enrolled = ensure_enrollments(plan, warehouse, options)
    bases = available_bases(enrolled.failures)
    if not bases:
        return None
    known = computable(plan.settled, enrolled.failures)
    catalogue = read_catalogue(
        warehouse, plan.slug, cell_slice(plan, ResultTable.DAILY_AGGREGATES).dataset
    )
    reading = _Reading(plan, known, warehouse, options, catalogue)
    observed = reading.read(ObservedDays(plan, known, warehouse))
    covered = next((p for p in due if p.preenrollment), None)
    earlier = reading.read(EarlierDays(covered, known, warehouse, bases)) if covered else {}
    enrollments = enrollment_slice(plan, ResultTable.ENROLLMENTS)
    # What was written here is told by this step, and not again by the metrics.
    return DailyAggregates(observed, earlier, replace(enrolled, written=()), enrollments)


@dataclass(frozen=True)
class _Reading:
    """Reading all sources of an experiment for one plan."""

    plan: AnalysisPlan
    known: AnalysisConfiguration
    warehouse: Warehouse
    options: AnalysisOptions
    catalogue: Catalogue

    def read(self, span: Span) -> dict[DataSource, ReadSource]:
        """Read what is missing of a span's days, by source."""
        needed = states_by_source(self.known, span.metrics)
        days, units = span.days, span.units
        return {states.source: self._read_source(span, days, units, states) for states in needed}

    def _read_source(
        self,
        span: Span,
        days: Sequence[date],
        units: Mapping[date, str],
        states: SourceStates,
    ) -> ReadSource:
        nothing = dict.fromkeys(days, ())
        if not states.states:
            return ReadSource(states, nothing)
        try:
            now = span.now(states.source)
        except QueryError as error:
            refused = {named.name: error.problem for named in states.states}
            return ReadSource(states.without(refused), nothing)
        return StateReading(
            warehouse=self.warehouse,
            catalogue=self.catalogue,
            prefix=span.prefix(states.source),
            like=cell_slice(self.plan, ResultTable.DAILY_AGGREGATES),
            days=days,
            now=now,
            units=units,
            on=self.plan.date,
            lookback=self.options.lookback,
            commit=self.plan.settled.commit,
            scan=lambda named, days: span.scan(states.source, named, days),
        ).read(states)


def _days(read: ReadSource, plan: AnalysisPlan, planned: PlannedWindow) -> list[date]:
    """The dates of the slices that a window of a cell touches."""
    if planned.due.period.is_preenrollment:
        return list(read.slices)
    first, last = plan.experiment.timeline.data_range(planned.due.window)
    last = min(last, plan.date)
    return [first + timedelta(days=number) for number in range((last - first).days + 1)]


def _read_from(read: ReadSource, day: date, planned: PlannedWindow) -> set[tuple[str, str]]:
    names = read.states.names(planned.metrics)
    return {(s.read.mark, s.read.units) for s in read.slices[day] if s.names & names}
