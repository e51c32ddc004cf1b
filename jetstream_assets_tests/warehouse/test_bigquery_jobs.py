"""Jobs in BigQuery: found again after a crash, tried again where that may help, stopped in time."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import threading
import time
import uuid
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import date
from typing import TYPE_CHECKING

import pyarrow as pa
import pytest
from dagster._core.errors import DagsterExecutionInterruptedError, raise_execution_interrupts
from dagster._utils.interrupts import capture_interrupts
from google.cloud import bigquery as library
from sqlglot import exp

from jetstream_assets.errors import QueryError, WarehouseAccessError, WarehouseError
from jetstream_assets.orchestration.dask_worker import dask_teardown
from jetstream_assets.warehouse import bigquery_jobs, bigquery_manifest
from jetstream_assets.warehouse.bigquery import BigQueryWarehouse
from jetstream_assets.warehouse.bigquery_options import BigQueryOptions
from jetstream_assets.warehouse.purpose import asked_for
from jetstream_assets.warehouse.query_costs import costs_kept
from jetstream_assets.warehouse.tables import ResultTable
from jetstream_assets_tests.bigquery.faults import Cut
from jetstream_assets_tests.bigquery.names import TableKey
from jetstream_assets_tests.bigquery.server import BigQueryServer
from jetstream_assets_tests.bigquery.stocking import LoopbackClient, put_dataset, put_table
from jetstream_assets_tests.warehouse.laboratory import PROVENANCE, a_slice, query

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from jetstream_assets_tests.bigquery.jobs import Job

STOPPED = 7
BIG = "SELECT SUM(n) AS s FROM d.t"


@dataclass(frozen=True)
class Place:
    """A project of its own on the server, and a warehouse in it."""

    server: BigQueryServer
    project: str
    options: BigQueryOptions

    @property
    def warehouse(self) -> BigQueryWarehouse:
        """A new one, as another process would have it."""
        return BigQueryWarehouse(LoopbackClient(self.server.url, self.project), self.options)

    def jobs(self, kind: str = "") -> list[Job]:
        """The jobs of the project whose id has a word in it."""
        mine = [job for job in self.server.jobs.all() if job.project == self.project]
        return [job for job in mine if kind in job.name]

    def tables(self, dataset: str = "jetstream") -> list[str]:
        with self.server.client(self.project) as client:
            return [table.table_id for table in client.list_tables(dataset)]

    def resource(self, name: str) -> library.Table:
        with self.server.client(self.project) as client:
            found: library.Table = client.get_table(f"jetstream.{name}")
            return found


@pytest.fixture
def place(bigquery: BigQueryServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    monkeypatch.setattr(bigquery_jobs, "_PAUSES", (0.01, 0.02))
    project = f"test-{uuid.uuid4().hex}"
    put_dataset(bigquery, project, "jetstream")
    rows = pa.table({"n": list(range(1000))})
    put_table(bigquery, TableKey(project, "d", "t"), rows)
    yield Place(bigquery, project, BigQueryOptions(project, uses_storage_api=False))
    bigquery.faults.clear()


def test_jobs_say_for_whom_they_run(place: Place) -> None:
    with asked_for(experiment="My Experiment", asset="metrics", period="day,week"):
        place.warehouse.replace(a_slice(), query(BIG), PROVENANCE)
    (job,) = place.jobs("store")
    labels = job.configuration["labels"]
    assert labels.keys() == {"experiment", "asset", "period", "config-commit"}
    assert labels["asset"] == "metrics"
    assert labels["config-commit"] == "c1"
    assert labels["experiment"].startswith("my_experiment-")
    assert labels["period"].startswith("day_week-")


def test_tables_say_what_they_are_and_are_ordered_for_readers(place: Place) -> None:
    content = query("SELECT 'daily' AS period, 'all' AS segment, 1.5 AS x")
    place.warehouse.replace(a_slice(experiment="a-b"), content, PROVENANCE)
    assert place.tables() == ["metrics__a_b", "slices__a_b"]
    table = place.resource("metrics__a_b")
    assert table.description == "a-b"
    assert table.labels == {"experiment": "a-b", "result_table": "metrics"}
    assert table.time_partitioning is not None
    assert table.time_partitioning.field == "date"
    assert table.clustering_fields == ["part", "period", "segment"]


def test_a_run_that_died_finds_the_job_that_it_had_started(place: Place) -> None:
    content = query(BIG)
    with place.server.jobs.held():
        dying, again = (
            threading.Thread(target=_ignoring_errors, args=(place, content)) for _ in range(2)
        )
        dying.start()
        _wait_for(lambda: place.jobs("store"))
        again.start()
        time.sleep(0.2)
    # The one that ends last may find that the other has done its work.
    dying.join()
    again.join()
    assert len(place.jobs("store")) == 1
    assert place.warehouse.query(_read()).to_pylist() == [{"s": 499_500}]


def test_what_a_dead_run_had_stored_is_not_computed_again(place: Place) -> None:
    content = query(BIG)
    place.server.jobs.fail_next("invalidQuery", "by order of a test", after=1)
    with pytest.raises(WarehouseError, match="was not replaced"):
        place.warehouse.replace(a_slice(), content, PROVENANCE)
    assert place.warehouse.provenance(a_slice()) is None
    place.warehouse.replace(a_slice(), content, PROVENANCE)
    assert place.warehouse.provenance(a_slice()) == PROVENANCE
    assert [job.error for job in place.jobs("store")] == [None]
    # The same asked once more is computed once more: a source may have changed.
    place.warehouse.replace(a_slice(), content, PROVENANCE)
    assert len(place.jobs("store")) == 2


def test_scratch_tables_expire_and_are_removed(place: Place) -> None:
    place.server.jobs.fail_next("invalidQuery", "by order of a test", after=1)
    with pytest.raises(WarehouseError):
        place.warehouse.replace(a_slice(experiment="a"), query(BIG), PROVENANCE)
    (scratch,) = [name for name in place.tables() if name.startswith("scratch__")]
    expires = place.resource(scratch).expires
    assert expires is not None
    assert 23 * 3600 < expires.timestamp() - time.time() < 24 * 3600
    place.warehouse.replace(a_slice(experiment="a"), query(BIG), PROVENANCE)
    assert place.tables() == ["metrics__a", "slices__a"]


def test_nothing_is_left_of_a_query_that_is_refused(place: Place) -> None:
    with pytest.raises(QueryError):
        place.warehouse.replace(a_slice(), query("SELECT nope FROM d.t"), PROVENANCE)
    assert place.tables() == []


def test_a_large_manifest_is_read_by_its_versions(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bigquery_manifest, "_SMALL", 0)
    days = {date(2024, 1, day): a_slice(day) for day in range(1, 30)}
    content = exp.select("DATE '2024-01-02' AS day", "1 AS x")
    long = replace(PROVENANCE, details="x" * 1000)
    writer = place.warehouse
    writer.replace_days(days, content, long)
    writer.replace(a_slice(30), query(BIG), PROVENANCE)
    assert place.jobs("read") == []
    other = place.warehouse
    for target in (*days.values(), a_slice(30)):
        expected = PROVENANCE if target == a_slice(30) else long
        assert writer.provenance(target) == other.provenance(target) == expected
    (learnt,) = place.jobs("read")
    assert learnt.rows is not None
    assert learnt.rows.rows.num_rows == 2


def test_experiments_are_told_by_their_tables(place: Place) -> None:
    for slug in ("a-b", "A b", "é"):
        place.warehouse.replace(a_slice(1, slug), query(BIG), PROVENANCE)
    told = place.warehouse.experiments(ResultTable.METRICS, "jetstream")
    assert told == ("A b", "a-b", "é")
    assert place.warehouse.experiments(ResultTable.STATISTICS, "jetstream") == ()
    assert place.warehouse.experiments(ResultTable.METRICS, "nowhere") == ()


def test_what_is_transient_is_tried_again(place: Place) -> None:
    place.server.jobs.fail_next("backendError", "Error encountered during execution. Retry.")
    assert place.warehouse.query(query(BIG)).to_pylist() == [{"s": 499_500}]
    reads = place.jobs("read")
    assert [job.error.reason if job.error else None for job in reads] == ["backendError", None]
    assert [job.name[-2:] for job in reads] == ["-0", "-1"]


@pytest.mark.parametrize("count", [3])
def test_what_stays_transient_is_trouble(place: Place, count: int) -> None:
    for _ in range(count):
        place.server.jobs.fail_next("rateLimitExceeded", "Exceeded rate limits.")
    with pytest.raises(WarehouseError, match=r"met a limit.*fewer runs.*Exceeded rate limits"):
        place.warehouse.query(query(BIG))
    assert len(place.jobs("read")) == count


@pytest.mark.parametrize(
    ("reason", "kind", "told"),
    [
        ("quotaExceeded", WarehouseError, "ask for a higher quota"),
        ("resourcesExceeded", QueryError, "needs more than BigQuery gives"),
        ("invalidQuery", QueryError, "by order"),
        ("stopped", WarehouseError, "was stopped"),
        ("accessDenied", QueryError, "roles/bigquery.dataViewer"),
    ],
)
def test_what_is_not_transient_is_not_tried_again(
    place: Place, reason: str, kind: type[WarehouseError], told: str
) -> None:
    place.server.jobs.fail_next(reason, "by order of a test")
    with pytest.raises(WarehouseError, match=told) as caught:
        place.warehouse.query(query(BIG))
    assert type(caught.value) is kind
    assert len(place.jobs("read")) == 1


def test_two_writers_in_each_others_way_both_end(place: Place) -> None:
    message = "Transaction is aborted due to concurrent update against table a:b.c"
    place.server.jobs.fail_next("invalidQuery", message, after=1)
    place.warehouse.replace(a_slice(), query(BIG), PROVENANCE)
    assert place.warehouse.query(_read()).to_pylist() == [{"s": 499_500}]
    assert len(place.jobs("replace")) == 2


def test_a_query_that_would_bill_too_much_is_refused_by_name(place: Place) -> None:
    capped = replace(place, options=replace(place.options, maximum_bytes_billed=1000))
    with (
        asked_for(experiment="my-experiment", asset="metrics"),
        pytest.raises(QueryError) as caught,
    ):
        capped.warehouse.query(query(BIG))
    message = str(caught.value)
    assert message.startswith("The query of metrics of experiment 'my-experiment' would bill ")
    assert "and 1,000 are allowed of one query" in message
    assert "JETSTREAM_BIGQUERY_MAXIMUM_BYTES_BILLED" in message
    assert "d.t" in caught.value.sql


def test_a_query_that_takes_too_long_is_stopped(place: Place) -> None:
    hasty = replace(place, options=replace(place.options, timeout_seconds=0.05))
    with place.server.jobs.held(), pytest.raises(WarehouseError, match="was stopped"):
        hasty.warehouse.query(query(BIG))


def test_an_interrupted_step_stops_its_query(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(library.QueryJob, "result", interrupted)
    with place.server.jobs.held():
        with pytest.raises(KeyboardInterrupt):
            place.warehouse.query(query(BIG))
        (job,) = place.jobs("read")
        assert job.done.wait(5)
        assert job.error is not None
        assert job.error.reason == "stopped"


@pytest.mark.slow
def test_a_process_that_is_told_to_stop_stops_its_query(place: Place) -> None:
    spawn = multiprocessing.get_context("spawn")
    with place.server.jobs.held():
        step = spawn.Process(target=_step_of_a_run, args=(place.warehouse,))
        step.start()
        _wait_for(lambda: place.jobs("store"), seconds=60)
        (job,) = place.jobs("store")
        assert step.pid is not None
        os.kill(step.pid, signal.SIGTERM)
        assert job.done.wait(30)
        step.join(30)
    assert step.exitcode == STOPPED
    assert job.error is not None
    assert job.error.reason == "stopped"


def _step_of_a_run(warehouse: BigQueryWarehouse) -> None:
    """What Dagster does with a signal that ends a run while a step works."""
    with capture_interrupts(), raise_execution_interrupts():
        try:
            warehouse.replace(a_slice(), query(BIG), PROVENANCE)
        except DagsterExecutionInterruptedError:
            sys.exit(STOPPED)


def test_the_end_of_a_worker_stops_its_queries(place: Place) -> None:
    with place.server.jobs.held():
        step = threading.Thread(target=_ignoring_errors, args=(place, query(BIG)))
        step.start()
        _wait_for(lambda: place.jobs("store"))
        (job,) = place.jobs("store")
        dask_teardown()
        assert job.done.wait(5)
        step.join()
    assert job.error is not None
    assert job.error.reason == "stopped"


def test_jobs_run_where_the_results_are(place: Place) -> None:
    with place.server.client(place.project) as client:
        client.delete_dataset("jetstream")
        dataset = library.Dataset(f"{place.project}.jetstream")
        dataset.location = "europe-west1"
        client.create_dataset(dataset)
    place.warehouse.query(query("SELECT 1 AS a"))
    assert [job.location for job in place.jobs()] == ["europe-west1"]


@pytest.mark.parametrize(
    ("method", "path", "where"),
    [
        ("POST", "/upload/", Cut.UPLOAD),
        ("POST", "/upload/", Cut.AFTER),
        ("POST", "/jobs$", Cut.BEFORE),
        ("POST", "/jobs$", Cut.AFTER),
        ("GET", "/queries/", Cut.MIDDLE),
        ("GET", "/tables/scratch", Cut.AFTER),
    ],
)
def test_a_cut_connection_neither_loses_nor_doubles_a_slice(
    place: Place, method: str, path: str, where: Cut
) -> None:
    place.server.faults.cut(method, path, where)
    content = pa.table({"n": [1, 2, 3]})
    place.warehouse.replace(a_slice(1), content, PROVENANCE)
    place.warehouse.replace(a_slice(2), query(BIG), PROVENANCE)
    assert place.warehouse.query(_read(1)).num_rows == 3
    assert place.warehouse.query(_read(2)).to_pylist() == [{"s": 499_500}]
    cut = [r for r in place.server.requests if place.project in r.request.path and not r.status]
    assert len(cut) == 1


@pytest.mark.parametrize(
    ("method", "path"),
    [("POST", "/jobs$"), ("POST", "/upload/"), ("GET", "/queries/"), ("GET", "/tables/slices")],
)
@pytest.mark.parametrize(("reason", "status"), [("backendError", 503), ("internalError", 500)])
def test_a_service_in_trouble_neither_loses_nor_doubles_a_slice(
    place: Place, method: str, path: str, reason: str, status: int
) -> None:
    place.server.faults.refuse(method, path, reason, status=status)
    place.warehouse.replace(a_slice(1), pa.table({"n": [1, 2, 3]}), PROVENANCE)
    place.warehouse.replace(a_slice(2), query(BIG), PROVENANCE)
    assert place.warehouse.query(_read(1)).num_rows == 3
    assert place.warehouse.query(_read(2)).to_pylist() == [{"s": 499_500}]
    assert len(place.jobs("store")) == len(place.jobs("load")) == 1


def test_a_missing_dataset_is_named_with_what_to_do(place: Place) -> None:
    with pytest.raises(WarehouseAccessError, match=r"no dataset .*\.secret.*bq mk"):
        place.warehouse.replace(a_slice(dataset="secret"), query(BIG), PROVENANCE)
    assert place.warehouse.provenance(a_slice(dataset="secret")) is None


def test_a_missing_permission_names_the_role(place: Place) -> None:
    with denied(place, "jetstream"):
        for call in (
            lambda: place.warehouse.replace(a_slice(), query(BIG), PROVENANCE),
            lambda: place.warehouse.provenance(a_slice()),
        ):
            with pytest.raises(WarehouseAccessError, match=r"roles/bigquery\.dataEditor"):
                call()
    with denied(place, "d"), pytest.raises(QueryError, match=r"roles/bigquery\.dataViewer"):
        place.warehouse.query(query(BIG))


def test_a_table_that_somebody_changed_takes_new_slices_and_names_the_lost_ones(
    place: Place,
) -> None:
    place.warehouse.replace(a_slice(1, "a"), query("SELECT 1 AS x, 2 AS y"), PROVENANCE)
    own = (("experiment", "STRING"), ("date", "DATE"), ("part", "STRING"), ("x", "STRING"))
    with place.server.client(place.project) as client:
        client.delete_table("jetstream.metrics__a")
        schema = [library.SchemaField(name, kind) for name, kind in own]
        client.create_table(library.Table(f"{place.project}.jetstream.metrics__a", schema=schema))
    lost = exp.select("*").from_(a_slice(1, "a").reference)
    with pytest.raises(
        WarehouseAccessError, match=r"metrics__a .* column x of type INT64 .*2024-01-01"
    ):
        place.warehouse.query(lost)
    place.warehouse.replace(a_slice(2, "a"), query("SELECT 3 AS x, 4 AS y"), PROVENANCE)
    found = place.warehouse.query(exp.select("*").from_(a_slice(2, "a").reference))
    assert found.to_pylist() == [{"x": 3, "y": 4}]


def test_an_experiment_whose_tables_somebody_removed_begins_anew(place: Place) -> None:
    warehouse = place.warehouse
    for gone in (["slices__a"], ["metrics__a"], ["slices__a", "metrics__a"]):
        warehouse.replace(a_slice(1, "a"), query("SELECT 1 AS x"), PROVENANCE)
        with place.server.client(place.project) as client:
            for name in gone:
                client.delete_table(f"jetstream.{name}")
        warehouse.replace(a_slice(1, "a"), query("SELECT 2 AS x"), PROVENANCE)
        found = warehouse.query(exp.select("*").from_(a_slice(1, "a").reference))
        assert found.to_pylist() == [{"x": 2}], gone


def test_what_queries_cost_is_noted_with_their_purpose(place: Place) -> None:
    with costs_kept() as kept, asked_for(experiment="a", asset="metrics", period="week"):
        place.warehouse.query(query(BIG))
        place.warehouse.replace(a_slice(), query(BIG), PROVENANCE)
    assert [cost.kind for cost in kept] == ["read", "store", "replace"]
    assert {(c.purpose.asset, c.purpose.period) for c in kept} == {("metrics", "week")}
    assert kept[0].bytes_read == 8000
    assert kept[0].bytes_billed >= kept[0].bytes_read
    assert all(cost.slot_seconds > 0 for cost in kept)
    assert {cost.job for cost in kept} == {job.name for job in place.jobs()}


@contextmanager
def denied(place: Place, dataset: str) -> Iterator[None]:
    """Within the block nobody may use datasets of this name."""
    place.server.catalog.denied.add(dataset)
    try:
        yield
    finally:
        place.server.catalog.denied.discard(dataset)


def _read(day: int = 1) -> exp.Select:
    return exp.select("*").from_(a_slice(day).reference)


def _ignoring_errors(place: Place, content: exp.Expr) -> None:
    with suppress(WarehouseError):
        place.warehouse.replace(a_slice(), content, PROVENANCE)


def _wait_for(found: Callable[[], object], seconds: float = 10) -> None:
    last = time.monotonic() + seconds
    while not found() and time.monotonic() < last:
        time.sleep(0.01)
