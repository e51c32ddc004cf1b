"""An installation as an overlay deploys it: its services are processes here, its runs are pods.

Belongs here: starting it, and what tests ask of its runs. Does not: the cluster (`control_plane`),
nodes (`kubelet`), what is tested.
"""

from __future__ import annotations

import logging
import os
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

import yaml
from dagster import DagsterEventType, DagsterInstance, DagsterRunStatus
from dagster._daemon.monitoring.run_monitoring import monitor_starting_run
from kubernetes import client

from jetstream_assets_tests.k8s.control_plane import NAMESPACE
from jetstream_assets_tests.k8s.kubelet import Kubelet
from jetstream_assets_tests.k8s.manifests import instance
from jetstream_assets_tests.orchestration.laboratory import (
    EXPERIMENT,
    Laboratory,
    make_laboratory,
)
from jetstream_assets_tests.processes.installation import (
    SHORT,
    Installation,
    running_installation,
)
from jetstream_assets_tests.processes.postgres import Postgres, running_postgres
from jetstream_assets_tests.ui.services import wait_for

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from jetstream_assets.orchestration.partitions import Cell
    from jetstream_assets_tests.k8s.control_plane import ControlPlane
    from jetstream_assets_tests.ui.endpoint import Run

IMAGE = "jetstream-assets:0.1.0"
SECONDS = 180.0
# Experiments whose runs may go side by side.
TEN = tuple(replace(EXPERIMENT, slug=f"experiment-of-ten-{n}", units=40) for n in range(10))


@dataclass(frozen=True)
class Deployed:
    """An installation whose runs are pods."""

    installation: Installation
    laboratory: Laboratory
    kubelet: Kubelet
    postgres: Postgres
    batch: client.BatchV1Api

    def ask(self, *cells: Cell, **tags: str) -> str:
        """Launch a backfill of all assets over these cells, with tags of its runs; its id."""
        endpoint = self.installation.endpoint
        known = self.installation.instance.get_dynamic_partitions("experiment")
        for slug in {cell.slug for cell in cells} - set(known):
            endpoint.add_experiment(slug)
        return endpoint.backfill(endpoint.assets(), cells, **tags)

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


@contextmanager
def running_deployment(permissions: ControlPlane, root: Path) -> Iterator[Deployed]:
    """An installation on the cluster until the body ends.

    Args:
        permissions: The cluster with the accounts of an installation.
        root: A folder for all files.
    """
    laboratory = make_laboratory(root / "laboratory", *TEN)
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
            database.address,
            base=base,
            changes=changes,
            variables=variables,
        ) as installation,
    ):
        batch = client.BatchV1Api(permissions.api())
        yield Deployed(installation, laboratory, kubelet, database, batch)
