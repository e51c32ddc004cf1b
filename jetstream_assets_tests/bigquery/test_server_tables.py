"""Datasets, tables, views, loads and copies, as the real client meets them."""

from __future__ import annotations

import io
import json
import math
import time
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from google.api_core.exceptions import BadRequest, Conflict, NotFound, PreconditionFailed
from google.cloud.bigquery import (
    CopyJobConfig,
    Dataset,
    DatasetReference,
    LoadJobConfig,
    PartitionRange,
    QueryJobConfig,
    RangePartitioning,
    SchemaField,
    Table,
    TimePartitioning,
)
from google.cloud.bigquery.format_options import ParquetOptions
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

if TYPE_CHECKING:
    from google.cloud.bigquery import Client


def load(client: Client, target: str, rows: pa.Table, **config: Any) -> None:  # noqa: ANN401
    """Load rows as Parquet, in one request or, where they are many, in pieces."""
    buffer = io.BytesIO()
    pq.write_table(rows, buffer)
    options = ParquetOptions()  # type: ignore[no-untyped-call]
    options.enable_list_inference = True
    job_config = LoadJobConfig(source_format="PARQUET", parquet_options=options, **config)
    size = buffer.tell()
    client.load_table_from_file(
        buffer, target, rewind=True, size=size, job_config=job_config
    ).result()


def test_datasets_are_made_listed_changed_and_removed(client: Client) -> None:
    made = Dataset(f"{client.project}.for_lists")
    made.labels, made.description, made.location = {"team": "x"}, "Of a test.", "EU"
    client.create_dataset(made)
    with pytest.raises(Conflict):
        client.create_dataset(made)
    found = client.get_dataset("for_lists")
    assert (found.labels, found.description, found.location) == ({"team": "x"}, "Of a test.", "EU")
    found.labels = {"team": None, "more": "y"}
    assert client.update_dataset(found, ["labels"]).labels == {"more": "y"}
    assert "for_lists" in [one.dataset_id for one in client.list_datasets()]
    client.create_table(f"{client.project}.for_lists.t")
    with pytest.raises(BadRequest, match="still in use"):
        client.delete_dataset("for_lists")
    client.delete_dataset("for_lists", delete_contents=True)
    with pytest.raises(NotFound):
        client.get_dataset("for_lists")


def test_a_table_keeps_what_it_was_made_with(client: Client, dataset: str) -> None:
    schema = [SchemaField("day", "DATE"), SchemaField("n", "INT64", mode="REQUIRED")]
    table = Table(f"{client.project}.{dataset}.with-hyphen", schema)
    table.time_partitioning = TimePartitioning(field="day")
    table.require_partition_filter = True
    table.clustering_fields, table.description = ["n"], "Of a test."
    table.labels, table.expires = {"slug": "a-b"}, datetime.now(UTC) + timedelta(hours=1)
    client.create_table(table)
    with pytest.raises(Conflict):
        client.create_table(table)
    found = client.get_table(table.reference)
    assert found.time_partitioning.field == "day"
    assert (found.clustering_fields, found.description) == (["n"], "Of a test.")
    assert (found.labels, found.num_rows) == ({"slug": "a-b"}, 0)
    found.schema = [*schema, SchemaField("more", "STRING")]
    assert [f.name for f in client.update_table(found, ["schema"]).schema] == ["day", "n", "more"]
    with pytest.raises(PreconditionFailed):
        client.update_table(found, ["schema"])
    with pytest.raises(BadRequest, match="without a filter over column"):
        client.query(f"SELECT n FROM {dataset}.`with-hyphen`").result()  # noqa: S608
    assert [one.table_id for one in client.list_tables(dataset)] == ["with-hyphen"]
    client.delete_table(found)
    client.delete_table(found, not_found_ok=True)
    with pytest.raises(NotFound):
        client.get_table(found.reference)


def test_bad_names_and_labels_are_refused(client: Client, dataset: str) -> None:
    for name in ("a.b/c", "", "semi;colon", "x" * 1025):
        with pytest.raises(BadRequest, match="Invalid table ID"):
            client.create_table(DatasetReference(client.project, dataset).table(name))
    with pytest.raises(BadRequest, match="Invalid dataset ID"):
        client.create_dataset("with-hyphen")
    for labels in ({"UPPER": "x"}, {"a": "Ü b"}, {"a": "x" * 64}):
        table = Table(f"{client.project}.{dataset}.t")
        table.labels = labels
        with pytest.raises(BadRequest, match="Label"):
            client.create_table(table)


