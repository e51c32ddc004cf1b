"""Ratios by the delta method, adjusted for covariates or not."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import stats

from jetstream_assets.experiments.metrics import AnalysisBasis, CovariateAdjustment, Summary
from jetstream_assets.experiments.windows import Period
from jetstream_assets.statistics.base import Question, StatisticRow, Status
from jetstream_assets.statistics.collected import BranchRatioCoMoments
from jetstream_assets.statistics.layout import Label
from jetstream_assets.statistics.linearised_ratio import adjusted_rows
from jetstream_assets.statistics.ratio_facts import RatioFacts
from jetstream_assets_tests.statistics.arrays import numbers, pick
from jetstream_assets_tests.statistics.test_population_ratio import (
    Parts,
    _co_moments,
    _joint,
    ask,
    sample,
)

Floats = NDArray[np.float64]
OWN_PARTS = CovariateAdjustment("rate", Period.PREENROLLMENT_WEEK)
OTHER = CovariateAdjustment("visits", Period.PREENROLLMENT_WEEK)
NAME, UNADJUSTED = "population_ratio", "population_ratio_unadjusted"


Columns = tuple[Floats, ...]


def two(units: int, seed: int, covariates: int = 2) -> tuple[dict[str, Parts], dict[str, Columns]]:
    """Clicks and views of two branches, and what the same units did before."""
    rng = np.random.default_rng(seed)
    values: dict[str, Parts] = {}
    before: dict[str, Columns] = {}
    for branch, size in (("control", units), ("new", units + units // 3)):
        activity, habit = rng.gamma(1.5, 1, size), rng.beta(2, 5, size)
        views = [rng.poisson(8 * activity) + 1 for _ in range(2)]
        clicks = [rng.binomial(v, habit) for v in views]
        values[branch] = (clicks[0].astype(np.float64), views[0].astype(np.float64))
        before[branch] = (clicks[1].astype(np.float64), views[1].astype(np.float64))[:covariates]
    return values, before


def delta_method(x: Floats, y: Floats) -> tuple[float, float]:
    """The ratio and its variance, by the textbook's formula of covariances."""
    covariance = np.cov(x, y) / x.size
    gradient = np.array([1 / y.mean(), -x.mean() / y.mean() ** 2])
    return float(x.mean() / y.mean()), float(gradient @ covariance @ gradient)


def test_six_units_by_hand() -> None:
    # Control: x 1, 2, 3 over y 2, 2, 2: R = 1, l = (-.5, 0, .5), variance .25 / 3.
    # New: x 2, 2, 5 over y 1, 2, 3: R = 1.5, x - 1.5 y = (.5, -1, .5), l half of it: .1875 / 3.
    values = {
        "control": (np.array([1.0, 2.0, 3.0]), np.array([2.0, 2.0, 2.0])),
        "new": (np.array([2.0, 2.0, 5.0]), np.array([1.0, 2.0, 3.0])),
    }
    rows = ask(values, interval="delta", drop_highest=0.0)
    half = 4.302653 * (0.25 / 3) ** 0.5
    assert numbers(pick(rows, "control")) == pytest.approx((1, 1 - half, 1 + half))
    row = pick(rows, "new", "control")
    freedom = (0.25 + 0.1875) ** 2 / ((0.25**2 + 0.1875**2) / 2)
    half = stats.t.ppf(0.975, freedom) * ((0.25 + 0.1875) / 3) ** 0.5
    assert numbers(row) == pytest.approx((0.5, 0.5 - half, 0.5 + half))
    relative = pick(rows, "new", "control", "relative_uplift")
    spread = (0.25 / 3 + 0.1875 / 3 / 2.25) ** 0.5
    parts = (0.25 / 3, 0.1875 / 3 / 2.25)
    freedom = sum(parts) ** 2 / (sum(part**2 for part in parts) / 2)
    factor = np.exp(stats.t.ppf(0.975, freedom) * spread)
    assert numbers(relative) == pytest.approx((0.5, 1.5 / factor - 1, 1.5 * factor - 1))


