"""Runs as pods: the real launcher, API server and controller of jobs, and processes as pods.

The instance is what the overlay deploys, with short intervals and another way to the cluster.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING

import pytest
from dagster import DagsterRunStatus, RunsFilter
from dagster._core.storage.dagster_run import IN_PROGRESS_RUN_STATUSES
from dagster._core.storage.tags import RETRY_NUMBER_TAG
from kubernetes import client

from jetstream_assets.orchestration import run_tags
from jetstream_assets.orchestration.partitions import Cell
from jetstream_assets_tests.k8s.control_plane import NAMESPACE
from jetstream_assets_tests.k8s.deployment import IMAGE, SECONDS, Deployed
from jetstream_assets_tests.orchestration.laboratory import (
    END,
    EXPERIMENT,
    FIRST_WEEK,
    LAST_ENROLLMENT,
    days,
)
from jetstream_assets_tests.ui.services import wait_for

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from jetstream_assets_tests.k8s.kubelet import Kubelet

pytestmark = pytest.mark.slow


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


@pytest.fixture
def held_pods(deployed: Deployed) -> Iterator[None]:
    """No pod starts; those that waited are gone when the others may start again."""
    deployed.kubelet.holds = True
    yield
    deployed.batch.delete_collection_namespaced_job(NAMESPACE, propagation_policy="Background")
    core = client.CoreV1Api(deployed.batch.api_client)
    assert wait_for(lambda: not core.list_namespaced_pod(NAMESPACE).items, 60)
    deployed.kubelet.holds = False


@pytest.mark.usefixtures("held_pods")
def test_twelve_runs_are_never_more_than_five_at_once(deployed: Deployed) -> None:
    # Pods that wait cost nothing; that one ends, as it would say itself, is said in its place.
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
