"""Runs as pods: the real launcher, API server and controller of jobs, and processes as pods.

The instance is what the overlay deploys, with short intervals and another way to the cluster.
"""

from __future__ import annotations

import json
import logging
import os
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

import pytest
import yaml
from dagster import DagsterEventType, DagsterInstance, DagsterRunStatus, RunsFilter
from dagster._core.launcher import WorkerStatus
from dagster._core.storage.dagster_run import IN_PROGRESS_RUN_STATUSES
from dagster._core.storage.tags import RETRY_NUMBER_TAG
from dagster._daemon.monitoring.run_monitoring import monitor_starting_run
from kubernetes import client

from jetstream_assets.orchestration import run_tags
from jetstream_assets.orchestration.partitions import Cell
from jetstream_assets_tests.k8s.control_plane import NAMESPACE
from jetstream_assets_tests.k8s.kubelet import Kubelet
from jetstream_assets_tests.k8s.manifests import instance
from jetstream_assets_tests.orchestration.laboratory import (
    END,
    EXPERIMENT,
    FIRST_WEEK,
    LAST_ENROLLMENT,
    Laboratory,
    days,
    make_laboratory,
)
from jetstream_assets_tests.processes.installation import (
    SHORT,
    Installation,
    running_installation,
)
from jetstream_assets_tests.processes.postgres import running_postgres
from jetstream_assets_tests.ui.services import wait_for

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from jetstream_assets_tests.k8s.control_plane import ControlPlane
    from jetstream_assets_tests.ui.endpoint import Run

pytestmark = pytest.mark.slow

IMAGE = "jetstream-assets:0.1.0"
SECONDS = 180.0
AWAY_SECONDS = 60.0


@dataclass(frozen=True)
class Deployed:
    """An installation whose runs are pods."""

    installation: Installation
    laboratory: Laboratory
    kubelet: Kubelet
    batch: client.BatchV1Api

    def ask(self, *cells: Cell) -> str:
        """Launch a backfill of all assets over these cells; its id."""
        endpoint = self.installation.endpoint
        known = self.installation.instance.get_dynamic_partitions("experiment")
        for slug in {cell.slug for cell in cells} - set(known):
            endpoint.add_experiment(slug)
        return endpoint.backfill(endpoint.assets(), cells)

    def runs(self, asked: str, number: int) -> list[Run]:
        """The runs of a backfill when so many of them ended, first to last."""
        found = self.installation.endpoint.finished_runs(number, SECONDS, dagster__backfill=asked)
        return found[::-1]

    def begun(self, asked: str, step: str) -> str:
        """The run of a backfill when it has begun a step."""
        runs: list[Run] = []

        def has_begun() -> bool:
            runs[:] = self.installation.endpoint.runs(dagster__backfill=asked)
            starts = {DagsterEventType.STEP_START}
            logs = self.installation.instance.all_logs
            return any(e.step_key == step for run in runs for e in logs(run.run_id, of_type=starts))

        assert wait_for(has_begun, SECONDS), self.complaint(f"{step} has not begun")
        return runs[0].run_id

    def complaint(self, problem: str) -> str:
        logs = sorted(self.kubelet.logs.glob("*.log"))
        pods = "\n".join(f"--- {log.name} ---\n{log.read_text()[-2000:]}" for log in logs[-2:])
        return f"{self.installation.complaint(problem)}\n{pods}"

    def job(self, run_id: str) -> Any:  # noqa: ANN401  # the client has no types
        return self.batch.read_namespaced_job(f"dagster-run-{run_id}", NAMESPACE)

    def waiting(self, asked: str) -> str:
        """The run of a backfill when it has a job and waits for its pod to start."""
        runs: list[Run] = []

        def is_waiting() -> bool:
            runs[:] = self.installation.endpoint.runs(dagster__backfill=asked)
            return [run.status for run in runs] == ["STARTING"]

        assert wait_for(is_waiting, SECONDS), self.complaint("no run is starting")
        return runs[0].run_id

    def give_up(self, run_id: str, home: Path) -> None:
        """What the daemon does with a run that has not started within 10 minutes, done at once."""
        text = (self.installation.home / "dagster.yaml").read_text()
        settings = yaml.safe_load(text)
        settings["run_monitoring"]["start_timeout_seconds"] = 0
        (home / "dagster.yaml").write_text(yaml.safe_dump(settings))
        with DagsterInstance.from_config(str(home)) as impatient:
            record = impatient.get_run_record_by_id(run_id)
            assert record is not None
            monitor_starting_run(impatient, record, logging.getLogger(__name__))
            given_up = impatient.get_run_by_id(run_id)
        assert given_up is not None
        assert given_up.status is DagsterRunStatus.FAILURE

    def told(self, run_id: str) -> str:
        """All that the log of a run says."""
        entries = self.installation.instance.all_logs(run_id)
        events = (entry.get_dagster_event() for entry in entries if entry.is_dagster_event)
        return "\n".join(event.message or "" for event in events)


