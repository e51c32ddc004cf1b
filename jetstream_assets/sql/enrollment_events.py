"""Applications tell in five ways that a unit enrolled; each is one table and one condition.

Belongs here: the built-in enrollment events, one row each, of some days. Does not: folding them to
one row per day (`event_days`) or unit (`enrollments`), exposure events (`exposures`).
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from sqlglot import exp

from jetstream_assets.errors import QueryError
from jetstream_assets.experiments.configuration import EnrollmentsQueryType
from jetstream_assets.experiments.experiment import AnalysisUnit
from jetstream_assets.sql import fragments

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import date

    from jetstream_assets.experiments.configuration import AnalysisConfiguration
    from jetstream_assets.experiments.experiment import Experiment

Values = dict[str, exp.Expr]

SHARED_PROJECT = "moz-fx-data-shared-prod"
PUBLIC_PROJECT = "mozdata"
# Where Fenix reported before applications had datasets of their own.
FENIX_DATASET = "org_mozilla_firefox"

# sample_id is 0 to 99, so a sample of this many percent is everybody.
EVERYBODY = 100

_NORMANDY = """
SELECT
  :unit AS analysis_id,
  mozfun.map.get_key(event_map_values, 'branch') AS branch,
  submission_date AS enrollment_date,
  1 AS num_enrollment_events
FROM :events
WHERE submission_date BETWEEN :first AND :last
  AND event_category = 'normandy'
  AND event_method = 'enroll'
  AND event_string_value = :slug
"""

_GLEAN = """
SELECT
  :unit AS analysis_id,
  JSON_VALUE(event_extra, '$.branch') AS branch,
  DATE(submission_timestamp) AS enrollment_date,
  1 AS num_enrollment_events
FROM :events
WHERE DATE(submission_timestamp) BETWEEN :first AND :last
  AND event_category = 'nimbus_events'
  AND event_name = 'enrollment'
  AND JSON_VALUE(event_extra, '$.experiment') = :slug
"""

# The annotation appears on every ping after enrollment, so the first one is the enrollment. Looking
# back finds units that enrolled before the experiment began; their first date is outside F to L.
_FENIX = """
SELECT
  client_info.client_id AS analysis_id,
  mozfun.map.get_key(ping_info.experiments, :slug).branch AS branch,
  DATE(submission_timestamp) AS enrollment_date,
  1 AS num_enrollment_events
FROM :pings
WHERE DATE(submission_timestamp) BETWEEN :first AND :last
  AND mozfun.map.get_key(ping_info.experiments, :slug).branch IS NOT NULL
"""

_FENIX_LOOK_BACK = timedelta(days=7)

_CIRRUS = """
SELECT
  mozfun.map.get_key(event.extra, 'nimbus_user_id') AS analysis_id,
  mozfun.map.get_key(event.extra, 'branch') AS branch,
  DATE(pings.submission_timestamp) AS enrollment_date,
  1 AS num_enrollment_events
FROM :pings AS pings
CROSS JOIN UNNEST(pings.events) AS event
WHERE DATE(pings.submission_timestamp) BETWEEN :first AND :last
  AND event.category = 'cirrus_events'
  AND event.name = 'enrollment'
  AND mozfun.map.get_key(event.extra, 'experiment') = :slug
  AND pings.client_info.app_channel = 'production'
"""

_BACKGROUND_UNIT = "JSON_VALUE(metrics, '$.uuid.background_update_client_id')"

# Annotated pings are no events that could be counted: all of a unit's count as one.
_BACKGROUND_PINGS = """
SELECT
  metrics.uuid.background_update_client_id AS analysis_id,
  mozfun.map.get_key(ping_info.experiments, :slug).branch AS branch,
  MIN(DATE(submission_timestamp)) AS enrollment_date,
  1 AS num_enrollment_events
FROM :pings
WHERE DATE(submission_timestamp) BETWEEN :first AND :last
GROUP BY
  metrics.uuid.background_update_client_id,
  mozfun.map.get_key(ping_info.experiments, :slug).branch
"""

# A toast that was clicked is named '<slug>:<branch>'.
_BACKGROUND_TOASTS = """
SELECT
  client_id AS analysis_id,
  SUBSTR(mozfun.map.get_key(event_map_values, 'name'), :after_prefix) AS branch,
  submission_date AS enrollment_date,
  1 AS num_enrollment_events
FROM :events
WHERE submission_date BETWEEN :first AND :last
  AND event_category = 'browser.launched_to_handle'
  AND event_method = 'system_notification'
  AND event_object = 'toast'
  AND STARTS_WITH(mozfun.map.get_key(event_map_values, 'name'), :prefix)
