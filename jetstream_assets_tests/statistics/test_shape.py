from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from jetstream_assets.statistics.base import Status
from jetstream_assets.statistics.shape import Shape, remark_of_branch, remark_of_pair
from jetstream_assets_tests.statistics.arrays import Floats, ask, pick

MISSES = "may not hold its level"


def _shape(values: Floats) -> Shape:
    d = values - values.mean()
    return Shape(values.size, float((d**2).mean()), float((d**3).mean()))


def test_skewness_of_a_mean_is_that_of_the_values_over_the_root_of_the_units() -> None:
    values = np.random.default_rng(1).exponential(1, 400)
    assert _shape(values).skewness == pytest.approx(stats.skew(values) / 20)


def test_what_both_branches_share_cancels() -> None:
    skewed = Shape(100, 1.0, 4.0)
    assert remark_of_branch(skewed).endswith(MISSES)
    assert remark_of_pair(skewed, skewed) == ""
    assert "0.39" in remark_of_pair(skewed, Shape(10_000, 1.0, 4.0))
    # Of itself far too skewed, whatever cancels.
    extreme = Shape(100, 1.0, 6.0)
    assert "branch's mean is 0.6, above 0.5" in remark_of_pair(extreme, extreme)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (Shape(1, 0.0, 0.0), Shape(50, 1.0, 9.0)),
        (Shape(50, float("inf"), 0.0), Shape(50, 1.0, 0.0)),
        (Shape(50, 0.0, 0.0), Shape(50, 0.0, 0.0)),
        (Shape(50, 1.0, 0.1), Shape(50, 1.0, 0.1)),
    ],
)
def test_nothing_is_said(first: Shape, second: Shape) -> None:
    assert remark_of_pair(first, second) == remark_of_pair(second, first) == ""


@pytest.mark.parametrize(
    ("statistic", "output"),
    [("bootstrap_mean", "mean"), ("linear_model_mean", "mean_lm"), ("binomial", "binomial")],
)
def test_rows_of_few_skewed_units_are_ok_with_a_remark(statistic: str, output: str) -> None:
    rare = np.zeros(2000)
    rare[:3] = 1
    values = {"control": np.tile(rare, 10), "new": rare}
    for name in (output, f"{output}_sequential"):
        rows = ask(statistic, values, sequential=True, planned_units=1000, drop_highest=0.0)
        for comparison in ("difference", "relative_uplift"):
            row = pick(rows, "new", "control", comparison, statistic=name)
            assert row.status is Status.OK
            assert MISSES in (row.reason or "")
        assert MISSES in (pick(rows, "new", statistic=name).reason or "")
        assert pick(rows, "control", statistic=name).reason is None


@pytest.mark.parametrize("statistic", ["bootstrap_mean", "linear_model_mean"])
def test_a_branch_without_variation_is_told(statistic: str) -> None:
    values = {"control": np.zeros(400), "new": (np.arange(400) < 40).astype(float)}
    row = pick(ask(statistic, values), "new", "control")
    assert row.status is Status.OK
    assert "same value for all units, which the interval takes for certain" in (row.reason or "")


def test_few_units_of_a_bootstrap_are_told() -> None:
    values = np.linspace(0, 1, 49)
    row = pick(ask("bootstrap_mean", {"control": values, "new": values}), "new", "control")
    assert "fewer than 50 units" in (row.reason or "")
    values = np.linspace(0, 1, 50)
    row = pick(ask("bootstrap_mean", {"control": values, "new": values}), "new", "control")
    assert row.reason is None
