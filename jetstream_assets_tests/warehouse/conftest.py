"""Every implementation passes the same contract: add it to the parameters of `laboratory`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from jetstream_assets.warehouse.duckdb_parquet import DuckDBParquetWarehouse
from jetstream_assets_tests.warehouse.laboratory import Laboratory, write_parquet

if TYPE_CHECKING:
    from pathlib import Path

    import pyarrow as pa


def duckdb_laboratory(root: Path) -> Laboratory:
    def put(dataset: str, table: str, rows: pa.Table) -> None:
        write_parquet(root / dataset / table, rows)

    def make_empty(dataset: str, table: str) -> None:
        (root / dataset / table).mkdir(parents=True)

    warehouse = DuckDBParquetWarehouse(root, threads=2, memory_limit="512MB")
    return Laboratory(warehouse, put, make_empty)


@pytest.fixture(params=[duckdb_laboratory], ids=["duckdb"])
def laboratory(request: pytest.FixtureRequest, tmp_path: Path) -> Laboratory:
    made: Laboratory = request.param(tmp_path / "warehouse")
    return made


@pytest.fixture
def duckdb(tmp_path: Path) -> Laboratory:
    return duckdb_laboratory(tmp_path / "warehouse")
