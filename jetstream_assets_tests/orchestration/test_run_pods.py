from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
import yaml
from dagster import DagsterInstance, DagsterRunStatus
from dagster._core.launcher import WorkerStatus
from dagster._core.test_utils import create_run_for_test

from jetstream_assets.orchestration import run_tags
from jetstream_assets.orchestration.resources import InputsResource, resources
from jetstream_assets.orchestration.run_pods import WatchedPodLauncher, more_memory
from jetstream_assets.orchestration.run_size import range_size_tags, size_tags
from jetstream_assets_tests.orchestration.laboratory import EXPERIMENT, FIRST_WEEK, MANY_METRICS
from jetstream_assets_tests.ui.services import free_port

if TYPE_CHECKING:
    from pathlib import Path

    from jetstream_assets_tests.orchestration.laboratory import Laboratory


@pytest.mark.parametrize(
    ("limit", "twice"), [("10Gi", "20Gi"), ("512M", "1024M"), ("1073741824", "2147483648")]
)
def test_the_next_attempt_gets_twice_the_memory_and_asks_for_what_the_limit_was(
    limit: str, twice: str
) -> None:
    tags = more_memory({}, limit)
    resources = {"requests": {"memory": limit}, "limits": {"memory": twice}}
    assert json.loads(tags[run_tags.POD]) == {"container_config": {"resources": resources}}
    assert tags[run_tags.MEMORY] == twice


def test_what_a_person_asked_for_is_kept() -> None:
    asked = {"container_config": {"resources": {"limits": {"cpu": "8", "memory": "16Gi"}}}}
    tags = more_memory({run_tags.POD: json.dumps(asked)}, "16Gi")
    assert json.loads(tags[run_tags.POD])["container_config"]["resources"] == {
        "requests": {"memory": "16Gi"},
        "limits": {"cpu": "8", "memory": "32Gi"},
    }


@pytest.mark.parametrize("limit", [None, "", "1e9", "much"])
def test_a_pod_whose_limit_says_nothing_gets_nothing_else(limit: str | None) -> None:
    assert more_memory({}, limit) == {}


def test_a_cluster_that_does_not_answer_loses_no_run(tmp_path: Path) -> None:
    kubeconfig = tmp_path / "kubeconfig"
    cluster = {"server": f"http://127.0.0.1:{free_port()}"}
    content = {
        "clusters": [{"name": "it", "cluster": cluster}],
        "users": [{"name": "it", "user": {}}],
        "contexts": [{"name": "it", "context": {"cluster": "it", "user": "it"}}],
        "current-context": "it",
    }
    kubeconfig.write_text(yaml.safe_dump(content))
    launcher = WatchedPodLauncher(
        service_account_name="run",
        instance_config_map="jetstream-instance",
        dagster_home="/opt/dagster/home",
        job_image="jetstream-assets:0.1.0",
        load_incluster_config=False,
        kubeconfig_file=str(kubeconfig),
    )
    with DagsterInstance.ephemeral() as instance:
        launcher.register_instance(instance)
        run = create_run_for_test(instance, status=DagsterRunStatus.STARTED)
        health = launcher.check_run_worker_health(run)
    assert health.status is WorkerStatus.RUNNING
    assert "does not say" in str(health.msg)


def test_a_pod_asks_for_a_core_for_each_shard_that_has_work(
    laboratory: Laboratory,
) -> None:
    laboratory.configure(MANY_METRICS)
    inputs = resources(laboratory.settings)["inputs"]
    assert isinstance(inputs, InputsResource)
    plan = inputs.planner().plan(EXPERIMENT.slug, FIRST_WEEK)
    asked = [json.loads(size_tags([plan], shards)[run_tags.POD]) for shards in (1, 2)]
    assert [found["container_config"]["resources"]["requests"] for found in asked] == [
        {"cpu": "1"},
        {"cpu": "2"},
    ]


@pytest.mark.parametrize(
    ("start", "end", "cores"),
    [("2026-03-01|a", "2026-03-09|a", "4"), ("2026-03-01|a", "2026-03-01|a", None)],
)
def test_a_backfill_over_several_dates_asks_for_all_cores(
    start: str, end: str, cores: str | None
) -> None:
    tags = dict(zip(run_tags.RANGE, (start, end), strict=True))
    found = range_size_tags(tags)
    requests = {"cpu": cores}
    wanted = {"container_config": {"resources": {"requests": requests}}}
    assert found == ({} if cores is None else {run_tags.POD: json.dumps(wanted)})
    # What a person or a plan has said stays.
    assert range_size_tags({**tags, run_tags.POD: "{}"}) == {}
    assert range_size_tags({}) == {}
