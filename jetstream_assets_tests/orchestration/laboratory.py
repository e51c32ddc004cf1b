"""A small experiment with everything that an analysis needs, in a folder of its own."""

from __future__ import annotations

import json
import shutil
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
from dagster import DagsterInstance

from jetstream_assets.orchestration.launch import run_cells
from jetstream_assets.orchestration.partitions import Cell
from jetstream_assets.orchestration.plan_store import load_plan
from jetstream_assets.orchestration.settings import Executor, Settings
from jetstream_assets.report.folder_store import FolderDocumentStore
from jetstream_assets.simulation.demo import experimenter_record
from jetstream_assets.simulation.telemetry import simulate
from jetstream_assets.simulation.world import (
    Effects,
    SimulatedBranch,
    SimulatedExperiment,
    TelemetryTable,
    World,
)
from jetstream_assets.warehouse.duckdb_parquet import DuckDBParquetWarehouse

if TYPE_CHECKING:
    from jetstream_assets.experiments.plan import AnalysisPlan
    from jetstream_assets.orchestration.launch import RunOutcome
    from jetstream_assets.warehouse.base import Warehouse

EXPERIMENT = SimulatedExperiment(
    slug="small-experiment",
    start_date=date(2026, 3, 2),
    enrollment_period=2,
    end_date=date(2026, 3, 20),
    branches=(
        SimulatedBranch("control"),
        SimulatedBranch("treatment", effects=Effects(search_count=0.2)),
    ),
    units=400,
    several_branches_share=0.05,
)
LAST_ENROLLMENT = EXPERIMENT.start_date + timedelta(days=EXPERIMENT.enrollment_period)
FIRST_WEEK = LAST_ENROLLMENT + timedelta(days=6)
END = date(2026, 3, 20)

DEFINITIONS = """
[data_sources.clients_daily]
from_expression = "telemetry.clients_daily"
[metrics.active_hours]
data_source = "clients_daily"
select_expression = "COALESCE(SUM(active_hours_sum), 0)"
[metrics.searches]
data_source = "clients_daily"
select_expression = "COALESCE(SUM(search_count_all), 0)"
[segments.data_sources.usage]
from_expression = "telemetry.clients_daily"
window_start = -7
window_end = -1
[segments.seen_before]
data_source = "usage"
select_expression = "COUNT(submission_date) > 0"
"""
CONFIGURATION = """
[experiment]
segments = ["seen_before"]
[metrics]
daily = ["searches"]
weekly = ["active_hours", "searches"]
overall = ["active_hours", "searches"]
preenrollment_weekly = ["active_hours"]
[metrics.active_hours.statistics.linear_model_mean.covariate_adjustment]
period = "preenrollment_week"
[metrics.searches.statistics.bootstrap_mean]
[metrics.searches.statistics.deciles]
[metrics.searches.statistics.linear_model_mean.covariate_adjustment]
period = "preenrollment_week"
"""


# So many metrics that their statistics are worth several shards.
_MANY = [f"searches_{number}" for number in range(20)]
MANY_METRICS = "\n".join(
    [
        '[experiment]\nsegments = ["seen_before"]',
        f"[metrics]\nweekly = {json.dumps(_MANY)}",
        *(
            f'[metrics.{name}]\ndata_source = "clients_daily"\n'
            f'select_expression = "COALESCE(SUM(search_count_all), 0) + {number}"\n'
            f"[metrics.{name}.statistics.bootstrap_mean]"
            for number, name in enumerate(_MANY)
        ),
    ]
)


@dataclass(frozen=True)
class Laboratory:
    """A folder with telemetry, configuration and records, and runs over it."""

    root: Path

    @property
    def settings(self) -> Settings:
        return Settings(
            configuration=str(self.root / "configuration"),
            experiments=str(self.root / "experiments.json"),
            warehouse=self.root / "warehouse",
            output=str(self.root / "output"),
            executor=Executor.IN_PROCESS,
            shards=2,
        )

    @property
    def results(self) -> Path:
        return self.root / "warehouse" / "jetstream"

    @property
    def tables(self) -> Warehouse:
        return DuckDBParquetWarehouse(Path(self.settings.warehouse), 1)

    @property
    def documents(self) -> FolderDocumentStore:
        return FolderDocumentStore(Path(self.settings.output))

    def plan(self, on: date) -> AnalysisPlan:
        """The stored plan of a cell that was run."""
        return load_plan(self.documents, Cell(EXPERIMENT.slug, on))

    def configure(self, text: str, slug: str = EXPERIMENT.slug) -> None:
        (self.root / "configuration" / "jetstream" / f"{slug}.toml").write_text(text)

    def amend(self, old: str, new: str) -> None:
        """Change the experiment's configuration file, which has the old text."""
        text = CONFIGURATION
        assert old in text
        self.configure(text.replace(old, new))

    def rows(self, table: str, where: str = "TRUE") -> list[dict[str, Any]]:
        """The stored rows of a table, all slices."""
        sql = f"SELECT * FROM '{self.results}/{table}/**/*.parquet' WHERE {where}"  # noqa: S608
        cursor = duckdb.connect().execute(sql)
        names = [str(column[0]) for column in cursor.description or []]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]

    def record(self, *records: dict[str, object]) -> None:
        (self.root / "experiments.json").write_text(json.dumps(records))

    def copy(self, root: Path) -> Laboratory:
        """The same inputs without any result."""
        shutil.copytree(self.root, root, ignore=shutil.ignore_patterns("jetstream", "output"))
        shutil.copytree(self.root / "configuration", root / "configuration", dirs_exist_ok=True)
        return Laboratory(root)

    def run(
        self,
        *dates: date,
        slug: str = EXPERIMENT.slug,
        instance: DagsterInstance | None = None,
        settings: Settings | None = None,
    ) -> list[RunOutcome]:
        """One run an experiment, over consecutive dates."""
        cells = [Cell(slug, on) for on in dates]
        with DagsterInstance.ephemeral() if instance is None else nullcontext(instance) as used:
            runs = run_cells(settings or self.settings, used, cells)
            return list(runs)

    def files(self, table: str) -> dict[str, bytes]:
        """The bytes of every stored slice of a table, by its path."""
        folder = self.results / table
        return {
            str(path.relative_to(folder)): path.read_bytes()
            for path in sorted(folder.rglob("*.parquet"))
        }


def make_laboratory(root: Path, *others: SimulatedExperiment) -> Laboratory:
    """Write the world of the small experiment, and of others like it, into a folder."""
    experiments = (EXPERIMENT, *others)
    world = World(
        seed=11,
        experiments=experiments,
        days_before=10,
        last_date=END,
        tables=(TelemetryTable.CLIENTS_DAILY, TelemetryTable.EVENTS),
    )
    simulate(world, root / "warehouse")
    for folder in ("definitions", "jetstream"):
        (root / "configuration" / folder).mkdir(parents=True)
    (root / "configuration/definitions/firefox_desktop.toml").write_text(DEFINITIONS)
    laboratory = Laboratory(root)
    for experiment in experiments:
        laboratory.configure(CONFIGURATION, experiment.slug)
    laboratory.record(*map(experimenter_record, experiments))
    return laboratory


def days(first: date, last: date) -> list[date]:
    return [first + timedelta(days=day) for day in range((last - first).days + 1)]
