from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, Any

import kubernetes_validate
import pytest
import yaml

from jetstream_assets.orchestration.settings import read_settings
from jetstream_assets_tests.k8s.manifests import (
    FOLDER,
    OVERLAYS,
    instance,
    of_kind,
    pod_specs,
    rendered,
    rendered_folder,
)
from jetstream_assets_tests.ui.services import ROOT

if TYPE_CHECKING:
    from pathlib import Path

# The oldest of the versions that Google and most others still offer, and a new one.
VERSIONS = ("1.31", "1.37")
SHARED: dict[str, Any] = yaml.safe_load((ROOT / "dagster.yaml").read_text())
# What may differ: where things are kept, and what a run is.
OWN = {"storage", "compute_logs", "run_launcher"}

overlays = pytest.mark.parametrize("overlay", OVERLAYS)


@pytest.mark.parametrize("version", VERSIONS)
@overlays
def test_every_document_is_of_its_schema(overlay: str, version: str) -> None:
    documents = rendered(overlay)
    assert {document["kind"] for document in documents} >= {"Deployment", "Role", "ConfigMap"}
    for document in documents:
        kubernetes_validate.validate(document, version, strict=True)


@overlays
def test_the_component_for_dask_adds_what_runs_and_workers_may(
    overlay: str, tmp_path: Path
) -> None:
    without = rendered(overlay)
    kustomization = {
        "resources": [os.path.relpath(FOLDER / "overlays" / overlay, tmp_path)],
        "components": [os.path.relpath(FOLDER / "dask", tmp_path)],
    }
    (tmp_path / "kustomization.yaml").write_text(yaml.safe_dump(kustomization))
    added = [document for document in rendered_folder(tmp_path) if document not in without]
    kinds = [document["kind"] for document in added]
    assert sorted(kinds) == ["NetworkPolicy", "NetworkPolicy", "Role", "RoleBinding"]
    for document in added:
        kubernetes_validate.validate(document, VERSIONS[0], strict=True)
    (role,) = (document for document in added if document["kind"] == "Role")
    rule = {"apiGroups": ["batch"], "resources": ["jobs"], "verbs": ["create", "delete"]}
    assert role["rules"] == [rule]


@overlays
def test_a_document_with_an_unknown_key_is_found(overlay: str) -> None:
    daemon = of_kind(overlay, "Deployment")["daemon"]
    broken = daemon | {"spec": daemon["spec"] | {"replica": 2}}
    with pytest.raises(kubernetes_validate.ValidationError, match="replica"):
        kubernetes_validate.validate(broken, VERSIONS[0], strict=True)


