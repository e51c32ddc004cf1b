"""The manifests as a cluster gets them: each overlay rendered by `kubectl kustomize`.

Belongs here: rendering, and finding documents in what was rendered. Does not: what has to hold.
"""

from __future__ import annotations

import shutil
import subprocess
from functools import cache
from typing import TYPE_CHECKING, Any, cast

import pytest
import yaml

from jetstream_assets_tests.ui.services import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

Document = dict[str, Any]

OVERLAYS = ("local", "gke")
FOLDER = ROOT / "k8s"


@cache
def rendered(overlay: str) -> tuple[Document, ...]:
    """All documents of an overlay; skips the test where there is no kubectl."""
    if shutil.which("kubectl") is None:
        pytest.skip("there is no kubectl on this machine, which renders the manifests")
    return rendered_folder(FOLDER / "overlays" / overlay)


def rendered_folder(folder: Path) -> tuple[Document, ...]:
    """All documents of a folder with a kustomization."""
    command = ["kubectl", "kustomize", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return tuple(yaml.safe_load_all(done.stdout))


def of_kind(overlay: str, kind: str) -> dict[str, Document]:
    """The documents of a kind by their names."""
    found = (document for document in rendered(overlay) if document["kind"] == kind)
    return {document["metadata"]["name"]: document for document in found}


def pod_specs(overlay: str) -> Iterator[tuple[str, Document]]:
    """The name and the pod of each workload."""
    for document in rendered(overlay):
        template = document.get("spec", {}).get("template")
        if template is not None:
            yield document["metadata"]["name"], template["spec"]


def instance(overlay: str) -> Document:
    """The instance's settings that an overlay deploys."""
    data = of_kind(overlay, "ConfigMap")["jetstream-instance"]["data"]
    return cast("Document", yaml.safe_load(data["dagster.yaml"]))
