from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from scipy.stats import binomtest, ttest_ind
from statsmodels.stats.oneway import anova_oneway

from jetstream_assets.statistics.equal_means import Arm, equal_means

if TYPE_CHECKING:
    from numpy.typing import NDArray


def _arm(values: NDArray[np.float64]) -> Arm:
    return Arm(values.size, float(values.mean()), float(values.var(ddof=1)))


def _samples(seed: int, sizes: tuple[int, ...], shift: float) -> list[NDArray[np.float64]]:
    rng = np.random.default_rng(seed)
    return [rng.gamma(0.5, 2 + i, size=n) + shift * i for i, n in enumerate(sizes)]


def test_of_two_branches_it_is_welchs_t_test() -> None:
    a, b = _samples(1, (200, 90), 0.3)
    theirs = ttest_ind(a, b, equal_var=False).pvalue
    assert equal_means([_arm(a), _arm(b)]) == pytest.approx(theirs, rel=1e-9)


@pytest.mark.parametrize("shift", [0.0, 0.2, 1.0])
def test_of_several_branches_it_is_welchs_analysis_of_variance(shift: float) -> None:
    samples = _samples(2, (150, 60, 400, 33), shift)
    theirs = anova_oneway(samples, use_var="unequal", welch_correction=True).pvalue
    assert equal_means([_arm(s) for s in samples]) == pytest.approx(theirs, rel=1e-8)


def test_what_cannot_vary_is_no_chance() -> None:
    assert equal_means([Arm(10, 1.0, 0.0), Arm(12, 1.0, 0.0)]) == 1.0
    assert equal_means([Arm(10, 1.0, 0.0), Arm(12, 1.5, 0.0)]) is None
    assert equal_means([Arm(10, 1.0, 0.0), Arm(12, 1.0, 2.0)]) is None
    assert equal_means([Arm(10, 1.0, 1.0), Arm(1, 9.0, 0.0)]) is None


def test_equal_means_are_rejected_as_often_as_the_level_says() -> None:
    rng = np.random.default_rng(20_262)
    scales = (1.0, 3.0, 0.5)
    draws = [rng.normal(5, scale, size=(2_000, 60)) for scale in scales]
    rejected = sum(
        (p := equal_means([_arm(d[i]) for d in draws])) is not None and p < 0.05
        for i in range(2_000)
    )
    assert binomtest(rejected, 2_000, 0.05).pvalue > 0.001
