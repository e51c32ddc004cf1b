"""Queries, destinations and their refusals, as the real client meets them."""

from __future__ import annotations

import math
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from google.api_core.exceptions import BadRequest, Conflict, InternalServerError, NotFound
from google.cloud.bigquery import (
    ArrayQueryParameter,
    QueryJob,
    QueryJobConfig,
    ScalarQueryParameter,
    SchemaField,
    Table,
    TimePartitioning,
)

from jetstream_assets_tests.bigquery.server import NO_RETRY

if TYPE_CHECKING:
    from google.cloud.bigquery import Client


def rows(client: Client, sql: str, **config: Any) -> list[dict[str, Any]]:  # noqa: ANN401
    found = client.query(sql, QueryJobConfig(**config)).result()
    return [dict(row) for row in found]


def test_every_type_comes_back(client: Client) -> None:
    found = rows(
        client,
        "SELECT 9007199254740993 AS i, 0.1 AS f, CAST('nan' AS FLOAT64) AS nan, "
        "CAST('-inf' AS FLOAT64) AS inf, TRUE AS b, 'ä' AS s, b'\\x00\\xff' AS bytes, "
        "DATE '2024-02-29' AS d, DATETIME '2024-02-29 12:00:00.000001' AS dt, "
        "TIMESTAMP '2024-02-29 23:59:59.999999+00:00' AS ts, CAST('1.25' AS NUMERIC) AS n, "
        "[1, 2] AS a, STRUCT(1 AS x, [STRUCT('k' AS key)] AS deep) AS st, "
        "CAST(NULL AS STRING) AS z",
    )[0]
    assert math.isnan(found.pop("nan"))
    assert found == {
        "i": 9007199254740993,
        "f": 0.1,
        "inf": -math.inf,
        "b": True,
        "s": "ä",
        "bytes": b"\x00\xff",
        "d": date(2024, 2, 29),
        "dt": datetime(2024, 2, 29, 12, 0, 0, 1),  # noqa: DTZ001  a DATETIME has no zone
        "ts": datetime(2024, 2, 29, 23, 59, 59, 999999, UTC),
        "n": Decimal("1.25"),
        "a": [1, 2],
        "st": {"x": 1, "deep": [{"key": "k"}]},
        "z": None,
    }


def test_rows_come_as_arrow_in_pages(client: Client) -> None:
    sql = "SELECT n, TIMESTAMP_SECONDS(n) AS t FROM UNNEST(GENERATE_ARRAY(1, 2500)) AS n"
    found = client.query(sql).result(page_size=1000).to_arrow(create_bqstorage_client=False)
    assert found.column("n").to_pylist() == list(range(1, 2501))
    assert str(found.schema.field("t").type) == "timestamp[us, tz=UTC]"


def test_parameters_are_values(client: Client) -> None:
    parameters = [
        ScalarQueryParameter("text", "STRING", "it's; --"),
        ScalarQueryParameter("day", "DATE", date(2024, 1, 2)),
        ScalarQueryParameter("x", "FLOAT64", -0.5),
        ScalarQueryParameter("nothing", "INT64", None),
        ArrayQueryParameter("many", "INT64", [3, -4]),
    ]
    found = rows(
        client,
        "SELECT @text AS t, DATE_ADD(@day, INTERVAL 1 DAY) AS d, @x AS x, @nothing AS n, "
        "(SELECT SUM(m) FROM UNNEST(@many) AS m) AS s",
        query_parameters=parameters,
    )
    assert found == [{"t": "it's; --", "d": date(2024, 1, 3), "x": -0.5, "n": None, "s": -1}]


def test_a_destination_is_written_by_its_disposition(client: Client, dataset: str) -> None:
    target = f"{client.project}.{dataset}.t"
    for disposition, expected in (
        ("WRITE_EMPTY", [1]),
        ("WRITE_APPEND", [1, 1]),
        ("WRITE_TRUNCATE", [1]),
    ):
        rows(client, "SELECT 1 AS a", destination=target, write_disposition=disposition)
        assert [row["a"] for row in client.list_rows(target)] == expected
    with pytest.raises(Conflict, match="Already Exists"):
        rows(client, "SELECT 1 AS a", destination=target, write_disposition="WRITE_EMPTY")
    with pytest.raises(BadRequest, match="changed type from INTEGER to STRING"):
        rows(client, "SELECT 'x' AS a", destination=target, write_disposition="WRITE_APPEND")


