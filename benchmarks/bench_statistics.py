"""Statistics side by side with mozanalysis: the ratio of CPU time and of peak memory, in one run.

    python benchmarks/bench_statistics.py            # 100,000 units; some minutes
    python benchmarks/bench_statistics.py --quick    # 10,000 units
    python benchmarks/bench_statistics.py --memory   # memory of both sides, 3 million units
    python benchmarks/bench_statistics.py --scale    # our side alone, up to 10 million units

Every measurement is a process of its own that reads the same Parquet files of unit rows and ends
with the same rows; whether they agree is checked in the run. CPU seconds (user and system) count
from reading the files to the last row, without the imports; memory is the process's peak resident
size, imports included. Short measurements are the middle ones of five. Ratios are original / ours.
Results go to benchmarks/results.
"""

from __future__ import annotations

import argparse
import json
import platform
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from statistics_bench.agreement import agreement
from statistics_bench.load import BRANCHES, FEW, METRICS, SEGMENTS, write_units
from statistics_bench.measure import LOADS, Task, run

if TYPE_CHECKING:
    from collections.abc import Sequence

RESULTS = Path(__file__).parent / "results" / "statistics.json"
UNITS, QUICK_UNITS = 100_000, 10_000
MEMORY_UNITS = 3_000_000
SCALES = (1_000_000, 3_000_000, 10_000_000)
# Beyond, the original resamples for hours: one reference branch of all units is measured.
MOST_UNITS_RESAMPLED_WHOLE = 20_000
# What takes less CPU is measured several times: a second varies by a fifth.
SHORT_SECONDS, REPEATS = 5.0, 5

Json = dict[str, Any]


