from __future__ import annotations

import shutil
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from dagster import DagsterInstance

from jetstream_assets_tests.orchestration.laboratory import (
    FIRST_WEEK,
    Laboratory,
    days,
    make_laboratory,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]


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


@pytest.fixture
def home(tmp_path: Path) -> Iterator[DagsterInstance]:
    """A persistent instance with the repository's ``dagster.yaml``, in a folder of the test's."""
    (tmp_path / "home").mkdir()
    shutil.copy(ROOT / "dagster.yaml", tmp_path / "home")
    with DagsterInstance.from_config(str(tmp_path / "home")) as found:
        yield found


@dataclass(frozen=True)
class FirstRun:
    """A laboratory with two computed cells, the last of which is that of the first week."""

    laboratory: Laboratory
    run_id: str
    instance: DagsterInstance


@pytest.fixture(scope="session")
def first_run(world: Laboratory, tmp_path_factory: pytest.TempPathFactory) -> Iterator[FirstRun]:
    """One run over two dates, made once; its laboratory is to be read and not changed."""
    laboratory = world.copy(tmp_path_factory.mktemp("first") / "laboratory")
    with DagsterInstance.ephemeral() as instance:
        dates = days(FIRST_WEEK - timedelta(days=1), FIRST_WEEK)
        (run,) = laboratory.run(*dates, instance=instance)
        assert run.succeeded, run.errors
        yield FirstRun(laboratory, run.run_id, instance)


@pytest.fixture
def computed(first_run: FirstRun, tmp_path: Path) -> Laboratory:
    """The inputs with the results of these cells, in a folder of the test's own."""
    shutil.copytree(first_run.laboratory.root, tmp_path / "computed")
    return Laboratory(tmp_path / "computed")
