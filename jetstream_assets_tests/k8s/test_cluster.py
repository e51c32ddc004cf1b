"""A real API server takes the manifests, and lets each account do what it needs and no more."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING

import pytest
from kubernetes import client

from jetstream_assets_tests.k8s.control_plane import NAMESPACE
from jetstream_assets_tests.k8s.manifests import OVERLAYS, of_kind, rendered

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