def test_a_partition_is_replaced_alone(client: Client, dataset: str) -> None:
    schema = [SchemaField("day", "DATE"), SchemaField("a", "INT64")]
    table = Table(f"{client.project}.{dataset}.t", schema)
    table.time_partitioning = TimePartitioning(field="day")
    table.clustering_fields = ["a"]
    client.create_table(table)
    for day, number in ((1, 1), (2, 2), (1, 3)):
        rows(
            client,
            f"SELECT DATE '2024-01-0{day}' AS day, {number} AS a",
            destination=f"{table.reference}$2024010{day}",
            write_disposition="WRITE_TRUNCATE",
        )
    found = rows(client, f"SELECT a FROM {dataset}.t ORDER BY day")  # noqa: S608
    assert found == [{"a": 3}, {"a": 2}]
    with pytest.raises(BadRequest, match="different partitions rather than"):
        rows(
            client,
            "SELECT DATE '2024-01-09' AS day, 1 AS a",
            destination=f"{table.reference}$20240101",
            write_disposition="WRITE_TRUNCATE",
        )


def test_refusals_have_the_reasons_of_the_service(client: Client, dataset: str) -> None:
    for sql, error, reason, sentence in (
        (
            "SELECT nope FROM UNNEST([1]) AS n",
            BadRequest,
            "invalidQuery",
            "Unrecognized name: nope",
        ),
        (f"SELECT * FROM {dataset}.t", NotFound, "notFound", "was not found in location US"),  # noqa: S608
        ("SELECT * FROM nowhere.t", NotFound, "notFound", "Not found: Dataset"),
        ("SELECT 1 / 0", BadRequest, "invalidQuery", "division by zero"),
        (
            "SELECT SUM(n) FROM UNNEST([9223372036854775807, 1]) AS n",
            BadRequest,
            "invalidQuery",
            "out of bounds",
        ),
    ):
        with pytest.raises(error, match=sentence) as caught:
            client.query(sql).result()
        assert caught.value.errors[0]["reason"] == reason
    with pytest.raises(BadRequest, match="Syntax error"):
        client.query("SELEC 1").result()


def test_an_id_is_of_one_job(client: Client) -> None:
    job = client.query("SELECT 1 AS a", job_id="only-once", job_retry=NO_RETRY)
    assert [row["a"] for row in job.result()] == [1]
    with pytest.raises(Conflict, match="Already Exists: Job"):
        client.query("SELECT 2 AS a", job_id="only-once", retry=NO_RETRY, job_retry=NO_RETRY)
    again = client.get_job("only-once")
    assert isinstance(again, QueryJob)
    assert [row["a"] for row in again.result()] == [1]


def test_a_dry_run_tells_the_bytes_of_columns_and_partitions(client: Client, dataset: str) -> None:
    client.query_and_wait(
        f"CREATE TABLE {dataset}.t PARTITION BY day AS "  # noqa: S608
        "SELECT DATE_ADD(DATE '2024-01-01', INTERVAL MOD(n, 10) DAY) AS day, n AS a, 'xy' AS s "
        "FROM UNNEST(GENERATE_ARRAY(1, 100)) AS n"
    )
    asking = QueryJobConfig(dry_run=True)
    for sql, size in (
        (f"SELECT a FROM {dataset}.t", 100 * 8),  # noqa: S608
        (f"SELECT a, s FROM {dataset}.t", 100 * (8 + 4)),  # noqa: S608
        (f"SELECT a FROM {dataset}.t WHERE day = '2024-01-02'", 10 * (8 + 8)),  # noqa: S608
        (f"SELECT a FROM {dataset}.t AS x WHERE x.day IN ('2024-01-02', '2024-01-09')", 20 * 16),  # noqa: S608
        ("SELECT 1 AS a", 0),
    ):
        assert client.query(sql, asking).total_bytes_processed == size, sql
    with pytest.raises(NotFound):
        client.query(f"SELECT a FROM {dataset}.u", asking)  # noqa: S608


def test_a_query_that_costs_too_much_does_not_run(client: Client, dataset: str) -> None:
    rows(client, "SELECT 1 AS a", destination=f"{client.project}.{dataset}.t")
    capped = QueryJobConfig(maximum_bytes_billed=1_000_000)
    job = client.query(f"SELECT a FROM {dataset}.t", capped)  # noqa: S608
    with pytest.raises(InternalServerError, match=r"limit for bytes billed: 1000000\. 10485760 or"):
        job.result(retry=NO_RETRY, job_retry=NO_RETRY)
    job.reload()
    assert job.error_result["reason"] == "bytesBilledLimitExceeded"
