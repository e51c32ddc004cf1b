"""Jobs, scripts, credentials and faults, as the real client meets them."""

from __future__ import annotations

import os
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import google.auth
import pytest
from google.api_core.exceptions import (
    BadRequest,
    ClientError,
    Forbidden,
    GoogleAPICallError,
    ServiceUnavailable,
    Unauthorized,
)
from google.cloud.bigquery import Client, QueryJobConfig
from google.oauth2.credentials import Credentials
from requests.exceptions import ChunkedEncodingError
from requests.exceptions import ConnectionError as NoConnectionError

from jetstream_assets_tests.bigquery.faults import Cut
from jetstream_assets_tests.bigquery.server import NO_RETRY

if TYPE_CHECKING:
    from jetstream_assets_tests.bigquery.server import BigQueryServer


def test_a_running_job_is_seen_and_cancelled(bigquery: BigQueryServer, client: Client) -> None:
    with bigquery.jobs.held():
        job = client.query("SELECT 1 AS a", QueryJobConfig(labels={"asset": "metrics"}))
        job.reload()
        assert job.state == "RUNNING"
        assert not job.done()
        assert job.cancel()
        with pytest.raises(GoogleAPICallError, match="User requested cancellation"):
            job.result()
    job.reload()
    assert job.error_result["reason"] == "stopped"
    assert client.get_job(job.job_id).labels == {"asset": "metrics"}


def test_a_statement_that_runs_is_cancelled(client: Client) -> None:
    sql = (
        "SELECT COUNT(*) AS n FROM UNNEST(GENERATE_ARRAY(1, 100000)) AS a, "
        "UNNEST(GENERATE_ARRAY(1, 100000)) AS b WHERE MOD(a * b, 7) = 3"
    )
    job = client.query(sql)
    time.sleep(0.3)
    job.cancel()
    with pytest.raises(GoogleAPICallError, match="cancelled"):
        job.result()


def test_a_job_has_a_time_limit(bigquery: BigQueryServer, client: Client) -> None:
    with bigquery.jobs.held():
        job = client.query("SELECT 1 AS a", QueryJobConfig(job_timeout_ms=50))
        with pytest.raises(GoogleAPICallError, match=r"timed out after 0\.05s"):
            job.result()


def test_jobs_tell_what_they_cost(client: Client, dataset: str) -> None:
    target = f"{client.project}.{dataset}.t"
    client.query("SELECT 1 AS a", QueryJobConfig(destination=target)).result()
    job = client.query(f"SELECT a FROM {dataset}.t")  # noqa: S608
    job.result()
    job.reload()
    assert (job.total_bytes_processed, job.total_bytes_billed) == (8, 10 * 2**20)
    assert job.slot_millis >= 1
    assert job.statement_type == "SELECT"
    assert [table.table_id for table in job.referenced_tables] == ["t"]
    (stage,) = job.query_plan
    assert (stage.records_read, stage.steps[0].kind) == (1, "READ")
    assert job.job_id in [one.job_id for one in client.list_jobs(max_results=5)]


def test_a_transaction_is_seen_whole(client: Client, dataset: str) -> None:
    client.query_and_wait(f"CREATE TABLE {dataset}.t AS SELECT n FROM UNNEST([1, 2, 3]) AS n")  # noqa: S608
    job = client.query(
        f"BEGIN TRANSACTION; DELETE FROM {dataset}.t WHERE n > 1; "  # noqa: S608
        f"INSERT INTO {dataset}.t (n) SELECT n * 10 FROM {dataset}.t; COMMIT TRANSACTION;"
    )
    job.result()
    assert (job.statement_type, job.num_dml_affected_rows) == ("SCRIPT", 3)
    assert [row.n for row in client.list_rows(f"{client.project}.{dataset}.t")] == [1, 10]
    with pytest.raises(BadRequest, match="Unrecognized name"):
        client.query_and_wait(
            f"BEGIN TRANSACTION; DELETE FROM {dataset}.t WHERE TRUE; "  # noqa: S608
            f"INSERT INTO {dataset}.t SELECT nope FROM UNNEST([1]) AS n; COMMIT TRANSACTION;"
        )
    assert [row.n for row in client.list_rows(f"{client.project}.{dataset}.t")] == [1, 10]


