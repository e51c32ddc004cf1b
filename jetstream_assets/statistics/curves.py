"""A statistic that is a curve has one row per branch and grid point.

Belongs here: the rows. Does not: the grid (`grid`) and the curves themselves.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from jetstream_assets.experiments.needs import Histogram, Odd
from jetstream_assets.statistics.grid import grid
from jetstream_assets.statistics.layout import (
    Estimate,
    Label,
    all_branches,
    estimate_row,
    remark_of_odd,
    without_units,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

    from jetstream_assets.statistics.base import Question, StatisticRow
    from jetstream_assets.statistics.collected import Collected
    from jetstream_assets.statistics.distribution import Distribution

    Curve = Callable[[Distribution, NDArray[np.float64]], NDArray[np.float64]]


def curve_rows(
    question: Question, statistic: str, collected: Collected, curve: Curve
) -> list[StatisticRow]:
    """The rows of all branches; a branch without units or without a curve has one row.

    ``curve`` gives the heights at the grid points, NaN where there is none.
    """
    found = collected.histograms.get(Histogram(question.value), {})
    left_out = collected.odd[Odd(question.value)]
    rows: list[StatisticRow] = []
    for branch in all_branches(question, found):
        odd = left_out.get(branch, 0)
        rows += _branch_rows(question, statistic, branch, found.get(branch), odd, curve)
    return rows


def _branch_rows(
    question: Question,
    statistic: str,
    branch: str,
    values: Distribution | None,
    odd: int,
    curve: Curve,
) -> Iterator[StatisticRow]:
    if values is None or not values.total:
        label = Label(statistic)
        yield estimate_row(question, label, without_units(branch, label), branch)
        return
    asked = dict(question.summary.parameters).get("log_space")
    points, remark = grid(values, int(question.number("grid_size")), log_space=bool(asked))
    remark = "; ".join(text for text in (remark, remark_of_odd(odd)) if text)
    heights = curve(values, points)
    if not np.isfinite(heights).all():
        reason = f"all {values.total} units have the same value, so that there is no density"
        missing = Estimate(values.total, reason=reason, remark=remark)
        yield estimate_row(question, Label(statistic), missing, branch)
        return
    for point, height in zip(points.tolist(), heights.tolist(), strict=True):
        estimate = Estimate(values.total, height, remark=remark)
        yield estimate_row(question, Label(statistic, parameter=point), estimate, branch)
