"""Runs as pods of a cluster, watched: why one was lost, and more memory for the next attempt.

Belongs here: what became of a run's pod, and what the next attempt's pod gets. Does not: how a pod
is made (Dagster's launcher, the instance's file), what follows on a lost one (run monitoring and
retries).

Dagster's launcher calls a run lost whose pod it cannot ask for: a cluster whose API is away for a
minute would have its runs started a second time beside the first. Here such a run counts as there.
A pod that was killed for its memory, or moved away by a node that had none left, would fail again
in the same way; its next attempt, and those after it, may take twice as much.
"""

import json
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from dagster import DagsterRun
from dagster._core.launcher import CheckRunHealthResult, LaunchRunContext, WorkerStatus
from dagster_k8s import K8sRunLauncher
from dagster_k8s.client import DagsterK8sAPIRetryLimitExceeded
from dagster_k8s.container_context import K8sContainerContext
from dagster_k8s.job import UserDefinedDagsterK8sConfig, get_job_name_from_run_id

from jetstream_assets.orchestration import run_tags

if TYPE_CHECKING:
    from kubernetes.client import V1Pod

_GONE = "could not be found"
# A run that makes pods has a token, and knows who and where it is: they find it, and go with it.
_SELF = {
    "POD_NAMESPACE": "metadata.namespace",
    "POD_NAME": "metadata.name",
    "POD_UID": "metadata.uid",
    "POD_IP": "status.podIP",
}
_SPEAKS_WITH_CLUSTER = K8sContainerContext(
    run_k8s_config=UserDefinedDagsterK8sConfig(
        container_config={
            "env": [
                {"name": name, "value_from": {"field_ref": {"field_path": path}}}
                for name, path in _SELF.items()
            ]
        },
        pod_spec_config={"automount_service_account_token": True},
    )
)
_SHORT_OF_MEMORY = {"OOMKilled", "Evicted"}
_QUANTITY = re.compile(r"(\d+)([KMGT]i?)?")


class ClusterAwayError(Exception):
    """The cluster's API does not answer."""

    def __init__(self) -> None:
        super().__init__("The cluster's API does not answer, so the run's pod was not made.")


