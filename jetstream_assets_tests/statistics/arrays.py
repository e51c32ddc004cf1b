"""Sufficient statistics of plain arrays, for tests that need no warehouse."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from jetstream_assets.experiments.metrics import AnalysisBasis, Scalar, Summary
from jetstream_assets.experiments.needs import (
    CapScope,
    CoMoments,
    Histogram,
    Moments,
    Need,
    Odd,
    Totals,
)
from jetstream_assets.statistics.base import Question, StatisticRow
from jetstream_assets.statistics.collected import (
    BranchCoMoments,
    BranchMoments,
    BranchTotals,
    Collected,
)
from jetstream_assets.statistics.distribution import Distribution
from jetstream_assets.statistics.registry import REGISTRY

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from jetstream_assets.experiments.metrics import CovariateAdjustment

Floats = NDArray[np.float64]
Rows = list[StatisticRow]


def ask(
    statistic: str,
    values: Mapping[str, ArrayLike],
    covariates: Mapping[str, ArrayLike] | None = None,
    covariate: CovariateAdjustment | None = None,
    branches: Sequence[str] | None = None,
    **parameters: Scalar,
) -> Rows:
    """The rows of a statistic for the values of each branch."""
    summary = Summary("spend", statistic, tuple(sorted(parameters.items())), covariate=covariate)
    known = tuple(values) if branches is None else tuple(branches)
    question = Question(summary, AnalysisBasis.ENROLLMENTS, "all", known)
    arrays = {branch: np.asarray(v, dtype=np.float64) for branch, v in values.items()}
    extra = {b: np.asarray(v, dtype=np.float64) for b, v in (covariates or {}).items()}
    needs = REGISTRY[statistic].needs(question)
    return REGISTRY[statistic].rows(question, collected(needs, arrays, extra))


def collected(
    needs: Sequence[Need], values: Mapping[str, Floats], covariates: Mapping[str, Floats]
) -> Collected:
    """What a warehouse would collect of these values."""
    found = Collected({}, {}, {}, {})
    for need in needs:
        if isinstance(need, Totals):
            found.totals[need] = {b: totals(v) for b, v in values.items()}  # type: ignore[index]  # dicts here
        elif isinstance(need, Moments):
            found.moments[need] = moments_by_branch(values, need)  # type: ignore[index]  # dicts here
        elif isinstance(need, CoMoments):
            found.co_moments[need] = co_moments_by_branch(values, covariates, need)  # type: ignore[index]  # dicts here
        elif isinstance(need, Odd):
            found.odd[need] = dict.fromkeys(values, 0)  # type: ignore[index]  # dicts here
        elif isinstance(need, Histogram):
            found.histograms[need] = histograms(values, need)  # type: ignore[index]  # dicts here
    return found


def totals(values: Floats) -> BranchTotals:
    others = int((~np.isin(values, [0, 1])).sum())
    return BranchTotals(values.size, float(values.sum()), others)


def moments_by_branch(values: Mapping[str, Floats], need: Moments) -> dict[str, BranchMoments]:
    pooled = np.concatenate(list(values.values()))
    found = {}
    for branch, own in values.items():
        if own.size:
            among = pooled if need.cap is CapScope.POOLED else own
            found[branch] = moments(own, among, need.drop_highest)
    return found


def moments(own: Floats, among: Floats, drop_highest: float) -> BranchMoments:
    threshold = float(np.quantile(among, 1 - drop_highest)) if drop_highest else None
    capped = own if threshold is None else np.minimum(own, threshold)
    m2, m3, m4 = (float(((capped - capped.mean()) ** k).mean()) for k in (2, 3, 4))
    low, high = float(own.min()), float(own.max())
    uncapped = None if threshold is None else float(own.mean())
    mean = float(capped.mean())
    return BranchMoments(own.size, mean, m2, m3, m4, low, high, threshold, uncapped=uncapped)


def co_moments_by_branch(
    values: Mapping[str, Floats], covariates: Mapping[str, Floats], need: CoMoments
) -> dict[str, BranchCoMoments]:
    y_cap, x_cap = (
        np.quantile(np.concatenate(list(of.values())), 1 - need.drop_highest)
        if need.drop_highest
        else np.inf
        for of in (values, covariates)
    )
    found = {}
    for branch in values:
        y, x = np.minimum(values[branch], y_cap), np.minimum(covariates[branch], x_cap)
        dy, dx = y - y.mean(), x - x.mean()
        found[branch] = BranchCoMoments(
            y.size,
            y.size,
            float(y.mean()),
            float(x.mean()),
            float(dy @ dy),
            float(dx @ dx),
            float(dx @ dy),
        )
    return found


def histograms(values: Mapping[str, Floats], need: Histogram) -> dict[str, Distribution]:
    found = {}
    for branch, own in values.items():
        if own.size and (need.up_to_units is None or own.size <= need.up_to_units):
            distinct, counts = np.unique(own, return_counts=True)
            found[branch] = Distribution.of(distinct, counts)
    return found


def pick(
    rows: Rows,
    branch: str,
    to: str | None = None,
    comparison: str | None = None,
    statistic: str | None = None,
    parameter: float | None = None,
) -> StatisticRow:
    """The one row of a branch, or of its comparison."""
    comparison = comparison or ("difference" if to else None)
    (found,) = (
        row
        for row in rows
        if row.branch == branch
        and row.comparison_to_branch == to
        and row.comparison == comparison
        and statistic in (None, row.statistic)
        and parameter == row.parameter
    )
    return found


def numbers(row: StatisticRow) -> tuple[float, float, float]:
    """Point, lower and upper of a row that has all three."""
    assert row.point is not None
    assert row.lower is not None
    assert row.upper is not None
    return row.point, row.lower, row.upper