def test_an_adjustment_of_six_units_by_hand() -> None:
    # With y = 1 the ratio is the mean of x. Within branches c explains x with slope 1, so that
    # nothing is left but the difference: 4 - 2 less the covariate's 1.5.
    x = {"control": np.array([1.0, 2.0, 3.0]), "new": np.array([3.0, 4.0, 5.0])}
    before = {"control": (np.array([0.0, 1.0, 2.0]),), "new": (np.array([1.5, 2.5, 3.5]),)}
    values = {branch: (own, np.ones(3)) for branch, own in x.items()}
    rows = ask(values, before, OTHER, drop_highest=0.0)
    assert pick(rows, "new", "control", statistic=NAME).point == pytest.approx(0.5)
    assert "explains every difference" in (
        pick(rows, "new", "control", statistic=NAME).reason or ""
    )
    before["control"] = (np.array([0.0, 1.0, 1.0]),)
    row = pick(ask(values, before, OTHER, drop_highest=0.0), "new", "control", statistic=NAME)
    # Sums of squares of c: 2/3 and 2; of products: 1 and 2; the slope is 9/8, 11/6 apart.
    assert row.point == pytest.approx(2 - 9 / 8 * 11 / 6)
    assert row.covariate == "preenrollment_week.visits"


@pytest.mark.parametrize("kind", ["counts", "heavy tails", "rare", "many without"])
@pytest.mark.parametrize("level", [0.95, 0.8])
def test_agrees_with_the_delta_method(kind: str, level: float) -> None:
    values = {b: sample(kind, 900 * (i + 1), i) for i, b in enumerate(("control", "new"))}
    rows = ask(values, interval="delta", drop_highest=0.0, confidence_interval=level)
    singles = {b: delta_method(*parts) for b, parts in values.items()}
    z = stats.norm.ppf((1 + level) / 2)
    for branch, (ratio, variance) in singles.items():
        half = z * variance**0.5
        expected = (ratio, ratio - half, ratio + half)
        assert numbers(pick(rows, branch)) == pytest.approx(expected, abs=0.003 * half)
    (first, of_first), (second, of_second) = singles["new"], singles["control"]
    row, half = pick(rows, "new", "control"), z * (of_first + of_second) ** 0.5
    expected = (first - second, first - second - half, first - second + half)
    assert numbers(row) == pytest.approx(expected, abs=0.003 * half)
    p = 2 * stats.norm.sf(abs(first - second) / (of_first + of_second) ** 0.5)
    assert row.p_value == pytest.approx(p, rel=0.02)


@pytest.mark.parametrize("covariates", [1, 2])
def test_agrees_with_a_regression_of_the_linearised_value(covariates: int) -> None:
    import statsmodels.api as sm  # noqa: PLC0415 - takes a second

    values, before = two(2000, 5, covariates)
    rows = ask(values, before, OTHER if covariates == 1 else OWN_PARTS, drop_highest=0.0)
    linearised = {b: x.mean() / y.mean() + (x - x.mean() / y.mean() * y) / y.mean()
                  for b, (x, y) in values.items()}  # fmt: skip
    response = np.concatenate([linearised[b] for b in ("control", "new")])
    is_new = np.repeat([0.0, 1.0], [linearised[b].size for b in ("control", "new")])
    earlier = np.concatenate([np.stack(before[b], axis=1) for b in ("control", "new")])
    design = np.column_stack([np.ones(response.size), is_new, earlier])
    fitted = sm.OLS(response, design).fit(cov_type="HC2")
    row = pick(rows, "new", "control", statistic=NAME)
    point, lower, upper = numbers(row)
    assert point == pytest.approx(fitted.params[1])
    assert (upper - lower) / 2 / 1.959964 == pytest.approx(fitted.bse[1], rel=0.01)
    assert row.p_value == pytest.approx(fitted.pvalues[1], rel=0.05)
    # What it is for: the same units say more.
    _, low, high = numbers(pick(rows, "new", "control", statistic=UNADJUSTED))
    assert upper - lower < 0.9 * (high - low)


