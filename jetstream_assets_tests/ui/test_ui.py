"""The UI, the daemon and the code server as a person has them after `make dev`."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from jetstream_assets.orchestration.partitions import Cell
from jetstream_assets_tests.orchestration.laboratory import (
    EXPERIMENT,
    FIRST_WEEK,
    LAST_ENROLLMENT,
    days,
)
from jetstream_assets_tests.ui.screenshots import take_pictures
from jetstream_assets_tests.ui.services import wait_for

if TYPE_CHECKING:
    from pathlib import Path

    from jetstream_assets_tests.ui.browser import Browser
    from jetstream_assets_tests.ui.endpoint import Endpoint, Run
    from jetstream_assets_tests.ui.services import Services

pytestmark = [pytest.mark.slow, pytest.mark.browser, pytest.mark.xdist_group("ui")]

EDGES = {
    "analysis_plan": set(),
    "enrollments": {"analysis_plan"},
    "daily_aggregates": {"analysis_plan", "enrollments"},
    "metrics": {"analysis_plan", "daily_aggregates"},
    "statistics": {"analysis_plan", "metrics"},
    "result_status": {"analysis_plan", "statistics"},
    "statistics_export": {"analysis_plan", "result_status"},
    "results_page": {"analysis_plan", "statistics_export"},
}
CLICKED = Cell(EXPERIMENT.slug, FIRST_WEEK)
IDLE = Cell(EXPERIMENT.slug, EXPERIMENT.start_date - timedelta(days=1))
BACKFILLED = [
    Cell(EXPERIMENT.slug, on) for on in days(IDLE.date, LAST_ENROLLMENT + timedelta(days=1))
]
RUN_SECONDS = 240.0
PNG = b"\x89PNG\r\n\x1a\n"


@pytest.fixture(scope="module")
def experiment(endpoint: Endpoint) -> str:
    """The experiment's slug, in the partition space."""
    endpoint.add_experiment(EXPERIMENT.slug)
    return EXPERIMENT.slug


@pytest.fixture(scope="module")
def clicked(browser: Browser, endpoint: Endpoint, services: Services, experiment: str) -> Run:
    """The run of one cell, launched by clicks in the graph's dialog."""
    browser.materialize(Cell(experiment, FIRST_WEEK))
    return _only_run(endpoint, services, dagster__partition=str(CLICKED.key))


@pytest.fixture(scope="module")
def backfilled(endpoint: Endpoint, services: Services, clicked: Run) -> Run:
    """The run of a backfill over five dates, the first of which has nothing due."""
    assert clicked.status == "SUCCESS"
    backfill = endpoint.backfill(EDGES, BACKFILLED)
    return _only_run(endpoint, services, dagster__backfill=backfill)


def _only_run(endpoint: Endpoint, services: Services, **tags: str) -> Run:
    runs = endpoint.finished_runs(1, RUN_SECONDS, **tags)
    assert [run.status for run in runs] == ["SUCCESS"], services.complaint(str(runs))
    return runs[0]


def test_the_code_location_is_loaded_and_every_daemon_is_healthy(
    endpoint: Endpoint, services: Services
) -> None:
    assert endpoint.locations() == {"jetstream_assets": "LOADED"}
    assert wait_for(lambda: all(endpoint.daemons().values()), 60), services.complaint(
        str(endpoint.daemons())
    )
    assert {"BACKFILL", "QUEUED_RUN_COORDINATOR", "MONITORING"} <= endpoint.daemons().keys()


def test_the_assets_are_one_corridor(endpoint: Endpoint) -> None:
    assets = endpoint.assets()
    edges = {
        name: {"/".join(key["path"]) for key in asset["dependencyKeys"]}
        for name, asset in assets.items()
    }
    assert edges == EDGES
    assert {asset["groupName"] for asset in assets.values()} == {"analysis"}
    assert all(asset["description"] for asset in assets.values())


def test_the_graph_shows_the_assets_and_no_error(browser: Browser) -> None:
    browser.show_graph()
    shown = browser.text()
    for asset in EDGES:
        assert asset in shown
    arrows = browser.page.locator("path[marker-end]")
    expect(arrows).to_have_count(sum(map(len, EDGES.values())))
    assert "error" not in shown.lower()


def test_a_clicked_cell_is_queued_run_and_shown(browser: Browser, clicked: Run) -> None:
    # The tag by which the queue lets one run an experiment through.
    assert clicked.tags["dagster/partition/experiment"] == EXPERIMENT.slug
    for asset in EDGES:
        browser.show_cell(asset, CLICKED)
        assert browser.page.get_by_text("Materialized", exact=True).is_visible(), asset
        assert clicked.run_id[:8] in browser.text()


