"""The two spans of days whose states are kept: since enrollment, and before it.

Belongs here: for each span its days, the units that are known on them, what a source holds of them,
and the scan that reads them. Does not: what is missing (`state_reading`).
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING, Protocol

from jetstream_assets.analysis.known_units import known_units, units_marks
from jetstream_assets.analysis.slices import enrollment_slice
from jetstream_assets.analysis.state_catalogue import part_prefix
from jetstream_assets.experiments.configuration import AnalysisConfiguration
from jetstream_assets.experiments.metrics import AnalysisBasis
from jetstream_assets.experiments.plan import AnalysisPlan, computed_metrics
from jetstream_assets.sql import sources
from jetstream_assets.sql.metric_parts import anchor_column
from jetstream_assets.sql.state_scan import earlier_scan, state_scan
from jetstream_assets.warehouse.base import SourceDay, Warehouse
from jetstream_assets.warehouse.tables import ResultTable

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sqlglot import exp

    from jetstream_assets.experiments.metrics import DataSource
    from jetstream_assets.experiments.windows import AnalysisWindow
    from jetstream_assets.sql.source_states import NamedState


class Span(Protocol):
    """Days that are stored one slice each."""

    @property
    def metrics(self) -> tuple[str, ...]:
        """The metrics that windows of the span need."""
        ...

    @property
    def days(self) -> tuple[date, ...]:
        """The dates of the span's slices, ascending."""
        ...

    @property
    def units(self) -> Mapping[date, str]:
        """Digest of the units that are known, for each slice."""
        ...

    def prefix(self, source: DataSource) -> str:
        """What the names of the source's parts begin with."""
        ...

    def now(self, source: DataSource) -> Mapping[date, SourceDay]:
        """What the source holds, for each slice that it holds anything of."""
        ...

    def scan(
        self, source: DataSource, named: Sequence[NamedState], days: Sequence[date]
    ) -> exp.Select:
        """The query of some states for some of the slices."""
        ...


@dataclass(frozen=True)
class ObservedDays:
    """The days from the first enrollment date to the plan's date, one slice each."""

    plan: AnalysisPlan
    known: AnalysisConfiguration
    warehouse: Warehouse

    @property
    def metrics(self) -> tuple[str, ...]:
        """The metrics of all windows after the anchor date."""
        return computed_metrics(self.known, before_enrollment=False)

    @property
    def days(self) -> tuple[date, ...]:
        """Every day since the first enrollment date."""
        first = self.plan.experiment.timeline.first_enrollment_date
        count = (self.plan.date - first).days + 1
        return tuple(first + timedelta(days=number) for number in range(count))

    @property
    def units(self) -> Mapping[date, str]:
        """Digest of the units enrolled by each day."""
        return units_marks(self.plan, self.warehouse, self.days)

    def prefix(self, source: DataSource) -> str:
        """The source's own."""
        return part_prefix(source.name)

    def now(self, source: DataSource) -> Mapping[date, SourceDay]:
        """What the source holds of each day."""
        relation, day = sources.relation(source), sources.day(source)
        return self.warehouse.source_days(relation, day, self.days[0], self.days[-1])

    def scan(
        self, source: DataSource, named: Sequence[NamedState], days: Sequence[date]
    ) -> exp.Select:
        """One row a unit and day."""
        return state_scan(self.known, source, named, known_units(self.plan), days)


@dataclass(frozen=True)
class EarlierDays:
    """The days before enrollment, all of them as the slice of the last enrollment date.

    A change of any of them counts as one of that date.
    """

    plan: AnalysisPlan
    known: AnalysisConfiguration
    warehouse: Warehouse
    bases: tuple[AnalysisBasis, ...]

    @property
    def metrics(self) -> tuple[str, ...]:
        """The metrics of the pre-enrollment windows."""
        return computed_metrics(self.known, before_enrollment=True)

    @property
    def days(self) -> tuple[date, ...]:
        """The date of the one slice."""
        return (self.plan.experiment.timeline.last_enrollment_date,)

    @property
    def units(self) -> Mapping[date, str]:
        """Digest of the enrollments, whose dates anchor the windows."""
        enrollments = enrollment_slice(self.plan, ResultTable.ENROLLMENTS)
        stored = self.warehouse.provenance(enrollments)
        known = f"{stored.fingerprint if stored else ''}|{self._windows}"
        return {self.days[0]: hashlib.sha256(known.encode()).hexdigest()[:16]}

    def prefix(self, source: DataSource) -> str:
        """Another than that of the days since enrollment."""
        return part_prefix(source.name, before_enrollment=True)

    def now(self, source: DataSource) -> Mapping[date, SourceDay]:
        """What the source holds of all days together."""
        relation, day = sources.relation(source), sources.day(source)
        timeline = self.plan.experiment.timeline
        ranges = [timeline.data_range(window) for _, window in self._windows]
        found = self.warehouse.source_days(
            relation, day, min(first for first, _ in ranges), max(last for _, last in ranges)
        )
        told = repr(sorted((day.isoformat(), of.mark) for day, of in found.items()))
        mark = hashlib.sha256(told.encode()).hexdigest()[:16]
        return {self.days[0]: SourceDay(mark, sum(of.rows for of in found.values()))}

    def scan(
        self, source: DataSource, named: Sequence[NamedState], days: Sequence[date]
    ) -> exp.Select:
        """One row a unit and set of windows; there is one slice, whatever the days."""
        del days
        units = enrollment_slice(self.plan, ResultTable.ENROLLMENTS).reference
        return earlier_scan(self.known, source, named, units, self._windows)

    @property
    def _windows(self) -> list[tuple[str, AnalysisWindow]]:
        anchors = sorted({anchor_column(self.known, basis) for basis in self.bases})
        planned = self.plan.preenrollment
        return [(anchor, window.due.window) for anchor in anchors for window in planned]
