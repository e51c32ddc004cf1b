from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from jetstream_assets.statistics.base import Status
from jetstream_assets.statistics.distribution import Distribution
from jetstream_assets.statistics.order_statistics import DECILES, decile_ranks
from jetstream_assets_tests.statistics.arrays import ask, numbers, pick
from jetstream_assets_tests.statistics.golden import SPEND


@pytest.mark.parametrize("units", [1, 2, 7, 1000, 200_000])
def test_ranks_are_binomial(units: int) -> None:
    for decile, ranks in zip(DECILES, decile_ranks(units).distributions, strict=True):
        expected = stats.binom.pmf(ranks.ranks - 1, units - 1, decile)
        assert ranks.probabilities == pytest.approx(expected, abs=1e-9)
        assert ranks.probabilities.sum() == pytest.approx(1)


@pytest.mark.parametrize(
    ("branch", "expected"),
    [
        ("control", (10.4825448, 7.5, 14.0)),
        ("a", (12.4835071, 8.5, 16.0)),
        ("b", (13.6692841, 10.5, 16.0)),
    ],
)
def test_golden_medians(branch: str, expected: tuple[float, float, float]) -> None:
    row = pick(ask("deciles", SPEND), branch, parameter=0.5)
    assert numbers(row) == pytest.approx(expected, abs=1e-7)


@pytest.mark.parametrize("decile", [0.1, 0.5, 0.9])
def test_pairs_agree_with_many_resamples(decile: float) -> None:
    rng = np.random.default_rng(2)
    values = {b: np.sort(rng.gamma(2.0, 3.0, n)) for b, n in (("control", 300), ("new", 500))}
    drawn = {b: v[rng.binomial(v.size - 1, decile, 400_000)] for b, v in values.items()}
    rows = ask("deciles", values)
    for kind, draws in (
        ("difference", drawn["new"] - drawn["control"]),
        ("relative_uplift", drawn["new"] / drawn["control"] - 1),
    ):
        row = pick(rows, "new", "control", kind, parameter=decile)
        expected = (draws.mean(), *np.quantile(draws, [0.025, 0.975]))
        assert numbers(row) == pytest.approx(expected, abs=0.05 * draws.std())


def test_agrees_with_mozanalysis() -> None:
    from mozanalysis.frequentist_stats import bootstrap  # noqa: PLC0415 - takes seconds

    frame = pd.concat([pd.DataFrame({"branch": b, "y": v}) for b, v in SPEND.items()])
    np.random.seed(3)  # noqa: NPY002 - the reference draws from the global generator
    found = bootstrap.compare_branches_quantiles(
        frame, "y", quantiles_of_interest=[0.3], num_samples=20_000
    )
    rows = ask("deciles", SPEND)
    for branch in ("a", "b"):
        reference = found["comparative"][branch].loc["0.3"]["abs_uplift"]
        point, lower, upper = (float(reference[q]) for q in ("exp", "0.025", "0.975"))
        row = numbers(pick(rows, branch, "control", parameter=0.3))
        assert row[0] == pytest.approx(point, abs=0.1)
        # The values are multiples of a half, and so are the bounds.
        assert row[1:] == pytest.approx((lower, upper), abs=0.5)


def test_a_decile_that_may_be_zero_has_no_ratio() -> None:
    rows = ask("deciles", {"control": [0] * 60 + [5] * 40, "new": [1] * 50 + [7] * 50})
    assert pick(rows, "new", "control", "relative_uplift", parameter=0.2).point is None
    assert (
        pick(rows, "new", "control", "relative_uplift", parameter=0.2).status
        is Status.INSUFFICIENT_DATA
    )
    assert numbers(pick(rows, "new", "control", parameter=0.2)) == (1.0, 1.0, 1.0)
    assert pick(rows, "new", "control", "relative_uplift", parameter=0.9).status is Status.OK


def _thinned(values: np.ndarray[tuple[int], np.dtype[np.float64]], step: int) -> Distribution:
    """Every step-th value, as a bounded collection keeps them."""
    whole = Distribution.of(values, np.ones(values.size, dtype=np.int64))
    kept = np.unique(np.r_[0, np.arange(step - 1, values.size, step), values.size - 1])
    return Distribution(values[kept], whole.units[kept], whole.upto[kept])


def test_a_thinned_distribution_is_interpolated() -> None:
    values = np.sort(np.random.default_rng(0).normal(size=20_000))
    thinned, ranks = _thinned(values, 10), np.arange(1, 20_001)
    assert not thinned.is_whole
    found = thinned.at_rank(ranks)
    assert (np.diff(found) >= 0).all()
    # Exact at the kept ranks, and nowhere farther off than the next kept value.
    assert found[9::10] == pytest.approx(values[9::10])
    assert np.abs(found - values)[500:-500] == pytest.approx(0, abs=0.02)
    points = np.linspace(-3, 3, 101)
    exact = np.searchsorted(values, points, side="right") / values.size
    assert thinned.share_up_to(points) == pytest.approx(exact, abs=10 / 20_000)


def test_a_whole_distribution_knows_every_rank() -> None:
    distribution = Distribution.of(np.array([1.0, 2.0, 5.0]), np.array([2, 1, 3]))
    assert distribution.at_rank(np.arange(1, 7)).tolist() == [1, 1, 2, 5, 5, 5]
    assert distribution.share_up_to(np.array([0.0, 1.0, 1.5, 5.0])).tolist() == [0, 2 / 6, 2 / 6, 1]
