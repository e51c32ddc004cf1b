"""The original's views over the tables of today, where they are asked for."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest
from google.cloud.bigquery import Table

from jetstream_assets.errors import WarehouseAccessError
from jetstream_assets.warehouse.bigquery import BigQueryWarehouse
from jetstream_assets.warehouse.bigquery_options import BigQueryOptions
from jetstream_assets.warehouse.tables import STATISTICS_SCHEMA, ResultTable
from jetstream_assets_tests.bigquery.server import BigQueryServer
from jetstream_assets_tests.bigquery.stocking import LoopbackClient, put_dataset
from jetstream_assets_tests.warehouse.laboratory import PROVENANCE, a_slice, query

if TYPE_CHECKING:
    from google.cloud.bigquery import Client

SLUG = "a-b"
METRICS = """
SELECT 'u' AS analysis_id, 'control' AS branch, {index} AS window_index,
  {index} * 7 - 7 AS window_start, {index} * 7 - 1 AS window_end,
  'week' AS period, basis AS analysis_basis,
  FALSE AS is_provisional, {value} AS clicks
FROM UNNEST(['enrollments', 'exposures']) AS basis
"""


@dataclass(frozen=True)
class Place:
    """A project of its own, and a warehouse in it that publishes views."""

    server: BigQueryServer
    project: str

    @property
    def warehouse(self) -> BigQueryWarehouse:
        options = BigQueryOptions(self.project, uses_storage_api=False, publishes_views=True)
        return BigQueryWarehouse(LoopbackClient(self.server.url, self.project), options)

    def client(self) -> Client:
        return self.server.client(self.project)

    def views(self) -> list[str]:
        with self.client() as client:
            listed = client.list_tables("jetstream")
            return [one.table_id for one in listed if one.table_type == "VIEW"]

    def rows(self, view: str) -> list[dict[str, Any]]:
        return list(self.warehouse.query(query(f"SELECT * FROM jetstream.{view}")).to_pylist())  # noqa: S608

    def put_metrics(self, day: int, index: int, value: str) -> None:
        content = query(METRICS.format(index=index, value=value))
        self.warehouse.replace(a_slice(day, SLUG), content, PROVENANCE)


@pytest.fixture
def place(bigquery: BigQueryServer) -> Place:
    project = f"test-{uuid.uuid4().hex}"
    put_dataset(bigquery, project, "jetstream")
    return Place(bigquery, project)


def test_metrics_have_a_view_for_each_basis_and_period(place: Place) -> None:
    place.put_metrics(1, 1, "10")
    place.put_metrics(8, 2, "20")
    assert place.views() == ["a_b_enrollments_weekly", "a_b_exposures_weekly"]
    rows = sorted(place.rows("a_b_exposures_weekly"), key=lambda row: row["window_index"])
    assert rows[0] == {
        "analysis_id": "u",
        "branch": "control",
        "window_index": 1,
        "analysis_window_start": 0,
        "analysis_window_end": 6,
        "clicks": 10,
    }
    assert [row["clicks"] for row in rows] == [10, 20]
    with place.client() as client:
        found = client.get_table("jetstream.a_b_exposures_weekly")
    assert (found.description, found.labels) == (SLUG, {"experiment": SLUG})


def test_of_a_window_that_several_dates_have_the_newest_counts(place: Place) -> None:
    place.put_metrics(1, 1, "10")
    place.put_metrics(2, 1, "11")
    assert [row["clicks"] for row in place.rows("a_b_enrollments_weekly")] == [11]


def test_views_follow_their_columns(place: Place) -> None:
    place.put_metrics(1, 1, "10")
    place.put_metrics(8, 2, "20.5")
    rows = sorted(place.rows("a_b_enrollments_weekly"), key=lambda row: row["window_index"])
    assert [list(row)[-1] for row in rows] == ["clicks", "clicks"]
    assert [row["clicks"] for row in rows] == [10.0, 20.5]


def test_statistics_have_a_view_for_each_period_with_what_has_a_number(place: Place) -> None:
    row = dict.fromkeys(STATISTICS_SCHEMA.names) | {
        "period": "day",
        "window_index": 3,
        "window_start": 2,
        "window_end": 2,
        "is_provisional": False,
        "analysis_basis": "enrollments",
        "segment": "all",
        "metric": "clicks",
        "statistic": "mean",
        "branch": "control",
        "point": 1.5,
        "parameter": 0.25,
        "status": "ok",
    }
    failed = row | {"status": "failed", "branch": None, "point": None, "reason": "why"}
    few = row | {"status": "insufficient_data", "point": None, "reason": "why", "metric": "other"}
    rows = pa.Table.from_pylist([row, failed, few], schema=STATISTICS_SCHEMA)
    target = a_slice(3, SLUG, table=ResultTable.STATISTICS)
    place.warehouse.replace(target, rows, PROVENANCE)
    assert place.views() == ["statistics_a_b_daily"]
    (shown,) = place.rows("statistics_a_b_daily")
    assert {name: value for name, value in shown.items() if value is not None} == {
        "metric": "clicks",
        "statistic": "mean",
        "parameter": pytest.approx(0.25),
        "branch": "control",
        "point": 1.5,
        "segment": "all",
        "analysis_basis": "enrollments",
        "window_index": 3,
    }


@pytest.mark.parametrize("is_view", [True, False])
def test_what_has_the_name_of_a_view_is_not_overwritten(place: Place, *, is_view: bool) -> None:
    other = Table(f"{place.project}.jetstream.a_b_enrollments_weekly")
    other.labels = {"experiment": "another"}
    if is_view:
        other.view_query = "SELECT 1 AS a"
    with place.client() as client:
        client.create_table(other)
    with pytest.raises(WarehouseAccessError, match=r"a_b_enrollments_weekly.*Rename it"):
        place.put_metrics(1, 1, "10")
    assert place.warehouse.provenance(a_slice(1, SLUG)) is None
