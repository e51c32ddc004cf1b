from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from jetstream_assets.statistics.base import Status
from jetstream_assets.statistics.cap_doubt import variance_of_cap, variance_of_ratio_caps
from jetstream_assets.statistics.shape import Shape, remark_of_branch, remark_of_pair
from jetstream_assets_tests.statistics.arrays import Floats, ask, moments, pick
from jetstream_assets_tests.statistics.test_population_ratio import _joint

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


UNCERTAIN = "taken for certain"


def _lognormal(sigma: float, units: int, seed: int) -> Floats:
    return np.exp(np.random.default_rng(seed).normal(0, sigma, units))


@pytest.mark.parametrize(("sigma", "is_said"), [(0.3, False), (0.8, False), (1.7, True)])
def test_a_cap_of_the_branchs_own_in_a_long_tail_is_remarked(
    sigma: float, *, is_said: bool
) -> None:
    values = {b: _lognormal(sigma, 10_000, i) for i, b in enumerate(("control", "new"))}
    for to, kind in ((None, None), ("control", "difference"), ("control", "relative_uplift")):
        row = pick(ask("bootstrap_mean", values), "new", to, kind)
        assert (UNCERTAIN in (row.reason or "")) == is_said
        assert UNCERTAIN not in (
            pick(ask("linear_model_mean", values), "new", to, kind).reason or ""
        )
    uncapped = pick(ask("bootstrap_mean", values, drop_highest=0.0), "new", "control")
    assert UNCERTAIN not in (uncapped.reason or "")


@pytest.mark.parametrize(("share", "units"), [(0.01, 2000), (0.05, 500)])
def test_what_a_cap_leaves_out_of_the_variance_is_that_of_many_samples(
    share: float, units: int
) -> None:
    rng = np.random.default_rng(11)
    samples = rng.exponential(1, (4000, units))
    capped = np.minimum(samples, np.quantile(samples, 1 - share, axis=1, keepdims=True))
    true = units * capped.mean(axis=1).var()
    shape = Shape.of_values(moments(samples[0], samples[0], share), share)
    assert shape.m2 + shape.of_cap == pytest.approx(true, rel=0.12)
    assert true > 1.02 * capped.var(axis=1).mean()


def test_the_caps_of_a_ratio_leave_out_what_those_of_its_parts_do() -> None:
    x = _lognormal(1.2, 5000, 4)
    joint = _joint(x, np.ones(x.size), 0.005)
    expected = variance_of_cap(moments(x, x, 0.005), 0.005)
    assert variance_of_ratio_caps(joint, 0.005) == pytest.approx(expected)
    # A denominator that is twice as large makes the ratio half as large.
    joint = _joint(x, np.full(x.size, 2.0), 0.005)
    assert variance_of_ratio_caps(joint, 0.005) == pytest.approx(expected / 4)
