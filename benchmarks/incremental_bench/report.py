"""The numbers that are told of a run, and the table that people see.

Belongs here: ratios and printing. Does not: measuring (`measure`).
"""

from __future__ import annotations

from typing import Any

from incremental_bench.population import ENROLLMENT_PERIOD

Json = dict[str, Any]

_SHOWN_DAYS = 10  # every tenth, and the last


def summary(series: dict[str, list[Json]], source_rows: int) -> Json:
    """Scans per source row, ratios of CPU seconds, and the peaks, from the series of all sides.

    Pre-enrollment and enrollment rows are told apart, for they are not rows of the windows' days.
    Provisional results, of the dates before the last enrollment date, are ours alone; their CPU
    seconds are part of ours. Writing is what writing our results again takes, without computing
    them: no plan can do with less.
    """
    last = {side: days[-1] for side, days in series.items()}
    cpu = {side: day["cpu_seconds"] for side, day in last.items()}
    return {
        "scans_per_source_row": last["incremental"]["source_rows"] / source_rows,
        "windowed_scans_per_source_row": last["windowed"]["source_rows"] / source_rows,
        "backfill_scans_per_source_row": last["backfill"]["source_rows"] / source_rows,
        "time_ratio": cpu["windowed"] / cpu["incremental"],
        "backfill_passes": cpu["backfill"] / cpu["one_pass"],
        "cpu_seconds": cpu,
        "stage_cpu_seconds": {s: day["stages"] for s, day in last.items() if "stages" in day},
        "provisional_cpu_seconds": series["incremental"][ENROLLMENT_PERIOD - 1]["cpu_seconds"],
        "peak_mib": {side: day["peak_mib"] for side, day in last.items()},
        "preenrollment_rows": {side: day["preenrollment_rows"] for side, day in last.items()},
        "enrollment_rows": {side: day["enrollment_rows"] for side, day in last.items()},
        "result_rows": {side: day["result_rows"] for side, day in last.items()},
    }


def print_series(found: Json) -> None:
    """Print both series, and what follows from them."""
    heads = ("rows ours", "original", "CPU ours", "original", "MiB ours", "original")
    print(f"\n{'after day':<12}" + "".join(f"{head:>13}" for head in heads))
    both = zip(found["series"]["incremental"], found["series"]["windowed"], strict=True)
    for number, (ours, original) in enumerate(both):
        if number % _SHOWN_DAYS == 0 or number == found["days"]:
            numbers = [
                f"{side[name]:>13,.{digits}f}"
                for name, digits in (("source_rows", 0), ("cpu_seconds", 1), ("peak_mib", 0))
                for side in (ours, original)
            ]
            print(f"{number:<12}" + "".join(numbers))
    print()
    for name, value in found.items():
        if name != "series":
            print(f"{name}: {value}")
