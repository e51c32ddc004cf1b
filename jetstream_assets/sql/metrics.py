"""A metric is one number per unit and window, with data or not: the window decides, never activity.

Belongs here: all windows of a slice as one query, and the probe that finds a faulty metric. Does
not: what is made of the values (`sufficient_statistics`), which windows are due (`experiments`).

The query has one part per window and analysis basis. A part lists its units and joins one
aggregated query per data source (`metric_parts`); the parts are stacked with the same columns.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlglot import exp

from jetstream_assets.experiments.metrics import AnalysisBasis
from jetstream_assets.sql import fragments
from jetstream_assets.sql.enrollments import EXPOSURE_COLUMNS, UNIT_COLUMNS
from jetstream_assets.sql.metric_parts import ENROLLED, MetricPart
from jetstream_assets.sql.rolled_metrics import StoredByKind, rolled_rows, stacked

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from jetstream_assets.experiments.configuration import AnalysisConfiguration
    from jetstream_assets.experiments.metrics import Metric
    from jetstream_assets.experiments.plan import PlannedWindow
    from jetstream_assets.experiments.windows import Period

WINDOW_COLUMNS = (
    *("period", "window_index", "window_start", "window_end", "analysis_basis"),
    "is_provisional",
)

_NOTHING_STORED: StoredByKind = {}

# One row per unit, window and basis, so these columns are a key; branch is for readers.
_ORDER = ("period", "window_index", "analysis_basis", "analysis_id", "branch")


def metrics_query(
    configuration: AnalysisConfiguration,
    windows: Sequence[PlannedWindow],
    enrollments: exp.Table,
    *,
    without: Collection[tuple[Period, int, AnalysisBasis, str]] = (),
    bases: Sequence[AnalysisBasis] = tuple(AnalysisBasis),
    stored: StoredByKind = _NOTHING_STORED,
    exposures: exp.Expr | None = None,
) -> exp.Select:
    """The metrics of these windows on both analysis bases, one row per unit, window and basis.

    Columns: those of the unit (analysis_id, branch, enrollment_date, num_enrollment_events, the
    segments, exposure_date, num_exposure_events), of the window (period STRING; window_index,
    window_start, window_end INT64; analysis_basis STRING; is_provisional BOOL, whether units may
    still come), metrics sorted by name, sanity columns sorted by name. A metric is NULL where it
    does not belong to the window or basis, and where its aggregate is. Excluded units have no rows;
    on the exposures basis only exposed units have. Rows are in the order of period, window_index,
    analysis_basis, analysis_id.

    Args:
        configuration: Whose metrics.
        windows: At least one.
        enrollments: The table that `enrollments_query` answers.
        without: (period, window index, basis, metric) that are left out because they fail; a
            column that no part has is left out as well.
        bases: The analysis bases to compute.
        stored: The states that there are of each source on the days of the windows of one day, and
            on those of longer ones; what does not follow from them is computed from the sources'
            rows.
        exposures: The stored rows of the exposure signal; None to read its source.

    Raises:
        QueryError: A snippet cannot be part of a query; `metric_probe` raises it for the culprit.
        ValueError: There is no window.
    """
    if not windows:
        raise ValueError("a metrics query needs at least one window")
    parts = [
        MetricPart(
            configuration,
            window,
            basis,
            _metrics(configuration, window, basis, without),
            exposures,
        )
        for window in windows
        for basis in bases
    ]
    metrics = sorted({name for part in parts for name in part.metric_names})
    sanity = sorted({name for part in parts for name in part.sanity_names} - set(metrics))
    values = [*metrics, *sanity]
    columns = metrics_columns(configuration, values)
    rows, relations = (
        rolled_rows(parts, stored, values) if stored else _rows_of_sources(parts, values)
    )
    segments = [segment.name for segment in configuration.segments]
    relations = {ENROLLED: _enrolled(segments, enrollments)} | relations
    # Not copied: the trees are large, and nobody else holds them.
    query = exp.select(*(exp.column(fragments.name(column)) for column in columns))
    query = query.from_(rows.subquery("parts", copy=False), copy=False)
    for name, relation in relations.items():
        query = query.with_(name, as_=relation, copy=False)
    return query.order_by(*_ORDER, copy=False)


def metrics_columns(configuration: AnalysisConfiguration, values: Sequence[str]) -> list[str]:
    """The columns of a metrics query with these columns of metrics, in their order.

    Raises:
        QueryError: A metric or segment has the name of another one, or of a column that all have.
    """
    segments = [segment.name for segment in configuration.segments]
    columns = [*UNIT_COLUMNS, *segments, *EXPOSURE_COLUMNS, *WINDOW_COLUMNS, *values]
    fragments.check_distinct(columns, "metrics")
    return columns


def metric_probe(
    configuration: AnalysisConfiguration,
    window: PlannedWindow,
    basis: AnalysisBasis,
    metric_name: str,
    enrollments: exp.Table,
) -> exp.Select:
    """The smallest query that fails exactly when this metric fails: one row, one value.

    Raises:
        QueryError: The metric's snippet, or its data source, cannot be part of a query.
    """
    part = MetricPart(configuration, window, basis, (configuration.metric(metric_name),))
    segments = [segment.name for segment in configuration.segments]
    (values,) = part.source_queries()
    column = exp.column(fragments.name(metric_name), table="probed")
    # A value is returned, since a warehouse may leave uncomputed what it only has to count.
    return (
        exp.select(exp.alias_(exp.AnyValue(this=column), fragments.name(metric_name)))
        .from_(values.subquery("probed"))
        .with_(ENROLLED, as_=_enrolled(segments, enrollments))
        .with_(part.units_name, as_=part.units())
    )


def _rows_of_sources(
    parts: Sequence[MetricPart], values: Sequence[str]
) -> tuple[exp.Query, dict[str, exp.Query]]:
    """One row per unit and part from the sources' rows, and the relations that this needs."""
    relations: dict[str, exp.Query] = {part.units_name: part.units() for part in parts}
    return stacked(part.rows(values) for part in parts), relations


def _metrics(
    configuration: AnalysisConfiguration,
    window: PlannedWindow,
    basis: AnalysisBasis,
    without: Collection[tuple[Period, int, AnalysisBasis, str]],
) -> tuple[Metric, ...]:
    named = (configuration.metric(name) for name in window.metrics)
    return tuple(
        metric
        for metric in named
        if metric.select_expression is not None
        and basis in metric.analysis_bases
        and (window.due.period, window.due.index, basis, metric.name) not in without
    )


def _enrolled(segments: Sequence[str], enrollments: exp.Table) -> exp.Select:
    columns = [*UNIT_COLUMNS, *segments, *EXPOSURE_COLUMNS]
    return (
        exp.select(*(exp.column(fragments.name(column)) for column in columns))
        .from_(enrollments.copy())
        .where(exp.not_(exp.column("is_excluded")))
    )
