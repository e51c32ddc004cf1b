"""What orchestration costs beyond the analysis: runs, ticks, backfills, the page, the import.

    python benchmarks/bench_orchestration.py    # some minutes

Every side is a process of its own over fresh copies of the same inputs. Seconds of CPU are user and
system with those of children; imports are told apart. Results go to benchmarks/results.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import Any

from orchestration_bench.inputs import DAYS, UNITS, write_inputs
from orchestration_bench.page import DAYS as PAGE_DAYS
from orchestration_bench.page import EXPERIMENTS as PAGE_EXPERIMENTS
from orchestration_bench.page import measure_page, median
from orchestration_bench.sides import Seconds, measure

RESULTS = Path(__file__).parent / "results" / "orchestration.json"
TICK_EXPERIMENTS = 200
IMPORT_TIMES = 5
_IMPORT = (
    "import time; start = time.process_time(); import jetstream_assets.definitions; "
    "print(time.process_time() - start)"
)


def main() -> None:
    """Measure everything, print it and write it."""
    argparse.ArgumentParser(description=__doc__).parse_args()
    sides = ("work", "run_in_process", "run_under_dask", "one_run", "sixty_runs")
    seconds = {side: _measured(side, 1) for side in sides}
    seconds["tick"] = _measured("tick", TICK_EXPERIMENTS)
    with tempfile.TemporaryDirectory() as root:
        page = measure_page(write_inputs(Path(root)))
    found = _summary(seconds, page) | {"import_cpu_seconds": _import_seconds()}
    RESULTS.write_text(json.dumps(found, indent=1) + "\n")
    for name, value in found.items():
        print(f"{name}: {value}")
    print(f"Written to {RESULTS}.")


def _measured(side: str, experiments: int) -> Seconds:
    print(f"{side} ...", file=sys.stderr, flush=True)
    with tempfile.TemporaryDirectory() as root:
        return measure(side, write_inputs(Path(root), experiments))


def _summary(seconds: dict[str, Seconds], page: list[float]) -> dict[str, Any]:
    work, one, sixty = (seconds[side] for side in ("work", "one_run", "sixty_runs"))
    return {
        "machine": {"cores": os.cpu_count(), "python": platform.python_version()},
        "about": {"units": UNITS, "days": DAYS},
        "run_seconds_beyond_work": {
            side: seconds[side].wall - work.wall for side in ("run_in_process", "run_under_dask")
        },
        "tick": {"requests": seconds["tick"].count, "seconds": seconds["tick"].wall},
        "backfill_time_ratio": sixty.wall / one.wall,
        "backfill_cpu_ratio": sixty.cpu / one.cpu,
        "partitions_page": {
            "experiments": PAGE_EXPERIMENTS,
            "days": PAGE_DAYS,
            "first_seconds": page[0],
            "median_seconds": median(page),
        },
        "sides": {side: asdict(found) for side, found in seconds.items()},
    }


def _import_seconds() -> float:
    """The median CPU of the code location's import, once its bytecode is there."""
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    command = [sys.executable, "-c", _IMPORT]
    done = [
        subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
        for _ in range(IMPORT_TIMES + 1)
    ]
    return statistics.median(float(each.stdout) for each in done[1:])


if __name__ == "__main__":
    main()
