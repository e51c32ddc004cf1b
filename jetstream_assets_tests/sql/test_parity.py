"""The same questions as the field's own builder of queries asks, on the same records.

Differences that are meant: units in several branches are one row here, and a unit without rows has
no data that contradicts its enrollment.
"""

from __future__ import annotations

import warnings
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
import sqlglot

from jetstream_assets.experiments.metrics import AnalysisBasis, ExperimentsColumn, WindowBound
from jetstream_assets.experiments.plan import PlannedWindow
from jetstream_assets.experiments.windows import AnalysisWindow, DueWindow, Period
from jetstream_assets.sql.enrollments import enrollments_query
from jetstream_assets.sql.metrics import metrics_query
from jetstream_assets_tests.sql import cases
from jetstream_assets_tests.sql.comparison import assert_same_answers
from jetstream_assets_tests.sql.records import FIRST, LAST

with warnings.catch_warnings():
    # The field's schemas use a decorator that Pydantic has deprecated.
    warnings.simplefilter("ignore", DeprecationWarning)
    import mozanalysis.exposure
    import mozanalysis.metrics
    from mozanalysis.experiment import EnrollmentsQueryType, Experiment, TimeLimits
    from mozilla_nimbus_schemas import AnalysisBasis as FieldBasis

if TYPE_CHECKING:
    from jetstream_assets.experiments.configuration import AnalysisConfiguration
    from jetstream_assets.experiments.metrics import DataSource, Metric
    from jetstream_assets_tests.sql.laboratory import Laboratory

pytestmark = pytest.mark.slow

DAYS_OF_ENROLLMENT = (LAST - FIRST).days + 1
WINDOWS = [AnalysisWindow(0, 6), AnalysisWindow(7, 13), AnalysisWindow(-7, -1)]


def _field_source(source: DataSource) -> mozanalysis.metrics.DataSource:
    kind = source.experiments_column
    return mozanalysis.metrics.DataSource(
        source.name,
        source.from_expression,
        experiments_column_type=None if kind == ExperimentsColumn.NONE else str(kind),
        client_id_column=source.client_id_column,
        submission_date_column=source.submission_date_column,
    )


def _limits(window: AnalysisWindow) -> TimeLimits:
    return TimeLimits.for_single_analysis_window(
        FIRST.isoformat(), "2024-12-31", window.start, window.length, DAYS_OF_ENROLLMENT
    )


def _field_answers(laboratory: Laboratory, sql: str) -> list[dict[str, Any]]:
    # Only BigQuery names a column after the field that it is taken from.
    tree = sqlglot.parse_one(sql.replace(").branch,", ").branch AS branch,"), dialect="bigquery")
    assert isinstance(tree, sqlglot.exp.Select)
    rows: list[dict[str, Any]] = laboratory.ask(tree).to_pylist()
    return rows


@pytest.mark.parametrize("name", ["normandy", "glean-event", "fenix-fallback", "cirrus"])
def test_enrollments_of_units_in_one_branch(name: str, laboratory: Laboratory) -> None:
    of = cases.enrollment_cases()[name]
    field = Experiment(of.experiment.slug, FIRST.isoformat(), app_id=of.experiment.app_dataset)
    sql = field.build_enrollments_query(_limits(WINDOWS[0]), EnrollmentsQueryType(name))
    ours = laboratory.ask(enrollments_query(of)).to_pylist()
    once = {row["analysis_id"] for row in ours if not row["is_excluded"]}
    found = [row for row in ours if row["analysis_id"] in once]
    theirs = [
        row
        for row in _field_answers(laboratory, sql)
        if row["analysis_id"] in once and row["branch"] is not None
    ]
    extra = {"num_branches": 1, "is_excluded": False}
    assert_same_answers(found, [row | extra for row in theirs], ("analysis_id",))


@pytest.mark.parametrize("window", WINDOWS, ids=str)
@pytest.mark.parametrize("basis", list(AnalysisBasis))
@pytest.mark.parametrize("kind", list(ExperimentsColumn))
def test_metrics(
    kind: ExperimentsColumn, basis: AnalysisBasis, window: AnalysisWindow, laboratory: Laboratory
) -> None:
    of = cases.configuration(cases.activity(kind))
    _compare(laboratory, of, basis, window)


@pytest.mark.parametrize("window", WINDOWS, ids=str)
def test_exposures_by_signal_found_anew_for_a_window(
    window: AnalysisWindow, laboratory: Laboratory
) -> None:
    signal = replace(
        cases.SIGNAL,
        window_start=WindowBound.ANALYSIS_WINDOW_START,
        window_end=WindowBound.ANALYSIS_WINDOW_END,
    )
    # The field takes a bound of 0 for none; none of these windows has one.
    days = DAYS_OF_ENROLLMENT - 1
    theirs = mozanalysis.exposure.ExposureSignal(
        signal.name,
        _field_source(replace(signal.data_source, submission_date_column="submission_date")),
        signal.select_expression,
        window_start=window.start + days,
        window_end=window.end + days,
    )
    of = replace(
        cases.configuration(cases.activity(ExperimentsColumn.NONE)), exposure_signal=signal
    )
    _compare(laboratory, of, AnalysisBasis.EXPOSURES, window, theirs)


def _compare(
    laboratory: Laboratory,
    of: AnalysisConfiguration,
    basis: AnalysisBasis,
    window: AnalysisWindow,
    signal: mozanalysis.exposure.ExposureSignal | None = None,
) -> None:
    names = tuple(metric.name for metric in of.metrics)
    planned = PlannedWindow(DueWindow(Period.WEEK, 1, window), names, ())
    reference = laboratory.enrolled(of)
    rows = laboratory.ask(metrics_query(of, [planned], reference)).to_pylist()
    found = [row for row in rows if row["analysis_basis"] == basis]
    sql = Experiment(of.experiment.slug, FIRST.isoformat()).build_metrics_query(
        [_field_metric(metric) for metric in of.metrics],
        _limits(window),
        ".".join(part.name for part in reference.parts),
        FieldBasis(str(basis)),
        signal,
    )
    units = {row["analysis_id"] for row in found}
    theirs = [row for row in _field_answers(laboratory, sql) if _is_read(row, basis)]
    assert units == {row["analysis_id"] for row in theirs}
    assert_same_answers(
        [{column: row[column] for column in _shared(row)} for row in found],
        [{column: _mended(row, column) for column in row if column in found[0]} for row in theirs],
        ("analysis_id",),
    )


def _field_metric(metric: Metric) -> mozanalysis.metrics.Metric:
    assert metric.data_source is not None
    source = _field_source(metric.data_source)
    return mozanalysis.metrics.Metric(metric.name, source, metric.select_expression)


def _is_read(row: dict[str, Any], basis: AnalysisBasis) -> bool:
    """The field leaves it to the reader of the table to drop units that were not exposed."""
    is_exposed = row["exposure_date"] is not None
    return not row["is_excluded"] and (basis == AnalysisBasis.ENROLLMENTS or is_exposed)


def _shared(row: dict[str, Any]) -> list[str]:
    own = {
        "period",
        "window_index",
        "window_start",
        "window_end",
        "analysis_basis",
        "is_provisional",
    }
    return [column for column in row if column not in own]


def _mended(row: dict[str, Any], column: str) -> object:
    is_without_rows = row["hits"] is None
    if column.endswith("_has_non_enrolled_data") and is_without_rows:
        return False
    return row[column]
