"""Source tables put into the server, and a client that a warehouse opens in any process.

Belongs here: what tests of the warehouse and of the analysis need before they begin. Does not:
tests of the server itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from google.api_core.client_options import ClientOptions
from google.auth.credentials import AnonymousCredentials
from google.cloud.bigquery import Client
from sqlglot import exp

from jetstream_assets.warehouse.duckdb_parquet import DuckDBParquetWarehouse
from jetstream_assets_tests.bigquery.fields import fields_of
from jetstream_assets_tests.bigquery.names import TableKey
from jetstream_assets_tests.bigquery.refusals import Json, Refusal
from jetstream_assets_tests.bigquery.tables import Stored, new_table

if TYPE_CHECKING:
    from pathlib import Path

    import pyarrow as pa

    from jetstream_assets_tests.bigquery.server import BigQueryServer


@dataclass(frozen=True)
class LoopbackClient:
    """Opens a client of the server at an address; it can be pickled."""

    url: str
    project: str

    def __call__(self) -> Client:
        """A client without credentials."""
        options = ClientOptions(api_endpoint=self.url)
        credentials = AnonymousCredentials()  # type: ignore[no-untyped-call]
        return Client(self.project, credentials, client_options=options)


def put_dataset(server: BigQueryServer, project: str, dataset: str) -> None:
    """Make a dataset, unless it is there."""
    try:
        reference = {"datasetReference": {"projectId": project, "datasetId": dataset}}
        server.catalog.add_dataset(project, reference)
    except Refusal as refusal:
        if refusal.reason != "duplicate":
            raise


def put_table(
    server: BigQueryServer,
    key: TableKey,
    rows: pa.Table,
    *,
    day: str | None = None,
) -> None:
    """Put a table in its place, whole, partitioned by a column of days where one is named."""
    put_dataset(server, key.project, key.dataset)
    resource: Json = {"schema": {"fields": fields_of(rows.schema)}}
    if day is not None:
        resource["timePartitioning"] = {"type": "DAY", "field": day}

    def taken(now: Stored | None) -> Stored:
        stored = now or new_table(key, resource)
        return stored.with_rows(rows)

    server.catalog.replace(key, taken)


def put_folder(server: BigQueryServer, project: str, root: Path) -> None:
    """Put all tables of a folder of Parquet files into a project, as they are read there.

    A table with a column ``submission_date`` is partitioned by it.
    """
    folder = DuckDBParquetWarehouse(root, threads=2)
    for path in sorted(root.glob("[!.]*/*")):
        named = exp.to_table(f'"{path.parent.name}"."{path.name}"')
        rows = folder.query(exp.select("*").from_(named))
        day = "submission_date" if "submission_date" in rows.schema.names else None
        put_table(server, TableKey(project, path.parent.name, path.name), rows, day=day)
