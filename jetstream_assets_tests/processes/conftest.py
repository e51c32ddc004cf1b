from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from jetstream_assets_tests.orchestration.laboratory import Laboratory, make_laboratory
from jetstream_assets_tests.processes.installation import Installation, running_installation
from jetstream_assets_tests.processes.postgres import running_postgres

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="package")
def laboratory(tmp_path_factory: pytest.TempPathFactory) -> Laboratory:
    """The small experiment that the installation analyses."""
    return make_laboratory(tmp_path_factory.mktemp("processes") / "laboratory")


@pytest.fixture(scope="package")
def installation(
    laboratory: Laboratory, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Installation]:
    """One installation for all tests of this folder, stored in Postgres.

    Its runs execute their steps in their own process, since a Dask cluster takes longer to start
    than the small experiment to analyse.
    """
    root = tmp_path_factory.mktemp("installation")
    with (
        running_postgres() as database,
        running_installation(root, laboratory.settings, database.address) as running,
    ):
        yield running
