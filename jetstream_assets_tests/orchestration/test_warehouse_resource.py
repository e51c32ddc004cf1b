"""A warehouse is opened from its location, with the credentials that Google's libraries find."""

from __future__ import annotations

import json
import logging
import traceback
import uuid
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
import pytest

from jetstream_assets.errors import SettingsError, WarehouseAccessError, WarehouseError
from jetstream_assets.orchestration.settings import read_settings
from jetstream_assets.orchestration.warehouse_resource import WarehouseResource, warehouse_resource
from jetstream_assets.warehouse.bigquery import BigQueryWarehouse
from jetstream_assets.warehouse.duckdb_parquet import DuckDBParquetWarehouse
from jetstream_assets_tests.warehouse.laboratory import PROVENANCE, a_slice, query

if TYPE_CHECKING:
    from collections.abc import Callable

    from jetstream_assets.warehouse.base import Warehouse
    from jetstream_assets_tests.bigquery.server import BigQueryServer


def test_a_location_is_a_folder_or_a_dataset(tmp_path: Path) -> None:
    folder = warehouse_resource(read_settings(warehouse=tmp_path)).open()
    assert folder == DuckDBParquetWarehouse(tmp_path, 1)
    settings = read_settings(
        warehouse="bigquery://my-project/results",
        bigquery_location="EU",
        bigquery_source_project="telemetry-project",
        bigquery_maximum_bytes_billed=10**9,
        bigquery_timeout_seconds=60,
        bigquery_scratch_hours=2,
        bigquery_views=True,
    )
    # Opening asks nobody for anything.
    found = warehouse_resource(settings.absolute()).open()
    assert isinstance(found, BigQueryWarehouse)
    options = found.options
    assert (options.project, options.dataset, options.location) == ("my-project", "results", "EU")
    assert options.source_project == "telemetry-project"
    assert options.maximum_bytes_billed == 10**9
    assert (options.timeout_seconds, options.scratch_hours) == (60, 2)
    assert options.publishes_views
    assert options.uses_storage_api


@pytest.mark.parametrize("location", ["bigquery://", "bigquery://p", "bigquery://p/d/t"])
def test_a_location_without_a_dataset_is_refused(location: str) -> None:
    with pytest.raises(SettingsError, match="bigquery://project/dataset is"):
        read_settings(warehouse=location)


def test_without_credentials_the_error_says_how_to_get_them(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    broken = tmp_path / "key.json"
    broken.write_text(json.dumps({"type": "service_account", "private_key": "planted-secret"}))
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(broken))
    warehouse = WarehouseResource(root="bigquery://my-project/results").open()
    with pytest.raises(WarehouseAccessError, match="gcloud auth") as caught:
        warehouse.query(query("SELECT 1 AS a"))
    assert "planted-secret" not in "".join(traceback.format_exception(caught.value))


def test_no_token_or_key_is_told_whatever_fails(
    bigquery: BigQueryServer, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    project = f"test-{uuid.uuid4().hex[:8]}"
    environment = bigquery.environment(project)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    with bigquery.client(project) as client:
        client.create_dataset("results")
    given = set(bigquery.tokens.given)
    caplog.set_level(logging.DEBUG)
    told = []
    for fault in (lambda: None, *_faults(bigquery)):
        fault()
        warehouse = WarehouseResource(root=f"bigquery://{project}/results").open()
        told.append(_told_by(warehouse))
        bigquery.faults.clear()
    assert told[0] == ""
    assert all(told[1:])
    tokens = bigquery.tokens.given - given
    assert tokens
    key = json.loads(Path(environment["GOOGLE_APPLICATION_CREDENTIALS"]).read_text())
    secrets = [*tokens, *key["private_key"].splitlines()[1:-1]]
    said = "\n".join([*told, caplog.text])
    assert [secret for secret in secrets if secret in said] == []


def _faults(server: BigQueryServer) -> list[Callable[[], None]]:
    return [
        lambda: server.faults.refuse("POST", "/jobs", "accessDenied"),
        lambda: server.faults.refuse("POST", "/jobs", "authError", times=5),
        lambda: server.faults.refuse("POST", "/jobs", "quotaExceeded"),
        lambda: server.faults.refuse("POST", "/token", "backendError", status=400, times=5),
    ]


def _told_by(warehouse: Warehouse) -> str:
    """What a person sees of a failure, with the whole stack; nothing when all is well."""
    try:
        warehouse.replace(a_slice(), pa.table({"a": [1]}), PROVENANCE)
        warehouse.query(query("SELECT 1 AS a"))
    except WarehouseError as error:
        return "".join(traceback.format_exception(error))
    return ""
