"""A client for the tests of the server; each test has datasets of its own."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from google.cloud.bigquery import Client

    from jetstream_assets_tests.bigquery.server import BigQueryServer


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
