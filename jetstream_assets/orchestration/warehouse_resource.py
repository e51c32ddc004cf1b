"""The warehouse that assets ask: DuckDB over a folder of Parquet, or BigQuery.

Belongs here: opening it from settings. Does not: what is asked of it.
"""

import os
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from dagster import ConfigurableResource

from jetstream_assets.errors import WarehouseAccessError, WarehouseError
from jetstream_assets.orchestration.settings import Settings
from jetstream_assets.warehouse.location import is_bigquery, project_and_dataset

if TYPE_CHECKING:
    from google.cloud.bigquery import Client

    from jetstream_assets.warehouse.base import DatasetWarehouse
    from jetstream_assets.warehouse.duckdb_own_macros import OwnMacros

# Where Google's client finds another server than Google's; it has no Storage Read API.
_OTHER_SERVER = "BIGQUERY_EMULATOR_HOST"


class WarehouseResource(ConfigurableResource):  # type: ignore[type-arg]  # yields itself
    """The warehouse at a location: a folder, or ``bigquery://project/dataset``.

    With more than one thread DuckDB adds floats in an order that varies from run to run, so the
    last digits of a sum do, too. One thread gives the same bytes each time. Threads, memory and
    macros are those of DuckDB; what begins with ``bigquery`` is as in `Settings`.
    """

    root: str
    threads: int = 1
    memory_limit: str | None = None
    duckdb_macros: str | None = None
    bigquery_location: str | None = None
    bigquery_source_project: str | None = None
    bigquery_maximum_bytes_billed: int | None = None
    bigquery_timeout_seconds: float = 21_600.0
    bigquery_scratch_hours: float = 24.0
    bigquery_views: bool = False

    def open(self) -> "DatasetWarehouse":
        """The warehouse.

        Raises:
            SettingsError: The location begins like one in BigQuery and names no dataset, or the
                file of macros cannot be used.
        """
        return self._bigquery() if is_bigquery(self.root) else self._duckdb()

    def _duckdb(self) -> "DatasetWarehouse":
        from jetstream_assets.warehouse.duckdb_own_macros import read_macros  # noqa: PLC0415

        macros = read_macros(self.duckdb_macros)
        return _folder(
            Path(self.root).expanduser().absolute(), self.threads, self.memory_limit, macros
        )

    def _bigquery(self) -> "DatasetWarehouse":
        from jetstream_assets.warehouse.bigquery import BigQueryWarehouse  # noqa: PLC0415
        from jetstream_assets.warehouse.bigquery_options import BigQueryOptions  # noqa: PLC0415

        project, dataset = project_and_dataset(self.root)
        options = BigQueryOptions(
            project=project,
            dataset=dataset,
            location=self.bigquery_location,
            source_project=self.bigquery_source_project,
            maximum_bytes_billed=self.bigquery_maximum_bytes_billed,
            timeout_seconds=self.bigquery_timeout_seconds,
            scratch_hours=self.bigquery_scratch_hours,
            publishes_views=self.bigquery_views,
            uses_storage_api=not os.environ.get(_OTHER_SERVER),
        )
        return BigQueryWarehouse(OpenBigQuery(project, self.bigquery_location), options)


@lru_cache(maxsize=1)
def _folder(
    root: Path, threads: int, memory_limit: str | None, macros: "OwnMacros"
) -> "DatasetWarehouse":
    """The steps of a process share one DuckDB, whose opening costs a tenth of a second."""
    from jetstream_assets.warehouse.duckdb_parquet import (  # noqa: PLC0415  # loads DuckDB
        DuckDBParquetWarehouse,
    )

    return DuckDBParquetWarehouse(root, threads, memory_limit, macros)


@dataclass(frozen=True)
class OpenBigQuery:
    """Opens Google's client as dagster-gcp does: with application default credentials."""

    project: str
    location: str | None

    def __call__(self) -> "Client":
        """The client.

        Raises:
            WarehouseAccessError: There are no credentials.
        """
        from dagster_gcp import BigQueryResource  # noqa: PLC0415  # loads Google's clients
        from google.auth.exceptions import GoogleAuthError  # noqa: PLC0415

        resource = BigQueryResource(project=self.project, location=self.location)
        try:
            with resource.get_client() as client:
                return client
        except GoogleAuthError as error:
            # Its text may quote what it found.
            raise WarehouseAccessError(
                f"There are no credentials for BigQuery ({type(error).__name__}). Run `gcloud auth "
                "application-default login`, or give the pod a service account with workload "
                "identity."
            ) from None


def warehouse_resource(settings: Settings) -> WarehouseResource:
    """The warehouse of these settings."""
    shared = WarehouseResource.model_fields.keys() & Settings.model_fields.keys()
    given = {name: getattr(settings, name) for name in shared}
    return WarehouseResource(root=settings.warehouse, **given)


def check_warehouse(location: str) -> None:
    """Refuse a location at which there can be no tables.

    Raises:
        WarehouseError: It is a folder that is not there.
        SettingsError: It begins like one in BigQuery and names no dataset.
    """
    if is_bigquery(location):
        project_and_dataset(location)
    elif not Path(location).is_dir():
        raise WarehouseError(f"There is no folder {location}. Check --warehouse.")
