from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from jetstream_assets.experiments.metrics import CovariateAdjustment
from jetstream_assets.experiments.windows import Period
from jetstream_assets.statistics.base import Status
from jetstream_assets_tests.statistics.arrays import Floats, ask, numbers, pick
from jetstream_assets_tests.statistics.golden import COVARIATE, SPEND

WEEK_BEFORE = CovariateAdjustment("spend", Period.PREENROLLMENT_WEEK)


def _unequal(units: int) -> tuple[dict[str, Floats], dict[str, Floats]]:
    """A large branch, a small one with twice the variance, and their values before."""
    rng = np.random.default_rng(units)
    before = {b: rng.gamma(2.0, 2.0, n) for b, n in (("control", 9 * units), ("new", units))}
    scales = {"control": 1.0, "new": 2**0.5}
    return {b: 5 + x + scales[b] * rng.normal(0, 2, x.size) for b, x in before.items()}, before


@pytest.mark.parametrize("units", [8, 300])
@pytest.mark.parametrize("level", [0.95, 0.8])
def test_without_covariate_it_is_welch(units: int, level: float) -> None:
    values, _ = _unequal(units)
    rows = ask(
        "linear_model_mean", values, drop_highest=0.0, robust=True, confidence_interval=level
    )
    row = pick(rows, "new", "control")
    found = stats.ttest_ind(values["new"], values["control"], equal_var=False)
    interval = found.confidence_interval(level)
    assert numbers(row)[1:] == pytest.approx((interval.low, interval.high))
    assert row.p_value == pytest.approx(found.pvalue)


def test_a_third_branch_changes_nothing_without_covariate() -> None:
    two = {b: SPEND[b] for b in ("control", "a")}
    alone = pick(ask("linear_model_mean", two, drop_highest=0.0, robust=True), "a", "control")
    among = pick(ask("linear_model_mean", SPEND, drop_highest=0.0, robust=True), "a", "control")
    assert numbers(among) == pytest.approx(numbers(alone))


@pytest.mark.parametrize("kind", ["HC2", "HC3"])
@pytest.mark.parametrize(("units", "tolerance"), [(200, 0.03), (5000, 0.002)])
@pytest.mark.parametrize("has_covariate", [False, True])
def test_agrees_with_the_sandwich(
    units: int, tolerance: float, kind: str, *, has_covariate: bool
) -> None:
    import statsmodels.api as sm  # noqa: PLC0415 - takes a second

    values, before = _unequal(units)
    y = np.concatenate([values["control"], values["new"]])
    is_new = np.repeat([0.0, 1.0], [values["control"].size, values["new"].size])
    columns = [np.ones(y.size), is_new]
    if has_covariate:
        columns.append(np.concatenate([before["control"], before["new"]]))
    fitted = sm.OLS(y, np.stack(columns, axis=1)).fit(cov_type=kind)
    covariate = WEEK_BEFORE if has_covariate else None
    rows = ask("linear_model_mean", values, before, covariate, drop_highest=0.0, robust=True)
    row = pick(rows, "new", "control", statistic="mean_lm")
    point, lower, upper = numbers(row)
    assert point == pytest.approx(fitted.params[1])
    # The quantile of t with so many degrees of freedom is within 1 % of the normal one.
    error = (upper - lower) / 2 / 1.959964
    is_exact = kind == "HC2" and not has_covariate
    assert error == pytest.approx(fitted.bse[1], rel=0.012 if is_exact else 0.012 + tolerance)
    # What it must not agree with: here the pooled error is too small.
    assert error > 1.05 * sm.OLS(y, np.stack(columns, axis=1)).fit().bse[1]


def test_the_ratio_of_means_agrees_with_many_draws() -> None:
    values, _ = _unequal(400)
    rows = ask("linear_model_mean", values, drop_highest=0.0, robust=True)
    rng = np.random.default_rng(3)
    draws = [
        rng.normal(v.mean(), v.std(ddof=1) / v.size**0.5, 400_000)
        for v in (values["new"], values["control"])
    ]
    expected = np.quantile(draws[0] / draws[1] - 1, [0.025, 0.975])
    row = pick(rows, "new", "control", "relative_uplift")
    assert numbers(row)[1:] == pytest.approx(tuple(expected), abs=0.03 * np.ptp(expected))


def test_points_and_the_default_do_not_change() -> None:
    plain = ask("linear_model_mean", SPEND, COVARIATE, WEEK_BEFORE)
    off = ask("linear_model_mean", SPEND, COVARIATE, WEEK_BEFORE, robust=False)
    robust = ask("linear_model_mean", SPEND, COVARIATE, WEEK_BEFORE, robust=True)
    assert plain == off
    assert [row.point for row in plain] == [row.point for row in robust]
    assert plain != robust


def test_two_constant_branches_have_no_interval_of_their_own() -> None:
    values = {"control": np.ones(9), "new": np.full(9, 2.0), "third": np.arange(9.0)}
    row = pick(ask("linear_model_mean", values, drop_highest=0.0, robust=True), "new", "control")
    assert row.status is Status.INSUFFICIENT_DATA
    assert row.p_value is None
    assert "neither branch has different values" in (row.reason or "")
    # One that varies is enough.
    other = pick(ask("linear_model_mean", values, drop_highest=0.0, robust=True), "third", "new")
    assert other.status is Status.OK


def test_a_third_branch_of_one_unit_takes_nothing_away() -> None:
    values = {**SPEND, "one": np.array([3.0])}
    before = {**COVARIATE, "one": np.array([1.0])}
    rows = ask("linear_model_mean", values, before, WEEK_BEFORE, robust=True)
    assert pick(rows, "a", "control", statistic="mean_lm").status is Status.OK
    assert "one unit" in (pick(rows, "one", "control", statistic="mean_lm").reason or "")