def test_for_many_units_resampling_says_the_same() -> None:
    values, _ = two(5000, 9)
    delta, drawn = ask(values, interval="delta"), ask(values)
    for kind in (None, "difference", "relative_uplift"):
        to = "control" if kind else None
        row, other = pick(delta, "new", to, kind), pick(drawn, "new", to, kind)
        width = numbers(other)[2] - numbers(other)[1]
        assert numbers(row) == pytest.approx(numbers(other), abs=0.02 * width)
    p_values = [pick(rows, "new", "control").p_value for rows in (delta, drawn)]
    assert p_values[0] == pytest.approx(p_values[1], rel=0.05)


@pytest.mark.parametrize("interval", ["bootstrap", "delta"])
@given(seed=st.integers(0, 10_000), units=st.integers(40, 500))
@settings(max_examples=15, deadline=None)
def test_a_p_value_agrees_with_its_interval(interval: str, seed: int, units: int) -> None:
    values, _ = two(units, seed)
    x, y = values["new"]
    values["new"] = (x * (1 + seed % 5 / 10), y)
    row = pick(ask(values, interval=interval, num_samples=500), "new", "control")
    _, lower, upper = numbers(row)
    assert row.p_value is not None
    assert (row.p_value < 0.05) == (lower > 0 or upper < 0)


def _numbers(rows: list[StatisticRow]) -> dict[object, tuple[float | None, ...]]:
    keyed: dict[object, tuple[float | None, ...]] = {
        (r.statistic, r.branch, r.comparison, r.comparison_to_branch): (r.point, r.lower, r.upper)
        for r in rows
    }
    assert len(keyed) == len(rows)
    return keyed


SETS = pytest.mark.parametrize("covariate", [OWN_PARTS, None])


@SETS
@given(seed=st.integers(0, 10_000))
@settings(max_examples=10, deadline=None)
def test_order_of_units_means_nothing(covariate: CovariateAdjustment | None, seed: int) -> None:
    values, before = two(150, seed)
    orders = {b: np.random.default_rng(seed).permutation(x.size) for b, (x, _) in values.items()}
    shuffled = {b: (x[orders[b]], y[orders[b]]) for b, (x, y) in values.items()}
    earlier = {b: tuple(c[orders[b]] for c in own) for b, own in before.items()}
    expected = _numbers(ask(values, before, covariate, interval="delta"))
    for key, found in _numbers(ask(shuffled, earlier, covariate, interval="delta")).items():
        assert found == pytest.approx(expected[key], rel=1e-7, abs=1e-9)


@SETS
@given(seed=st.integers(0, 10_000))
@settings(max_examples=10, deadline=None)
def test_exchanged_branches_exchange_their_rows(
    covariate: CovariateAdjustment | None, seed: int
) -> None:
    values, before = two(150, seed)
    other = {"control": "new", "new": "control", None: None}
    rows = ask(values, before, covariate, interval="delta")
    values = {"control": values["new"], "new": values["control"]}
    before = {"control": before["new"], "new": before["control"]}
    twins = _numbers(ask(values, before, covariate, interval="delta"))
    for row in rows:
        key = (row.statistic, other[row.branch], row.comparison, other[row.comparison_to_branch])
        assert (row.point, row.lower, row.upper) == pytest.approx(twins[key], rel=1e-7, abs=1e-9)


@SETS
@given(seed=st.integers(0, 10_000), factor=st.sampled_from([1e-3, 7.0, 1e6]))
@settings(max_examples=10, deadline=None)
def test_the_unit_of_the_numerator_scales_ratios(
    covariate: CovariateAdjustment | None, seed: int, factor: float
) -> None:
    values, before = two(150, seed)
    rows = _numbers(ask(values, before, covariate, interval="delta"))
    values = {b: (factor * x, y) for b, (x, y) in values.items()}
    before = {b: (factor * x, *more) for b, (x, *more) in before.items()}
    for key, found in _numbers(ask(values, before, covariate, interval="delta")).items():
        by = 1.0 if "relative_uplift" in key else factor  # type: ignore[operator]  # a tuple
        assert found == pytest.approx([by * n for n in rows[key]], rel=1e-6)  # type: ignore[operator]  # all are there


