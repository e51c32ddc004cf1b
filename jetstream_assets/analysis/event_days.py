"""Enrollment and exposure events of an experiment, read once a day and kept.

Belongs here: which days a plan needs, reading those that are missing or changed, and the stored
days as a relation. Does not: the queries (`sql.event_days`), when a day counts as changed
(`source_days`), the units that follow (`enrollments`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import TYPE_CHECKING

from sqlglot import exp

from jetstream_assets.analysis import source_days
from jetstream_assets.analysis.slices import cell_slice, provenance
from jetstream_assets.analysis.source_days import StoredDay
from jetstream_assets.experiments.configuration import AnalysisConfiguration
from jetstream_assets.experiments.fingerprints import (
    enrollment_events_fingerprint,
    exposure_events_fingerprint,
)
from jetstream_assets.experiments.plan import AnalysisPlan
from jetstream_assets.sql.enrollment_events import enrollment_event_range
from jetstream_assets.sql.event_days import (
    EventSource,
    dates,
    enrollment_days,
    enrollment_source,
    exposure_day_range,
    exposure_days,
    exposure_source,
)
from jetstream_assets.warehouse.base import Written
from jetstream_assets.warehouse.tables import ResultTable, Slice, slices_table

if TYPE_CHECKING:
    from jetstream_assets.warehouse.base import SourceDay, Warehouse


@dataclass(frozen=True)
class ReadDays:
    """What is stored of one kind of events after what was missing has been read.

    Args:
        stored: What is remembered of the stored days, needed or not.
        written: What had to be read.
        warnings: Sentences on changes that were not followed.
    """

    stored: Mapping[date, StoredDay]
    written: tuple[Written, ...] = ()
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class EventDays:
    """The days of one kind of events that a plan needs, one slice each.

    Args:
        plan: Whose events.
        table: Where the days are stored.
        days: The days, ascending, none after the plan's date.
        fingerprint: Digest of what is asked of the source.
        source: The table of the events, for a configuration.
        query: The events of first to last day, inclusive, for a configuration.
    """

    plan: AnalysisPlan
    table: ResultTable
    days: tuple[date, ...]
    fingerprint: str
    source: Callable[[AnalysisConfiguration], EventSource]
    query: Callable[[AnalysisConfiguration, date, date], exp.Select]

    @property
    def relation(self) -> exp.Table | None:
        """All these days as one table in a tree; None where there is no day."""
        return slices_table(self.days, self._like) if self.days else None

    def stored(self, warehouse: Warehouse) -> dict[date, StoredDay]:
        """What is remembered of the stored days, needed or not."""
        like = self._like
        return source_days.read(warehouse, like.table, like.experiment, like.dataset, like.part)

    def read_missing(self, warehouse: Warehouse, lookback: int) -> ReadDays:
        """Read the days that are not stored, or changed within the lookback, in one scan.

        Raises:
            QueryError: The events cannot be read; what was stored before stays.
        """
        if not self.days:
            return ReadDays({})
        stored, on = self.stored(warehouse), self.plan.date
        source = self.source(self.plan.settled)
        now = warehouse.source_days(source.relation, source.day, self.days[0], self.days[-1])
        missing = source_days.stale(stored, now, self.days, self.fingerprint, on, lookback)
        kept = [day for day in self.days if day not in set(missing)]
        warnings = source_days.older_changes(stored, now, kept, source.name, on, lookback)
        if not missing:
            return ReadDays(stored, warnings=warnings)
        written = self._read(warehouse, missing, now)
        return ReadDays(self.stored(warehouse), (written,), warnings)

    def _read(
        self, warehouse: Warehouse, missing: Sequence[date], now: Mapping[date, SourceDay]
    ) -> Written:
        origin = replace(
            provenance(self.plan, self.fingerprint), details=source_days.encoded(missing, now)
        )
        targets = {day: replace(self._like, date=day) for day in missing}
        query = self.query(self.plan.settled, missing[0], missing[-1])
        return warehouse.replace_days(targets, query, origin)

    @property
    def _like(self) -> Slice:
        return cell_slice(self.plan, self.table)


def enrollment_event_days(plan: AnalysisPlan) -> EventDays:
    """The days that decide who had enrolled by the plan's date; only of a folded configuration."""
    first, last = enrollment_event_range(plan.settled)
    return EventDays(
        plan,
        ResultTable.ENROLLMENT_EVENTS,
        dates(first, min(last, plan.date)),
        enrollment_events_fingerprint(plan.settled),
        enrollment_source,
        enrollment_days,
    )


def exposure_event_days(plan: AnalysisPlan) -> EventDays:
    """The days that decide who had been exposed by the plan's date, in any window."""
    return EventDays(
        plan,
        ResultTable.EXPOSURE_EVENTS,
        dates(*exposure_day_range(plan.settled, plan.date)),
        exposure_events_fingerprint(plan.settled),
        exposure_source,
        exposure_days,
    )


def digests(
    events: EventDays, stored: Mapping[date, StoredDay], untils: Sequence[date]
) -> dict[date, str]:
    """For each date the digest of what the needed days up to it, inclusive, were read from."""
    days = [day for day in events.days if day in stored]
    digest, found = hashlib.sha256(), {}
    for until in sorted(untils):
        while days and days[0] <= until:
            day = days.pop(0)
            digest.update(f"{day}|{stored[day].fingerprint}|{stored[day].mark}\n".encode())
        found[until] = digest.hexdigest()[:16]
    return found
