"""Where nothing differs, a 95 % interval misses zero in 5 % of the experiments.

The number of misses among as many experiments is binomial; the band around 5 % leaves one run in a
million outside by chance.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats

from jetstream_assets.experiments.metrics import CovariateAdjustment
from jetstream_assets.experiments.windows import Period
from jetstream_assets_tests.statistics.arrays import ask, pick

if TYPE_CHECKING:
    from collections.abc import Callable

Floats = NDArray[np.float64]

EXPERIMENTS = 1000
COVARIATE = CovariateAdjustment("spend", Period.PREENROLLMENT_WEEK)


def _usage(rng: np.random.Generator, units: int) -> tuple[Floats, Floats]:
    """Counts of one week and the week before, of units that differ in how active they are."""
    activity = rng.gamma(2.0, 2.0, units)
    before, after = rng.poisson(activity), rng.poisson(activity)
    return before.astype(np.float64), after.astype(np.float64)


def _shares(rng: np.random.Generator, units: int) -> tuple[Floats, Floats]:
    converted = (rng.random(units) < 0.2).astype(np.float64)
    return converted, converted


def _misses(
    statistic: str,
    units: int,
    draw: Callable[[np.random.Generator, int], tuple[Floats, Floats]],
    covariate: CovariateAdjustment | None,
) -> int:
    rng = np.random.default_rng(units)
    misses = 0
    for _ in range(EXPERIMENTS):
        pairs = {branch: draw(rng, units) for branch in ("control", "new")}
        before, after = ({b: pair[i] for b, pair in pairs.items()} for i in (0, 1))
        row = pick(
            ask(statistic, after, before, covariate, drop_highest=0.0),
            "new",
            "control",
            statistic="mean_lm" if statistic == "linear_model_mean" else None,
        )
        assert row.lower is not None
        assert row.upper is not None
        misses += not row.lower <= 0 <= row.upper
    return misses


@pytest.mark.slow
@pytest.mark.parametrize("units", [200, 10_000])
@pytest.mark.parametrize(
    ("statistic", "draw", "covariate"),
    [
        ("linear_model_mean", _usage, None),
        ("linear_model_mean", _usage, COVARIATE),
        ("bootstrap_mean", _usage, None),
        ("binomial", _shares, None),
    ],
    ids=["linear model", "linear model with covariate", "bootstrap mean", "binomial"],
)
def test_false_positives(
    statistic: str,
    draw: Callable[[np.random.Generator, int], tuple[Floats, Floats]],
    covariate: CovariateAdjustment | None,
    units: int,
) -> None:
    misses = _misses(statistic, units, draw, covariate)
    low, high = stats.binom(EXPERIMENTS, 0.05).ppf([5e-7, 1 - 5e-7])
    assert low <= misses <= high