def test_a_table_is_gone_when_it_expires(client: Client, dataset: str) -> None:
    table = Table(f"{client.project}.{dataset}.t")
    table.expires = datetime.now(UTC) + timedelta(seconds=0.05)
    client.create_table(table)
    time.sleep(0.1)
    with pytest.raises(NotFound):
        client.get_table(table.reference)


def test_a_view_is_read_as_its_query(client: Client, dataset: str) -> None:
    target = f"{client.project}.{dataset}.t"
    load(client, target, pa.table({"a": [1, 2], "b": ["x", "y"]}))
    view = Table(f"{client.project}.{dataset}.v")
    view.view_query = f"SELECT b, a * 2 AS a FROM `{target}`"  # noqa: S608
    client.create_table(view)
    found = client.query(f"SELECT v.a FROM {dataset}.v WHERE b = 'y'").result()  # noqa: S608
    assert [row.a for row in found] == [4]
    assert client.get_table(view.reference).table_type == "VIEW"


def test_parquet_is_loaded_with_its_types(client: Client, dataset: str) -> None:
    rows = pa.table(
        {
            "i": pa.array([1, None], pa.int32()),
            "f": [math.inf, -0.5],
            "d": [date(2024, 1, 1), None],
            "ts": pa.array([datetime(2024, 1, 1, tzinfo=UTC)] * 2, pa.timestamp("us", tz="UTC")),
            "dt": pa.array([datetime(2024, 1, 1)] * 2, pa.timestamp("us")),  # noqa: DTZ001
            "a": [["x", "y"], None],
        }
    )
    load(client, f"{client.project}.{dataset}.t", rows)
    table = client.get_table(f"{client.project}.{dataset}.t")
    kinds = [(field.field_type, field.mode) for field in table.schema]
    assert kinds == [
        ("INTEGER", "NULLABLE"), ("FLOAT", "NULLABLE"), ("DATE", "NULLABLE"),
        ("TIMESTAMP", "NULLABLE"), ("DATETIME", "NULLABLE"), ("STRING", "REPEATED"),
    ]  # fmt: skip
    found = [dict(row) for row in client.list_rows(table)]
    # A stored array is never NULL.
    assert found == [*rows.slice(0, 1).to_pylist(), {**rows.slice(1).to_pylist()[0], "a": []}]


def test_a_large_load_comes_in_pieces(client: Client, dataset: str) -> None:
    numbers = pa.table({"n": list(range(1_000_000))})
    load(client, f"{client.project}.{dataset}.t", numbers)
    assert client.get_table(f"{client.project}.{dataset}.t").num_rows == 1_000_000


def test_json_lines_are_loaded(client: Client, dataset: str) -> None:
    schema = [SchemaField("a", "INT64"), SchemaField("x", "FLOAT64"), SchemaField("d", "DATE")]
    lines: list[dict[str, Any]] = [
        {"a": "9007199254740993", "x": "NaN", "d": "2024-01-01"},
        {"a": None},
    ]
    target = f"{client.project}.{dataset}.t"
    client.load_table_from_json(lines, target, job_config=LoadJobConfig(schema=schema)).result()
    first, second = (row.values() for row in client.list_rows(target))
    assert (first[0], math.isnan(first[1]), first[2]) == (2**53 + 1, True, date(2024, 1, 1))
    assert second == (None, None, None)
    bad = client.load_table_from_file(
        io.BytesIO(json.dumps({"a": "no"}).encode()),
        target,
        job_config=LoadJobConfig(schema=schema, source_format="NEWLINE_DELIMITED_JSON"),
    )
    with pytest.raises(BadRequest, match="JSON parsing error in row 1"):
        bad.result()
    assert client.get_table(target).num_rows == 2


def test_a_load_replaces_one_partition_of_a_range(client: Client, dataset: str) -> None:
    table = Table(f"{client.project}.{dataset}.t", [SchemaField("k", "INT64")])
    table.range_partitioning = RangePartitioning(PartitionRange(0, 100, 10), "k")
    client.create_table(table)
    target = f"{client.project}.{dataset}.t"
    load(client, target, pa.table({"k": [1, 2, 15, 99, 100, None]}))
    load(client, f"{target}$10", pa.table({"k": [11]}), write_disposition="WRITE_TRUNCATE")
    found = sorted(row.k or -1 for row in client.list_rows(target))
    assert found == [-1, 1, 2, 11, 99, 100]