def main() -> None:
    """Read the command line and run."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--units", type=int, default=UNITS)
    parser.add_argument("--quick", action="store_true", help=f"{QUICK_UNITS:,} units")
    parser.add_argument("--scale", type=int, nargs="*", metavar="UNITS", help="our side alone")
    parser.add_argument("--memory-limit", default="1GB", help="DuckDB's, with --scale")
    parser.add_argument("--memory", type=int, nargs="?", const=MEMORY_UNITS, metavar="UNITS")
    given = parser.parse_args()
    if given.memory is not None:
        memory(given.memory, given.memory_limit)
    elif given.scale is not None:
        scale(given.scale or SCALES, given.memory_limit)
    else:
        side_by_side(QUICK_UNITS if given.quick else given.units)


def side_by_side(units: int) -> None:
    """Both sides on both loads."""
    about = {
        "units": units,
        "branches": len(BRANCHES),
        "segments": len(SEGMENTS),
        "python": platform.python_version(),
        "ratios": "original / ours: CPU seconds from reading the files; peak resident memory",
    }
    with tempfile.TemporaryDirectory() as root:
        write_units(Path(root), units)
        _store(about | _compared("weekly", root))
        is_whole = units <= MOST_UNITS_RESAMPLED_WHOLE
        resampling = _compared("resampling", root, is_whole=is_whole)
        _store({"resampling": resampling.pop("total") | resampling})


def _compared(load: str, root: str, *, is_whole: bool = True) -> Json:
    # Rows of resamples are drawn for one reference branch of all units where all would take hours.
    references = None if is_whole else 1
    found: Json = {"per_statistic": {}}
    heads = ("CPU ours", "original", "ratio", "MiB ours", "original", "ratio")
    print(f"\n{load:<24}" + "".join(f"{head:>10}" for head in heads))
    for statistic in (None, *dict.fromkeys(s.statistic for s in LOADS[load])):
        ours = _measured(Task("ours", load, root, statistic, is_whole))
        original = _measured(Task("original", load, root, statistic, is_whole, references))
        entry = _ratios(ours, original)
        _print_entry(statistic or "total", entry)
        if statistic is None:
            found["total"] = entry
            found["agreement"] = agreement(ours["rows"], original["rows"])
        else:
            found["per_statistic"][statistic] = entry
    if not is_whole:
        _extrapolate(found)
    _print_agreement(found)
    return found


def _measured(task: Task) -> Json:
    """The run of middle CPU time of several, where one is short; long ones vary little."""
    found = [run(task)]
    if found[0]["cpu_seconds"] < SHORT_SECONDS:
        found += [run(task) for _ in range(REPEATS - 1)]
    return sorted(found, key=lambda one: float(one["cpu_seconds"]))[len(found) // 2]


def _extrapolate(found: Json) -> None:
    """The original does the same again for each reference branch; ours does not."""
    entries = [found["total"], *found["per_statistic"].values()]
    for entry in entries:
        entry["measured_original_cpu_seconds"] = entry["original"]["cpu_seconds"]
        entry["original"]["cpu_seconds"] *= len(BRANCHES)
        entry["time_ratio"] *= len(BRANCHES)
    found["total"]["extrapolated"] = (
        "measured of all units without segments and, of the original, with one of the three "
        "reference branches; its CPU seconds are taken three times, its memory as measured"
    )


def _ratios(ours: Json, original: Json) -> Json:
    sides = {"ours": ours, "original": original}
    kept = {name: {k: v for k, v in side.items() if k != "rows"} for name, side in sides.items()}
    return {
        "time_ratio": original["cpu_seconds"] / ours["cpu_seconds"],
        "memory_ratio": original["peak_mib"] / ours["peak_mib"],
        "memory_ratio_above_imports": _grown(original) / _grown(ours),
        **kept,
    }


def _grown(side: Json) -> float:
    """How much memory was needed beside the libraries, in MiB; at least one."""
    return max(float(side["peak_mib"]) - float(side["imports_mib"]), 1.0)


def memory(units: int, memory_limit: str) -> None:
    """Memory of both sides where data, not libraries, are most of it.

    All units without segments; the original takes one of the three reference branches.
    """
    found: Json = {"units": units, "memory_limit": memory_limit}
    with tempfile.TemporaryDirectory() as root:
        write_units(Path(root), units)
        for load in FEW:
            common: Json = {
                "has_segments": False,
                "references": 1,
                "memory_limit": memory_limit,
            }
            ours, original = (run(Task(s, load, root, **common)) for s in ("ours", "original"))
            entry = found[load] = _ratios(ours, original)
            print(
                f"{load}: {entry['memory_ratio']:.1f} of the process, "
                f"{entry['memory_ratio_above_imports']:.1f} above imports; MiB "
                f"{ours['peak_mib']:.0f} ({ours['imports_mib']:.0f}) and "
                f"{original['peak_mib']:.0f} ({original['imports_mib']:.0f})",
                flush=True,
            )
    _store({"memory": found})


def scale(sizes: Sequence[int], memory_limit: str) -> None:
    """Our side alone, with 3 branches and 4 segments: 20 metrics, and the weekly load.

    The weekly load has covariates, which are joined from the window before enrollment.
    """
    found: dict[str, Json] = {"scale": {}, "weekly": {}}
    for units in sizes:
        with tempfile.TemporaryDirectory() as root:
            write_units(Path(root), units)
            for load, entries in found.items():
                entry = run(Task("ours", load, root, memory_limit=memory_limit))
                del entry["rows"]
                entry["cpu_microseconds_per_unit"] = entry["cpu_seconds"] / units * 1e6
                entries[str(units)] = entry
                numbers = "  ".join(f"{name} {number:.1f}" for name, number in entry.items())
                print(f"{load:<8}{units:>12,} units  {numbers}", flush=True)
    about = {"memory_limit": memory_limit, "metrics": len(METRICS), "segments": len(SEGMENTS)}
    _store({"scale": {**about, **found["scale"], "weekly_with_covariates": found["weekly"]}})


def _print_entry(name: str, entry: Json) -> None:
    ours, original = entry["ours"], entry["original"]
    print(
        f"{name:<24}{ours['cpu_seconds']:>10.2f}{original['cpu_seconds']:>10.2f}"
        f"{entry['time_ratio']:>10.1f}{ours['peak_mib']:>10.0f}{original['peak_mib']:>10.0f}"
        f"{entry['memory_ratio']:>10.2f}",
        flush=True,
    )


def _print_agreement(found: Json) -> None:
    if "extrapolated" in found["total"]:
        about = found["total"]["extrapolated"]
        print(f"(stored, and not above: {about}: {found['total']['time_ratio']:.0f} in total)")
    for statistic, count in found["agreement"].items():
        print(
            f"{statistic}: {count['within']:.0f} of {count['rows']:.0f} rows agree within "
            f"{count['tolerance']:g} half-widths (largest {count['largest']:.3g}); "
            f"{count['with_reason']:.0f} have a reason instead"
        )


def _store(found: Json) -> None:
    """Put the results beside those of other loads that are already there."""
    RESULTS.parent.mkdir(exist_ok=True)
    stored = json.loads(RESULTS.read_text()) if RESULTS.is_file() else {}
    RESULTS.write_text(json.dumps(stored | found, indent=2) + "\n")
    print(f"\n{RESULTS}")


if __name__ == "__main__":
    main()