def _instance(home: Path, kubeconfig: Path) -> dict[str, Any]:
    """What the overlay deploys, but for the places that are no cluster's here."""
    found = instance("local")
    del found["storage"]
    found["compute_logs"]["config"]["base_dir"] = str(home / "logs")
    found["run_launcher"]["config"] |= {
        "dagster_home": str(home),
        "load_incluster_config": False,
        "kubeconfig_file": str(kubeconfig),
    }
    return found


@pytest.fixture(scope="module")
def deployed(
    permissions: ControlPlane, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Deployed]:
    root = tmp_path_factory.mktemp("deployed")
    laboratory = make_laboratory(root / "laboratory")
    settings = laboratory.settings.model_dump(mode="json", exclude_none=True)
    data = {f"JETSTREAM_{name.upper()}": str(value) for name, value in settings.items()}
    core = client.CoreV1Api(permissions.api())
    meta = client.V1ObjectMeta(name="jetstream-settings")
    core.create_namespaced_config_map(NAMESPACE, client.V1ConfigMap(metadata=meta, data=data))
    meta = client.V1ObjectMeta(name="jetstream-postgres")
    secret = client.V1Secret(metadata=meta, string_data={"POSTGRES_PASSWORD": "of nobody"})
    core.create_namespaced_secret(NAMESPACE, secret)
    # All processes reach the cluster as the daemon's account, which may no more than it needs.
    kubeconfig = permissions.kubeconfig(permissions.token_of("daemon"))
    base = _instance(root / "services" / "home", kubeconfig)
    changes = {key: value for key, value in SHORT.items() if key != "run_launcher"}
    variables = {"POD_NAMESPACE": NAMESPACE, "DAGSTER_CURRENT_IMAGE": IMAGE}
    with (
        patch.dict(os.environ, variables),
        Kubelet(permissions, root / "pods") as kubelet,
        running_postgres() as database,
        running_installation(
            root / "services",
            laboratory.settings,
            database,
            base=base,
            changes=changes,
            variables=variables,
        ) as installation,
    ):
        batch = client.BatchV1Api(permissions.api())
        yield Deployed(installation, laboratory, kubelet, batch)


def test_a_run_is_a_pod_whose_results_and_status_come_back(deployed: Deployed) -> None:
    asked = deployed.ask(Cell(EXPERIMENT.slug, FIRST_WEEK))
    (run,) = deployed.runs(asked, 1)
    assert run.status == "SUCCESS", deployed.complaint(run.status)
    assert deployed.laboratory.rows("statistics")
    job = deployed.job(run.run_id)
    assert job.spec.ttl_seconds_after_finished == 24 * 60 * 60
    assert job.spec.backoff_limit == 0
    pod = job.spec.template.spec
    assert pod.service_account_name == "run"
    assert pod.automount_service_account_token is False
    (container,) = pod.containers
    assert container.image == IMAGE
    assert container.resources.limits == {"cpu": "4", "memory": "10Gi"}
    assert container.security_context.read_only_root_filesystem
    assert wait_for(lambda: deployed.job(run.run_id).status.succeeded == 1, 10)


def test_a_run_that_is_ended_takes_its_pod_with_it(deployed: Deployed) -> None:
    # So many dates that the run is not done before it is ended.
    asked = deployed.ask(*(Cell(EXPERIMENT.slug, on) for on in days(LAST_ENROLLMENT, END)))
    run_id = deployed.begun(asked, "analysis_plan")
    instance_ = deployed.installation.instance
    assert instance_.run_coordinator.cancel_run(run_id)
    (run,) = deployed.runs(asked, 1)
    assert run.status == "CANCELED", deployed.complaint(run.status)
    assert wait_for(lambda: deployed.kubelet.pods_of(run_id) == [], 30)


def test_a_killed_pod_is_found_and_the_run_tried_again(deployed: Deployed) -> None:
    asked = deployed.ask(Cell(EXPERIMENT.slug, END))
    lost = deployed.begun(asked, "enrollments")
    deployed.kubelet.kill(lost, "OOMKilled")
    runs = deployed.runs(asked, 2)
    statuses = [run.status for run in runs]
    assert statuses == ["FAILURE", "SUCCESS"], deployed.complaint(str(statuses))
    assert "OOMKilled" in deployed.told(lost)
    tags = runs[1].tags
    assert tags[RETRY_NUMBER_TAG] == "1"
    # It lacked memory, so it may take twice as much and asks for what was the limit.
    assert tags[run_tags.MEMORY] == "20Gi"
    resources = deployed.job(runs[1].run_id).spec.template.spec.containers[0].resources
    assert resources.limits == {"cpu": "4", "memory": "20Gi"}
    assert resources.requests == {"cpu": "1", "memory": "10Gi"}
    assert json.loads(tags["dagster-k8s/config"])


