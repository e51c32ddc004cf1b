"""A run whose Dask workers are pods of their own."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import pytest
import yaml
from dagster import DagsterEventType
from kubernetes import client

from jetstream_assets.orchestration.partitions import Cell
from jetstream_assets_tests.k8s.control_plane import NAMESPACE
from jetstream_assets_tests.k8s.manifests import FOLDER
from jetstream_assets_tests.orchestration.laboratory import EXPERIMENT, LAST_ENROLLMENT
from jetstream_assets_tests.ui.services import wait_for

if TYPE_CHECKING:
    from collections.abc import Callable

    from jetstream_assets_tests.k8s.control_plane import ControlPlane
    from jetstream_assets_tests.k8s.deployment import Deployed

pytestmark = pytest.mark.slow

PLACE = {"namespace": NAMESPACE}
# The runs of these tests have the executor that an installation's settings ask for.
EXECUTOR = {"container_config": {"env": [{"name": "JETSTREAM_EXECUTOR", "value": "dask"}]}}
TAGS = {"jetstream__dask-workers": "pods", "dagster-k8s__config": json.dumps(EXECUTOR)}


@pytest.fixture(autouse=True)
def rights(permissions: ControlPlane) -> None:
    """What the component lets a run do."""
    documents = list(yaml.safe_load_all((FOLDER / "dask" / "permissions.yaml").read_text()))
    permissions.apply([each | {"metadata": each["metadata"] | PLACE} for each in documents])


def workers(deployed: Deployed) -> list[str]:
    """The names of all pods that are workers."""
    core = client.CoreV1Api(deployed.batch.api_client)
    labels = "app.kubernetes.io/component=dask_worker"
    found = core.list_namespaced_pod(NAMESPACE, label_selector=labels).items
    return [pod.metadata.name for pod in found]


def test_the_steps_of_a_run_are_run_by_pods_that_are_gone_afterwards(deployed: Deployed) -> None:
    asked = deployed.ask(Cell(EXPERIMENT.slug, LAST_ENROLLMENT), **TAGS)
    run_id = deployed.begun(asked, "analysis_plan")
    assert all(name.startswith(f"dask-{run_id}") for name in workers(deployed))
    processes = {deployed.kubelet.process_of(name) for name in workers(deployed)}
    (run,) = deployed.runs(asked, 1)
    assert run.status == "SUCCESS", deployed.complaint(run.status)
    assert deployed.laboratory.rows("statistics")
    captured = {DagsterEventType.LOGS_CAPTURED}
    told = [e.message for e in deployed.installation.instance.all_logs(run_id, of_type=captured)]
    assert {int(pid) for pid in re.findall(r"pid: (\d+)", str(told))} <= processes
    assert len(processes) == 2
    log = str(deployed.installation.instance.all_logs(run_id))
    assert "Dask worker pods: 2, as many as steps may go side by side." in log
    assert wait_for(lambda: not workers(deployed), 60)


def ended(deployed: Deployed, run_id: str) -> None:
    assert deployed.installation.instance.run_coordinator.cancel_run(run_id)


def killed(deployed: Deployed, run_id: str) -> None:
    deployed.kubelet.kill(run_id)


@pytest.mark.parametrize(
    ("end", "statuses"), [(ended, ["CANCELED"]), (killed, ["FAILURE", "SUCCESS"])]
)
def test_a_run_that_is_cut_short_leaves_no_worker(
    deployed: Deployed, end: Callable[[Deployed, str], None], statuses: list[str]
) -> None:
    asked = deployed.ask(Cell(EXPERIMENT.slug, LAST_ENROLLMENT), **TAGS)
    end(deployed, deployed.begun(asked, "analysis_plan"))
    runs = deployed.runs(asked, len(statuses))
    assert [run.status for run in runs] == statuses, deployed.complaint(f"{runs}")
    running = deployed.kubelet.is_running
    assert wait_for(lambda: not any(map(running, workers(deployed))), 120)
