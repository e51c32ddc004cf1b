"""A dataset in BigQuery whose tables are gone by themselves after some days.

Belongs here: making it, refusing one that keeps its tables, and clearing it of an experiment. Does
not: tables that a killed run left in a dataset of results (`bigquery_tables`).
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from jetstream_assets.errors import WarehouseAccessError
from jetstream_assets.warehouse.bigquery_errors import no_access
from jetstream_assets.warehouse.bigquery_jobs import REQUEST_SECONDS, retry_of_requests
from jetstream_assets.warehouse.bigquery_names import MANIFEST, table_name
from jetstream_assets.warehouse.tables import ResultTable

if TYPE_CHECKING:
    from google.cloud.bigquery import Client, Dataset, DatasetReference

    from jetstream_assets.warehouse.bigquery_tables import ExperimentTables

_ANY_TABLE = "any"


def make_expiring(tables: ExperimentTables, dataset: str, days: int) -> None:
    """Make a dataset whose tables are gone some days after they were made, unless it is there.

    Raises:
        WarehouseAccessError: It is that of results, is there and keeps its tables, or may not be
            made by this account.
    """
    from google.api_core.exceptions import Forbidden  # noqa: PLC0415
    from google.cloud.bigquery import DatasetReference

    table = tables.reference(dataset, _ANY_TABLE)
    reference = DatasetReference(table.project, table.dataset_id)
    place = f"{table.project}.{table.dataset_id}"
    client = tables.session.client
    try:
        found = _found(client, reference) or client.create_dataset(
            _expiring(reference, days, tables.location()),
            exists_ok=True,
            retry=retry_of_requests(),
            timeout=REQUEST_SECONDS,
        )
    except Forbidden as error:
        raise no_access(error, place, "roles/bigquery.user") from error
    if found.default_table_expiration_ms is None or table.dataset_id == tables.options.dataset:
        raise WarehouseAccessError(
            f"The dataset {place} keeps its tables: it has no default table expiration, or it is "
            "that of results. Name another one, which is made then."
        )


def _found(client: Client, reference: DatasetReference) -> Dataset | None:
    """The dataset where it is there: whoever may use it need not be allowed to make one."""
    from google.api_core.exceptions import NotFound  # noqa: PLC0415

    try:
        return client.get_dataset(reference, retry=retry_of_requests(), timeout=REQUEST_SECONDS)
    except NotFound:
        return None


def remove_tables(tables: ExperimentTables, experiment: str, dataset: str) -> None:
    """Remove the tables of an experiment, the manifest first: without it the others say nothing."""
    for name in (MANIFEST, *ResultTable):
        tables.remove(tables.reference(dataset, table_name(name, experiment)))


def _expiring(reference: DatasetReference, days: int, location: str | None) -> Dataset:
    from google.cloud.bigquery import Dataset

    made = Dataset(reference)
    made.default_table_expiration_ms = int(timedelta(days=days) / timedelta(milliseconds=1))
    made.location = location
    made.description = "Tables of previews; nobody needs them for long."
    return made