def deleted(kubelet: Kubelet, run_id: str) -> None:
    kubelet.delete(run_id)


def evicted(kubelet: Kubelet, run_id: str) -> None:
    kubelet.kill(run_id, "Evicted")


@pytest.mark.parametrize(
    ("away", "told", "memory"),
    [
        # What such a run says depends on whether its process still had the time to say it. Memory
        # was not what it lacked.
        (deleted, "", None),
        (evicted, "Evicted. The next attempt may take 20Gi of memory", "20Gi"),
    ],
)
def test_a_pod_that_is_taken_away_is_a_failed_attempt(
    deployed: Deployed, away: Callable[[Kubelet, str], None], told: str, memory: str | None
) -> None:
    asked = deployed.ask(Cell(EXPERIMENT.slug, LAST_ENROLLMENT))
    lost = deployed.begun(asked, "enrollments")
    away(deployed.kubelet, lost)
    runs = deployed.runs(asked, 2)
    statuses = [run.status for run in runs]
    assert statuses == ["FAILURE", "SUCCESS"], deployed.complaint(str(statuses))
    assert told in deployed.told(lost)
    assert runs[1].tags.get(run_tags.MEMORY) == memory


@contextmanager
def missing_image(deployed: Deployed) -> Iterator[Callable[[str], bool]]:
    """The image cannot be pulled until the body ends; yields whether a run's pod has met that."""
    deployed.kubelet.missing_images.add(IMAGE)
    yield lambda run_id: "ImagePullBackOff" in deployed.kubelet.waits_of(run_id)
    deployed.kubelet.missing_images.clear()


@contextmanager
def full_quota(deployed: Deployed) -> Iterator[Callable[[str], bool]]:
    """No pod is let into the namespace until the body ends; yields whether a run's was refused."""
    core = client.CoreV1Api(deployed.batch.api_client)
    meta = client.V1ObjectMeta(name="full")
    quota = client.V1ResourceQuota(metadata=meta, spec={"hard": {"pods": "0"}})
    core.create_namespaced_resource_quota(NAMESPACE, quota)

    def is_refused(run_id: str) -> bool:
        about = f"involvedObject.name=dagster-run-{run_id},reason=FailedCreate"
        return bool(core.list_namespaced_event(NAMESPACE, field_selector=about).items)

    try:
        read = core.read_namespaced_resource_quota
        assert wait_for(lambda: read("full", NAMESPACE).status.hard is not None, 30)
        yield is_refused
    finally:
        core.delete_namespaced_resource_quota("full", NAMESPACE)


Obstacle = Callable[[Deployed], AbstractContextManager[Callable[[str], bool]]]


@pytest.mark.parametrize(
    ("obstacle", "told"),
    [
        (missing_image, f'Failed to pull image "{IMAGE}": not found'),
        (full_quota, "exceeded quota: full"),
    ],
)
def test_why_a_pod_did_not_start_is_told_and_its_run_tried_again(
    deployed: Deployed, tmp_path: Path, obstacle: Obstacle, told: str
) -> None:
    with obstacle(deployed) as has_met:
        asked = deployed.ask(Cell(EXPERIMENT.slug, FIRST_WEEK))
        lost = deployed.waiting(asked)
        assert wait_for(lambda: has_met(lost), 30)
        deployed.give_up(lost, tmp_path)
    runs = deployed.runs(asked, 2)
    statuses = [run.status for run in runs]
    assert statuses == ["FAILURE", "SUCCESS"], deployed.complaint(str(statuses))
    assert told in deployed.told(lost)


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


def test_twelve_runs_are_never_more_than_five_at_once(deployed: Deployed) -> None:
    # Pods that wait cost nothing; that one ends, as it would say itself, is said in its place.
    deployed.kubelet.holds = True
    found = deployed.installation.instance
    for number in range(12):
        deployed.ask(Cell(f"experiment-{number}", FIRST_WEEK))
    ended: set[str] = set()
    most = 0

    def has_started() -> bool:
        waiting = found.get_runs_count(RunsFilter(statuses=[DagsterRunStatus.QUEUED]))
        is_full = len(started()) == min(5, 12 - len(ended))
        return is_full and len(ended) + len(started()) + waiting == 12

    def started() -> list[str]:
        nonlocal most
        runs = found.get_runs(RunsFilter(statuses=list(IN_PROGRESS_RUN_STATUSES)))
        pods = {run.run_id for run in runs if deployed.kubelet.pods_of(run.run_id)}
        most = max(most, len(runs))
        return sorted(pods)

    while len(ended) < 12:
        assert wait_for(has_started, SECONDS), deployed.complaint(f"{len(ended)} have ended")
        for run_id in started():
            run = found.get_run_by_id(run_id)
            assert run is not None
            found.report_run_canceled(run)
            ended.add(run_id)
    assert most == 5
