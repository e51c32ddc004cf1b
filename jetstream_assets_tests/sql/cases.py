"""The configurations under test, by name: each has golden files and is executed."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, timedelta

from jetstream_assets.experiments.configuration import (
    AnalysisConfiguration,
    EnrollmentsQueryType,
    PeriodSummaries,
    SeveralBranches,
)
from jetstream_assets.experiments.experiment import AnalysisUnit, Branch, Experiment
from jetstream_assets.experiments.metrics import (
    AnalysisBasis,
    DataSource,
    ExperimentsColumn,
    ExposureSignal,
    Metric,
    Segment,
    SegmentDataSource,
    Summary,
    WindowBound,
)
from jetstream_assets.experiments.plan import PlannedWindow, make_plan
from jetstream_assets.experiments.windows import Period
from jetstream_assets.warehouse.tables import ResultTable, Slice
from jetstream_assets_tests.sql.records import BRANCHES, END, FIRST, LAST

SLUG = "reader-mode"
HOSTILE_SLUG = """x'; DROP TABLE "events"; -- `a`.b \\ {{ }}"""

_ANNOTATIONS = {
    ExperimentsColumn.SIMPLE: "simple AS experiments",
    ExperimentsColumn.NATIVE: "native AS experiments",
    ExperimentsColumn.GLEAN: "ping_info",
    ExperimentsColumn.EVENTS_STREAM: "event_extra",
}


def experiment(slug: str = SLUG, unit: AnalysisUnit = AnalysisUnit.CLIENT) -> Experiment:
    return Experiment(
        slug,
        tuple(Branch(branch) for branch in BRANCHES),
        FIRST,
        END,
        (LAST - FIRST).days,
        analysis_unit=unit,
    )


def activity(kind: ExperimentsColumn) -> DataSource:
    """Activity, annotated in one of the ways; without annotation, by paths into structs."""
    if kind == ExperimentsColumn.NONE:
        return DataSource(
            "activity_none",
            "`mozdata.lab.activity`",
            kind,
            client_id_column="info.client_id",
            submission_date_column="info.day",
        )
    columns = "client_id, profile_group_id, submission_date, value, hits, is_shown"
    text = f"(SELECT {columns}, {_ANNOTATIONS[kind]} FROM `mozdata.lab.activity`)"  # noqa: S608 - snippet
    return DataSource(f"activity_{kind}", text, kind)


def metrics(source: DataSource) -> tuple[Metric, ...]:
    """Metrics that give different answers on no rows: 0, NULL, 1, FALSE."""
    snippets = {
        "spend": "COALESCE(SUM(value), 0)",
        "hits": "SUM(hits)",
        "rows": "COUNT(*)",
        "values": "COUNT(value)",
        "big": "COUNTIF(value > 5)",
        "shown": "COALESCE(LOGICAL_OR(is_shown), FALSE)",
        "lag": "MAX(DATE_DIFF(DATE(ds.%DAY%), e.enrollment_date, DAY))".replace(
            "%DAY%", source.submission_date_column
        ),
        "control_hits": "IF(e.branch = 'control', SUM(ds.hits), -1)",
    }
    return tuple(Metric(name, source, text) for name, text in sorted(snippets.items()))


SEGMENTS = (
    Segment(
        "busy",
        SegmentDataSource("before", "`mozdata.lab.activity`", -7, -1),
        "COALESCE(SUM(hits), 0) > 4",
    ),
    Segment(
        "seen",
        SegmentDataSource("around", "(SELECT * FROM `mozdata.lab.activity`)", 0, 14),
        "LOGICAL_OR(is_shown)",
    ),
    Segment(
        "quiet",
        SegmentDataSource("before", "`mozdata.lab.activity`", -7, -1),
        "COUNT(ds.submission_date) = 0",
    ),
)

SIGNAL = ExposureSignal("saw_it", activity(ExperimentsColumn.NONE), "is_shown AND hits > 0")

# Repeats of (unit, branch), dates outside the enrollment, numeric ids.
CUSTOM_QUERY = """
WITH enrolled AS (
  SELECT client_id, mozfun.map.get_key(event_map_values, 'branch') AS branch, submission_date
  FROM `moz-fx-data-shared-prod.telemetry.events`
  WHERE event_category = 'normandy' AND event_method = 'enroll'
    AND event_string_value = 'reader-mode'
)
SELECT client_id AS analysis_id, branch, submission_date AS enrollment_date,
  COUNT(*) AS num_enrollment_events
FROM enrolled
GROUP BY 1, 2, 3
"""