def test_the_plan_is_shown_as_text_and_table(browser: Browser, clicked: Run) -> None:
    assert clicked.status == "SUCCESS"
    browser.show_cell("analysis_plan", CLICKED)
    metadata = browser.metadata()
    assert metadata["windows"] == "2"
    assert metadata["refused"] == "false"
    assert f"{EXPERIMENT.slug} on {FIRST_WEEK}" in metadata["plan"]
    assert "Branches: control (reference), treatment" in metadata["plan"]
    cells = browser.page.locator("table table td").all_inner_texts()
    assert cells[:3] == ["daily", "7", "6 to 6"]
    assert cells[5:8] == ["weekly", "1", "0 to 6"]


@pytest.mark.parametrize("asset", ["enrollments", "metrics"])
def test_rows_bytes_seconds_and_sql_are_shown(browser: Browser, clicked: Run, asset: str) -> None:
    assert clicked.status == "SUCCESS"
    browser.show_cell(asset, CLICKED)
    metadata = browser.metadata()
    assert int(metadata["rows"]) >= 100
    assert int(metadata["bytes_read"]) > 0
    assert int(metadata["bytes_written"]) > 0
    assert float(metadata["seconds"]) > 0
    assert int(metadata["failures"]) == 0
    assert "FROM READ_PARQUET(" in metadata["sql"]


def test_results_and_documents_are_shown(browser: Browser, clicked: Run) -> None:
    assert clicked.status == "SUCCESS"
    browser.show_cell("statistics", CLICKED)
    metadata = browser.metadata()
    assert int(metadata["rows_ok"]) > 0
    assert "weekly 1 (days 0 to 6)" in metadata["results"]
    assert "uplift on control" in metadata["results"]
    browser.show_cell("statistics_export", CLICKED)
    documents = browser.metadata()["documents"]
    assert f"statistics/statistics_small_experiment_weekly.json: written, as of {FIRST_WEEK}" in (
        documents
    )


def test_the_page_and_what_it_says_at_a_glance_are_shown(browser: Browser, clicked: Run) -> None:
    assert clicked.status == "SUCCESS"
    browser.show_cell("results_page", CLICKED)
    assert "pages/small_experiment.html" in browser.text()
    browser.open_markdown("results")
    assert "relative difference" in browser.text()
    picture = browser.page.locator("img[src^='data:image/svg+xml']")
    assert picture.evaluate("image => image.naturalWidth") > 0


def test_a_backfill_of_several_dates_is_one_run(
    endpoint: Endpoint, browser: Browser, backfilled: Run
) -> None:
    assert backfilled.tags["dagster/asset_partition_range_start"] == str(BACKFILLED[0].key)
    assert backfilled.tags["dagster/asset_partition_range_end"] == str(BACKFILLED[-1].key)
    # By this tag the queue holds back other runs of the experiment.
    assert backfilled.tags["jetstream/experiment"] == EXPERIMENT.slug
    keys = {str(cell.key) for cell in BACKFILLED}
    for asset in EDGES:
        assert endpoint.materializations(asset, BACKFILLED).keys() == keys, asset
    browser.show_partitions("statistics", EXPERIMENT.start_date, FIRST_WEEK)
    shown = browser.text()
    materialized = {cell for cell in (*BACKFILLED, CLICKED) if cell.date >= EXPERIMENT.start_date}
    assert f"Materialized ({len(materialized)})" in shown
    assert "Failed (0)" in shown


@pytest.mark.parametrize(
    "asset", ["analysis_plan", "enrollments", "daily_aggregates", "metrics", "statistics"]
)
def test_a_cell_with_nothing_due_is_green_and_says_why(
    browser: Browser, backfilled: Run, asset: str
) -> None:
    browser.show_cell(asset, IDLE)
    assert browser.page.get_by_text("Materialized", exact=True).is_visible()
    assert backfilled.run_id[:8] in browser.text()
    note = browser.metadata()["note"]
    assert note.startswith(f"Nothing is due on {IDLE.date}: units enroll from ")


def test_pictures_are_written_and_nothing_is_asked_of_the_network(
    browser: Browser, backfilled: Run, tmp_path: Path
) -> None:
    assert backfilled.status == "SUCCESS"
    pictures = take_pictures(browser, CLICKED, tmp_path)
    assert len(pictures) == len(set(pictures)) == 10
    for picture in pictures:
        assert picture.read_bytes().startswith(PNG)
    assert browser.strangers == []
    assert browser.errors == []


def test_a_stranger_would_be_noticed(browser: Browser) -> None:
    browser.page.evaluate("fetch('https://example.org/').catch(() => null)")
    assert wait_for(lambda: browser.strangers == ["https://example.org/"], 5)
    browser.strangers.clear()
