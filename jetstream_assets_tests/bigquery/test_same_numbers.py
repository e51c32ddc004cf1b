"""The analysis gives the same statistics in BigQuery as over a folder of Parquet files.

Each is a run of the asset graph with the settings of either warehouse. The server gives rows in any
order, as the real service may.
"""

from __future__ import annotations

import json
import math
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest
from dagster import DagsterInstance
from sqlglot import exp

from jetstream_assets.orchestration.launch import run_cells
from jetstream_assets.orchestration.partitions import Cell
from jetstream_assets.orchestration.settings import Executor, Settings
from jetstream_assets.orchestration.warehouse_resource import warehouse_resource
from jetstream_assets.simulation import demo
from jetstream_assets.warehouse.tables import ResultTable, all_slices
from jetstream_assets_tests.bigquery.stocking import put_dataset, put_folder
from jetstream_assets_tests.orchestration.laboratory import days
from jetstream_assets_tests.real import globox

if TYPE_CHECKING:
    from collections.abc import Iterator

    from jetstream_assets_tests.bigquery.server import BigQueryServer

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("same_numbers")]

# Small enough to be run twice, large enough for every statistic to have a result.
SHARE_OF_THE_DEMO = 20
TOLERANCE = 1e-9
# Floats that tell rows apart, and so are the same to the last bit.
KEYS = ("parameter", "ci_width")


@dataclass(frozen=True)
class Place:
    """A folder with sources, a configuration and records, and a copy of the sources in BigQuery."""

    root: Path
    project: str

    @property
    def in_files(self) -> Settings:
        return self._settings(str(self.root / "warehouse"), "output")

    @property
    def in_bigquery(self) -> Settings:
        return self._settings(f"bigquery://{self.project}/results", "output-bigquery")

    def _settings(self, warehouse: str, output: str) -> Settings:
        return Settings(
            configuration=str(self.root / "configuration"),
            experiments=str(self.root / "experiments.json"),
            warehouse=warehouse,
            output=str(self.root / output),
            executor=Executor.IN_PROCESS,
            first_date=date(2023, 1, 1),
            bigquery_source_project=f"{self.project}-sources",
            shards=1,
        )


@contextmanager
def in_both(server: BigQueryServer, place: Place) -> Iterator[None]:
    """While the body runs, the sources of the folder are in BigQuery, and clients find it."""
    # Firefox's own tables are named with the project of their owner.
    for project in (f"{place.project}-sources", "moz-fx-data-shared-prod"):
        put_folder(server, project, place.root / "warehouse")
    put_dataset(server, place.project, "results")
    with pytest.MonkeyPatch.context() as patch, server.shuffled():
        for name, value in server.environment(place.project).items():
            patch.setenv(name, value)
        yield


def statistics_of(settings: Settings, slug: str, spans: list[tuple[date, date]]) -> pa.Table:
    """All statistics after a run for each span of dates."""
    with DagsterInstance.ephemeral() as instance:
        for first, last in spans:
            cells = [Cell(slug, on) for on in days(first, last)]
            (run,) = run_cells(settings, instance, cells)
            assert run.succeeded, run.errors
    rows = exp.select("*").from_(all_slices(ResultTable.STATISTICS, slug))
    found: pa.Table = warehouse_resource(settings).open().query(rows)
    return found


def check_same(one: pa.Table, other: pa.Table) -> None:
    """Everything but floats is equal, and floats to the tolerance.

    Each warehouse refuses a statement in words of its own.
    """
    assert set(one.schema.names) == set(other.schema.names)
    other = other.select(one.schema.names)
    assert one.schema.types == other.schema.types
    floats = [f.name for f in one.schema if f.type == pa.float64() and f.name not in KEYS]
    pairs = zip(_sorted(one, floats), _sorted(other, floats), strict=True)
    different = [(a, b) for a, b in pairs if not _is_same(a, b, floats)]
    assert different == []


def _sorted(rows: pa.Table, floats: list[str]) -> list[dict[str, Any]]:
    def key(row: dict[str, Any]) -> str:
        return json.dumps([v for n, v in row.items() if n not in floats], default=str)

    told = rows.to_pylist()
    for row in told:
        if row["status"] == "failed":
            row |= {name: row[name] is not None for name in ("reason", "sql")}
    return sorted(told, key=key)


def _is_same(a: dict[str, Any], b: dict[str, Any], floats: list[str]) -> bool:
    return all(_is_close(a[n], b[n]) if n in floats else a[n] == b[n] for n in a)


def _is_close(a: float | None, b: float | None) -> bool:
    if a is None or b is None:
        return a is b
    both_nan = math.isnan(a) and math.isnan(b)
    return both_nan or math.isclose(a, b, rel_tol=TOLERANCE, abs_tol=TOLERANCE)


def test_of_the_demo(
    bigquery: BigQueryServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    small = [
        replace(one, units=one.units // SHARE_OF_THE_DEMO) for one in demo.DEMO_WORLD.experiments
    ]
    monkeypatch.setattr(demo, "DEMO_WORLD", replace(demo.DEMO_WORLD, experiments=tuple(small)))
    demo.write_demo(tmp_path)
    place = Place(tmp_path, "same-demo")
    # A provisional date, the end of the first week and the last date.
    on = [date(2026, 3, 8), date(2026, 3, 15), demo.DEMO_LAST_DATE]
    with in_both(bigquery, place):
        for slug, dates in ((demo.DEMO_SLUG, on), ("reader-invitation-2026", on[-1:])):
            spans = [(one, one) for one in dates]
            expected = statistics_of(place.in_files, slug, spans)
            assert "ok" in expected.column("status").to_pylist()
            check_same(expected, statistics_of(place.in_bigquery, slug, spans))


def test_of_a_real_shop(bigquery: BigQueryServer, tmp_path: Path) -> None:
    globox.make_shop(tmp_path)
    place = Place(tmp_path, "same-globox")
    spans = [(on, on) for on in map(date.fromisoformat, (globox.LAST_ENROLLMENT, globox.END))]
    with in_both(bigquery, place):
        expected = statistics_of(place.in_files, globox.SLUG, spans)
        assert set(expected.column("status").to_pylist()) <= {"ok", "insufficient_data"}
        check_same(expected, statistics_of(place.in_bigquery, globox.SLUG, spans))
