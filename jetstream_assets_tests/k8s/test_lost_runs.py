"""Runs that Dagster would lose sight of: some never start, some are of complete backfills."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from dagster._core.execution.backfill import BulkActionStatus

from jetstream_assets.orchestration.partitions import Cell
from jetstream_assets_tests.k8s.control_plane import NAMESPACE
from jetstream_assets_tests.orchestration.laboratory import EXPERIMENT, LAST_ENROLLMENT
from jetstream_assets_tests.ui.services import wait_for

if TYPE_CHECKING:
    from collections.abc import Callable

    from jetstream_assets_tests.k8s.deployment import Deployed

pytestmark = pytest.mark.slow


def killed(deployed: Deployed, run_id: str) -> None:
    """The pod's process ends while it still loads what it needs."""
    deployed.kubelet.holds = False
    assert wait_for(lambda: deployed.kubelet.has_started(run_id), 30)
    deployed.kubelet.kill(run_id)


def without_job(deployed: Deployed, run_id: str) -> None:
    """As where the daemon is stopped between telling of a start and making the job."""
    assert wait_for(lambda: deployed.kubelet.pods_of(run_id) != [], 30)
    name = f"dagster-run-{run_id}"
    deployed.batch.delete_namespaced_job(name, NAMESPACE, propagation_policy="Background")
    deployed.kubelet.holds = False


@pytest.mark.parametrize(
    ("lose", "told"),
    [
        (killed, "The run's pod ended before it could tell that the run has started"),
        (without_job, "the cluster has no job of it"),
    ],
)
def test_a_run_that_will_never_start_is_failed_and_tried_again(
    deployed: Deployed, lose: Callable[[Deployed, str], None], told: str
) -> None:
    deployed.kubelet.holds = True
    asked = deployed.ask(Cell(EXPERIMENT.slug, LAST_ENROLLMENT))
    lost = deployed.waiting(asked)
    lose(deployed, lost)
    runs = deployed.runs(asked, 2)
    statuses = [run.status for run in runs]
    assert statuses == ["FAILURE", "SUCCESS"], deployed.complaint(str(statuses))
    assert told in deployed.told(lost)


def test_a_run_whose_backfill_counts_as_complete_is_tried_again(deployed: Deployed) -> None:
    asked = deployed.ask(Cell(EXPERIMENT.slug, LAST_ENROLLMENT))
    lost = deployed.begun(asked, "enrollments")
    instance = deployed.installation.instance
    backfill = instance.get_backfill(asked)
    assert backfill is not None
    # What the daemon says that looks in the moment in which the run is failed and not yet marked.
    complete = backfill.with_status(BulkActionStatus.COMPLETED_FAILED)  # type: ignore[no-untyped-call]
    instance.update_backfill(complete)
    deployed.kubelet.kill(lost)
    runs = deployed.runs(asked, 2)
    statuses = [run.status for run in runs]
    assert statuses == ["FAILURE", "SUCCESS"], deployed.complaint(str(statuses))
    assert "part of a backfill that is in a terminal state" in deployed.told(lost)
    assert "the backfill counted as complete" in deployed.told(lost)
