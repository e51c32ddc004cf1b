"""The workers of a run's Dask cluster as pods of their own, for as long as the run.

Belongs here: the job of these pods, and that it is taken back. Does not: scheduler and steps
(`dask_cluster`), the pod of a run (the launcher).

The scheduler stays in the run's pod, so that there is nothing to find and nothing to be left over.
The workers are one job, and as the run's pod: the same image, settings, storage and volumes. The
job belongs to the run's pod, so that Kubernetes removes it with the pod of a run that is ended; a
worker whose scheduler is gone ends by itself.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from dagster import DagsterRun
from dagster._core.launcher import RunLauncher

from jetstream_assets.orchestration import dask_worker

if TYPE_CHECKING:
    from dagster_k8s import K8sRunLauncher
    from kubernetes.client import V1Job

_COMPONENT = "dask_worker"
# A worker whose scheduler does not answer for so long ends.
_DEATH_SECONDS = "60"


class NoPodsError(Exception):
    """A run is to have workers as pods where runs are no pods."""

    def __init__(self) -> None:
        super().__init__("The workers of a run may be pods only where runs are pods themselves.")


@contextmanager
def worker_pods(
    launcher: RunLauncher, run: DagsterRun, workers: int, scheduler: str
) -> Iterator[None]:
    """So many worker pods until the body ends; they come one after another.

    Raises:
        NoPodsError: Runs are not pods here.
    """
    from dagster_k8s import K8sRunLauncher  # noqa: PLC0415  # most runs have no such workers
    from kubernetes.client import ApiClient, ApiException, BatchV1Api, Configuration
    from kubernetes.config import load_config

    if not isinstance(launcher, K8sRunLauncher):
        raise NoPodsError
    # As the run's own account, whatever the launcher is told.
    account = Configuration()
    load_config(client_configuration=account)
    batch = BatchV1Api(ApiClient(account))
    namespace = launcher.get_container_context_for_run(run).namespace
    job = _job(launcher, run, workers, scheduler)
    batch.create_namespaced_job(namespace, job)
    try:
        yield
    finally:
        # Where somebody else was quicker, or the cluster is away, the workers end by themselves.
        with suppress(ApiException, OSError):
            batch.delete_namespaced_job(
                job.metadata.name, namespace, propagation_policy="Background"
            )


def _job(launcher: "K8sRunLauncher", run: DagsterRun, workers: int, scheduler: str) -> "V1Job":
    from dagster_k8s.job import construct_dagster_k8s_job  # noqa: PLC0415
    from kubernetes.client import V1OwnerReference

    context = launcher.get_container_context_for_run(run)
    origin = run.job_code_origin
    image = origin and origin.repository_origin.container_image
    config = context.get_k8s_job_config(job_image=image, run_launcher=launcher)
    job = construct_dagster_k8s_job(
        config,
        _arguments(scheduler),
        f"dask-{run.run_id}",
        user_defined_k8s_config=context.run_k8s_config,
        component=_COMPONENT,
        labels={"jetstream/run-id": run.run_id},
    )
    job.spec.parallelism = workers
    job.spec.template.spec.automount_service_account_token = False
    name, uid = os.environ["POD_NAME"], os.environ["POD_UID"]
    owner = V1OwnerReference(api_version="v1", kind="Pod", name=name, uid=uid)
    job.metadata.owner_references = [owner]
    return job


def _arguments(scheduler: str) -> list[str]:
    """What a worker pod runs: one process of one thread, as in the local cluster."""
    return [
        *("dask", "worker", scheduler, "--host", "$(POD_IP)"),
        *("--nthreads", "1", "--no-nanny", "--no-dashboard"),
        *("--death-timeout", _DEATH_SECONDS, "--preload", dask_worker.__name__),
    ]