@overlays
def test_every_pod_may_do_nothing_that_it_need_not(overlay: str) -> None:
    specs = dict(pod_specs(overlay))
    assert set(specs) >= {"webserver", "daemon", "code-server"}
    for spec in specs.values():
        security = spec["securityContext"]
        assert security["runAsNonRoot"]
        assert security["runAsUser"] > 0
        assert security["seccompProfile"] == {"type": "RuntimeDefault"}
        for container in spec["containers"]:
            assert container["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            }


@overlays
def test_only_who_speaks_with_the_cluster_has_a_token(overlay: str) -> None:
    tokens = {name for name, spec in pod_specs(overlay) if spec["automountServiceAccountToken"]}
    assert tokens == {"daemon", "webserver"}
    accounts = of_kind(overlay, "ServiceAccount").values()
    assert not any(account["automountServiceAccountToken"] for account in accounts)
    for name, spec in pod_specs(overlay):
        assert spec["serviceAccountName"] == name


@overlays
def test_every_container_has_probes_and_resources(overlay: str) -> None:
    for name, spec in pod_specs(overlay):
        for container in spec["containers"]:
            assert "livenessProbe" in container
            assert ("readinessProbe" in container) == (name != "daemon")
            assert set(container["resources"]["requests"]) == {"cpu", "memory"}
            assert set(container["resources"]["limits"]) == {"cpu", "memory"}


@overlays
def test_every_image_has_a_version(overlay: str) -> None:
    images = {c["image"] for _, spec in pod_specs(overlay) for c in spec["containers"]}
    assert all(re.search(r":\d+\.\d+", image) for image in images)


@overlays
def test_run_pods_have_the_image_of_the_code_server(overlay: str) -> None:
    (container,) = dict(pod_specs(overlay))["code-server"]["containers"]
    variables = {entry["name"]: entry.get("value") for entry in container["env"]}
    assert variables["DAGSTER_CURRENT_IMAGE"] == container["image"]


@overlays
def test_there_is_no_secret_but_by_its_name(overlay: str) -> None:
    assert not of_kind(overlay, "Secret")
    settings = of_kind(overlay, "ConfigMap")["jetstream-settings"]["data"]
    assert not [name for name in settings if re.search("PASSWORD|TOKEN|WEBHOOK|KEY", name)]


@overlays
def test_every_reference_leads_somewhere(overlay: str) -> None:
    maps, accounts = of_kind(overlay, "ConfigMap"), of_kind(overlay, "ServiceAccount")
    claims = of_kind(overlay, "PersistentVolumeClaim")
    for _, spec in pod_specs(overlay):
        assert spec["serviceAccountName"] in accounts
        for volume in spec.get("volumes", []):
            assert volume.get("configMap", {"name": "jetstream-settings"})["name"] in maps
            claim = volume.get("persistentVolumeClaim")
            assert claim is None or claim["claimName"] in claims
        for container in spec["containers"]:
            for source in container.get("envFrom", []):
                assert source.get("configMapRef", {"name": "jetstream-settings"})["name"] in maps
    launcher = instance(overlay)["run_launcher"]["config"]
    assert {launcher["instance_config_map"], *launcher["env_config_maps"]} <= set(maps)
    assert launcher["service_account_name"] in accounts


@overlays
def test_the_settings_are_accepted(overlay: str) -> None:
    data = of_kind(overlay, "ConfigMap")["jetstream-settings"]["data"]
    prefix = "JETSTREAM_"
    named = {
        name.removeprefix(prefix).lower(): value
        for name, value in data.items()
        if name.startswith(prefix)
    }
    assert set(named) <= set(read_settings(**named).model_fields_set)


@overlays
def test_every_variable_of_the_instance_is_set(overlay: str) -> None:
    (container,) = dict(pod_specs(overlay))["daemon"]["containers"]
    given = set(of_kind(overlay, "ConfigMap")["jetstream-settings"]["data"])
    given |= {entry["name"] for entry in container["env"]} | {"POSTGRES_PASSWORD"}
    text = (FOLDER / "overlays" / overlay / "dagster.yaml").read_text()
    assert set(re.findall(r"^ *env: (\w+)$", text, re.MULTILINE)) <= given


@overlays
def test_limits_retries_and_monitoring_are_those_of_the_repository(overlay: str) -> None:
    deployed = instance(overlay)
    assert set(deployed) == set(SHARED) | OWN
    for key in set(SHARED) - OWN:
        assert deployed[key] == SHARED[key]


def test_overlays_differ_in_nothing_but_places() -> None:
    local, gke = instance("local"), instance("gke")
    del local["compute_logs"], gke["compute_logs"]
    raw = local["run_launcher"]["config"]["run_k8s_config"]
    (mounts, volumes) = (
        raw["container_config"]["volume_mounts"],
        raw["pod_spec_config"]["volumes"],
    )
    assert mounts.pop() == {"name": "data", "mount_path": "/data"}
    assert volumes.pop()["name"] == "data"
    assert local == gke


@overlays
def test_as_many_runs_are_kept_from_being_moved_as_are_started_at_once(overlay: str) -> None:
    budget = of_kind(overlay, "PodDisruptionBudget")["runs"]["spec"]
    queue = instance(overlay)["run_coordinator"]["config"]
    assert budget["minAvailable"] == queue["max_concurrent_runs"]


@overlays
def test_nothing_is_reached_that_no_policy_names(overlay: str) -> None:
    policies = of_kind(overlay, "NetworkPolicy")
    assert policies["deny-all"]["spec"] == {
        "podSelector": {},
        "policyTypes": ["Ingress", "Egress"],
    }
    entered = {
        policy["spec"]["podSelector"]["matchLabels"]["app.kubernetes.io/component"]
        for policy in policies.values()
        if "ingress" in policy["spec"]
    }
    assert entered == {"code-server"} | ({"postgres"} if overlay == "local" else {"webserver"})


def test_queries_of_all_workers_fit_a_run_pod() -> None:
    settings = of_kind("local", "ConfigMap")["jetstream-settings"]["data"]
    limits = instance("local")["run_launcher"]["config"]["resources"]["limits"]
    gigabytes = re.fullmatch(r"(\d+)GB", settings["JETSTREAM_MEMORY_LIMIT"])
    assert gigabytes is not None
    # The libraries of the run's own process and of each worker take about 360 MiB.
    workers = int(limits["cpu"])
    libraries = (1 + workers) * 360 * 2**20
    needed = workers * int(gigabytes[1]) * 10**9 + libraries
    assert needed < int(limits["memory"].removesuffix("Gi")) * 2**30
