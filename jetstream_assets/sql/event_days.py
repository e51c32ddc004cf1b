"""Enrollment and exposure events folded to one row per day, unit and branch: read once, kept.

Belongs here: which days of which table are folded, and the query that folds them. Does not: the
events (`enrollment_events`, `exposures`), what units are made of them (`enrollments`), which days
are stored (`analysis.event_days`).

A custom enrollment query has days of its own making, and the background update tells of enrollment
in three tables: their enrollments are asked for once, when enrollment has ended
(`AnalysisConfiguration.is_folded`); their exposures are folded like all others.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING

from sqlglot import exp

from jetstream_assets.experiments.configuration import EnrollmentsQueryType
from jetstream_assets.experiments.plan import computed_metrics
from jetstream_assets.experiments.windows import AnalysisWindow
from jetstream_assets.sql import fragments, sources
from jetstream_assets.sql.enrollment_events import enrollment_events
from jetstream_assets.sql.exposures import exposure_events, signal_range, signal_rows

if TYPE_CHECKING:
    from jetstream_assets.experiments.configuration import AnalysisConfiguration
    from jetstream_assets.experiments.metrics import ExposureSignal

_EVENTS = "events"
# Their events are in a table that has a date for each row, not only a time.
_DESKTOP = {EnrollmentsQueryType.NORMANDY, EnrollmentsQueryType.BACKGROUND_UPDATE}


@dataclass(frozen=True)
class EventSource:
    """Where events are: ``relation`` has the alias that ``day``, the DATE of a row, names."""

    name: str
    relation: exp.Expr
    day: exp.Expr


def enrollment_days(configuration: AnalysisConfiguration, first: date, last: date) -> exp.Select:
    """The enrollment events of these days, both inclusive: one row per day, unit and branch.

    Columns: day DATE, analysis_id STRING, branch STRING, num_enrollment_events INT64; none is NULL.
    Rows are in the order of the columns.
    """
    events = enrollment_events(configuration, first, last)
    return _folded(events, "enrollment_date", "num_enrollment_events", has_branch=True)


def exposure_days(configuration: AnalysisConfiguration, first: date, last: date) -> exp.Select:
    """The exposure events, or the rows of the exposure signal, of these days, both inclusive.

    Columns: day DATE, analysis_id STRING, branch STRING (NULL with a signal, else never),
    num_exposure_events INT64. One row per day, unit and branch, in the order of the columns.
    """
    signal = configuration.exposure_signal
    if signal is None:
        events = exposure_events(configuration, first, last)
    else:
        events = signal_rows(configuration, signal, first, last)
    return _folded(events, "exposure_date", "num_exposure_events", has_branch=signal is None)


def exposure_day_range(configuration: AnalysisConfiguration, on: date) -> tuple[date, date]:
    """First and last date, both inclusive, whose exposures any window due by ``on`` may ask for.

    Of built-in events F to L. No signal is sought before F, since exposure follows enrollment. The
    range is empty where the last date is before the first.
    """
    timeline = configuration.experiment.timeline
    signal = configuration.exposure_signal
    first, last = timeline.first_enrollment_date, timeline.last_enrollment_date
    if signal is not None:
        windows = _windows(configuration, (on - last).days)
        ranges = [signal_range(signal, timeline, window) for window in windows]
        first = max(first, min(start for start, _ in ranges))
        last = max(end for _, end in ranges)
    return first, min(last, on)


def enrollment_source(configuration: AnalysisConfiguration) -> EventSource:
    """The table of a query type's enrollment events; only of a folded configuration."""
    first = configuration.experiment.timeline.first_enrollment_date
    return _source(configuration, enrollment_events(configuration, first, first))


def exposure_source(configuration: AnalysisConfiguration) -> EventSource:
    """The table of the exposure events, or the exposure signal's source."""
    signal = configuration.exposure_signal
    if signal is not None:
        return _signal_source(signal)
    first = configuration.experiment.timeline.first_enrollment_date
    return _source(configuration, exposure_events(configuration, first, first))


def _windows(configuration: AnalysisConfiguration, complete_days: int) -> list[AnalysisWindow]:
    """The windows that reach furthest back and on among those due within so many days after L."""
    day = max(complete_days, 0)
    ends = [AnalysisWindow(0, 0), AnalysisWindow(day, day)]
    if not computed_metrics(configuration, before_enrollment=True):
        return ends
    return [*(due.window for due in configuration.experiment.timeline.preenrollment()), *ends]


def _folded(events: exp.Query, day: str, count: str, *, has_branch: bool) -> exp.Select:
    days = exp.cast(exp.column(day, table=_EVENTS), exp.DType.DATE)
    unit = fragments.string(exp.column("analysis_id", table=_EVENTS))
    branch = fragments.string(exp.column("branch", table=_EVENTS) if has_branch else exp.null())
    total = fragments.int64(exp.Sum(this=exp.column(count, table=_EVENTS)))
    known = ["analysis_id", "branch"] if has_branch else ["analysis_id"]
    keys = [days, unit, branch] if has_branch else [days, unit]
    return (
        exp.select(
            exp.alias_(days, "day"),
            exp.alias_(unit, "analysis_id"),
            exp.alias_(branch, "branch"),
            exp.alias_(total, count),
        )
        .from_(events.subquery(_EVENTS))
        .where(*(exp.not_(exp.column(c, table=_EVENTS).is_(exp.null())) for c in known))
        .group_by(*(key.copy() for key in keys))
        .order_by("day", "analysis_id", "branch")
    )


def _source(configuration: AnalysisConfiguration, events: exp.Query) -> EventSource:
    (table,) = events.find_all(exp.Table)
    name = ".".join(part.name for part in table.parts)
    if configuration.enrollments_query_type in _DESKTOP:
        day: exp.Expr = exp.column("submission_date", table=sources.SOURCE_ALIAS)
    else:
        stamp = exp.column("submission_timestamp", table=sources.SOURCE_ALIAS)
        day = exp.cast(stamp, exp.DType.DATE)
    table.set("alias", exp.TableAlias(this=exp.to_identifier(sources.SOURCE_ALIAS)))
    return EventSource(name, table.copy(), day)


def _signal_source(signal: ExposureSignal) -> EventSource:
    source = signal.data_source
    return EventSource(source.name, sources.relation(source), sources.day(source))


def dates(first: date, last: date) -> tuple[date, ...]:
    """All dates from first to last, both inclusive, ascending; none where last is before first."""
    return tuple(first + timedelta(days=number) for number in range((last - first).days + 1))
