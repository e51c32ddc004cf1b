"""A whole installation that goes by the clock: what it does by itself, and what a person clicks."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from jetstream_assets.orchestration import run_tags
from jetstream_assets.orchestration.partitions import Cell
from jetstream_assets_tests.processes.installation import Installation, running_installation
from jetstream_assets_tests.processes.postgres import running_postgres
from jetstream_assets_tests.processes.present import CHANGED, DUE, LONG, Present, make_present
from jetstream_assets_tests.ui.browser import NO_CHROMIUM, chromium, open_browser
from jetstream_assets_tests.ui.endpoint import Endpoint, Run
from jetstream_assets_tests.ui.services import wait_for

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.slow

DAY = timedelta(days=1)
SECONDS = 300.0
# Long enough for the services to start before the schedule's minute.
CHANGING = DUE[0]
START = timedelta(seconds=90)


@dataclass(frozen=True)
class Running:
    """The installation, its inputs, and what its UI would ask."""

    present: Present
    installation: Installation
    endpoint: Endpoint

    def daily_runs(self) -> list[Run]:
        return self.endpoint.runs(jetstream__daily=self.present.yesterday.isoformat())

    def succeeded(self, number: int, **tags: str) -> list[Run]:
        """The runs with these tags, which all succeed."""
        runs = self.endpoint.finished_runs(number, SECONDS, **tags)
        complaint = self.installation.complaint
        assert [run.status for run in runs] == ["SUCCESS"] * number, complaint(str(runs))
        return runs


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """An installation whose schedule is due soon after it has started."""
    root = tmp_path_factory.mktemp("present")
    _wait_for_a_day_that_lasts()
    present = make_present(root / "inputs")
    at = (datetime.now(UTC) + START + timedelta(minutes=1)).time().replace(second=0, microsecond=0)
    settings = present.settings.model_copy(update={"daily_at": at})
    with (
        running_postgres() as database,
        running_installation(
            root / "services", settings, database.address, webserver=True
        ) as installation,
    ):
        yield Running(present, installation, Endpoint(installation.url))


def test_the_schedule_asks_for_each_due_cell_once(running: Running) -> None:
    assert wait_for(lambda: len(running.daily_runs()) == len(DUE) + 1, SECONDS)
    runs = running.succeeded(len(DUE) + 1, jetstream__daily=running.present.yesterday.isoformat())
    assert sorted(run.tags[run_tags.EXPERIMENT] for run in runs) == sorted([*DUE, LONG])
    commit = running.present.head
    assert {run.tags[run_tags.COMMIT] for run in runs} == {commit}
    assert sorted(running.installation.instance.get_dynamic_partitions("experiment")) == sorted(
        [*DUE, LONG]
    )
    assert {row["experiment"] for row in running.present.laboratory.rows("statistics")} == {
        *DUE,
        LONG,
    }


@pytest.mark.browser
def test_a_backfill_of_60_days_is_clicked_cancelled_and_executed_again(running: Running) -> None:
    program = chromium()
    if program is None:
        pytest.skip(NO_CHROMIUM)
    present, endpoint = running.present, running.endpoint
    first = present.start - DAY
    with open_browser(running.installation.url, program) as browser:
        browser.backfill(LONG, first, present.yesterday)
        (backfill,) = running.installation.instance.get_backfills()
        assert wait_for(lambda: _statuses(endpoint, backfill.backfill_id) == ["STARTED"], SECONDS)
        browser.cancel_backfill(backfill.backfill_id)
        assert wait_for(lambda: _statuses(endpoint, backfill.backfill_id) == ["CANCELED"], SECONDS)

        browser.execute_backfill_again(backfill.backfill_id)
        assert wait_for(lambda: len(running.installation.instance.get_backfills()) == 2, SECONDS)
        again = running.installation.instance.get_backfills()[0].backfill_id
        running.succeeded(1, dagster__backfill=again)
        browser.show_partitions("statistics_export", first, present.yesterday)
        shown = re.search(r"Materialized \((\d+)\)", browser.text())
        assert shown is not None
        assert int(shown.group(1)) == (present.yesterday - first).days + 1 + len(DUE)
    idle = Cell(LONG, first)
    told = endpoint.materializations("analysis_plan", [idle])[str(idle.key)]
    assert "Nothing is due" in told["note"]


def test_a_commit_recomputes_only_the_metric_that_it_changes(running: Running) -> None:
    last = Cell(CHANGING, running.present.yesterday)
    states, searches = _states(running), _results(running, "searches")
    hours = _results(running, "active_hours")
    commit = running.present.commit(
        {f"jetstream/{CHANGING}.toml": CHANGED}, "Count the longest day"
    )
    wanted = {"jetstream__configuration-commit": commit}
    assert wait_for(lambda: len(running.endpoint.runs(**wanted)) == 1, SECONDS)
    (run,) = running.succeeded(1, **wanted)
    assert run.tags[run_tags.EXPERIMENT] == CHANGING
    assert run.tags[run_tags.RANGE_START] == str(Cell(CHANGING, running.present.weekly_start).key)
    assert run.tags[run_tags.RANGE_END] == str(last.key)
    assert "active_hours" in run.tags[run_tags.CHANGE]
    assert "searches" not in run.tags[run_tags.CHANGE]
    told = running.endpoint.materializations("daily_aggregates", [last])[str(last.key)]
    assert told["scans"] == 1
    after = _states(running)
    assert states.items() <= after.items()
    assert len(after) > len(states)
    assert searches <= _results(running, "searches")
    assert hours - _results(running, "active_hours")


def _states(running: Running) -> dict[str, bytes]:
    files = running.present.laboratory.files("daily_aggregates")
    return {path: body for path, body in files.items() if f"experiment={CHANGING}/" in path}


def _results(running: Running, metric: str) -> set[tuple[object, ...]]:
    """The stored numbers of a metric, of every window that was computed."""
    rows = running.present.laboratory.rows(
        "statistics", f"experiment = '{CHANGING}' AND metric = '{metric}' AND NOT is_provisional"
    )
    names = ("period", "window_index", "analysis_basis", "statistic", "branch", "comparison")
    return {tuple(row[name] for name in (*names, "point", "lower", "upper")) for row in rows}


def _statuses(endpoint: Endpoint, backfill: str) -> list[str]:
    return [run.status for run in endpoint.runs(dagster__backfill=backfill)]


def _wait_for_a_day_that_lasts() -> None:
    """Yesterday must stay yesterday until the tests are over."""
    now = datetime.now(UTC)
    midnight = datetime.combine(now.date() + DAY, datetime.min.time(), UTC)
    if midnight - now < timedelta(minutes=8):
        time.sleep((midnight - now).total_seconds() + 1)
