"""The inputs: experiments with telemetry, and the settings of a code location over them.

Belongs here: folders and settings. Does not: measuring.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from datetime import date, timedelta
from pathlib import Path

from jetstream_assets.orchestration.partitions import Cell
from jetstream_assets.orchestration.settings import Executor, Settings
from jetstream_assets.simulation.demo import experimenter_record
from jetstream_assets.simulation.telemetry import simulate
from jetstream_assets.simulation.world import (
    SimulatedBranch,
    SimulatedExperiment,
    TelemetryTable,
    World,
)

SLUG = "benchmark"
START = date(2026, 3, 2)
PERIOD = 5
DAYS = 60
UNITS = 2_000
LAST = START + timedelta(days=DAYS - 1)

_DEFINITIONS = """
[data_sources.clients_daily]
from_expression = "telemetry.clients_daily"
[metrics.active_hours]
data_source = "clients_daily"
select_expression = "COALESCE(SUM(active_hours_sum), 0)"
[metrics.active_hours.statistics.linear_model_mean]
[metrics.searches]
data_source = "clients_daily"
select_expression = "COALESCE(SUM(search_count_all), 0)"
[metrics.searches.statistics.bootstrap_mean]
"""
_CONFIGURATION = """
[metrics]
daily = ["searches"]
weekly = ["active_hours", "searches"]
"""


@dataclass(frozen=True)
class Inputs:
    """A folder with telemetry, records and configuration of some experiments."""

    root: Path

    def settings(self, executor: Executor = Executor.IN_PROCESS, results: str = "") -> Settings:
        """Settings over the folder; results stand in the telemetry's folder."""
        return Settings(
            configuration=str(self.root / "configuration"),
            experiments=str(self.root / "experiments.json"),
            warehouse=self.root / "warehouse",
            output=self.root / f"output{results}",
            executor=executor,
            first_date=START - timedelta(days=2),
        )


def write_inputs(root: Path, experiments: int = 1) -> Inputs:
    """Telemetry of one experiment of 60 days; more experiments have records and no units."""
    experiment = SimulatedExperiment(
        slug=SLUG,
        start_date=START,
        enrollment_period=PERIOD,
        end_date=LAST,
        branches=(SimulatedBranch("control"), SimulatedBranch("treatment")),
        units=UNITS,
    )
    tables = (TelemetryTable.CLIENTS_DAILY, TelemetryTable.EVENTS)
    simulate(World(3, (experiment,), days_before=1, tables=tables), root / "warehouse")
    others = [replace(experiment, slug=f"{SLUG}-{number}") for number in range(1, experiments)]
    folder = root / "configuration"
    for name in ("definitions", "jetstream"):
        (folder / name).mkdir(parents=True)
    (folder / "definitions/firefox_desktop.toml").write_text(_DEFINITIONS)
    for each in (experiment, *others):
        (folder / f"jetstream/{each.slug}.toml").write_text(_CONFIGURATION)
    records = [experimenter_record(each) for each in (experiment, *others)]
    (root / "experiments.json").write_text(json.dumps(records))
    return Inputs(root)


def cells() -> list[Cell]:
    """All dates of the experiment."""
    return [Cell(SLUG, START + timedelta(days=number)) for number in range(DAYS)]
