"""Whether a day of a source changed is told by its partitions, without reading a row."""

from __future__ import annotations

import uuid
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING

import pyarrow as pa
import pytest
from google.cloud.bigquery import Table
from sqlglot import exp

from jetstream_assets.warehouse.bigquery import BigQueryWarehouse
from jetstream_assets.warehouse.bigquery_options import BigQueryOptions
from jetstream_assets_tests.bigquery.names import TableKey
from jetstream_assets_tests.bigquery.stocking import LoopbackClient, put_table

if TYPE_CHECKING:
    from jetstream_assets.warehouse.base import SourceDay
    from jetstream_assets_tests.bigquery.server import BigQueryServer

DAYS = (1, 2, 2, 5)


@pytest.fixture
def project(bigquery: BigQueryServer) -> str:
    """A project with a table by days, one by moments, and a view."""
    name = f"test-{uuid.uuid4().hex}"
    put_rows(bigquery, name, list(range(len(DAYS))))
    moments = pa.array([datetime(2024, 1, day, 23, tzinfo=UTC) for day in DAYS])
    live = pa.table({"submission_timestamp": moments.cast(pa.timestamp("us", tz="UTC"))})
    put_table(bigquery, TableKey(name, "telemetry", "live"), live, day="submission_timestamp")
    with bigquery.client(name) as client:
        view = Table(f"{name}.telemetry.shown")
        view.view_query = "SELECT * FROM telemetry.daily"
        client.create_table(view)
    return name


def put_rows(server: BigQueryServer, project: str, values: list[int]) -> None:
    rows = pa.table({"submission_date": [date(2024, 1, day) for day in DAYS], "x": values})
    put_table(server, TableKey(project, "telemetry", "daily"), rows, day="submission_date")


def days(server: BigQueryServer, project: str, table: str, day: str) -> dict[int, SourceDay]:
    options = BigQueryOptions(project, uses_storage_api=False)
    warehouse = BigQueryWarehouse(LoopbackClient(server.url, project), options)
    relation = exp.alias_(exp.to_table(f"telemetry.{table}"), "ds", table=True)
    span = date(2024, 1, 2), date(2024, 1, 9)
    found = warehouse.source_days(relation, exp.maybe_parse(day, dialect="bigquery"), *span)
    return {on.day: of for on, of in found.items()}


def statements(server: BigQueryServer, project: str) -> list[str]:
    mine = [job for job in server.jobs.all() if job.project == project]
    return [str(job.configuration["query"]["query"]) for job in mine]


@pytest.mark.parametrize(
    ("table", "day"),
    [
        ("daily", "ds.submission_date"),
        ("live", "DATE(ds.submission_timestamp)"),
        ("live", "CAST(ds.submission_timestamp AS DATE)"),
    ],
)
def test_partitions_tell_their_rows(
    bigquery: BigQueryServer, project: str, table: str, day: str
) -> None:
    found = days(bigquery, project, table, day)
    assert {on: of.rows for on, of in found.items()} == {2: 2, 5: 1}
    (asked,) = statements(bigquery, project)
    assert "INFORMATION_SCHEMA" in asked


def test_a_change_that_keeps_the_number_of_rows_is_seen(
    bigquery: BigQueryServer, project: str
) -> None:
    before = days(bigquery, project, "daily", "ds.submission_date")
    assert days(bigquery, project, "daily", "ds.submission_date") == before
    put_rows(bigquery, project, [0, 1, 7, 3])
    after = days(bigquery, project, "daily", "ds.submission_date")
    assert after[2].mark != before[2].mark
    assert after[2].rows == before[2].rows


@pytest.mark.parametrize(
    ("table", "day"),
    [("shown", "ds.submission_date"), ("daily", "DATE_ADD(ds.submission_date, INTERVAL 0 DAY)")],
)
def test_rows_are_counted_where_partitions_do_not_tell(
    bigquery: BigQueryServer, project: str, table: str, day: str
) -> None:
    found = days(bigquery, project, table, day)
    assert {on: of.mark for on, of in found.items()} == {2: "rows=2", 5: "rows=1"}
    (asked,) = statements(bigquery, project)
    assert "COUNT(*)" in asked
