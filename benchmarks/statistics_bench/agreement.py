"""Both sides have the same rows, and their numbers agree as far as random draws allow.

Belongs here: the comparison, with its tolerances. Does not: either side (`ours`, `original`).

Half-widths of the original's interval are the unit. Ten thousand draws leave a bound uncertain by
some 2 % of it, four standard deviations of which are allowed; the linear models draw nothing, but
the original caps again for each reference and takes a mean of quantiles where ours takes the mean.
A decile of counts is a count: its bounds may differ by one.
"""

from __future__ import annotations

import math
from collections import defaultdict
from typing import TYPE_CHECKING, Any

from statistics_bench.load import COUNTS, DAYS, TICKS

if TYPE_CHECKING:
    from collections.abc import Iterable

    Row = dict[str, Any]
    Key = tuple[object, ...]

TOLERANCES = {
    "mean_lm": 0.02,
    "per_client_dau_impact": 0.02,
    "empirical_cdf": 1e-9,
    "binomial": 0.08,
    "mean": 0.08,
    "population_ratio": 0.08,
    "deciles": 0.08,
}
LEAST_SHARE = 0.99
_STEPS = dict.fromkeys((*COUNTS, *DAYS), 1.0) | dict.fromkeys(TICKS, 1 / 720)


def agreement(ours: Iterable[Row], original: Iterable[Row]) -> dict[str, dict[str, float]]:
    """Per statistic: rows compared, rows of ours with a reason instead, share within tolerance.

    Raises:
        ValueError: A row of the original is missing, or too few agree.
    """
    mine = {_key(row): row for row in ours}
    counts: dict[str, dict[str, float]] = defaultdict(lambda: dict.fromkeys(_COUNTED, 0))
    for row in original:
        found, count = mine.get(_key(row)), counts[row["statistic"]]
        if found is None:
            raise ValueError(f"our side has no row {_key(row)}")
        if found["reason"] is not None:
            count["with_reason"] += 1
            continue
        worst = _distance(found, row, _step(row, mine))
        count["rows"] += 1
        count["within"] += worst <= TOLERANCES[row["statistic"]]
        count["largest"] = max(count["largest"], worst)
    for statistic, count in counts.items():
        count["tolerance"] = TOLERANCES[statistic]
        if count["within"] < LEAST_SHARE * count["rows"]:
            raise ValueError(f"{statistic}: {count}")
    return dict(counts)


_COUNTED = ("rows", "within", "with_reason", "largest")


def _key(row: Row) -> Key:
    parameter = None if row["parameter"] is None else round(row["parameter"], 6)
    names = ("segment", "metric", "statistic", "branch", "comparison", "comparison_to_branch")
    return (*(row[name] for name in names), parameter)


def _distance(found: Row, row: Row, step: float) -> float:
    """The largest difference of the three numbers in half-widths, one step allowed for nothing."""
    numbers = ("point", "lower", "upper") if row["lower"] is not None else ("point",)
    half = (row["upper"] - row["lower"]) / 2 if row["lower"] is not None else 1.0
    gap = max(max(abs(found[n] - row[n]) - step, 0.0) for n in numbers)
    if gap < _ROUNDING * (1 + abs(row["point"])):
        return 0.0
    return float(gap / half) if half else math.inf


_ROUNDING = 1e-9


def _step(row: Row, mine: dict[Key, Row]) -> float:
    """By how much two deciles may differ that are neighbouring values."""
    step = _STEPS.get(row["metric"], 0.0) if row["statistic"] == "deciles" else 0.0
    if not step or row["comparison"] != "relative_uplift":
        return step
    alone = {"branch": row["comparison_to_branch"], "comparison": None}
    reference = mine[_key(row | alone | {"comparison_to_branch": None})]["lower"]
    return float(step * (2 + abs(row["point"])) / reference) if reference else math.inf
