"""A unit is exposed when it first meets what is tested, on or after its enrollment date.

Belongs here: built-in exposure events, exposure signals and their windows, folded to one row per
exposed unit. Does not: which basis a metric is computed on (`metrics`).
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from sqlglot import exp

from jetstream_assets.experiments.configuration import EnrollmentsQueryType
from jetstream_assets.experiments.metrics import WindowBound
from jetstream_assets.sql import fragments, sources
from jetstream_assets.sql.enrollment_events import (
    dates_and_slug,
    events_stream,
    shared_table,
)

if TYPE_CHECKING:
    from datetime import date

    from jetstream_assets.experiments.configuration import AnalysisConfiguration
    from jetstream_assets.experiments.metrics import ExposureSignal
    from jetstream_assets.experiments.windows import AnalysisWindow, Timeline

_NORMANDY = """
SELECT
  :unit AS analysis_id,
  mozfun.map.get_key(event_map_values, 'branchSlug') AS branch,
  submission_date AS exposure_date,
  1 AS num_exposure_events
FROM :events
WHERE submission_date BETWEEN :first AND :last
  AND event_category = 'normandy'
  AND event_method IN ('exposure', 'expose')
  AND event_string_value = :slug
"""

_GLEAN = """
SELECT
  client_id AS analysis_id,
  JSON_VALUE(event_extra, '$.branch') AS branch,
  DATE(submission_timestamp) AS exposure_date,
  1 AS num_exposure_events
FROM :events
WHERE DATE(submission_timestamp) BETWEEN :first AND :last
  AND event_category = 'nimbus_events'
  AND event_name IN ('exposure', 'expose')
  AND JSON_VALUE(event_extra, '$.experiment') = :slug
"""

_CIRRUS = """
SELECT
  mozfun.map.get_key(event.extra, 'nimbus_user_id') AS analysis_id,
  mozfun.map.get_key(event.extra, 'branch') AS branch,
  DATE(pings.submission_timestamp) AS exposure_date,
  1 AS num_exposure_events
FROM :pings AS pings
CROSS JOIN UNNEST(pings.events) AS event
WHERE DATE(pings.submission_timestamp) BETWEEN :first AND :last
  AND event.category = 'cirrus_events'
  AND event.name IN ('exposure', 'expose')
  AND mozfun.map.get_key(event.extra, 'experiment') = :slug