def configuration(
    source: DataSource | None = None, unit: AnalysisUnit = AnalysisUnit.CLIENT
) -> AnalysisConfiguration:
    """Normandy, all metrics of one source in every period."""
    found = metrics(source or activity(ExperimentsColumn.SIMPLE))
    summaries = tuple(Summary(metric.name, "mean") for metric in found)
    return AnalysisConfiguration(
        experiment(unit=unit),
        metrics=found,
        periods=tuple(PeriodSummaries(period, summaries) for period in Period),
    )


def enrollment_cases() -> dict[str, AnalysisConfiguration]:
    plain = configuration()
    kinds = {
        str(kind): replace(plain, enrollments_query_type=kind) for kind in EnrollmentsQueryType
    }
    return {
        **kinds,
        "profile-group": configuration(unit=AnalysisUnit.PROFILE_GROUP),
        "sample": replace(plain, sample_size=35),
        "keep-first": replace(plain, several_branches=SeveralBranches.KEEP_FIRST),
        "custom-query": replace(plain, enrollment_query=CUSTOM_QUERY),
        "segments": replace(plain, segments=SEGMENTS),
        "signal": replace(plain, exposure_signal=SIGNAL),
        "signal-first-day": replace(
            plain, exposure_signal=replace(SIGNAL, window_start=-3, window_end=0)
        ),
        "signal-late": replace(
            plain,
            exposure_signal=replace(
                SIGNAL, window_start=WindowBound.ENROLLMENT_START, window_end=70
            ),
        ),
        "hostile": replace(
            plain,
            experiment=experiment(HOSTILE_SLUG),
            enrollments_query_type=EnrollmentsQueryType.BACKGROUND_UPDATE,
        ),
    }


@dataclass(frozen=True)
class MetricsCase:
    configuration: AnalysisConfiguration
    windows: tuple[PlannedWindow, ...]


def metrics_cases() -> dict[str, MetricsCase]:
    plain = configuration()
    signal = replace(
        SIGNAL,
        window_start=WindowBound.ANALYSIS_WINDOW_START,
        window_end=WindowBound.ANALYSIS_WINDOW_END,
    )
    by_kind = {
        f"experiments-{kind}": _case(configuration(activity(kind)), Period.WEEK)
        for kind in ExperimentsColumn
    }
    return {
        **by_kind,
        "profile-group": _case(configuration(unit=AnalysisUnit.PROFILE_GROUP), Period.WEEK),
        "several-windows": _case(several_sources(), Period.DAY, Period.WEEK),
        "overall": _case(several_sources(), Period.OVERALL, on=END),
        "preenrollment": _case(plain, Period.DAY, Period.PREENROLLMENT_WEEK, on=LAST),
        "segments": _case(replace(plain, segments=SEGMENTS), Period.WEEK),
        "signal": _case(replace(plain, exposure_signal=signal), Period.WEEK),
        "signal-preenrollment": _case(
            replace(plain, exposure_signal=replace(SIGNAL, window_end=70)),
            Period.PREENROLLMENT_DAYS28,
            on=LAST,
        ),
        "hostile": _case(replace(plain, experiment=experiment(HOSTILE_SLUG)), Period.DAY),
    }


def several_sources() -> AnalysisConfiguration:
    """Two sources; metrics that belong to one basis or to some periods only."""
    simple, none = activity(ExperimentsColumn.SIMPLE), activity(ExperimentsColumn.NONE)
    found = (
        Metric("hits", none, "SUM(hits)", analysis_bases=(AnalysisBasis.EXPOSURES,)),
        Metric("spend", simple, "COALESCE(SUM(value), 0)"),
        Metric("ever", none, "LOGICAL_OR(is_shown)", analysis_bases=(AnalysisBasis.ENROLLMENTS,)),
        Metric("spend_per_hit", depends_on=("hits", "spend")),
    )
    daily = (Summary("spend", "mean"),)
    every = (Summary("ever", "binomial"), Summary("spend_per_hit", "population_ratio"))
    periods = tuple(
        PeriodSummaries(period, daily if period == Period.DAY else every) for period in Period
    )
    return replace(configuration(), metrics=found, periods=periods)


def enrollments_slice(of: AnalysisConfiguration) -> Slice:
    return Slice(ResultTable.ENROLLMENTS, of.experiment.slug, LAST)


def _case(
    of: AnalysisConfiguration, *periods: Period, on: date = LAST + timedelta(days=6)
) -> MetricsCase:
    windows = make_plan(of, on).windows
    return MetricsCase(of, tuple(window for window in windows if window.due.period in periods))