class WatchedPodLauncher(K8sRunLauncher):
    """Dagster's launcher of pods, which tells an absent cluster from an absent pod."""

    def get_container_context_for_run(self, dagster_run: DagsterRun) -> K8sContainerContext:
        """What the pod of a run is to have, also where it makes pods itself."""
        found = super().get_container_context_for_run(dagster_run)
        has_workers = dagster_run.tags.get(run_tags.WORKERS) == run_tags.PODS
        return found.merge(_SPEAKS_WITH_CLUSTER) if has_workers else found

    def launch_run(self, context: LaunchRunContext) -> None:
        """Make the pod of a run. Where the cluster is away, the run fails for this plain reason.

        Raises:
            ClusterAwayError: The cluster's API does not answer. The run is tried again.
        """
        try:
            super().launch_run(context)
        except DagsterK8sAPIRetryLimitExceeded as error:
            raise ClusterAwayError from error

    def check_run_worker_health(self, run: DagsterRun) -> CheckRunHealthResult:
        """Whether the pod of a run is there, and else why not.

        A run whose pod lacked memory gets a tag by which its next attempt may take twice as much;
        once, since what is too large then needs a person.
        """
        found: CheckRunHealthResult = super().check_run_worker_health(run)
        if found.status is WorkerStatus.UNKNOWN and _GONE not in (found.msg or ""):
            told = f"The cluster does not say whether the run's pod is there: {found.msg}"
            return CheckRunHealthResult(WorkerStatus.RUNNING, told)
        if found.status is not WorkerStatus.FAILED:
            return found
        lost = [(pod, reason) for pod in self._pods(run) if (reason := _reason(pod)) is not None]
        told = "; ".join([found.msg or "", *(reason for _, reason in lost)])
        for pod, reason in lost:
            if reason in _SHORT_OF_MEMORY and run_tags.MEMORY not in run.tags:
                tags = more_memory(run.tags, _memory_limit(pod))
                self._instance.add_run_tags(run.run_id, tags)
                told += f". The next attempt may take {tags.get(run_tags.MEMORY)} of memory"
        return CheckRunHealthResult(WorkerStatus.FAILED, told)

    def lost_before_start(self, run: DagsterRun) -> str | None:
        """Why a run that nobody is starting now will never start; None: it may yet."""
        found = self.check_run_worker_health(run)
        if found.status is WorkerStatus.RUNNING:
            return None
        if found.status is WorkerStatus.UNKNOWN:
            return "The run has not started, and the cluster has no job of it."
        try:
            pod = self.get_run_worker_debug_info(run)
        except Exception as error:  # noqa: BLE001  # that the run is lost is known without it
            pod = str(error)
        told = "The run's pod ended before it could tell that the run has started"
        return f"{told}. {found.msg or ''}\n{pod}"

    def get_run_worker_debug_info(
        self,
        run: DagsterRun,
        include_container_logs: bool | None = True,  # noqa: FBT001, FBT002  # as Dagster calls it
    ) -> str | None:
        """What the cluster says of the pod of a run that has not started.

        Dagster's own answer fails for a job that never got a pod, as where a quota is full; then
        the cluster's events of the job are the answer.
        """
        try:
            told: str | None = super().get_run_worker_debug_info(run, include_container_logs)
        except AttributeError:  # it asks for the start of a job that has none
            return self._events(run)
        return told

    def _events(self, run: DagsterRun) -> str:
        namespace = self.get_container_context_for_run(run).namespace
        job = get_job_name_from_run_id(run.run_id)  # type: ignore[no-untyped-call]
        about = f"involvedObject.name={job}"
        found = self._api_client.core_api.list_namespaced_event(namespace, field_selector=about)
        told = [f"{event.reason}: {event.message}" for event in found.items]
        return "\n".join([f"The job {job} has no pod.", *told])

    def _pods(self, run: DagsterRun) -> "list[V1Pod]":
        namespace = self.get_container_context_for_run(run).namespace
        try:
            job = get_job_name_from_run_id(run.run_id)  # type: ignore[no-untyped-call]
            return list(self._api_client.get_pods_in_job(job, namespace))
        except Exception:  # noqa: BLE001  # that the run is lost is known; why, nobody says now
            return []


def more_memory(found: Mapping[str, str], limit: str | None) -> dict[str, str]:
    """The tags by which the next attempt of a run gets twice its memory, and asks for half of it.

    Args:
        found: The tags that the run has.
        limit: The memory that its pod might take, such as ``10Gi``; None: as much as there was.
    """
    parts = _QUANTITY.fullmatch(limit or "")
    if parts is None:
        return {}
    unit = parts[2] or ""
    once, twice = f"{int(parts[1])}{unit}", f"{int(parts[1]) * 2}{unit}"
    config = json.loads(found.get(run_tags.POD, "{}"))
    resources = config.setdefault("container_config", {}).setdefault("resources", {})
    resources.setdefault("requests", {})["memory"] = once
    resources.setdefault("limits", {})["memory"] = twice
    return {run_tags.POD: json.dumps(config), run_tags.MEMORY: twice}


def _reason(pod: "V1Pod") -> str | None:
    """Why a pod ended, such as ``OOMKilled``, ``Evicted`` or ``Error``; None: it did not say."""
    if pod.status.reason is not None:
        return str(pod.status.reason)
    for status in pod.status.container_statuses or []:
        if status.state.terminated is not None and status.state.terminated.exit_code:
            return str(status.state.terminated.reason)
    return None


def _memory_limit(pod: "V1Pod") -> str | None:
    resources: Any = pod.spec.containers[0].resources
    limits = (resources and resources.limits) or {}
    return limits.get("memory")