def test_one_merge_replaces_some_rows(client: Client, dataset: str) -> None:
    client.query_and_wait(
        f"CREATE TABLE {dataset}.t AS SELECT 'a' AS k, 1 AS n UNION ALL SELECT 'b', 2"
    )
    job = client.query(
        f"MERGE INTO {dataset}.t AS t USING (SELECT 'b' AS k, n FROM UNNEST([7, 8]) AS n) AS s "  # noqa: S608
        "ON FALSE WHEN NOT MATCHED BY SOURCE AND t.k = 'b' THEN DELETE "
        "WHEN NOT MATCHED BY TARGET THEN INSERT (n, k) VALUES (n, k)"
    )
    job.result()
    assert job.dml_stats is not None
    assert (job.dml_stats.deleted_row_count, job.dml_stats.inserted_row_count) == (1, 2)
    found = [row.values() for row in client.list_rows(f"{client.project}.{dataset}.t")]
    assert found == [("a", 1), ("b", 7), ("b", 8)]


def test_statements_alone_wait_for_each_other(client: Client, dataset: str) -> None:
    client.query_and_wait(f"CREATE TABLE {dataset}.t AS SELECT 0 AS n")
    sql = f"UPDATE {dataset}.t SET n = n + 1 WHERE TRUE"  # noqa: S608
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: client.query(sql).result(), range(8)))
    assert [row.n for row in client.list_rows(f"{client.project}.{dataset}.t")] == [8]


@pytest.mark.parametrize("where", list(Cut))
def test_a_cut_connection_is_met_by_the_client(
    bigquery: BigQueryServer, client: Client, dataset: str, where: Cut
) -> None:
    bigquery.faults.cut("GET", rf"/datasets/{dataset}$", where)
    with pytest.raises((NoConnectionError, ChunkedEncodingError)):
        client.get_dataset(dataset, retry=NO_RETRY)
    assert client.get_dataset(dataset).dataset_id == dataset


def test_requests_are_refused_by_order(bigquery: BigQueryServer, client: Client) -> None:
    before = bigquery.count("GET", "/jobs$")
    bigquery.faults.refuse("GET", "/jobs$", "quotaExceeded", after=1)
    list(client.list_jobs(max_results=1))
    with pytest.raises(Forbidden) as caught:
        list(client.list_jobs(max_results=1, retry=NO_RETRY))
    assert caught.value.errors[0]["reason"] == "quotaExceeded"
    bigquery.faults.refuse("GET", "/jobs$", "backendError")
    with pytest.raises(ServiceUnavailable):
        list(client.list_jobs(max_results=1, retry=NO_RETRY))
    assert bigquery.count("GET", "/jobs$") == before + 3


def test_jobs_fail_by_order(bigquery: BigQueryServer, client: Client) -> None:
    bigquery.jobs.fail_next("rateLimitExceeded", "Exceeded rate limits", after=1)
    client.query("SELECT 1 AS a").result()
    job = client.query("SELECT 1 AS a")
    with pytest.raises(ClientError, match="Exceeded rate limits"):
        job.result(retry=NO_RETRY, job_retry=NO_RETRY)
    job.reload()
    assert job.error_result["reason"] == "rateLimitExceeded"


def test_nobody_may_what_is_denied(bigquery: BigQueryServer, client: Client, dataset: str) -> None:
    bigquery.catalog.denied.add(dataset)
    with pytest.raises(Forbidden, match="Access Denied") as caught:
        client.query(f"SELECT a FROM {dataset}.t").result()  # noqa: S608
    assert caught.value.errors[0]["reason"] == "accessDenied"


def test_default_credentials_get_their_token_here(
    bigquery: BigQueryServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in bigquery.environment().items():
        monkeypatch.setenv(name, value)
    credentials, project = google.auth.default()
    with Client(project, credentials) as client:
        assert [row.a for row in client.query_and_wait("SELECT 1 AS a")] == [1]
    told = bigquery.requests[-1].request.headers["authorization"]
    assert told.removeprefix("Bearer ") in bigquery.tokens.given
    assert os.environ["GOOGLE_CLOUD_PROJECT"] == project


def test_a_token_of_another_is_refused(
    bigquery: BigQueryServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BIGQUERY_EMULATOR_HOST", bigquery.url)
    credentials = Credentials("planted")  # type: ignore[no-untyped-call]
    with (
        Client("p", credentials) as client,
        pytest.raises((Unauthorized, google.auth.exceptions.RefreshError)),
    ):
        list(client.list_datasets(retry=NO_RETRY))
