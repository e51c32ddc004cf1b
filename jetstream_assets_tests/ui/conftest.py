from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from jetstream_assets.orchestration.settings import Executor
from jetstream_assets_tests.orchestration.laboratory import make_laboratory
from jetstream_assets_tests.ui.browser import NO_CHROMIUM, Browser, chromium, open_browser
from jetstream_assets_tests.ui.endpoint import Endpoint
from jetstream_assets_tests.ui.services import Services, running_services

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="package")
def services(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Services]:
    """The services over a small experiment, with the executor that `make dev` has."""
    root = tmp_path_factory.mktemp("ui")
    laboratory = make_laboratory(root / "laboratory")
    settings = laboratory.settings.model_copy(update={"executor": Executor.DASK, "workers": 1})
    with running_services(root / "home", settings) as services:
        yield services


@pytest.fixture(scope="package")
def endpoint(services: Services) -> Endpoint:
    return Endpoint(services.url)


@pytest.fixture(scope="package")
def browser(services: Services) -> Iterator[Browser]:
    program = chromium()
    if program is None:
        pytest.skip(NO_CHROMIUM)
    with open_browser(services.url, program) as browser:
        yield browser
