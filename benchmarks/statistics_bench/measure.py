"""One measurement is one process: what it took, and the rows that it made, as JSON.

Belongs here: the process. Does not: which there are, and what becomes of them
(`bench_statistics`).
"""

from __future__ import annotations

import importlib
import json
import os
import resource
import subprocess
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from statistics_bench.load import FEW, RESAMPLING, SEGMENTS, WEEKLY, scale_load

Json = dict[str, Any]

LOADS = {"weekly": WEEKLY, "resampling": RESAMPLING, "scale": scale_load(), **FEW}
_ONE_THREAD = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "POLARS_MAX_THREADS")


@dataclass(frozen=True)
class Task:
    """What is to be measured.

    Args:
        side: The module of the side, ``ours`` or ``original``.
        load: One of `LOADS`.
        root: The folder with the unit rows.
        statistic: The only statistic of the load; None is all of them.
        has_segments: Whether there are segments beside all units.
        references: How many branches the original takes as reference; None is all of them.
        memory_limit: DuckDB's; None is half of the machine's.
    """

    side: str
    load: str
    root: str
    statistic: str | None = None
    has_segments: bool = True
    references: int | None = None
    memory_limit: str | None = None


def run(task: Task) -> Json:
    """Measure in a process of its own: CPU seconds, peak MiB and, but for ``scale``, the rows."""
    command = [sys.executable, "-m", __spec__.name, json.dumps(asdict(task))]
    environment = os.environ | dict.fromkeys(_ONE_THREAD, "1")
    folder = Path(__file__).parents[1]
    done = subprocess.run(command, env=environment, cwd=folder, stdout=subprocess.PIPE, check=True)
    found: Json = json.loads(done.stdout)
    return found


def _measure(task: Task) -> Json:
    side = importlib.import_module(f"statistics_bench.{task.side}")
    summaries = [s for s in LOADS[task.load] if task.statistic in (None, s.statistic)]
    segments = SEGMENTS if task.has_segments else ()
    before, imports = _cpu_seconds(), _peak_mib()
    rows = side.rows(Path(task.root), summaries, segments, task.references, task.memory_limit)
    spent = _cpu_seconds()
    return {
        "cpu_seconds": spent - before,
        "cpu_seconds_with_imports": spent,
        "peak_mib": _peak_mib(),
        "imports_mib": imports,
        "rows": [] if task.load == "scale" else rows,
    }


def _cpu_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def _peak_mib() -> float:
    """The peak of this process; ``ru_maxrss`` begins with what the process that started it held."""
    status = Path("/proc/self/status").read_text()
    (kib,) = (line.split()[1] for line in status.splitlines() if line.startswith("VmHWM:"))
    return int(kib) / 1024


if __name__ == "__main__":
    json.dump(_measure(Task(**json.loads(sys.argv[1]))), sys.stdout, default=float)
