"""Postgres is stopped at once in the middle of ten runs, and comes back: no run is lost."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from jetstream_assets.orchestration.partitions import Cell
from jetstream_assets_tests.k8s.deployment import SECONDS, TEN
from jetstream_assets_tests.orchestration.laboratory import LAST_ENROLLMENT
from jetstream_assets_tests.ui.services import wait_for

if TYPE_CHECKING:
    from jetstream_assets_tests.k8s.deployment import Deployed
    from jetstream_assets_tests.ui.endpoint import Run

pytestmark = pytest.mark.slow

# Dagster tries for 11 seconds to reach the database, so that runs fail for this one.
AWAY_SECONDS = 15.0
MOST_AT_ONCE = 5
# What the log of a failed run says: what its process met, or that it could not say anything.
REASONS = ("psycopg2.OperationalError", "no active pods", "ended before it could tell")
# What the other steps need.
STEPS = ("analysis_plan", "enrollments")


def test_ten_runs_end_well_although_postgres_went_away_in_their_middle(deployed: Deployed) -> None:
    endpoint, database = deployed.installation.endpoint, deployed.postgres
    for experiment in TEN:
        endpoint.add_experiment(experiment.slug)
    cells = [Cell(experiment.slug, LAST_ENROLLMENT) for experiment in TEN]
    asked = [endpoint.backfill(STEPS, [cell]) for cell in cells]

    def runs() -> list[list[Run]]:
        return [endpoint.runs(dagster__backfill=each) for each in asked]

    def are_in_the_middle() -> bool:
        pods = [
            run for found in runs() for run in found if deployed.kubelet.has_started(run.run_id)
        ]
        started = [run for run in pods if run.status == "STARTED"]
        return len(pods) == MOST_AT_ONCE and len(started) >= 2

    assert wait_for(are_in_the_middle, SECONDS), deployed.complaint("no runs are in progress")
    database.stop()
    time.sleep(AWAY_SECONDS)
    database.start()

    def have_ended_well() -> bool:
        return all(found and found[0].status == "SUCCESS" for found in runs())

    is_well = wait_for(have_ended_well, 2 * SECONDS)
    assert is_well, deployed.complaint(str([[run.status for run in found] for found in runs()]))
    failed = [run.run_id for found in runs() for run in found if run.status == "FAILURE"]
    assert failed, "Postgres was not missed"
    for run_id in failed:
        log = str(deployed.installation.instance.all_logs(run_id))
        assert any(reason in log for reason in REASONS), log
    found = {row["experiment"] for row in deployed.laboratory.rows("enrollments")}
    assert found >= {experiment.slug for experiment in TEN}