"""


def event_exposures(
    configuration: AnalysisConfiguration, units: str, stored: exp.Expr | None = None
) -> exp.Select:
    """One row per unit that a built-in event exposed to its own branch on dates F to L.

    Args:
        configuration: Whose events.
        units: Name of a relation with analysis_id, branch and enrollment_date, one row per unit.
        stored: The events of all these dates, folded to one row per day, unit and branch
            (`event_days.exposure_days`); None to read the source.

    Returns:
        analysis_id, exposure_date (the first), num_exposure_events.
    """
    timeline = configuration.experiment.timeline
    days = timeline.first_enrollment_date, timeline.last_enrollment_date
    events = _stored_events(stored, *days) if stored else exposure_events(configuration, *days)
    is_own_branch = exp.column("branch", table="x").eq(sources.unit_column("branch"))
    return _first_exposures(units, events, is_own_branch)


def signal_exposures(
    configuration: AnalysisConfiguration,
    signal: ExposureSignal,
    units: str,
    window: AnalysisWindow,
    last: date,
    stored: exp.Expr | None = None,
) -> exp.Select:
    """One row per unit for which the signal's filter passed a row in the signal's range.

    Args:
        configuration: Whose signal.
        signal: The filter, its source and its range; no condition on branches.
        units: As for `event_exposures`.
        window: What ``analysis_window_start`` and ``analysis_window_end`` mean here.
        last: No data after this date is read, so that the answer does not depend on when it is
            asked for.
        stored: The signal's rows of at least all these dates, folded to one row per day and unit
            (`event_days.exposure_days`); None to read the source.

    Returns:
        As `event_exposures`.
    """
    first, until = signal_range(signal, configuration.experiment.timeline, window)
    days = first, min(until, last)
    rows = _stored_events(stored, *days) if stored else signal_rows(configuration, signal, *days)
    return _first_exposures(units, rows)


def signal_rows(
    configuration: AnalysisConfiguration, signal: ExposureSignal, first: date, last: date
) -> exp.Select:
    """The rows from first to last date, inclusive, that pass a signal's filter.

    Columns: analysis_id (of any type), exposure_date, num_exposure_events (1).
    """
    source = signal.data_source
    day = sources.day(source)
    unit = sources.id_column(source, configuration.experiment.analysis_unit)
    what = f"exposure signal {signal.name!r}"
    return (
        exp.select(
            exp.alias_(unit, "analysis_id"),
            exp.alias_(day, "exposure_date"),
            exp.alias_(exp.convert(1), "num_exposure_events"),
        )
        .from_(sources.relation(source))
        .where(
            fragments.between_dates(day, first, last),
            fragments.parse_expression(signal.select_expression, what),
        )
    )


def signal_range(
    signal: ExposureSignal, timeline: Timeline, window: AnalysisWindow
) -> tuple[date, date]:
    """First and last date, both inclusive, of the rows in which a signal is sought.

    Bounds are days since the first enrollment date F. Without a bound the range is F to the last
    enrollment date L; a bound of 0 is F. The range is empty where the last date is before the
    first.
    """
    days = (timeline.last_enrollment_date - timeline.first_enrollment_date).days
    offsets = {
        WindowBound.ENROLLMENT_START: 0,
        WindowBound.ENROLLMENT_END: days,
        WindowBound.ANALYSIS_WINDOW_START: window.start + days,
        WindowBound.ANALYSIS_WINDOW_END: window.end + days,
    }

    def offset(bound: int | WindowBound | None, default: int) -> timedelta:
        if isinstance(bound, WindowBound):
            return timedelta(days=offsets[bound])
        return timedelta(days=default if bound is None else bound)

    first = timeline.first_enrollment_date
    return first + offset(signal.window_start, 0), first + offset(signal.window_end, days)


def exposure_events(configuration: AnalysisConfiguration, first: date, last: date) -> exp.Select:
    """The built-in exposure events from first to last date, inclusive.

    Columns: analysis_id, branch, exposure_date, num_exposure_events (1).
    """
    experiment = configuration.experiment
    values = dates_and_slug(experiment, first, last)
    match configuration.enrollments_query_type:
        case EnrollmentsQueryType.NORMANDY | EnrollmentsQueryType.BACKGROUND_UPDATE:
            events = shared_table("telemetry", "events")
            unit = exp.column(experiment.analysis_unit)
            return fragments.template(_NORMANDY, events=events, unit=unit, **values)
        case EnrollmentsQueryType.GLEAN_EVENT | EnrollmentsQueryType.FENIX_FALLBACK:
            return fragments.template(_GLEAN, events=events_stream(experiment), **values)
        case EnrollmentsQueryType.CIRRUS:
            pings = shared_table(experiment.app_dataset, "events")
            return fragments.template(_CIRRUS, pings=pings, **values)


def _stored_events(stored: exp.Expr, first: date, last: date) -> exp.Select:
    day = exp.column("day")
    return (
        exp.select("analysis_id", "branch", exp.alias_(day, "exposure_date"), "num_exposure_events")
        .from_(stored.copy())
        .where(fragments.between_dates(day.copy(), first, last))
    )


def _first_exposures(units: str, events: exp.Select, *conditions: exp.Expr) -> exp.Select:
    unit_id = sources.unit_column("analysis_id")
    day = exp.column("exposure_date", table="x")
    events_column = exp.column("num_exposure_events", table="x")
    is_unit = fragments.string(exp.column("analysis_id", table="x")).eq(unit_id)
    is_enrolled = exp.GTE(this=day, expression=sources.unit_column("enrollment_date"))
    return (
        exp.select(
            unit_id,
            exp.alias_(exp.Min(this=day.copy()), "exposure_date"),
            exp.alias_(fragments.int64(exp.Sum(this=events_column)), "num_exposure_events"),
        )
        .from_(exp.alias_(exp.to_table(units), sources.UNIT_ALIAS, table=True))
        .join(events.subquery("x"), on=exp.and_(is_unit, is_enrolled, *conditions))
        .group_by(unit_id.copy())
    )