"""


def enrollment_events(configuration: AnalysisConfiguration, first: date, last: date) -> exp.Query:
    """The built-in enrollment events of the configuration's query type, of first to last date.

    Columns: analysis_id, branch, enrollment_date (the event's DATE), num_enrollment_events (1). Ids
    and branches may be NULL here. Both dates are inclusive.

    Only units with ``sample_id`` below the sample size count. The condition is left out for a
    sample of everybody, so that tables without that column can be read; Cirrus has no such column.

    Raises:
        QueryError: The type of events does not name the analysis unit.
    """
    kind = configuration.enrollments_query_type
    unit = configuration.experiment.analysis_unit
    if unit != AnalysisUnit.CLIENT and kind != EnrollmentsQueryType.NORMANDY:
        raise QueryError(
            f"enrollments_query_type {kind.value!r} counts {AnalysisUnit.CLIENT}s only, but the "
            f"analysis unit is {unit}; use {EnrollmentsQueryType.NORMANDY.value!r} or an "
            "enrollment_query"
        )
    return _BUILDERS[kind](configuration, dates_and_slug(configuration.experiment, first, last))


def enrollment_event_range(configuration: AnalysisConfiguration) -> tuple[date, date]:
    """First and last date, both inclusive, whose events decide who enrolled."""
    timeline = configuration.experiment.timeline
    is_fenix = configuration.enrollments_query_type == EnrollmentsQueryType.FENIX_FALLBACK
    look_back = _FENIX_LOOK_BACK if is_fenix else timedelta(0)
    return timeline.first_enrollment_date - look_back, timeline.last_enrollment_date


def dates_and_slug(experiment: Experiment, first: date, last: date) -> Values:
    """The values of ``:first``, ``:last`` and ``:slug`` in a built-in query."""
    return {
        "first": fragments.date_literal(first),
        "last": fragments.date_literal(last),
        "slug": fragments.text_literal(experiment.slug),
    }


def shared_table(dataset: str, table: str, project: str = SHARED_PROJECT) -> exp.Table:
    """A table of telemetry."""
    parts = (exp.to_identifier(part, quoted=True) for part in (table, dataset, project))
    this, db, catalog = parts
    return exp.Table(this=this, db=db, catalog=catalog)


def events_stream(experiment: Experiment) -> exp.Table:
    """The application's own events, one row each."""
    return shared_table(experiment.app_dataset or FENIX_DATASET, "events_stream")


def _normandy(configuration: AnalysisConfiguration, values: Values) -> exp.Query:
    unit = exp.column(configuration.experiment.analysis_unit)
    events = shared_table("telemetry", "events")
    return _sampled(configuration, _NORMANDY, values, events=events, unit=unit)


def _glean(configuration: AnalysisConfiguration, values: Values) -> exp.Query:
    return _sampled(
        configuration,
        _GLEAN,
        values,
        events=events_stream(configuration.experiment),
        unit=exp.column("client_id"),
    )


def _fenix(configuration: AnalysisConfiguration, values: Values) -> exp.Query:
    dataset = configuration.experiment.app_dataset or FENIX_DATASET
    return _sampled(configuration, _FENIX, values, pings=shared_table(dataset, "baseline"))


def _cirrus(configuration: AnalysisConfiguration, values: Values) -> exp.Query:
    pings = shared_table(configuration.experiment.app_dataset, "enrollment")
    return fragments.template(_CIRRUS, pings=pings, **values)


def _background_update(configuration: AnalysisConfiguration, values: Values) -> exp.Query:
    dataset = "firefox_desktop_background_update"
    prefix = f"{configuration.experiment.slug}:"
    return exp.union(
        _sampled(
            configuration,
            _GLEAN,
            values,
            events=shared_table(dataset, "events_stream"),
            unit=fragments.parse_expression(_BACKGROUND_UNIT, "the background update's unit"),
        ),
        _sampled(
            configuration,
            _BACKGROUND_PINGS,
            values,
            pings=shared_table(dataset, "background_update", PUBLIC_PROJECT),
        ),
        _sampled(
            configuration,
            _BACKGROUND_TOASTS,
            values,
            events=shared_table("telemetry", "events", PUBLIC_PROJECT),
            prefix=fragments.text_literal(prefix),
            after_prefix=exp.convert(len(prefix) + 1),
        ),
        distinct=False,
    )


def _sampled(
    configuration: AnalysisConfiguration, text: str, values: Values, **more: exp.Expr
) -> exp.Select:
    query = fragments.template(text, **values, **more)
    if configuration.sample_size >= EVERYBODY:
        return query
    return query.where(exp.column("sample_id") < configuration.sample_size)


_BUILDERS: dict[EnrollmentsQueryType, Callable[[AnalysisConfiguration, Values], exp.Query]] = {
    EnrollmentsQueryType.NORMANDY: _normandy,
    EnrollmentsQueryType.GLEAN_EVENT: _glean,
    EnrollmentsQueryType.FENIX_FALLBACK: _fenix,
    EnrollmentsQueryType.CIRRUS: _cirrus,
    EnrollmentsQueryType.BACKGROUND_UPDATE: _background_update,
}
