from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from jetstream_assets.statistics.base import Status
from jetstream_assets.statistics.cumulants import bayesian_bootstrap
from jetstream_assets_tests.statistics.arrays import Floats, ask, moments, numbers, pick
from jetstream_assets_tests.statistics.golden import SPEND


def test_cumulants_of_two_values_by_hand() -> None:
    # Flat weights on the values 0 and 1: the mean is uniform, with variance 1/12 and fourth
    # cumulant -1/120.
    values = np.array([0.0, 1.0])
    found = bayesian_bootstrap(moments(values, values, 0.0))
    assert (found.k1, found.k2, found.k3, found.k4) == pytest.approx((1 / 2, 1 / 12, 0, -1 / 120))


@pytest.mark.parametrize(
    ("branch", "mean", "deviation"),
    [("control", 10.3725625, 0.8171942), ("a", 12.0618333, 1.0673585), ("b", 13.4502, 0.9932885)],
)
def test_golden_posteriors(branch: str, mean: float, deviation: float) -> None:
    own = SPEND[branch]
    found = bayesian_bootstrap(moments(own, own, 0.005))
    assert (found.k1, found.k2**0.5) == pytest.approx((mean, deviation), abs=1e-7)
    assert pick(ask("bootstrap_mean", SPEND), branch).point == pytest.approx(mean, abs=1e-7)


def _resampled(values: Floats, samples: int, seed: int) -> Floats:
    weights = np.random.default_rng(seed).standard_exponential((samples, values.size))
    means: Floats = weights @ values / weights.sum(axis=1)
    return means


def _sample(kind: str, units: int, rng: np.random.Generator) -> Floats:
    found = {
        "counts": rng.poisson(2.0, units),
        "zero-inflated": np.where(rng.random(units) < 0.8, 0, rng.lognormal(1, 1, units)),
        "heavy tails": rng.lognormal(0, 1.5, units),
        "rare": np.arange(units) % 25 == 0,
    }[kind]
    return np.asarray(found, dtype=np.float64)


@pytest.mark.parametrize("units", [50, 300])
@pytest.mark.parametrize("kind", ["counts", "zero-inflated", "heavy tails", "rare"])
def test_bounds_are_those_of_many_resamples(kind: str, units: int) -> None:
    rng = np.random.default_rng(units)
    values = {"control": _sample(kind, units, rng), "new": _sample(kind, 2 * units, rng)}
    rows = ask("bootstrap_mean", values, drop_highest=0.005)
    capped = {b: np.minimum(v, np.quantile(v, 0.995)) for b, v in values.items()}
    first, second = (_resampled(capped[b], 40_000, i) for i, b in enumerate(("new", "control")))
    for row, draws in (
        (pick(rows, "new"), first),
        (pick(rows, "new", "control"), first - second),
        (pick(rows, "new", "control", "relative_uplift"), first / second - 1),
    ):
        expected = (draws.mean(), *np.quantile(draws, [0.025, 0.975]))
        # In the long tail of few skewed units the 2.5 % point of 10,000 draws, which the product
        # takes there, is uncertain by .05 standard deviations.
        assert numbers(row) == pytest.approx(expected, abs=0.15 * draws.std())


def test_agrees_with_mozanalysis() -> None:
    from mozanalysis.bayesian_stats import bayesian_bootstrap as reference  # noqa: PLC0415

    frame = pd.concat(
        [pd.DataFrame({"branch": branch, "y": values}) for branch, values in SPEND.items()]
    )
    np.random.seed(7)  # noqa: NPY002 - the reference draws from the global generator
    found = reference.compare_branches(frame, "y", threshold_quantile=0.995)
    rows = ask("bootstrap_mean", SPEND)
    for branch in ("a", "b"):
        single = tuple(found["individual"][branch][["mean", "0.025", "0.975"]])
        assert numbers(pick(rows, branch)) == pytest.approx(single, abs=0.1)
        for kind, key in (("difference", "abs_uplift"), ("relative_uplift", "rel_uplift")):
            compared = found["comparative"][branch][key]
            expected = tuple(float(compared[q]) for q in ("exp", "0.025", "0.975"))
            half = (expected[2] - expected[1]) / 2
            row = pick(rows, branch, "control", kind)
            assert numbers(row) == pytest.approx(expected, abs=0.05 * half)


def test_few_units_are_drawn_with_a_fixed_seed() -> None:
    values = {"control": [0, 0, 1, 5, 9], "new": [0, 2, 2, 30]}
    first, second = ask("bootstrap_mean", values), ask("bootstrap_mean", values)
    assert first == second
    draws = _resampled(np.array([0.0, 2.0, 2.0, np.quantile([0, 2, 2, 30], 0.995)]), 100_000, 1)
    row = pick(first, "new")
    assert row.point == pytest.approx(draws.mean(), rel=0.01)
    assert numbers(row)[1:] == pytest.approx(tuple(np.quantile(draws, [0.025, 0.975])), rel=0.1)


def test_equal_small_branches_differ_by_chance_only() -> None:
    # The same draws for both would make the difference exactly zero.
    row = pick(ask("bootstrap_mean", {"control": [1, 2, 3], "new": [1, 2, 3]}), "new", "control")
    point, lower, upper = numbers(row)
    assert lower < -0.3 < point < 0.3 < upper


def test_few_units_against_many() -> None:
    many, few = np.random.default_rng(3).poisson(4, 500), np.array([3.0, 4, 4, 6, 8])
    values = {"control": many.astype(np.float64), "new": few}
    row = pick(ask("bootstrap_mean", values), "new", "control")
    drawn = [_resampled(np.minimum(v, np.quantile(v, 0.995)), 20_000, 3) for v in values.values()]
    expected = np.quantile(drawn[1] - drawn[0], [0.025, 0.975])
    assert numbers(row)[1:] == pytest.approx(tuple(expected), abs=0.08)


def test_all_negative_means_have_a_ratio_too() -> None:
    positive = ask("bootstrap_mean", SPEND, drop_highest=0.0)
    negative = ask("bootstrap_mean", {b: -v for b, v in SPEND.items()}, drop_highest=0.0)
    expected = numbers(pick(positive, "a", "control", "relative_uplift"))
    found = numbers(pick(negative, "a", "control", "relative_uplift"))
    assert found == pytest.approx(expected)


def test_a_reference_that_may_be_zero_has_no_ratio() -> None:
    rng = np.random.default_rng(5)
    rows = ask("bootstrap_mean", {"control": rng.normal(0, 1, 200), "new": rng.normal(5, 1, 200)})
    row = pick(rows, "new", "control", "relative_uplift")
    assert row.status is Status.INSUFFICIENT_DATA
    assert "cannot be told from 0" in (row.reason or "")
    assert pick(rows, "new", "control").status is Status.OK
    # The other way round the reference is far from zero.
    assert pick(rows, "control", "new", "relative_uplift").status is Status.OK


def test_a_cap_that_hides_everything_is_named() -> None:
    rows = ask("bootstrap_mean", {"control": [0.0] * 999 + [5.0], "new": [0.0, 1.0] * 50})
    assert "the cap at 0 leaves all 1000 units the same value" in (
        pick(rows, "control").reason or ""
    )
