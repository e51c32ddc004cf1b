"""A real Kubernetes control plane on loopback: etcd, the API server and the controllers of jobs.

Belongs here: its processes, and a way in for people and accounts. Does not: nodes (`kubelet`), what
is deployed (the tests). Its version is 1.20, which has what Dagster's launcher calls; what is newer
in the manifests is held against newer schemas instead.
"""

from __future__ import annotations

import lzma
import shutil
import ssl
import subprocess
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest
import yaml
from kubernetes import client

from jetstream_assets_tests.processes.installation import Service
from jetstream_assets_tests.ui.services import free_port, running_group

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

BINARIES = Path(__file__).parents[2] / "../shared/bin"
NAMESPACE = "jetstream"
_NAMES = ("kube-apiserver", "kube-controller-manager")
_TOKEN = "people"  # noqa: S105  # of a server on loopback that lives for a minute
# Without the one that removes pods of nodes which it does not know: there is no node (`kubelet`).
_CONTROLLERS = "job,resourcequota,serviceaccount,namespace,garbagecollector,ttl-after-finished"
_HOST = "127.0.0.1"


@dataclass(frozen=True)
class ControlPlane:
    """A cluster without nodes.

    Args:
        url: The API server's address.
        folder: Its certificate and the logs.
        server: The API server's process.
    """

    url: str
    folder: Path
    server: Service

    @property
    def certificate(self) -> Path:
        return _certificate(self.folder)

    def api(self, token: str = _TOKEN) -> client.ApiClient:
        """A client of whoever has the token; of the cluster's owner without one."""
        configuration = client.Configuration()
        configuration.host = self.url
        configuration.ssl_ca_cert = str(self.certificate)
        configuration.api_key = {"authorization": f"Bearer {token}"}
        return client.ApiClient(configuration)

    def token_of(self, account: str) -> str:
        """A token of a service account, as its pods get one."""
        request = client.AuthenticationV1TokenRequest(
            spec=client.V1TokenRequestSpec(audiences=["https://kubernetes.default.svc"])
        )
        core = client.CoreV1Api(self.api())
        made = core.create_namespaced_service_account_token(account, NAMESPACE, request)
        return str(made.status.token)

    def kubeconfig(self, token: str = _TOKEN) -> Path:
        """A file by which kubectl and Dagster's launcher reach the cluster."""
        name = "it"
        cluster = {"server": self.url, "certificate-authority": str(self.certificate)}
        context = {"cluster": name, "user": name, "namespace": NAMESPACE}
        path = self.folder / f"kubeconfig-{abs(hash(token))}"
        content = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": name, "cluster": cluster}],
            "users": [{"name": name, "user": {"token": token}}],
            "contexts": [{"name": name, "context": context}],
            "current-context": name,
        }
        path.write_text(yaml.safe_dump(content))
        return path

    def apply(self, documents: Sequence[Mapping[str, Any]], *options: str) -> str:
        """What ``kubectl apply`` says; its complaints fail the test."""
        done = self.kubectl(documents, "apply", "--server-side", "--validate=strict", *options)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def kubectl(
        self, documents: Sequence[Mapping[str, Any]], *arguments: str
    ) -> subprocess.CompletedProcess[str]:
        """Run kubectl on documents."""
        command = ["kubectl", "--kubeconfig", str(self.kubeconfig()), *arguments, "--filename", "-"]
        text = yaml.safe_dump_all(documents)
        return subprocess.run(command, input=text, capture_output=True, text=True, check=False)


def program(name: str, folder: Path) -> Path:
    """Where a program of the control plane is; skips the test where there is none."""
    installed = shutil.which(name)
    if installed is not None:
        return Path(installed)
    packed = BINARIES / f"{name}.xz"
    if not packed.exists():
        pytest.skip(f"there is no {name} here, which a cluster needs: neither installed nor packed")
    unpacked = folder / name
    with lzma.open(packed) as source, unpacked.open("wb") as target:
        shutil.copyfileobj(source, target, 1 << 20)
    unpacked.chmod(0o755)
    return unpacked


@contextmanager
def running_control_plane(folder: Path) -> Iterator[ControlPlane]:
    """A cluster with an empty namespace `jetstream`, until the body ends."""
    etcd = program("etcd", folder)
    server, controllers = (program(name, folder) for name in _NAMES)
    if shutil.which("kubectl") is None:
        pytest.skip("there is no kubectl on this machine, which speaks with a cluster")
    (folder / "tokens.csv").write_text(f'{_TOKEN},admin,admin,"system:masters"\n')
    key = folder / "accounts.key"
    command = ["openssl", "genrsa", "-out", str(key), "2048"]
    subprocess.run(command, check=True, capture_output=True)
    store, peers, port = free_port(), free_port(), free_port()
    url = f"https://{_HOST}:{port}"
    with ExitStack() as groups:
        arguments = (str(server), *_server(folder, key, store, port))
        is_ready = partial(_is_ready, url, _certificate(folder))
        service = Service("apiserver", arguments, {}, folder, is_ready, groups)
        plane = ControlPlane(url, folder, service)

        def start(name: str, *command: str) -> None:
            groups.enter_context(running_group(command, {}, folder / f"{name}.log"))

        start("etcd", str(etcd), *_etcd(folder, store, peers))
        service.start()
        service.wait()
        files = (f"--kubeconfig={plane.kubeconfig()}", f"--service-account-private-key-file={key}")
        ports = ("--port=0", "--secure-port=0", "--leader-elect=false")
        gates = ("--feature-gates=TTLAfterFinished=true",)
        start(
            "controllers", str(controllers), f"--controllers={_CONTROLLERS}", *files, *ports, *gates
        )
        plane.apply([{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}}])
        yield plane


def _etcd(folder: Path, port: int, peers: int) -> tuple[str, ...]:
    url, peer = f"http://{_HOST}:{port}", f"http://{_HOST}:{peers}"
    return (
        f"--data-dir={folder / 'etcd'}",
        "--unsafe-no-fsync=true",
        *(f"--{kind}-client-urls={url}" for kind in ("listen", "advertise")),
        f"--listen-peer-urls={peer}",
        f"--initial-advertise-peer-urls={peer}",
        f"--initial-cluster=default={peer}",
    )


def _server(folder: Path, key: Path, store: int, port: int) -> tuple[str, ...]:
    return (
        f"--etcd-servers=http://{_HOST}:{store}",
        f"--bind-address={_HOST}",
        f"--advertise-address={_HOST}",
        f"--secure-port={port}",
        f"--cert-dir={folder / 'certificates'}",
        "--service-cluster-ip-range=10.0.0.0/24",
        f"--token-auth-file={folder / 'tokens.csv'}",
        "--authorization-mode=Node,RBAC",
        f"--service-account-key-file={key}",
        f"--service-account-signing-key-file={key}",
        "--service-account-issuer=https://kubernetes.default.svc",
        "--disable-admission-plugins=ServiceAccount",
        "--feature-gates=TTLAfterFinished=true",
    )


def _certificate(folder: Path) -> Path:
    return folder / "certificates" / "apiserver.crt"


def _is_ready(url: str, certificate: Path) -> bool:
    if not certificate.exists():
        return False
    try:
        trusted = ssl.create_default_context(cafile=str(certificate))
        headers = {"Authorization": f"Bearer {_TOKEN}"}
        answer = httpx.get(f"{url}/readyz", headers=headers, verify=trusted)
    except (httpx.TransportError, ssl.SSLError):
        return False
    return answer.status_code == httpx.codes.OK
