from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from jetstream_assets_tests.k8s.control_plane import ControlPlane, running_control_plane
from jetstream_assets_tests.k8s.deployment import Deployed, running_deployment
from jetstream_assets_tests.k8s.manifests import of_kind

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="package")
def plane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    """One cluster for all tests of this folder; skipped where its programs are not."""
    with running_control_plane(tmp_path_factory.mktemp("control-plane")) as running:
        yield running


@pytest.fixture(scope="package")
def permissions(plane: ControlPlane) -> ControlPlane:
    """The cluster with the accounts of an installation and what they may do."""
    kinds = ("ServiceAccount", "Role", "RoleBinding")
    plane.apply([document for kind in kinds for document in of_kind("local", kind).values()])
    return plane


@pytest.fixture(scope="package")
def deployed(
    permissions: ControlPlane, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Deployed]:
    """One installation on the cluster for all tests of this folder."""
    with running_deployment(permissions, tmp_path_factory.mktemp("deployed")) as running:
        yield running
