"""Numbers and names as people read them: few digits, no surprises.

Belongs here: text of one number, interval, comparison or name, for any medium. Does not: tables
and their layout (`markdown`, `terminal`), documents for programs (the exports).
"""

from __future__ import annotations

import math
import unicodedata
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from jetstream_assets.experiments.windows import Period

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    import pyarrow as pa

    Row = dict[str, Any]

_UNITS = ("B", "kB", "MB", "GB", "TB", "PB")
_STEP = 1000
NOT_AVAILABLE = "n/a"
_RELATIVE = "relative_uplift"
# Beyond these a fixed number of decimals is harder to read than a power of ten.
_MOST_DECIMALS = 6
_LARGEST = 1e12
# A curve has hundreds of grid points; a table of numbers shows at most this many of one statistic.
_MOST_POINTS = 20
_ORDER = (
    "window_index",
    "analysis_basis",
    "segment",
    "metric",
    "statistic",
    "covariate",
    "comparison",
    "branch",
    "comparison_to_branch",
    "ci_width",
    "parameter",
)
_PERIOD_ORDER = {period.value: index for index, period in enumerate(Period)}


@dataclass(frozen=True)
class EstimateText:
    """A point and its interval with the same decimals; the interval is empty without bounds."""

    point: str
    interval: str


def printable(text: str) -> str:
    """The text on one line: line breaks as spaces, invisible characters as escapes.

    Names come from outside; a terminal would obey what some characters mean.
    """
    return "".join(_visible(character) for character in " ".join(text.split()))


def estimate_text(row: Row) -> EstimateText:
    """The point and interval of a statistics row; comparisons signed, relative uplift in percent.

    Digits: 4 significant ones of the largest number (3 in percent), or 2 of half the interval's
    width where that is more. Both texts are empty in a row without a branch, which has no number.
    """
    if row["branch"] is None:
        return EstimateText("", "")
    is_relative = row["comparison"] == _RELATIVE
    numbers = [_scaled(row[name], is_relative=is_relative) for name in ("point", "lower", "upper")]
    decimals = _decimals(numbers, digits=3 if is_relative else 4)
    unit = "%" if is_relative else ""
    signed = row["comparison"] is not None
    point, lower, upper = (
        f"{_fixed(number, decimals, signed=signed)}{unit}" if number is not None else NOT_AVAILABLE
        for number in numbers
    )
    has_interval = numbers[1] is not None or numbers[2] is not None
    return EstimateText(point, f"[{lower}, {upper}]" if has_interval else "")


def is_decided(row: Row) -> bool:
    """Whether a comparison's interval leaves out zero."""
    if row["comparison"] is None or row["lower"] is None or row["upper"] is None:
        return False
    return bool(row["lower"] > 0 or row["upper"] < 0)


def comparison_text(row: Row) -> str:
    """What the number compares, such as ``uplift on control``; empty for a branch alone."""
    if row["comparison"] is None:
        return ""
    other = printable(row["comparison_to_branch"] or NOT_AVAILABLE)
    if row["comparison"] == _RELATIVE:
        return f"uplift on {other}"
    return f"{printable(row['comparison'])} to {other}"


def parameter_text(row: Row) -> str:
    """The decile in percent, or the grid point; empty for a statistic without a parameter."""
    value = row["parameter"]
    if value is None:
        return ""
    return f"{value:.0%}" if row["statistic"] == "deciles" else number_text(value)


def number_text(value: float | None) -> str:
    """One number with 4 significant digits, whole numbers in full."""
    known = _scaled(value, is_relative=False)
    return (
        NOT_AVAILABLE
        if known is None
        else _fixed(known, _decimals([known], digits=4), signed=False)
    )


def displayed_rows(rows: pa.Table) -> Iterator[Row]:
    """The rows of a statistics table in reading order, curves folded.

    Of a statistic with more grid points than a person reads, one row stands for all; its key
    ``points`` says how many, and ``parameter`` is a pair (first, last).
    """
    for same in _by_curve(sorted(rows.to_pylist(), key=_reading_order)):
        if len(same) <= _MOST_POINTS:
            yield from same
        else:
            ends = (same[0]["parameter"], same[-1]["parameter"])
            yield {**same[0], "points": len(same), "parameter": ends}


def window_text(row: Row) -> str:
    """The period, window index and days of a row, such as ``weekly 2 (days 7 to 13)``.

    A window of units that still enroll is told to be ``provisional``.
    """
    period = Period(row["period"])
    until = ", provisional" if row["is_provisional"] else ""
    return f"{period.suffix} {row['window_index']} ({days_text(row)}{until})"


def days_text(row: Row) -> str:
    """The days of a row's window since the anchor date, both inclusive."""
    start, end = row["window_start"], row["window_end"]
    return f"day {start}" if start == end else f"days {start} to {end}"


def curve_text(row: Row) -> str:
    """What stands for a folded curve; empty for a row that is not one."""
    if "points" not in row:
        return ""
    first, last = row["parameter"]
    return f"{row['points']} points from {number_text(first)} to {number_text(last)}"


def _visible(character: str) -> str:
    if unicodedata.category(character)[0] != "C":
        return character
    return character.encode("unicode_escape", errors="surrogatepass").decode("ascii")


def _reading_order(row: Row) -> tuple[object, ...]:
    # Null before any value; what everybody looks for first, all units and their number, first.
    first = {"segment": "all", "metric": "identity"}
    keys = ((row[key] is not None, row[key] != first.get(key), row[key]) for key in _ORDER)
    return (_PERIOD_ORDER[row["period"]], *keys)


def _by_curve(rows: Iterable[Row]) -> Iterator[list[Row]]:
    same: list[Row] = []
    for row in rows:
        if same and _curve(row) != _curve(same[-1]):
            yield same
            same = []
        same.append(row)
    if same:
        yield same


def _curve(row: Row) -> tuple[object, ...]:
    return tuple(row[key] for key in ("period", *_ORDER) if key != "parameter")


def _scaled(value: float | None, *, is_relative: bool) -> float | None:
    if value is None or not math.isfinite(value):
        return None
    return value * 100 if is_relative else float(value)


def _decimals(numbers: list[float | None], *, digits: int) -> int:
    known = [number for number in numbers if number is not None]
    if all(number.is_integer() for number in known):
        return 0
    largest = max(abs(number) for number in known)
    half_width = (max(known) - min(known)) / 2
    return max(_places(largest, digits=digits), _places(half_width, digits=2))


def _places(number: float, *, digits: int) -> int:
    """Decimals that show so many significant digits of a number >= 0."""
    return max(0, digits - 1 - math.floor(math.log10(number))) if number > 0 else 0


def _fixed(number: float, decimals: int, *, signed: bool) -> str:
    sign = "+" if signed else ""
    if decimals > _MOST_DECIMALS or abs(number) >= _LARGEST:
        return f"{number:{sign}.3g}"
    # Adding zero turns the -0.0 of a rounded tiny number into 0.0.
    return f"{round(number, decimals) + 0.0:{sign},.{decimals}f}"


def size_text(number: float) -> str:
    """Bytes in a unit that leaves at most three digits before the point."""
    unit = 0
    while number >= _STEP and unit < len(_UNITS) - 1:
        number, unit = number / _STEP, unit + 1
    return f"{number:.0f} {_UNITS[unit]}" if unit == 0 else f"{number:.1f} {_UNITS[unit]}"
