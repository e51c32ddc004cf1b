from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from dagster import DagsterInstance

from jetstream_assets_tests.orchestration.laboratory import Laboratory, make_laboratory

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> Laboratory:
    """The inputs, made once; tests run on copies."""
    return make_laboratory(tmp_path_factory.mktemp("world"))


@pytest.fixture
def laboratory(world: Laboratory, tmp_path: Path) -> Laboratory:
    """Inputs without results, in a folder of the test's own."""
    return world.copy(tmp_path / "laboratory")


@pytest.fixture
def instance() -> Iterator[DagsterInstance]:
    """A Dagster instance that lives as long as the test."""
    with DagsterInstance.ephemeral() as ephemeral:
        yield ephemeral