def test_a_copy_replaces_a_table(client: Client, dataset: str) -> None:
    source, target = (f"{client.project}.{dataset}.{name}" for name in ("s", "t"))
    load(client, source, pa.table({"a": [1, 2]}))
    load(client, target, pa.table({"b": [1.5]}))
    config = CopyJobConfig(write_disposition="WRITE_TRUNCATE")
    client.copy_table(source, target, job_config=config).result()
    assert [row.a for row in client.list_rows(target)] == [1, 2]


def test_appending_may_add_columns_only_when_told(client: Client, dataset: str) -> None:
    target = f"{client.project}.{dataset}.t"
    load(client, target, pa.table({"a": [1]}))
    config = QueryJobConfig(destination=target, write_disposition="WRITE_APPEND")
    with pytest.raises(BadRequest, match="Cannot add fields"):
        client.query("SELECT 2 AS a, 'x' AS b", config).result()
    config.schema_update_options = ["ALLOW_FIELD_ADDITION"]
    client.query("SELECT 2 AS a, 'x' AS b", config).result()
    assert [row.values() for row in client.list_rows(target)] == [(1, None), (2, "x")]


def test_partitions_tell_their_rows_and_changes(client: Client, dataset: str) -> None:
    client.query_and_wait(
        f"CREATE TABLE {dataset}.t PARTITION BY day AS "  # noqa: S608
        "SELECT day FROM UNNEST([DATE '2024-01-01', DATE '2024-01-01', DATE '2024-01-02']) AS day"
    )
    asked = (
        f"SELECT partition_id, total_rows, last_modified_time "  # noqa: S608
        f"FROM {dataset}.INFORMATION_SCHEMA.PARTITIONS WHERE table_name = 't' ORDER BY 1"
    )
    before = [row.values() for row in client.query_and_wait(asked)]
    assert [row[:2] for row in before] == [("20240101", 2), ("20240102", 1)]
    client.query_and_wait(f"INSERT INTO {dataset}.t (day) SELECT DATE '2024-01-02'")
    client.query_and_wait(f"DELETE FROM {dataset}.t WHERE day = '2024-01-03'")  # noqa: S608
    after = [row.values() for row in client.query_and_wait(asked)]
    assert [row[1] for row in after] == [2, 2]
    assert [old[2] == new[2] for old, new in zip(before, after, strict=True)] == [True, False]


def test_a_job_runs_where_its_datasets_are(client: Client) -> None:
    made = Dataset(f"{client.project}.in_europe")
    made.location = "EU"
    client.create_dataset(made)
    client.query_and_wait("CREATE TABLE in_europe.t AS SELECT 1 AS n", location="EU")
    job = client.query("SELECT n FROM in_europe.t")
    assert [row.n for row in job.result()] == [1]
    assert job.location == "EU"
    with pytest.raises(NotFound, match="in_europe was not found in location US"):
        client.query("SELECT n FROM in_europe.t", location="US").result()


VALUES = st.fixed_dictionaries(
    {
        "i": st.none() | st.integers(-(2**63), 2**63 - 1),
        "f": st.none() | st.floats(allow_nan=False),
        "s": st.none() | st.text(),
        "b": st.none() | st.binary(),
        "d": st.none() | st.dates(),
        "t": st.none() | st.datetimes(timezones=st.just(UTC)).map(lambda t: t.replace(fold=0)),
        "a": st.lists(st.integers(0, 9), max_size=3),
    }
)
SCHEMA = pa.schema(
    [
        ("i", pa.int64()), ("f", pa.float64()), ("s", pa.string()), ("b", pa.binary()),
        ("d", pa.date32()), ("t", pa.timestamp("us", tz="UTC")), ("a", pa.list_(pa.int64())),
    ]
)  # fmt: skip


@given(rows=st.lists(VALUES, min_size=1, max_size=20))
@settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_any_values_come_back(client: Client, dataset: str, rows: list[dict[str, Any]]) -> None:
    target = f"{client.project}.{dataset}.t"
    load(client, target, pa.Table.from_pylist(rows, SCHEMA), write_disposition="WRITE_TRUNCATE")
    expected = sorted(repr(sorted(row.items())) for row in rows)
    for found in (
        client.list_rows(target),
        client.query_and_wait(f"SELECT * FROM {dataset}.t"),  # noqa: S608
    ):
        assert sorted(repr(sorted(row.items())) for row in found) == expected
