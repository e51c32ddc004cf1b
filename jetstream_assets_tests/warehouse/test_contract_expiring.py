"""Datasets for what nobody needs for long: made once, never over what somebody needs."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

import pyarrow as pa
import pytest

from jetstream_assets.errors import WarehouseAccessError
from jetstream_assets.warehouse.bigquery import BigQueryWarehouse
from jetstream_assets.warehouse.duckdb_parquet import DuckDBParquetWarehouse
from jetstream_assets.warehouse.tables import ResultTable
from jetstream_assets_tests.warehouse.conftest import bigquery_laboratory
from jetstream_assets_tests.warehouse.laboratory import PROVENANCE, Laboratory, a_slice, query

if TYPE_CHECKING:
    from jetstream_assets.warehouse.base import DatasetWarehouse
    from jetstream_assets_tests.bigquery.server import BigQueryServer

SCRATCH = "of_previews"


def _warehouse(laboratory: Laboratory) -> DatasetWarehouse:
    warehouse = laboratory.warehouse
    assert isinstance(warehouse, BigQueryWarehouse | DuckDBParquetWarehouse)
    return warehouse


def test_it_is_made_once_and_written_to(laboratory: Laboratory) -> None:
    warehouse = _warehouse(laboratory)
    target = a_slice(dataset=SCRATCH)
    for value in (1, 2):
        warehouse.make_expiring(SCRATCH, 3)
        warehouse.replace(target, query(f"SELECT {value} AS a"), PROVENANCE)
        assert laboratory.read(target)["a"].to_pylist() == [value]


def test_one_that_keeps_its_tables_is_refused(laboratory: Laboratory) -> None:
    warehouse = _warehouse(laboratory)
    laboratory.put("telemetry", "main", pa.table({"a": [1]}))
    for dataset in ("jetstream", "telemetry"):
        with pytest.raises(WarehouseAccessError, match="keeps its tables"):
            warehouse.make_expiring(dataset, 3)
    assert laboratory.rows("SELECT a FROM telemetry.main") == [{"a": 1}]


def test_an_experiment_is_removed_and_the_others_stay(laboratory: Laboratory) -> None:
    warehouse = _warehouse(laboratory)
    warehouse.make_expiring(SCRATCH, 3)
    ours = [
        a_slice(experiment="ours", table=table, dataset=SCRATCH)
        for table in (ResultTable.METRICS, ResultTable.STATISTICS)
    ]
    others = [
        a_slice(experiment="others", dataset=SCRATCH),
        a_slice(experiment="ours"),
    ]
    for target in (*ours, *others):
        warehouse.replace(target, query("SELECT 1 AS a"), PROVENANCE)
    warehouse.remove("ours", SCRATCH)
    warehouse.remove("ours", SCRATCH)
    assert [warehouse.provenance(target) for target in (*ours, *others)] == [
        None,
        None,
        PROVENANCE,
        PROVENANCE,
    ]
    warehouse.replace(ours[0], query("SELECT 2 AS a"), PROVENANCE)
    assert laboratory.read(ours[0])["a"].to_pylist() == [2]


def test_bigquery_is_told_how_long_tables_stay(bigquery: BigQueryServer) -> None:
    warehouse = bigquery_laboratory(bigquery).warehouse
    assert isinstance(warehouse, BigQueryWarehouse)
    warehouse.make_expiring(SCRATCH, 3)
    place = f"{warehouse.options.project}.{SCRATCH}"
    found = warehouse.open_client().get_dataset(place)
    assert found.default_table_expiration_ms == 3 * 24 * 3600 * 1000


def test_what_is_old_is_removed_from_a_folder(duckdb: Laboratory) -> None:
    warehouse = duckdb.warehouse
    assert isinstance(warehouse, DuckDBParquetWarehouse)
    warehouse.make_expiring(SCRATCH, 3)
    old, new = (a_slice(experiment=slug, dataset=SCRATCH) for slug in ("old", "new"))
    for target in (old, new):
        warehouse.replace(target, query("SELECT 1 AS a"), PROVENANCE)
    long_ago = time.time() - 3 * 24 * 3600 - 60
    for path in (warehouse.root / SCRATCH).rglob("experiment=old/**/*.parquet"):
        os.utime(path, (long_ago, long_ago))
    warehouse.make_expiring(SCRATCH, 3)
    assert warehouse.provenance(old) is None
    assert warehouse.provenance(new) == PROVENANCE
