"""Mozilla's own defaults on simulated telemetry: every metric has a value, the truth is found."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import duckdb
import pytest

from jetstream_assets.config.planning import open_planner
from jetstream_assets.experiments.configuration import AnalysisConfiguration
from jetstream_assets.experiments.windows import Period
from jetstream_assets.simulation.world import Measure
from jetstream_assets.statistics.registry import REGISTRY
from jetstream_assets_tests.pages.checks import LARGEST_PAGE, check_numbers, overview_of, page_of
from jetstream_assets_tests.pages.reader import open_reader
from jetstream_assets_tests.real.desktop import EXPERIMENT, SEGMENTS, make_desktop

if TYPE_CHECKING:
    import pandas as pd

    from jetstream_assets_tests.real.desktop import Desktop

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("desktop")]

# Metrics and summaries (a metric with its statistic) that the public defaults list.
LISTED = {
    Period.DAY: (8, 10),
    Period.WEEK: (11, 18),
    Period.OVERALL: (13, 24),
    Period.PREENROLLMENT_WEEK: (13, 24),
    Period.PREENROLLMENT_DAYS28: (12, 23),
}
# Enrollment ends on the fourth day; the end is fifteen days later.
WINDOWS = {
    Period.DAY: 16,
    Period.WEEK: 2,
    Period.OVERALL: 1,
    Period.PREENROLLMENT_WEEK: 1,
    Period.PREENROLLMENT_DAYS28: 1,
}
KNOWN = {"search_count": Measure.SEARCH_COUNT, "active_hours": Measure.ACTIVE_HOURS}


@pytest.fixture(scope="module")
def desktop(tmp_path_factory: pytest.TempPathFactory) -> Desktop:
    """The experiment after one run from its launch to its end."""
    desktop = make_desktop(tmp_path_factory.mktemp("desktop"))
    done = desktop.place.run("--slug", EXPERIMENT.slug, "--all-dates", "--executor", "in-process")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "19 computed; " in done.stdout
    assert "0 failures" in done.stdout
    return desktop


@pytest.fixture(scope="module")
def statistics(desktop: Desktop) -> pd.DataFrame:
    """The final rows; those of the days on which units enroll are replaced by them."""
    rows = desktop.place.table("statistics")
    assert set(rows[rows.is_provisional].period) == {Period.DAY.value}
    return rows[~rows.is_provisional]


@pytest.fixture(scope="module")
def configuration(desktop: Desktop) -> AnalysisConfiguration:
    place = desktop.place
    planner = open_planner(str(place.experiments), str(place.configuration))
    found = planner.configuration(EXPERIMENT.slug)
    assert isinstance(found, AnalysisConfiguration), found
    return found


def _expected(configuration: AnalysisConfiguration, period: Period) -> set[tuple[str, ...]]:
    """(window index, analysis basis, segment, metric, statistic) that must have a number."""
    return {
        (str(index), basis.value, segment, summary.metric, REGISTRY[summary.statistic].outputs[0])
        for summary in configuration.summaries(period)
        for basis in configuration.metric(summary.metric).analysis_bases
        for index in range(1, WINDOWS[period] + 1)
        for segment in ("all", *SEGMENTS)
    }


@pytest.mark.parametrize("period", LISTED)
def test_the_defaults_list_what_is_publicly_known(
    configuration: AnalysisConfiguration, period: Period
) -> None:
    summaries = configuration.summaries(period)
    assert (len({summary.metric for summary in summaries}), len(summaries)) == LISTED[period]


def test_no_period_is_left_out(
    configuration: AnalysisConfiguration, statistics: pd.DataFrame
) -> None:
    assert {listed.period for listed in configuration.periods if listed.summaries} == set(LISTED)
    assert set(statistics.period) == {period.value for period in LISTED}


@pytest.mark.parametrize("period", LISTED)
def test_every_metric_has_a_number_in_every_window(
    configuration: AnalysisConfiguration, statistics: pd.DataFrame, period: Period
) -> None:
    rows = statistics[statistics.period == period.value]
    good = rows[(rows.status == "ok") & rows.point.notna()]
    for branch in ("control", "treatment"):
        found = good[good.branch == branch]
        keys = zip(
            found.window_index.astype(str),
            found.analysis_basis,
            found.segment,
            found.metric,
            found.statistic,
            strict=True,
        )
        assert _expected(configuration, period) <= set(keys)


@pytest.mark.parametrize("period", LISTED)
def test_every_metric_is_in_the_documents(
    configuration: AnalysisConfiguration, desktop: Desktop, period: Period
) -> None:
    records = desktop.place.records(EXPERIMENT.slug, period.suffix)
    found = {
        (r.window_index, r.analysis_basis, r.segment, r.metric, r.statistic)
        for r in records
        if r.point is not None
    }
    assert _expected(configuration, period) <= found
    assert all(record.point is not None for record in records if record.comparison is None)


def test_what_has_no_number_is_a_ratio_to_nothing(statistics: pd.DataFrame) -> None:
    """Half of the units do not search on a day: what is 0 has a difference, but no ratio."""
    others = statistics[statistics.status != "ok"]
    assert set(others.status) == {"insufficient_data"}
    assert set(others.comparison) == {"relative_uplift"}
    # Nobody of a branch may leave on a day; deciles of most counts begin with 0.
    assert set(others.statistic) == {"binomial", "deciles"}
    assert set(others[others.statistic == "binomial"].metric) == {"unenroll"}
    assert others.reason.notna().all()


@pytest.mark.parametrize("segment", SEGMENTS)
def test_a_segment_has_the_units_that_its_definition_finds(
    desktop: Desktop, statistics: pd.DataFrame, segment: str
) -> None:
    enrolled = desktop.place.table("enrollments")
    # While units enroll, their segments are not known.
    expected = enrolled[enrolled[segment].isin([True])].groupby("branch").size().to_dict()
    counted = statistics.query(
        "metric == 'identity' and period == 'overall' and analysis_basis == 'enrollments'"
        f" and segment == {segment!r}"
    )
    assert dict(zip(counted.branch, counted.point, strict=True)) == expected
    # Neither nobody nor everybody.
    assert EXPERIMENT.units / 10 < sum(expected.values()) < EXPERIMENT.units * 0.9


def _overall(statistics: pd.DataFrame, metric: str, statistic: str) -> Any:  # noqa: ANN401  # a row, field by field
    """The effect of the treatment over the whole experiment."""
    rows = statistics.query(
        "period == 'overall' and analysis_basis == 'enrollments' and branch == 'treatment'"
        f" and metric == {metric!r} and statistic == {statistic!r}"
        " and segment == 'all' and comparison == 'relative_uplift'"
    )
    (row,) = rows.itertuples()
    return row


@pytest.mark.parametrize("metric", KNOWN)
def test_the_known_effect_lies_in_the_interval(
    desktop: Desktop, statistics: pd.DataFrame, metric: str
) -> None:
    truth = desktop.truth.branch("treatment").measure(KNOWN[metric])
    row = _overall(statistics, metric, "mean_lm")
    assert row.lower < truth.relative_uplift < row.upper
    # The interval is narrow enough to see that there is an effect.
    assert row.lower > 0
    assert row.units == EXPERIMENT.units


@pytest.mark.parametrize("metric", ["search_count", "active_hours", "uri_count", "days_of_use"])
def test_what_is_known_from_before_narrows_the_interval(
    statistics: pd.DataFrame, metric: str
) -> None:
    adjusted = _overall(statistics, metric, "mean_lm")
    plain = _overall(statistics, metric, "mean_lm_unadjusted")
    assert adjusted.covariate == f"preenrollment_week.{metric}"
    assert adjusted.upper - adjusted.lower < 0.9 * (plain.upper - plain.lower)


def test_days_of_use_are_those_in_the_telemetry(desktop: Desktop, statistics: pd.DataFrame) -> None:
    telemetry = desktop.place.warehouse / "telemetry"
    with duckdb.connect() as connection:
        connection.read_parquet(f"{telemetry}/events/*/*.parquet").create_view("events")
        connection.read_parquet(f"{telemetry}/clients_daily/*/*.parquet").create_view("days")
        expected = connection.sql("""
            WITH unit AS (
                SELECT client_id, branch, min(submission_date) AS first
                FROM (SELECT *, list_filter(event_map_values, lambda x: x.key = 'branch')[1].value
                             AS branch FROM events WHERE event_method = 'enroll')
                GROUP BY ALL
            )
            SELECT branch, count(d.client_id) / count(DISTINCT unit.client_id)
            FROM unit LEFT JOIN days AS d ON d.client_id = unit.client_id
             AND d.submission_date - unit.first BETWEEN 0 AND 14
            GROUP BY branch
        """).fetchall()
    rows = statistics.query(
        "period == 'overall' and metric == 'days_of_use' and statistic == 'mean_lm'"
        " and analysis_basis == 'enrollments' and segment == 'all' and comparison.isna()"
    )
    assert dict(zip(rows.branch, rows.point, strict=True)) == pytest.approx(dict(expected))


def test_the_other_documents_are_as_the_consumer_expects(
    desktop: Desktop, configuration: AnalysisConfiguration
) -> None:
    assert desktop.place.errors(EXPERIMENT.slug) == []
    metadata = desktop.place.metadata(EXPERIMENT.slug)
    assert metadata.external_config is None
    listed = {s.metric for period in LISTED for s in configuration.summaries(period)}
    assert listed <= set(metadata.metrics)


@pytest.mark.browser
def test_the_page_of_all_defaults_is_small_enough_and_complete(desktop: Desktop) -> None:
    output = desktop.place.output
    told = overview_of(output, EXPERIMENT.slug)
    with open_reader() as reader:
        page = page_of(output, EXPERIMENT.slug)
        assert page.stat().st_size < LARGEST_PAGE
        reader.open(page)
        assert not reader.troubles()
        assert check_numbers(reader, output, told, ("overall", 1)) > 10
        embedded = reader.page.locator("script[data-document]").evaluate_all(
            "documents => documents.map(one => one.dataset.document)"
        )
        assert {*told.documents, "overview"} == set(embedded)
