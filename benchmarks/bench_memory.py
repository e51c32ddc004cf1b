"""How much memory a run of the demo takes with four Dask workers, which is what a run's pod has.

    python benchmarks/bench_memory.py    # a minute or two

The run is `jetstream run`, with the memory for queries that k8s/overlays/local grants. Several
times a second the PSS of its process and of all that it has started is summed: each page counts
once, however many of them share it. A page of a library that a process of somebody else has loaded,
too, counts in part, so nothing else should be running from the same environment; anonymous memory
is told apart, which is nobody else's. Results go to benchmarks/results.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

from jetstream_assets.simulation.demo import DEMO_SLUG, Demo, write_demo

if TYPE_CHECKING:
    from collections.abc import Iterator

RESULTS = Path(__file__).parent / "results" / "memory.json"
WORKERS = 4
# As in k8s/overlays/local/settings.env.
QUERY_MEMORY = "2GB"
SAMPLE_SECONDS = 0.1


@dataclass(frozen=True)
class Sample:
    """What all processes of a run take at one moment."""

    processes: int
    pss_mib: int
    anonymous_mib: int


def main() -> None:
    """Measure, print and write."""
    argparse.ArgumentParser(description=__doc__).parse_args()
    with tempfile.TemporaryDirectory() as root:
        samples = _run(write_demo(Path(root)), Path(root) / "output")
    peak = max(samples, key=lambda sample: sample.pss_mib)
    found = {
        "machine": {"cores": os.cpu_count(), "python": platform.python_version()},
        "workers": WORKERS,
        "samples": len(samples),
        "peak": asdict(peak),
    }
    RESULTS.write_text(json.dumps(found, indent=1) + "\n")
    for name, value in found.items():
        print(f"{name}: {value}")
    print(f"Written to {RESULTS}.")


def _run(demo: Demo, output: Path) -> list[Sample]:
    """Analyse the demo's healthy experiment over all its dates as one run."""
    options = {
        "config": demo.configuration,
        "experiments": demo.experiments,
        "warehouse": demo.warehouse,
        "output": output,
        "slug": DEMO_SLUG,
        "executor": "dask",
    }
    words = [word for name, value in options.items() for word in (f"--{name}", str(value))]
    jetstream = Path(sys.executable).with_name("jetstream")
    command = [str(jetstream), "run", *words, "--all-dates"]
    own = {"JETSTREAM_WORKERS": str(WORKERS), "JETSTREAM_MEMORY_LIMIT": QUERY_MEMORY}
    environment = {k: v for k, v in os.environ.items() if k != "DAGSTER_HOME"} | own
    with subprocess.Popen(command, env=environment, stdout=sys.stderr) as process:
        samples = list(_samples(process))
    if process.returncode:
        raise SystemExit(f"The run ended with {process.returncode}.")
    return samples


def _samples(process: subprocess.Popen[bytes]) -> Iterator[Sample]:
    root = psutil.Process(process.pid)
    while process.poll() is None:
        try:
            family = [root, *root.children(recursive=True)]
        except psutil.NoSuchProcess:
            return
        yield _sample([each.pid for each in family])
        time.sleep(SAMPLE_SECONDS)


def _sample(pids: list[int]) -> Sample:
    found = [kib for pid in pids if (kib := _kib(pid))]
    pss, anonymous = (sum(kib[name] for kib in found) / 1024 for name in ("Pss", "Pss_Anon"))
    return Sample(len(found), round(pss), round(anonymous))


def _kib(pid: int) -> dict[str, int]:
    """What the kernel says of a process, in KiB; nothing of one that has ended."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:]
    except (FileNotFoundError, ProcessLookupError):
        return {}
    return {name.rstrip(":"): int(kib) for name, kib, _ in map(str.split, lines)}


if __name__ == "__main__":
    main()
