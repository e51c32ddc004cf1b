"""A node for tests: pods are local processes, with what the cluster says of their environment.

Belongs here: from a waiting pod to its ended process, as far as Dagster's launcher and the
controller of jobs look at it. Does not: images, volumes, limits and logs, which no pod here has.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
import time
from base64 import b64decode
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kubernetes import client
from urllib3.exceptions import HTTPError

from jetstream_assets_tests.k8s.control_plane import NAMESPACE, ControlPlane
from jetstream_assets_tests.ui.services import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

NODE = "node"
_LOOK_SECONDS = 0.3


@dataclass
class _Process:
    """A pod's process, and since when it is asked to end."""

    process: subprocess.Popen[bytes]
    asked: float | None = None


@dataclass
class Kubelet:
    """Runs the pods of the namespace until it is stopped.

    Args:
        plane: The cluster.
        logs: A folder for what the pods print.
        holds: Whether pods wait instead of being started.
        reasons: Why pods ended, where it is not for an error of their own.
        missing_images: Images that cannot be pulled.
    """

    plane: ControlPlane
    logs: Path
    holds: bool = False
    reasons: dict[str, str] = field(default_factory=dict)
    missing_images: set[str] = field(default_factory=set)
    _processes: dict[str, _Process] = field(default_factory=dict)
    _stopped: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    def __enter__(self) -> Kubelet:
        self.logs.mkdir(parents=True, exist_ok=True)
        self._core = client.CoreV1Api(self.plane.api())
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped.set()
        assert self._thread is not None
        self._thread.join()
        for running in self._processes.values():
            _signal(running.process, signal.SIGKILL)
            running.process.wait()

    def pods_of(self, run_id: str) -> list[str]:
        """The names of a run's pods."""
        labels = f"dagster/run-id={run_id}"
        found = self._core.list_namespaced_pod(NAMESPACE, label_selector=labels).items
        return [pod.metadata.name for pod in found]

    def has_started(self, run_id: str) -> bool:
        """Whether a run's pod has a process."""
        return any(name in self._processes for name in self.pods_of(run_id))

    def is_running(self, name: str) -> bool:
        """Whether a pod has a process that has not ended."""
        running = self._processes.get(name)
        return running is not None and running.process.poll() is None

    def process_of(self, name: str) -> int:
        """The number of a pod's process."""
        return self._processes[name].process.pid

    def waits_of(self, run_id: str) -> list[str]:
        """Why the containers of a run's pods wait, such as ``ImagePullBackOff``."""
        labels = f"dagster/run-id={run_id}"
        pods = self._core.list_namespaced_pod(NAMESPACE, label_selector=labels).items
        states = [s.state for pod in pods for s in pod.status.container_statuses or []]
        return [state.waiting.reason for state in states if state.waiting is not None]

    def kill(self, run_id: str, reason: str = "Error") -> None:
        """``kill -9`` of a run's pod, which then ends for this reason, such as ``OOMKilled``."""
        (name,) = self.pods_of(run_id)
        self.reasons[name] = reason
        _signal(self._processes[name].process, signal.SIGKILL)

    @contextmanager
    def frozen(self, run_id: str) -> Iterator[None]:
        """A run's pod that is there and does nothing until the body ends."""
        (name,) = self.pods_of(run_id)
        process = self._processes[name].process
        _signal(process, signal.SIGSTOP)
        try:
            yield
        finally:
            _signal(process, signal.SIGCONT)

    def delete(self, run_id: str) -> None:
        """Delete a run's pod, as a person does with kubectl."""
        (name,) = self.pods_of(run_id)
        self._core.delete_namespaced_pod(name, NAMESPACE)

    def _run(self) -> None:
        while not self._stopped.wait(_LOOK_SECONDS):
            try:
                for pod in self._core.list_namespaced_pod(NAMESPACE).items:
                    self._look_at(pod)
            except client.ApiException as error:
                # Somebody else changed it in the meantime; the next look sees how.
                if error.status not in {404, 409}:
                    raise
            except HTTPError:
                # The cluster is away; pods go on, as they do on a node.
                continue

    def _look_at(self, pod: Any) -> None:  # noqa: ANN401  # the client has no types
        name, running = pod.metadata.name, self._processes.get(pod.metadata.name)
        if pod.metadata.deletion_timestamp is not None:
            self._end(pod, running)
        elif running is None and pod.status.phase == "Pending" and not self.holds:
            self._start(pod)
        elif running is not None and pod.status.phase == "Running":
            code = running.process.poll()
            if code is not None:
                self._tell_ended(name, pod.spec.containers[0], code)

    def _start(self, pod: Any) -> None:  # noqa: ANN401
        name, container = pod.metadata.name, pod.spec.containers[0]
        if container.image in self.missing_images:
            self._tell_not_pulled(pod, container)
            return
        if pod.spec.node_name is None:
            target = client.V1ObjectReference(kind="Node", name=NODE)
            meta = client.V1ObjectMeta(name=name)
            binding = client.V1Binding(metadata=meta, target=target)
            self._core.create_namespaced_pod_binding(
                name, NAMESPACE, binding, _preload_content=False
            )
        address = self._new_address()
        variables = self._environment(pod, container, address)
        command = [*(container.command or []), *(container.args or [])]
        with (self.logs / f"{name}.log").open("wb") as output:
            process = subprocess.Popen(
                [_expanded(word, variables) for word in command],
                cwd=ROOT,
                env=variables,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self._processes[name] = _Process(process)
        self._tell(name, "Running", container, {"running": {}}, address)

    def _new_address(self) -> str:
        """An address of the loopback network that no other pod has."""
        number = len(self._processes)
        return f"127.{64 + os.getpid() % 128}.{number // 250}.{number % 250 + 1}"

    def _environment(self, pod: Any, container: Any, address: str) -> dict[str, str]:  # noqa: ANN401
        """What the image would have, and what the pod says."""
        found = {
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "HOME": str(self.logs),
            "PYTHONPATH": str(ROOT),
        }
        for source in container.env_from or []:
            if source.config_map_ref is not None:
                name = source.config_map_ref.name
                found |= self._core.read_namespaced_config_map(name, NAMESPACE).data
            if source.secret_ref is not None:
                found |= self._secret(source.secret_ref)
        if pod.spec.automount_service_account_token:
            token = self.plane.token_of(pod.spec.service_account_name)
            found["KUBECONFIG"] = str(self.plane.kubeconfig(token))
        fields = {
            "metadata.namespace": pod.metadata.namespace,
            "metadata.name": pod.metadata.name,
            "metadata.uid": pod.metadata.uid,
            "status.podIP": address,
        }
        for variable in container.env or []:
            reference = variable.value_from and variable.value_from.field_ref
            value = fields[reference.field_path] if reference else variable.value
            found[variable.name] = value or ""
        return found

    def _secret(self, reference: Any) -> dict[str, str]:  # noqa: ANN401
        try:
            data = self._core.read_namespaced_secret(reference.name, NAMESPACE).data
        except client.ApiException as error:
            if error.status == 404 and reference.optional:
                return {}
            raise
        return {key: b64decode(value).decode() for key, value in data.items()}

    def _end(self, pod: Any, running: _Process | None) -> None:  # noqa: ANN401
        """SIGTERM, the pod's grace, SIGKILL; then the pod is gone."""
        if running is not None and running.process.poll() is None:
            if running.asked is None:
                running.asked = time.monotonic()
                running.process.send_signal(signal.SIGTERM)
            elif time.monotonic() - running.asked > pod.metadata.deletion_grace_period_seconds:
                _signal(running.process, signal.SIGKILL)
            return
        self._core.delete_namespaced_pod(pod.metadata.name, NAMESPACE, grace_period_seconds=0)

    def _tell_not_pulled(self, pod: Any, container: Any) -> None:  # noqa: ANN401
        """The first failure to pull an image, then that it is tried again after a while."""
        name, told = pod.metadata.name, f'Failed to pull image "{container.image}": not found'
        if pod.status.container_statuses:
            waits = f'Back-off pulling image "{container.image}"'
            self._tell(name, "Pending", container, {"waiting": _waiting("ImagePullBackOff", waits)})
            return
        self._tell(name, "Pending", container, {"waiting": _waiting("ErrImagePull", told)})
        about = client.V1ObjectReference(kind="Pod", name=name, namespace=NAMESPACE)
        meta = client.V1ObjectMeta(generate_name=f"{name}.")
        event = client.CoreV1Event(
            metadata=meta, involved_object=about, type="Warning", reason="Failed", message=told
        )
        self._core.create_namespaced_event(NAMESPACE, event)

    def _tell_ended(self, name: str, container: Any, code: int) -> None:  # noqa: ANN401
        status = 128 - code if code < 0 else code
        reason = self.reasons.get(name, "Error") if status else "Completed"
        phase = "Failed" if status else "Succeeded"
        ended = {"terminated": {"exitCode": status, "reason": reason}}
        self._tell(name, phase, container, ended)

    def _tell(
        self,
        name: str,
        phase: str,
        container: Any,  # noqa: ANN401
        state: dict[str, Any],
        address: str | None = None,
    ) -> None:
        is_running = phase == "Running"
        status = {
            "name": container.name,
            "image": container.image,
            "imageID": "",
            "ready": is_running,
            "started": is_running,
            "restartCount": 0,
            "state": state,
        }
        body: dict[str, Any] = {"status": {"phase": phase, "containerStatuses": [status]}}
        if address is not None:
            body["status"]["podIP"] = address
        if self.reasons.get(name) == "Evicted" and phase == "Failed":
            # A node that moves a pod away says so of the pod and forgets its containers.
            told = "The node was low on resource: memory."
            body = {"status": {"phase": phase, "reason": "Evicted", "message": told}}
        self._core.patch_namespaced_pod_status(name, NAMESPACE, body)


def _expanded(word: str, variables: Mapping[str, str]) -> str:
    """A word of a command with its ``$(NAME)`` replaced."""
    return re.sub(r"\$\((\w+)\)", lambda found: variables[found[1]], word)


def _waiting(reason: str, message: str) -> dict[str, str]:
    return {"reason": reason, "message": message}


def _signal(process: subprocess.Popen[bytes], number: int) -> None:
    """Signal a pod's process and what it has started."""
    try:
        os.killpg(process.pid, number)
    except ProcessLookupError:
        return
