"""Every implementation passes the same contract: add it to the parameters of `laboratory`."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

import pyarrow as pa
import pytest

from jetstream_assets.warehouse.duckdb_parquet import DuckDBParquetWarehouse
from jetstream_assets_tests.warehouse.laboratory import Laboratory, write_parquet

if TYPE_CHECKING:
    from pathlib import Path

    from jetstream_assets_tests.bigquery.server import BigQueryServer


def duckdb_laboratory(root: Path) -> Laboratory:
    def put(dataset: str, table: str, rows: pa.Table, *, project: str | None = None) -> None:
        del project
        write_parquet(root / dataset / table, rows)

    def make_empty(dataset: str, table: str) -> None:
        (root / dataset / table).mkdir(parents=True)

    warehouse = DuckDBParquetWarehouse(root, threads=2, memory_limit="512MB")
    return Laboratory(warehouse, put, make_empty)


def bigquery_laboratory(server: BigQueryServer) -> Laboratory:
    """A warehouse in a project of its own, over HTTP with the real client."""
    from jetstream_assets.warehouse.bigquery import BigQueryWarehouse  # noqa: PLC0415
    from jetstream_assets.warehouse.bigquery_options import BigQueryOptions  # noqa: PLC0415
    from jetstream_assets_tests.bigquery.names import TableKey  # noqa: PLC0415
    from jetstream_assets_tests.bigquery.stocking import (  # noqa: PLC0415
        LoopbackClient,
        put_dataset,
        put_table,
    )

    own = f"test-{uuid.uuid4().hex}"

    def put(dataset: str, table: str, rows: pa.Table, *, project: str | None = None) -> None:
        put_table(server, TableKey(project or own, dataset, table), rows)

    def make_empty(dataset: str, table: str) -> None:
        put_table(server, TableKey(own, dataset, table), pa.table({}))

    for dataset in ("jetstream", "private"):
        put_dataset(server, own, dataset)
    options = BigQueryOptions(own, uses_storage_api=False)
    warehouse = BigQueryWarehouse(LoopbackClient(server.url, own), options)
    return Laboratory(warehouse, put, make_empty, rounds=6)


@pytest.fixture(params=["duckdb", "bigquery"])
def laboratory(request: pytest.FixtureRequest, tmp_path: Path) -> Laboratory:
    if request.param == "duckdb":
        return duckdb_laboratory(tmp_path / "warehouse")
    return bigquery_laboratory(request.getfixturevalue("bigquery"))


@pytest.fixture
def duckdb(tmp_path: Path) -> Laboratory:
    return duckdb_laboratory(tmp_path / "warehouse")
