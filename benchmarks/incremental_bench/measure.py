"""One side is one process, over a folder of its own that shares the files of telemetry.

Belongs here: the process and its folder. Does not: what a side does (`windowed`, `incremental`,
`one_pass`).
"""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
from dataclasses import asdict, dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from incremental_bench.metering import MeteredWarehouse, Record
from incremental_bench.population import START
from incremental_bench.telemetry import SLUG
from jetstream_assets.config.planning import open_planner
from jetstream_assets.experiments.plan import AnalysisPlan

Json = dict[str, Any]


@dataclass(frozen=True)
class Task:
    """What is to be measured.

    Args:
        side: A module and a function of it that takes a `Run`, such as ``windowed.by_day``.
        root: The side's folder.
        configuration: The folder of TOML files.
        experiments: The file with the record.
        days: Days of the experiment.
        threads: DuckDB's threads.
        memory_limit: DuckDB's memory.
    """

    side: str
    root: str
    configuration: str
    experiments: str
    days: int
    threads: int
    memory_limit: str


@dataclass(frozen=True)
class Run:
    """What a side is given: its warehouse, a record to fill, and the plans of all dates."""

    warehouse: MeteredWarehouse
    record: Record
    plans: tuple[AnalysisPlan, ...]


def run(task: Task) -> list[Json]:
    """Measure in a process of its own; the record of its days."""
    command = [sys.executable, "-m", __spec__.name, json.dumps(asdict(task))]
    folder = Path(__file__).parents[1]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, env=environment, cwd=folder, stdout=subprocess.PIPE, check=True)
    found: list[Json] = json.loads(done.stdout)
    return found


def share_telemetry(telemetry: Path, root: Path) -> None:
    """Give a side the files of telemetry under its own root, without copying them."""
    for file in telemetry.rglob("*.parquet"):
        link = root / file.relative_to(telemetry)
        link.parent.mkdir(parents=True, exist_ok=True)
        os.link(file, link)


def _measure(task: Task) -> list[Json]:
    module, _, function = task.side.partition(".")
    side = getattr(importlib.import_module(f"incremental_bench.{module}"), function)
    planner = open_planner(task.experiments, task.configuration)
    dates = (START + timedelta(days=number) for number in range(task.days + 1))
    plans = tuple(planner.plan(SLUG, on) for on in dates)
    warehouse = MeteredWarehouse(Path(task.root), task.threads, task.memory_limit)
    record = Record(warehouse)
    side(Run(warehouse, record, plans))
    return record.days


if __name__ == "__main__":
    json.dump(_measure(Task(**json.loads(sys.argv[1]))), sys.stdout)
