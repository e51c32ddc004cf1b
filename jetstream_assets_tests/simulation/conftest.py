from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import pytest

from jetstream_assets.simulation.telemetry import simulate
from jetstream_assets.simulation.truth import Truth
from jetstream_assets.simulation.world import (
    Effects,
    SimulatedBranch,
    SimulatedExperiment,
    TelemetryTable,
    World,
)


@dataclass(frozen=True)
class Telemetry:
    """A simulated world with a connection in which each table is a view of its own name."""

    root: Path
    world: World
    truth: Truth
    connection: duckdb.DuckDBPyConnection

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        return self.connection.sql(sql).fetchall()


def telemetry(root: Path, world: World) -> Telemetry:
    truth = simulate(world, root)
    connection = duckdb.connect(config={"threads": 1})
    for table in world.tables:
        files = f"{root}/{table}/**/*.parquet"
        view = table.split("/")[1]
        connection.read_parquet(files, hive_partitioning=True).create_view(view)
    return Telemetry(root, world, truth, connection)


def small_world(seed: int = 7, **changes: object) -> World:
    """300 units for three weeks: for what does not depend on size."""
    experiment = SimulatedExperiment(
        slug="small",
        start_date=date(2026, 3, 2),
        enrollment_period=2,
        end_date=date(2026, 3, 10),
        branches=(SimulatedBranch("control"), SimulatedBranch("treatment")),
        units=300,
        late_rows_share=0.3,
    )
    return World(**({"seed": seed, "experiments": (experiment,), "days_before": 10} | changes))  # type: ignore[arg-type]  # a test's changes to the defaults


@pytest.fixture(scope="session")
def large(tmp_path_factory: pytest.TempPathFactory) -> Telemetry:
    """A world large enough for its effects and shares to be seen in the files."""
    experiment = SimulatedExperiment(
        slug="large",
        start_date=date(2026, 3, 2),
        enrollment_period=7,
        end_date=date(2026, 3, 30),
        branches=(
            SimulatedBranch("control", ratio=2),
            SimulatedBranch(
                "treatment",
                ratio=1,
                effects=Effects(
                    active_hours=0.3,
                    uri_count=-0.2,
                    search_count=0.5,
                    ad_clicks=0.4,
                    days_of_use=0.1,
                ),
            ),
        ),
        units=20_000,
        several_branches_share=0.03,
        sample_ratio_skew=-0.1,
        exposed_share=0.5,
    )
    tables = (TelemetryTable.CLIENTS_DAILY, TelemetryTable.EVENTS, TelemetryTable.SEARCH)
    root = tmp_path_factory.mktemp("large")
    return telemetry(root, World(seed=11, experiments=(experiment,), tables=tables))
