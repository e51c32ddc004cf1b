"""What tests of several rooms need: one BigQuery of our own for each process of tests."""

from __future__ import annotations

import gc
from typing import TYPE_CHECKING

import pytest

from jetstream_assets_tests.order import begun_in_order

if TYPE_CHECKING:
    from collections.abc import Iterator

    from jetstream_assets_tests.bigquery.server import BigQueryServer


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let tests that wait run beside those that compute."""
    items[:] = begun_in_order(items)


def pytest_collection_finish() -> None:
    """Leave what the imports made out of garbage collection, which would walk through it again.

    It takes half a second each time, and statsmodels asks for it in each of some calls.
    """
    gc.freeze()


def pytest_sessionfinish() -> None:
    """Give it back: libraries complain of what is still there when the process ends."""
    gc.unfreeze()


@pytest.fixture(scope="session")
def bigquery(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BigQueryServer]:
    """A running server; tests keep apart by projects or datasets of their own."""
    # The client library takes seconds to load, and most tests do without it.
    from jetstream_assets_tests.bigquery.server import running_bigquery  # noqa: PLC0415

    with running_bigquery(tmp_path_factory.mktemp("bigquery")) as server:
        yield server
