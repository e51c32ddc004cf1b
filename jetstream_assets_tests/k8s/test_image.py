from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from jetstream_assets_tests.k8s.manifests import OVERLAYS, pod_specs
from jetstream_assets_tests.ui.services import ROOT

DOCKERFILE = (ROOT / "Dockerfile").read_text()
HADOLINT = Path(sys.executable).parent / "hadolint"


def test_the_dockerfile_is_linted() -> None:
    found = shutil.which("hadolint") or shutil.which(HADOLINT)
    if found is None:
        pytest.skip("there is no hadolint here, which lints the Dockerfile")
    done = subprocess.run(
        [found, str(ROOT / "Dockerfile")], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_it_is_built_with_the_tools_of_the_repository() -> None:
    (version,) = re.findall(r"^UV_VERSION := (\S+)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert f"uv=={version}" in DOCKERFILE


def test_nothing_but_what_it_is_made_of_is_sent_to_the_builder() -> None:
    lines = (ROOT / ".dockerignore").read_text().splitlines()
    kept = {line.removeprefix("!") for line in lines if line.startswith("!")}
    copied = re.findall(r"^COPY (?!--from)(.*) \S+$", DOCKERFILE, re.MULTILINE)
    assert kept == {name for names in copied for name in names.split()}
    assert all((ROOT / name).exists() for name in kept)


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_pods_are_the_user_of_the_image(overlay: str) -> None:
    (user, group) = re.findall(r"^USER (\d+):(\d+)$", DOCKERFILE, re.MULTILINE)[0]
    for name, spec in pod_specs(overlay):
        security = spec["securityContext"]
        if name != "postgres":
            assert (security["runAsUser"], security["runAsGroup"]) == (int(user), int(group))


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_every_command_of_a_pod_is_there(overlay: str) -> None:
    for name, spec in pod_specs(overlay):
        if name != "postgres":
            command = spec["containers"][0]["args"][0]
            assert (Path(sys.executable).parent / command).exists()
