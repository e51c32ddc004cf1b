"""Large results by the Storage Read API, as the real client and the warehouse read them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pyarrow as pa
import pytest
from google.api_core.exceptions import PermissionDenied

from jetstream_assets.warehouse.bigquery import BigQueryWarehouse
from jetstream_assets.warehouse.bigquery_options import BigQueryOptions
from jetstream_assets_tests.bigquery.storage import StorageClient, StorageServer, running_storage
from jetstream_assets_tests.warehouse.laboratory import query

if TYPE_CHECKING:
    from collections.abc import Iterator

    from jetstream_assets_tests.bigquery.server import BigQueryServer

# The two libraries of Google's are on the way from one to a third, and say so to each other.
pytestmark = pytest.mark.filterwarnings("ignore:.*deprecated:PendingDeprecationWarning")

# More rows than the first page of an answer has; otherwise the client needs no session.
SQL = """
SELECT n, n / 7 AS x, MOD(n, 2) = 0 AS even, CAST(n AS STRING) AS text,
    DATE_ADD(DATE '2024-01-01', INTERVAL MOD(n, 99) DAY) AS day, TIMESTAMP_SECONDS(n) AS moment,
    IF(n = 7, NULL, n) AS gap, [n, n + 1] AS pair, STRUCT(n AS a, CAST(n AS STRING) AS b) AS both
FROM UNNEST(GENERATE_ARRAY(1, 3000)) AS n
"""


@dataclass(frozen=True)
class Reader:
    storage: StorageServer
    client: StorageClient


@pytest.fixture
def reader(bigquery: BigQueryServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[Reader]:
    monkeypatch.setattr(bigquery.service, "page_rows", 1000)
    with (
        running_storage(bigquery.catalog) as storage,
        StorageClient(bigquery, storage, "by-storage") as client,
    ):
        yield Reader(storage, client)


def _warehouse(reader: Reader, *, uses_storage_api: bool) -> BigQueryWarehouse:
    options = BigQueryOptions("by-storage", uses_storage_api=uses_storage_api)
    return BigQueryWarehouse(lambda: reader.client, options)


def test_the_client_reads_every_row_of_all_streams(reader: Reader) -> None:
    found = reader.client.query(SQL).result().to_arrow(create_bqstorage_client=True)
    assert reader.storage.sessions == 1
    assert sorted(found.column("n").to_pylist()) == list(range(1, 3001))


def test_rows_are_the_same_by_rest_and_by_storage(reader: Reader) -> None:
    by_storage, by_rest = (
        _warehouse(reader, uses_storage_api=used).query(query(SQL)).sort_by("n")
        for used in (True, False)
    )
    assert reader.storage.sessions == 1
    assert by_storage.to_pylist() == by_rest.to_pylist()
    kinds = [[_plain(field.type) for field in found.schema] for found in (by_storage, by_rest)]
    assert kinds[0] == kinds[1]


def _plain(kind: pa.DataType) -> pa.DataType:
    """A type without the name that an array gives its elements."""
    return pa.list_(kind.value_type) if pa.types.is_list(kind) else kind


def test_an_account_without_the_role_reads_by_rest(reader: Reader) -> None:
    reader.storage.is_forbidden = True
    with pytest.raises(PermissionDenied):
        reader.client.query(SQL).result().to_arrow(create_bqstorage_client=True)
    found = _warehouse(reader, uses_storage_api=True).query(query(SQL))
    assert (found.num_rows, reader.storage.sessions) == (3000, 0)
