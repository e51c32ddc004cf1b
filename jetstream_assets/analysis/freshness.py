"""Whether the sources that a cell reads have its date: a day that is not there gives no numbers.

Belongs here: which sources a plan reads up to which day, and asking the warehouse for that day.
Does not: waiting (`orchestration.daily`), which days were read before (`source_days`).

Sources grow by whole days. One that has rows of a day, or of a later one, has that day, so a source
that has none on a quiet day holds nothing up for longer than until its next rows.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field
from datetime import date
from functools import partial
from typing import TYPE_CHECKING

from jetstream_assets.errors import QueryError
from jetstream_assets.sql import sources
from jetstream_assets.sql.enrollment_events import enrollment_event_range
from jetstream_assets.sql.event_days import (
    EventSource,
    enrollment_source,
    exposure_day_range,
    exposure_source,
)
from jetstream_assets.warehouse.base import Warehouse

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from jetstream_assets.experiments.configuration import AnalysisConfiguration
    from jetstream_assets.experiments.metrics import DataSource
    from jetstream_assets.experiments.plan import AnalysisPlan


@dataclass(frozen=True)
class NeededSource:
    """A source and the last day, inclusive, that a plan reads of it."""

    source: EventSource
    until: date


def needed_sources(plan: AnalysisPlan) -> tuple[NeededSource, ...]:
    """Every source of the plan's due windows whose newest day is the plan's date, by name.

    Days before that were needed by earlier dates, too, and are not waited for again. A source
    whose SQL is wrong is left out: waiting would not mend it, and a run says what is wrong.
    """
    found: dict[str, NeededSource] = {}
    for question in _questions(plan) if plan.windows else ():
        with suppress(QueryError):
            needed = question()
            if needed.until == plan.date:
                found[needed.source.name] = needed
    return tuple(found[name] for name in sorted(found))


@dataclass
class Freshness:
    """What is known of sources in one look at a warehouse; each source's day is asked for once."""

    warehouse: Warehouse
    today: date
    _known: dict[tuple[str, date], bool] = field(default_factory=dict, repr=False)

    def missing(self, plan: AnalysisPlan) -> tuple[str, ...]:
        """The names of the sources that do not have the plan's date yet."""
        return tuple(n.source.name for n in needed_sources(plan) if not self._has(n))

    def _has(self, needed: NeededSource) -> bool:
        source, until = needed.source, needed.until
        key = (f"{source.relation.sql()}|{source.day.sql()}", until)
        if key not in self._known:
            self._known[key] = self._ask(source, until)
        return self._known[key]

    def _ask(self, source: EventSource, until: date) -> bool:
        try:
            days = self.warehouse.source_days(source.relation, source.day, until, self.today)
        except QueryError:
            # There is no such table: the run that reads it stores the reason.
            return True
        return bool(days)


def _questions(plan: AnalysisPlan) -> Iterator[Callable[[], NeededSource]]:
    """What finds each source of a plan; it raises `QueryError` where the source's SQL is wrong."""
    settled = plan.settled
    if settled.is_folded:
        yield partial(_enrollments, settled, plan.date)
    yield partial(_exposures, settled, plan.date)
    metrics = {name for window in plan.observation_windows for name in window.metrics}
    for name in sorted(metrics):
        source = settled.metric(name).data_source
        if source is not None:
            yield partial(_rows, source, plan.date)


def _enrollments(configuration: AnalysisConfiguration, on: date) -> NeededSource:
    _, last = enrollment_event_range(configuration)
    return NeededSource(enrollment_source(configuration), min(last, on))


def _exposures(configuration: AnalysisConfiguration, on: date) -> NeededSource:
    _, last = exposure_day_range(configuration, on)
    return NeededSource(exposure_source(configuration), last)


def _rows(source: DataSource, on: date) -> NeededSource:
    events = EventSource(source.name, sources.relation(source), sources.day(source))
    return NeededSource(events, on)
