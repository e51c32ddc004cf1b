"""One server for the tests of the server; each test has datasets of its own."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

import pytest

from jetstream_assets_tests.bigquery.server import BigQueryServer, running_bigquery

if TYPE_CHECKING:
    from collections.abc import Iterator

    from google.cloud.bigquery import Client


@pytest.fixture(scope="session")
def bigquery(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BigQueryServer]:
    with running_bigquery(tmp_path_factory.mktemp("bigquery")) as server:
        yield server


@pytest.fixture
def client(bigquery: BigQueryServer) -> Iterator[Client]:
    with bigquery.client() as client:
        yield client
    bigquery.faults.clear()


@pytest.fixture
def dataset(client: Client) -> str:
    """A new dataset, by its name."""
    name = f"d_{uuid.uuid4().hex}"
    client.create_dataset(name)
    return name
