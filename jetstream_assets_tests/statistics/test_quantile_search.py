from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import pytest
from scipy import stats

from jetstream_assets.statistics.quantile_search import quantile

if TYPE_CHECKING:
    from collections.abc import Callable


def _counted(of: Callable[[float], float]) -> tuple[Callable[[float], float], list[float]]:
    asked: list[float] = []

    def probability(value: float) -> float:
        asked.append(value)
        return of(value)

    return probability, asked


@pytest.mark.parametrize("share", [0.001, 0.025, 0.5, 0.975])
@pytest.mark.parametrize(
    "distribution", [stats.norm(3, 2), stats.beta(30, 200), stats.gamma(100), stats.t(4)]
)
def test_close_to_normal_it_takes_a_few_steps(
    distribution: stats.distributions.rv_frozen, share: float
) -> None:
    probability, asked = _counted(lambda value: float(distribution.cdf(value)))
    spread = float(distribution.std())
    near = float(distribution.mean()) + float(stats.norm.ppf(share)) * spread
    ends = float(distribution.ppf(1e-9)), float(distribution.ppf(1 - 1e-9))
    found = quantile(probability, share, (near + 0.02 * spread, near), ends)
    assert found == pytest.approx(float(distribution.ppf(share)), rel=1e-9, abs=1e-12)
    assert len(asked) <= 10


@pytest.mark.parametrize("share", [0.025, 0.3, 0.9])
def test_where_it_does_not_settle_brents_method_decides(share: float) -> None:
    # Nothing between the two halves, and the first guesses lie where the function is 0.
    def probability(value: float) -> float:
        return float(np.interp(value, [0, 1, 9, 10], [0, 0.5, 0.5, 1]))

    found = quantile(probability, share, (-3.0, -2.0), (-1.0, 11.0))
    assert probability(found) == pytest.approx(share, abs=1e-9)


def test_a_flat_function_ends_within_its_ends() -> None:
    found = quantile(lambda value: 0.5 + math.copysign(0.5, value), 0.3, (1.0, 2.0), (-1.0, 1.0))
    assert found == pytest.approx(0.0, abs=1e-9)
