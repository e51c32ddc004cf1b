"""A 60-day experiment analysed day by day and as one backfill, against the original's plan.

    python benchmarks/bench_incremental.py            # 100,000 units, 60 days; some minutes
    python benchmarks/bench_incremental.py --quick    # 10,000 units, 28 days
    python benchmarks/bench_incremental.py --scale    # our backfill alone: memory by units

The original's plan is its single-window queries, one a period, window and analysis basis. Every
side is a process of its own over the same Parquet files and ends with the same slices of metrics;
whether they agree is checked in the run. CPU seconds are user and system, without the imports;
memory is the process's peak resident size, imports included. Results go to benchmarks/results.
"""

from __future__ import annotations

import argparse
import json
import platform
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from incremental_bench.agreement import agreement
from incremental_bench.configuration import write_inputs
from incremental_bench.measure import Task, run, share_telemetry
from incremental_bench.population import draw_population
from incremental_bench.report import print_series, summary
from incremental_bench.telemetry import write_telemetry

if TYPE_CHECKING:
    from collections.abc import Sequence

RESULTS = Path(__file__).parent / "results" / "incremental.json"
UNITS, DAYS = 100_000, 60
QUICK_UNITS, QUICK_DAYS = 10_000, 28
SCALES = (100_000, 300_000)
SIDES = {
    "windowed": "windowed.by_day",
    "incremental": "incremental.by_day",
    "backfill": "incremental.backfill",
    "one_pass": "one_pass.whole",
    "writing": "writing.again",
}
# Sides that go on in the folder of another.
CONTINUED = {"writing": "incremental"}

Json = dict[str, Any]


@dataclass(frozen=True)
class Bench:
    """A folder with the telemetry of an experiment, and the settings of the sides."""

    root: Path
    units: int
    days: int
    threads: int
    memory_limit: str

    def write(self) -> int:
        """Write telemetry; the rows that the sources have of the experiment's days."""
        rows = write_telemetry(self._telemetry, draw_population(self.units), self.days)
        return sum(rows.values()) * (self.days + 1)

    def measure(self, side: str) -> list[Json]:
        """The days of a side's record."""
        if side not in CONTINUED:
            share_telemetry(self._telemetry, self.folder(side))
        inputs = write_inputs(self.root, self.days)
        return run(
            Task(
                side=SIDES[side],
                root=str(self.folder(side)),
                configuration=inputs.configuration,
                experiments=inputs.experiments,
                days=self.days,
                threads=self.threads,
                memory_limit=self.memory_limit,
            )
        )

    def folder(self, side: str) -> Path:
        """The side's warehouse."""
        return self.root / CONTINUED.get(side, side)

    @property
    def _telemetry(self) -> Path:
        return self.root / "telemetry"


def main() -> None:
    """Read the command line and run."""
    given = _arguments()
    if given.scale is not None:
        scale(given.scale or SCALES, given)
        return
    units = given.units or (QUICK_UNITS if given.quick else UNITS)
    days = given.days or (QUICK_DAYS if given.quick else DAYS)
    with tempfile.TemporaryDirectory() as root:
        side_by_side(Bench(Path(root), units, days, given.threads, given.memory_limit))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--units", type=int)
    parser.add_argument("--days", type=int)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--scale", type=int, nargs="*", metavar="UNITS", help="our side alone")
    parser.add_argument("--threads", type=int, default=1, help="DuckDB's")
    parser.add_argument("--memory-limit", default="1GB", help="DuckDB's")
    return parser.parse_args()


def side_by_side(bench: Bench) -> None:
    """All sides, compared."""
    source_rows = bench.write()
    series = {side: bench.measure(side) for side in SIDES}
    about = {
        "units": bench.units,
        "days": bench.days,
        "source_rows": source_rows,
        "threads": bench.threads,
        "memory_limit": bench.memory_limit,
        "python": platform.python_version(),
    }
    found = about | summary(series, source_rows)
    windowed = bench.folder("windowed")
    found["agreement"] = {
        side: agreement(bench.folder(side), windowed) for side in ("incremental", "backfill")
    }
    found["series"] = {side: series[side] for side in ("incremental", "windowed")}
    print_series(found)
    _store(found)


def scale(sizes: Sequence[int], given: argparse.Namespace) -> None:
    """Our backfill alone, with the same memory for any number of units."""
    days = given.days or DAYS
    found: Json = {"memory_limit": given.memory_limit, "days": days}
    for units in sizes:
        with tempfile.TemporaryDirectory() as root:
            bench = Bench(Path(root), units, days, given.threads, given.memory_limit)
            rows = bench.write()
            (entry,) = bench.measure("backfill")
            entry["cpu_microseconds_per_source_row"] = entry["cpu_seconds"] / rows * 1e6
            found[str(units)] = entry
            print(f"{units:>12,} units  {entry}", flush=True)
    _store({"scale": found})


def _store(found: Json) -> None:
    """Put the results beside those of other loads that are already there."""
    RESULTS.parent.mkdir(exist_ok=True)
    stored = json.loads(RESULTS.read_text()) if RESULTS.is_file() else {}
    RESULTS.write_text(json.dumps(stored | found, indent=2) + "\n")
    print(f"\n{RESULTS}")


if __name__ == "__main__":
    main()
