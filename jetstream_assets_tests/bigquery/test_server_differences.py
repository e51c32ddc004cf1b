"""Where the server is not the real service: nothing may rely on what it does here.

Each test is a line of the docstring of `server`; what it asserts is what happens here, and its own
docstring what the real service does.
"""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import pytest
from google.api_core.exceptions import GoogleAPICallError, MethodNotImplemented, NotFound
from google.cloud.bigquery import LoadJobConfig, QueryJobConfig, Table, TimePartitioning

from jetstream_assets_tests.bigquery.server import NO_RETRY
from jetstream_assets_tests.bigquery.transaction import Conflict, Transaction

if TYPE_CHECKING:
    from google.cloud.bigquery import Client

    from jetstream_assets_tests.bigquery.server import BigQueryServer


def test_types_are_compared_that_bigquery_does_not_compare(client: Client) -> None:
    """BigQuery: No matching signature for operator = for argument types: INT64, STRING."""
    found = client.query_and_wait("SELECT n = s AS same FROM (SELECT 1 AS n, '1' AS s)")
    assert [row.same for row in found] == [True]


def test_rows_have_an_order_unless_they_are_shuffled(
    bigquery: BigQueryServer, client: Client
) -> None:
    """BigQuery gives rows without ORDER BY in any order, and small results mostly in theirs."""
    sql = "SELECT n FROM UNNEST(GENERATE_ARRAY(1, 100)) AS n"
    numbers = list(range(1, 101))
    assert [row.n for row in client.query_and_wait(sql)] == numbers
    with bigquery.shuffled():
        found = [row.n for row in client.query_and_wait(sql)]
        assert found != numbers
        assert sorted(found) == numbers
        assert [row.n for row in client.query_and_wait(f"{sql} ORDER BY n")] == numbers


def test_the_transaction_that_commits_last_is_aborted(
    bigquery: BigQueryServer, client: Client, dataset: str
) -> None:
    """BigQuery aborts the one that comes to change the table while the other is at it."""
    client.query_and_wait(f"CREATE TABLE {dataset}.t AS SELECT 1 AS n")
    (stored,) = bigquery.catalog.tables((client.project, dataset))
    first, second = Transaction(bigquery.catalog), Transaction(bigquery.catalog)
    second.put(stored.with_rows(stored.rows))
    first.put(stored.with_rows(stored.rows.slice(0, 0)))
    second.commit()
    with pytest.raises(Conflict) as caught:
        first.commit()
    assert "aborted due to concurrent update against table" in caught.value.refusal.message
    assert bigquery.catalog.table(stored.key).rows.num_rows == 1


def test_a_filter_above_a_view_reads_all_partitions(client: Client, dataset: str) -> None:
    """BigQuery moves the filter down, and reads one."""
    client.query_and_wait(
        f"CREATE TABLE {dataset}.t PARTITION BY day AS "  # noqa: S608
        "SELECT day FROM UNNEST([DATE '2024-01-01', DATE '2024-01-02']) AS day"
    )
    client.query_and_wait(f"CREATE VIEW {dataset}.v AS SELECT day FROM {dataset}.t")  # noqa: S608
    sql = f"SELECT day FROM {dataset}.v WHERE day = '2024-01-02'"  # noqa: S608
    estimate = client.query(sql, QueryJobConfig(dry_run=True))
    assert estimate.total_bytes_processed == 16


def test_results_are_not_kept_for_the_next_query(client: Client, dataset: str) -> None:
    """BigQuery answers the same query again for nothing, while its tables have not changed."""
    client.query_and_wait(f"CREATE TABLE {dataset}.t AS SELECT 1 AS n")
    for _ in range(2):
        job = client.query(f"SELECT n FROM {dataset}.t")  # noqa: S608
        job.result()
        job.reload()
        assert (job.cache_hit, job.total_bytes_billed) == (False, 10 * 2**20)


@pytest.mark.parametrize(
    "sql",
    [
        "MERGE INTO {d}.t USING {d}.t AS s ON t.n = s.n WHEN MATCHED THEN DELETE",
        "UPDATE {d}.t SET n = s.n FROM {d}.t AS s WHERE TRUE",
        "DECLARE x INT64 DEFAULT 1",
        "ALTER TABLE {d}.t DROP COLUMN n",
        "CREATE SCHEMA elsewhere",
        "SELECT * FROM {d}.INFORMATION_SCHEMA.COLUMNS",
    ],
)
def test_what_is_not_served_says_so(client: Client, dataset: str, sql: str) -> None:
    """BigQuery runs these."""
    client.query_and_wait(f"CREATE TABLE {dataset}.t AS SELECT 1 AS n")
    with pytest.raises(GoogleAPICallError, match="test server does not serve"):
        client.query(sql.format(d=dataset)).result()


def test_other_ways_in_are_not_served(client: Client, dataset: str) -> None:
    """BigQuery takes CSV, streams rows and partitions by the time of ingestion."""
    target = f"{client.project}.{dataset}.t"
    csv = LoadJobConfig(source_format="CSV", autodetect=True)
    with pytest.raises(GoogleAPICallError, match="test server does not serve"):
        client.load_table_from_file(io.BytesIO(b"n\n1\n"), target, job_config=csv).result()
    by_ingestion = Table(target)
    by_ingestion.time_partitioning = TimePartitioning()
    with pytest.raises(MethodNotImplemented, match="test server does not serve"):
        client.create_table(by_ingestion)
    client.query_and_wait(f"CREATE TABLE {dataset}.t AS SELECT 1 AS n")
    with pytest.raises(NotFound):
        client.insert_rows_json(target, [{"n": 2}], retry=NO_RETRY)


def test_everybody_may_everything(client: Client, dataset: str) -> None:
    """BigQuery wants credentials, and for each step a right."""
    assert client.get_dataset(dataset).dataset_id == dataset
