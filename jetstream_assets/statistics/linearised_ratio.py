"""For many units a ratio of means is itself a mean: of each unit's share in its deviation.

Belongs here: the rows of a ratio by the delta method, adjusted for covariates or not. Does not:
the distribution that resampling gives (`resampled_ratio`), the linear model (`linear_model`).

With R = mean(x) / mean(y), a unit has the linearised value l = (x - R y) / mean(y); the variance of
R is that of the mean of l (delta method; Deng, Knoblich and Lu, 2018, Applying the delta method in
metric analytics). So a branch is an arm of a linear model with mean R and the sums of squares of l,
and branches have their own error variances.

Adjusted for covariates it is the model of l on the branches and the covariates, with one slope for
all branches (CUPED; Deng, Xu, Kohavi and Walker, 2013, Improving the sensitivity of online
controlled experiments). Two covariates are taken as their one combination that explains l best.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from jetstream_assets.statistics.layout import Estimate, Label, remark_of_odd
from jetstream_assets.statistics.linear_model import Arm, fit
from jetstream_assets.statistics.linear_rows import Facts, mean_rows
from jetstream_assets.statistics.reach import Fixed

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from jetstream_assets.statistics.base import Question, StatisticRow
    from jetstream_assets.statistics.collected import BranchRatioCoMoments
    from jetstream_assets.statistics.ratio_facts import RatioFacts

    Floats = NDArray[np.float64]


def delta_rows(
    question: Question, label: Label, ratios: Mapping[str, RatioFacts]
) -> list[StatisticRow]:
    """The rows of branches and pairs from the joint moments alone."""
    arms = {branch: _arm(ratio) for branch, ratio in ratios.items() if not ratio.unclear}
    facts = _facts(ratios, {}, has_covariate=False)
    return mean_rows(question, label, fit(arms, is_robust=True), facts, Fixed(question.confidence))


def adjusted_rows(
    question: Question,
    label: Label,
    ratios: Mapping[str, RatioFacts],
    found: Mapping[str, BranchRatioCoMoments],
) -> list[StatisticRow]:
    """The rows adjusted for covariates, over the units that have them.

    Args:
        question: What is asked.
        label: What the rows have in common.
        ratios: The branches with units that have both parts.
        found: What was collected of them and of the covariates.
    """
    joint = {b: c for b, c in found.items() if c.units and b in ratios and c.means[1]}
    determined = {b: c for b, c in joint.items() if not ratios[b].unclear}
    missing = {branch: c.values - c.units for branch, c in determined.items()}
    kept = {b: ratios[b] for b in joint}
    model = fit(_adjusted_arms(determined), has_covariate=True, is_robust=True)
    facts = _facts(kept, missing, has_covariate=True)
    return mean_rows(question, label, model, facts, Fixed(question.confidence))


def _facts(
    ratios: Mapping[str, RatioFacts], missing: dict[str, int], *, has_covariate: bool
) -> Facts:
    return Facts(
        {},
        sum(ratio.units for ratio in ratios.values()),
        missing,
        has_covariate,
        {branch: ratio.shape for branch, ratio in ratios.items()},
        undetermined={
            branch: Estimate(
                ratio.units, ratio.point, reason=ratio.unclear, remark=remark_of_odd(ratio.odd)
            )
            for branch, ratio in ratios.items()
            if ratio.unclear
        },
        constant={b: ratio.constant for b, ratio in ratios.items() if ratio.constant},
    )


def _arm(ratio: RatioFacts) -> Arm:
    point = ratio.point if ratio.point is not None else math.nan
    return Arm(ratio.units, point, ratio.shape.m2 * ratio.units, odd=ratio.odd)


def _adjusted_arms(found: Mapping[str, BranchRatioCoMoments]) -> dict[str, Arm]:
    """One arm a branch; its covariate is the combination that explains the linearised value."""
    if not found:
        return {}
    sums = {branch: _linearised(c) for branch, c in found.items()}
    of_both = np.stack([products for _, products, _ in sums.values()]).sum(axis=0)
    of_covariates = np.stack([squares for _, _, squares in sums.values()]).sum(axis=0)
    weights = _weights(of_both, of_covariates)
    return {
        branch: Arm(
            c.units,
            float(c.means[0] / c.means[1]),
            max(sums[branch][0], 0.0),
            float(weights @ c.means[2:]),
            max(float(weights @ sums[branch][2] @ weights), 0.0),
            float(weights @ sums[branch][1]),
            c.odd,
        )
        for branch, c in found.items()
    }


def _linearised(found: BranchRatioCoMoments) -> tuple[float, Floats, Floats]:
    """Sums of squares of the linearised value, of its products with covariates, and of theirs."""
    ratio = found.means[0] / found.means[1]
    gradient = np.array([1.0, -ratio]) / found.means[1]
    of_parts, of_both = found.products[:2, :2], found.products[2:, :2]
    squares = float(gradient @ of_parts @ gradient)
    # What rounding leaves of a difference is no spread.
    is_rounding = squares <= _ROUNDING * float(gradient**2 @ np.diag(of_parts))
    return 0.0 if is_rounding else squares, of_both @ gradient, found.products[2:, 2:]


_ROUNDING = 1e-12


def _weights(of_both: Floats, of_covariates: Floats) -> Floats:
    """The slopes of the covariates; (1, 0, ...) where there is nothing to choose between."""
    first: Floats = np.eye(of_both.size)[0]
    scale = np.sqrt(np.diag(of_covariates))
    if of_both.size == 1 or not np.isfinite(scale).all() or not scale.any():
        return first
    scale = np.where(scale > 0, scale, np.inf)
    correlations = of_covariates / np.outer(scale, scale)
    slopes = np.linalg.pinv(correlations, rcond=1e-9, hermitian=True) @ (of_both / scale)
    found: Floats = slopes / scale
    return found if found.any() else first
