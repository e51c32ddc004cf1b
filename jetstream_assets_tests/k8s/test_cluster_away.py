"""The cluster's API does not answer for a while: no run is lost."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest
from dagster import DagsterEventType, DagsterRunStatus
from dagster._core.launcher import WorkerStatus

from jetstream_assets.orchestration import run_tags
from jetstream_assets.orchestration.partitions import Cell
from jetstream_assets_tests.k8s.deployment import SECONDS
from jetstream_assets_tests.orchestration.laboratory import EXPERIMENT, LAST_ENROLLMENT
from jetstream_assets_tests.ui.services import wait_for

if TYPE_CHECKING:
    from jetstream_assets_tests.k8s.control_plane import ControlPlane
    from jetstream_assets_tests.k8s.deployment import Deployed

pytestmark = pytest.mark.slow

AWAY_SECONDS = 60.0


def test_a_cluster_that_is_away_for_a_minute_loses_no_run(
    deployed: Deployed, permissions: ControlPlane
) -> None:
    asked = deployed.ask(Cell(EXPERIMENT.slug, LAST_ENROLLMENT))
    run_id = deployed.begun(asked, "enrollments")
    instance_ = deployed.installation.instance
    # The daemon asks every two seconds; a pod that stands still is started all the while.
    with deployed.kubelet.frozen(run_id):
        permissions.server.kill()
        time.sleep(AWAY_SECONDS)
        started = instance_.get_run_by_id(run_id)
        assert started is not None
        health = instance_.run_launcher.check_run_worker_health(started)
        permissions.server.start()
        permissions.server.wait()
    assert started.status is DagsterRunStatus.STARTED
    assert health.status is WorkerStatus.RUNNING
    assert "The cluster does not say" in str(health.msg)
    (run,) = deployed.runs(asked, 1)
    assert run.status == "SUCCESS", deployed.complaint(run.status)
    assert wait_for(lambda: deployed.job(run_id).status.succeeded == 1, 30)


def test_a_run_that_is_to_start_while_the_cluster_is_away_starts_later(
    deployed: Deployed, permissions: ControlPlane
) -> None:
    endpoint = deployed.installation.endpoint
    permissions.server.kill()
    asked = deployed.ask(Cell(EXPERIMENT.slug, LAST_ENROLLMENT))

    def statuses() -> list[str]:
        """First to last."""
        return [run.status for run in endpoint.runs(dagster__backfill=asked)][::-1]

    has_failed = wait_for(lambda: statuses()[:1] == ["FAILURE"], SECONDS)
    permissions.server.start()
    permissions.server.wait()
    assert has_failed, deployed.complaint(str(statuses()))
    has_ended_well = wait_for(lambda: statuses()[-1] == "SUCCESS", SECONDS)
    assert has_ended_well, deployed.complaint(str(statuses()))
    *later, first = endpoint.runs(dagster__backfill=asked)
    logs = deployed.installation.instance.all_logs
    events = logs(first.run_id, of_type=DagsterEventType.ENGINE_EVENT)
    assert "The cluster's API does not answer" in str(events)
    assert all(run_tags.NOT_BEFORE in run.tags for run in later)
