"""A real API server takes the manifests, and lets each account do what it needs and no more.

The daemon's account needs no more to find out why a pod was lost.
"""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

import pytest
from dagster import DagsterInstance, DagsterRunStatus
from dagster._core.launcher import WorkerStatus
from dagster._core.test_utils import create_run_for_test
from kubernetes import client

from jetstream_assets.orchestration import run_tags
from jetstream_assets.orchestration.run_pods import WatchedPodLauncher
from jetstream_assets_tests.k8s.control_plane import NAMESPACE
from jetstream_assets_tests.k8s.manifests import OVERLAYS, of_kind, rendered
from jetstream_assets_tests.ui.services import wait_for

if TYPE_CHECKING:
    from jetstream_assets_tests.k8s.control_plane import ControlPlane
    from jetstream_assets_tests.k8s.manifests import Document

pytestmark = pytest.mark.slow

# What an account needs of the cluster: group, resource, verb.
ENDS = {
    ("batch", "jobs", "delete"),
    ("", "pods", "list"),
    ("", "pods", "delete"),
}
LAUNCHES = {
    ("batch", "jobs", "create"),
    ("batch", "jobs", "list"),
    ("batch", "jobs/status", "get"),
    ("", "pods/log", "get"),
    ("", "events", "list"),
}
NEEDS = {
    "daemon": LAUNCHES | ENDS,
    "webserver": ENDS,
    "code-server": set(),
    "run": set(),
    "postgres": set(),
}


def older(document: Document) -> Document:
    """A document in the words of Kubernetes 1.20, whose server it is sent to.

    Budgets were of another version then, and probes knew no gRPC; the schemas of newer versions
    tell of these two (`test_manifests`).
    """
    found = copy.deepcopy(document)
    if found["kind"] == "PodDisruptionBudget":
        found["apiVersion"] = "policy/v1beta1"
    if found["kind"] == "Deployment":
        for container in found["spec"]["template"]["spec"]["containers"]:
            for name in [name for name in container if name.endswith("Probe")]:
                grpc = container[name].pop("grpc", None)
                if grpc is not None:
                    container[name]["tcpSocket"] = {"port": grpc["port"]}
    return found


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_every_document_is_taken_in_a_dry_run(plane: ControlPlane, overlay: str) -> None:
    documents = [older(document) for document in rendered(overlay)]
    told = plane.apply(documents, "--dry-run=server").splitlines()
    assert len(told) == len(documents)
    assert all(line.endswith("(server dry run)") for line in told)


def test_a_document_that_no_server_would_take_is_refused(plane: ControlPlane) -> None:
    broken = older(of_kind("local", "Deployment")["daemon"])
    broken["spec"]["selector"]["matchLabels"] = {"another": "label"}
    options = ("--server-side", "--dry-run=server")
    done = plane.kubectl([broken], "apply", *options)
    assert done.returncode != 0
    assert "selector" in done.stderr


def allowed(plane: ControlPlane, account: str) -> set[tuple[str, str, str]]:
    """What an account may do in the namespace, by its own token and the server's own answer."""
    api = client.AuthorizationV1Api(plane.api(plane.token_of(account)))
    review = client.V1SelfSubjectRulesReview(
        spec=client.V1SelfSubjectRulesReviewSpec(namespace=NAMESPACE)
    )
    rules = api.create_self_subject_rules_review(review).status.resource_rules
    return {
        (group, resource, verb)
        for rule in rules
        # Everyone may ask what he may.
        if rule.api_groups != ["authorization.k8s.io"]
        for group in rule.api_groups
        for resource in rule.resources
        for verb in rule.verbs
    }


@pytest.mark.parametrize("account", list(NEEDS))
def test_an_account_may_do_what_it_needs_and_no_more(
    permissions: ControlPlane, account: str
) -> None:
    assert allowed(permissions, account) == NEEDS[account]


@pytest.mark.parametrize("account", list(NEEDS))
def test_no_account_reads_secrets(permissions: ControlPlane, account: str) -> None:
    core = client.CoreV1Api(permissions.api(permissions.token_of(account)))
    with pytest.raises(client.ApiException) as refused:
        core.list_namespaced_secret(NAMESPACE)
    assert refused.value.status == 403


@pytest.mark.parametrize(("had", "gets"), [({}, "40Gi"), ({run_tags.MEMORY: "20Gi"}, "20Gi")])
def test_a_run_that_lacks_memory_is_told_and_gets_more_once(
    permissions: ControlPlane, had: dict[str, str], gets: str
) -> None:
    launcher = WatchedPodLauncher(
        service_account_name="run",
        instance_config_map="jetstream-instance",
        dagster_home="/opt/dagster/home",
        job_image="jetstream-assets:0.1.0",
        job_namespace=NAMESPACE,
        load_incluster_config=False,
        kubeconfig_file=str(permissions.kubeconfig(permissions.token_of("daemon"))),
    )
    with DagsterInstance.ephemeral() as instance:
        launcher.register_instance(instance)
        run = create_run_for_test(instance, status=DagsterRunStatus.STARTED, tags=had)
        _kill_for_memory(permissions, f"dagster-run-{run.run_id}")
        health = launcher.check_run_worker_health(run)
        after = instance.get_run_by_id(run.run_id)
    assert health.status is WorkerStatus.FAILED
    assert "OOMKilled" in str(health.msg)
    assert ("The next attempt may take 40Gi" in str(health.msg)) is (gets == "40Gi")
    assert after is not None
    assert after.tags[run_tags.MEMORY] == gets


def _kill_for_memory(plane: ControlPlane, name: str) -> None:
    """A job whose only pod was killed for its memory, as the controller of jobs says it."""
    batch, core = client.BatchV1Api(plane.api()), client.CoreV1Api(plane.api())
    limits = {"limits": {"memory": "20Gi"}}
    container = {"name": "dagster", "image": "jetstream-assets:0.1.0", "resources": limits}
    pod = {"spec": {"restartPolicy": "Never", "containers": [container]}}
    job = {"metadata": {"name": name}, "spec": {"backoffLimit": 0, "template": pod}}
    batch.create_namespaced_job(NAMESPACE, job)

    def pods() -> list[Any]:
        found = core.list_namespaced_pod(NAMESPACE, label_selector=f"job-name={name}")
        return list(found.items)

    assert wait_for(lambda: len(pods()) == 1, 30)
    ended = {"terminated": {"exitCode": 137, "reason": "OOMKilled"}}
    status = {"name": "dagster", "image": "", "imageID": "", "ready": False, "restartCount": 0}
    body = {"status": {"phase": "Failed", "containerStatuses": [{**status, "state": ended}]}}
    core.patch_namespaced_pod_status(pods()[0].metadata.name, NAMESPACE, body)
    assert wait_for(lambda: batch.read_namespaced_job(name, NAMESPACE).status.failed == 1, 30)