def test_split_data_merges_to_the_same() -> None:
    values, before = two(300, 8)
    x, y = values["new"]
    whole = _co_moments(values, before, 0.0)["new"]
    halves = [
        _co_moments({"new": (x[h], y[h])}, {"new": tuple(c[h] for c in before["new"])}, 0.0)["new"]
        for h in (slice(150), slice(150, None))
    ]
    first, second = halves
    units = first.units + second.units
    off = second.means - first.means
    means = first.means + second.units / units * off
    between = first.units * second.units / units * np.outer(off, off)
    merged = BranchRatioCoMoments(units, units, means, first.products + second.products + between)
    assert merged.means == pytest.approx(whole.means)
    joint = RatioFacts.of(_joint(x, y, 0.0), 0.0)
    summary = Summary(
        "rate", "population_ratio", (("denominator", "views"), ("numerator", "clicks"))
    )
    question = Question(summary, AnalysisBasis.ENROLLMENTS, "all", ("new",))
    rows = [
        adjusted_rows(question, Label(NAME, 0.95), {"new": joint}, {"new": found})
        for found in (whole, merged)
    ]
    assert numbers(rows[0][0]) == pytest.approx(numbers(rows[1][0]), rel=1e-12)


def test_covariates_that_say_the_same_are_as_good_as_one() -> None:
    values, before = two(400, 3, covariates=1)
    twice = {b: (own[0], 2 * own[0] + 1) for b, own in before.items()}
    one, both = ask(values, before, OTHER), ask(values, twice, OWN_PARTS)
    for found, other in zip(one, both, strict=True):
        assert numbers(found) == pytest.approx(numbers(other))


def test_covariates_without_spread_are_a_reason() -> None:
    values, _ = two(100, 3)
    before = {b: (np.ones(x.size), np.ones(x.size)) for b, (x, _) in values.items()}
    rows = ask(values, before, OWN_PARTS)
    row = pick(rows, "new", "control", statistic=NAME)
    assert "the covariate has the same value" in (row.reason or "")
    assert row.point is not None
    assert pick(rows, "new", "control", statistic=UNADJUSTED).status is Status.OK


@pytest.mark.parametrize(
    ("x", "y", "point", "word"),
    [
        ([1.0], [2.0], 0.5, "one unit"),
        ([1.0, 2.0], [0.0, 0.0], None, "denominator is 0"),
        ([1.0] * 400, [1.0, -0.99] * 200, 200.0, "too close to 0"),
        ([0.0] * 40, [1.0, 2.0] * 20, 0.0, "same multiple"),
        ([1e200, 2e200] * 20, [1.0, 2.0] * 20, 1e200, "too large"),
    ],
)
@pytest.mark.filterwarnings("ignore:overflow encountered:RuntimeWarning")
@pytest.mark.filterwarnings("ignore:invalid value encountered:RuntimeWarning")
def test_what_is_not_determined_is_a_reason(
    x: list[float], y: list[float], point: float | None, word: str
) -> None:
    values = {"a": (np.array(x), np.array(y)), "b": sample("counts", 100, 1)}
    rows = ask(values, interval="delta", drop_highest=0.0)
    row = pick(rows, "a")
    assert row.status is Status.INSUFFICIENT_DATA
    assert word in (row.reason or "")
    assert row.point == (None if point is None else pytest.approx(point))
    assert (row.lower, row.upper) == (None, None)


def test_few_and_skewed_units_are_remarked() -> None:
    rng = np.random.default_rng(2)
    values = {
        b: ((rng.random(n) < 0.05).astype(np.float64), rng.poisson(3, n).astype(np.float64) + 1)
        for b, n in (("control", 400), ("new", 100))
    }
    for interval in ("bootstrap", "delta"):
        row = pick(ask(values, interval=interval, drop_highest=0.0), "new", "control")
        assert "few units for such skewed values" in (row.reason or "")
        assert row.status is Status.OK
