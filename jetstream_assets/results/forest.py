"""A forest plot of a frame of results.

Belongs here: which rows are drawn, and drawing them. Does not: the frame (`frame`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from jetstream_assets.errors import JetstreamError
from jetstream_assets.experiments.hypotheses import SPEAKERS, speaker
from jetstream_assets.report.essentials import LONGEST_FIRST, USUAL_LEVEL

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_ROW_INCHES = 0.35
_WIDTH_INCHES = 8.0
_PERCENT = 100


class NothingToDrawError(JetstreamError):
    """No row is a relative difference from the reference branch."""


def draw_forest(results: pd.DataFrame, reference: str | None, ax: Axes | None = None) -> Axes:
    """Draw the relative differences; see `Results.plot`.

    Raises:
        NothingToDrawError: There is none.
        ImportError: matplotlib is not installed.
    """
    rows = drawn_rows(results, reference)
    if ax is None:
        ax = _axes(len(rows))
    for number, branch in enumerate(rows["branch"].unique()):
        own = rows[rows["branch"] == branch]
        point, lower, upper = (
            own[name].to_numpy(dtype=float) * _PERCENT for name in ("point", "lower", "upper")
        )
        places = len(rows) - 1 - own.index.to_numpy()
        around = [point - lower, upper - point]
        color = f"C{number}"
        ax.errorbar(point, places, xerr=around, fmt="o", capsize=3, color=color, label=branch)
    ax.axvline(0, color="black", linewidth=1)
    ax.set_yticks(range(len(rows)), list(rows["metric"])[::-1])
    first = rows.iloc[0]
    ax.set_xlabel(f"difference from {reference}, %")
    window = f"{first.period} {first.window_index}, {first.analysis_basis}, {first.segment}"
    ax.set_title(f"{first.experiment}: {window}")
    ax.legend(title="branch")
    return ax


def drawn_rows(results: pd.DataFrame, reference: str | None) -> pd.DataFrame:
    """The rows that are drawn, in the order of metric and branch.

    Raises:
        NothingToDrawError: There is none.
    """
    is_effect = (
        (results["comparison"] == "relative_uplift")
        & (results["comparison_to_branch"] == reference)
        & results["statistic"].isin(list(SPEAKERS.values()))
        & results[["point", "lower", "upper"]].notna().all(axis=1)
    ).fillna(value=False)
    rows = pd.DataFrame(results[is_effect])
    rows = _first_of(rows, "period", LONGEST_FIRST)
    rows = rows[rows["window_index"] == rows["window_index"].max()]
    rows = _first_of(rows, "analysis_basis", ("enrollments", "exposures"))
    rows = _first_of(rows, "segment", ("all", *sorted(rows["segment"].unique())))
    if rows.empty:
        raise NothingToDrawError(
            f"No row is a relative difference from {reference!r} with an interval: select fewer "
            "rows away, or see which comparisons there are in the column comparison_to_branch."
        )
    speakers = {metric: speaker(own["statistic"]) for metric, own in rows.groupby("metric")}
    rows = rows[rows["statistic"] == rows["metric"].map(speakers)]
    # Of several confidence levels the usual one, or else the highest, as on the page.
    ordered = rows.assign(is_usual=rows["ci_width"] == USUAL_LEVEL)
    ordered = ordered.sort_values(["metric", "branch", "is_usual", "ci_width"])
    chosen = ordered.drop_duplicates(["metric", "branch"], keep="last", ignore_index=True)
    return chosen.drop(columns="is_usual")


def _first_of(rows: pd.DataFrame, column: str, wanted: tuple[str, ...]) -> pd.DataFrame:
    """The rows of the first value that there is."""
    there = set(rows[column])
    found = next((value for value in wanted if value in there), None)
    return rows[rows[column] == found] if found is not None else rows.iloc[:0]


def _axes(rows: int) -> Axes:
    try:
        import matplotlib.pyplot as plt  # noqa: PLC0415  # optional
    except ImportError as missing:
        raise ImportError(
            'Drawing needs matplotlib: pip install "jetstream-assets[plot]".'
        ) from missing
    size = (_WIDTH_INCHES, 1.5 + _ROW_INCHES * rows)
    return plt.subplots(figsize=size, layout="constrained")[1]
