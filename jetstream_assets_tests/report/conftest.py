from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from jetstream_assets_tests.gcs.server import Gcs, running_gcs

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="package")
def gcs_server() -> Iterator[Gcs]:
    """One server for all tests of this folder; each writes under a prefix of its own."""
    with running_gcs() as gcs:
        yield gcs


@pytest.fixture
def gcs(gcs_server: Gcs) -> Gcs:
    """The server without any fault, and without a memory of what other tests asked."""
    gcs_server.faults.clear()
    gcs_server.requests.clear()
    return gcs_server
