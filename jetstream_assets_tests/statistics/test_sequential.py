from __future__ import annotations

import math

import numpy as np
import pytest

from jetstream_assets.experiments.metrics import CovariateAdjustment
from jetstream_assets.experiments.windows import Period
from jetstream_assets.statistics.reach import Fixed, Sequential, Spread
from jetstream_assets_tests.statistics.arrays import ask, numbers, pick
from jetstream_assets_tests.statistics.golden import COVARIATE, SPEND

BEFORE = CovariateAdjustment("spend", Period.PREENROLLMENT_WEEK)


def _errors(units: int, planned: float, level: float = 0.95) -> float:
    return Sequential(level, planned).half_width(Spread(1.0, math.inf, units))


def test_by_hand_at_the_planned_units() -> None:
    # -2 log .05 = 5.991465, and log(1 + that) = 1.944690, so r = 7.936155 and
    # sqrt(2 * 8.936155 / 7.936155 * log(sqrt(8.936155) / .05)).
    assert _errors(500, 500) == pytest.approx(math.sqrt(2.252011 * 4.090791), rel=1e-6)


@pytest.mark.parametrize("level", [0.8, 0.95, 0.999])
def test_it_is_narrowest_for_its_units_where_it_was_planned(level: float) -> None:
    plans = 1000 * np.geomspace(0.2, 5, 201)
    widths = [_errors(1000, planned, level) for planned in plans]
    assert 0.9 < plans[int(np.argmin(widths))] / 1000 < 1.1
    # Everywhere wider than the interval of one look, and not by much for long.
    assert min(widths) > Fixed(level).half_width(Spread(1.0, math.inf, 1000))
    assert _errors(100_000, 1000) < 1.2 * _errors(1000, 1000)


def test_a_p_value_is_below_the_level_where_the_interval_leaves_out_zero() -> None:
    reach, spread = Sequential(0.95, 300.0), Spread(4.0, math.inf, 700)
    edge = reach.half_width(spread)
    assert reach.p_value(edge, spread) == pytest.approx(0.05)
    assert reach.p_value(-1.01 * edge, spread) < 0.05
    assert reach.p_value(0.0, spread) == 1.0


@pytest.mark.parametrize(
    ("statistic", "output"),
    [
        ("bootstrap_mean", "mean"),
        ("linear_model_mean", "mean_lm"),
        ("per_client_dau_impact", "per_client_dau_impact"),
    ],
)
def test_companions_stand_beside_the_rows_and_change_none(statistic: str, output: str) -> None:
    plain = ask(statistic, SPEND)
    rows = ask(statistic, SPEND, sequential=True)
    names = {row.statistic for row in rows}
    assert names == {output, f"{output}_sequential"}
    # Draws for few units depend on all parameters; the others are the same.
    if statistic != "bootstrap_mean":
        assert [row for row in rows if row.statistic == output] == plain
    assert len(rows) == 2 * len(plain)
    fixed = pick(rows, "b", "control", statistic=output)
    wider = pick(rows, "b", "control", statistic=f"{output}_sequential")
    assert wider.point == pytest.approx(fixed.point)
    assert numbers(wider)[1] < numbers(fixed)[1] < numbers(fixed)[2] < numbers(wider)[2]
    assert (wider.p_value or 0) > (fixed.p_value or 0)


def test_adjusted_rows_have_companions_of_their_own() -> None:
    rows = ask("linear_model_mean", SPEND, COVARIATE, BEFORE, sequential=True)
    names = {row.statistic for row in rows}
    assert names == {
        "mean_lm", "mean_lm_unadjusted", "mean_lm_sequential", "mean_lm_unadjusted_sequential",
    }  # fmt: skip
    adjusted = pick(rows, "b", "control", statistic="mean_lm_sequential")
    assert adjusted.covariate == "preenrollment_week.spend"
    assert adjusted.point == pick(rows, "b", "control", statistic="mean_lm").point
    unadjusted = pick(rows, "b", "control", statistic="mean_lm_unadjusted_sequential")
    assert unadjusted.covariate is None


def test_shares_have_a_companion_with_plain_points() -> None:
    values = {"control": np.arange(400) < 100, "new": np.arange(400) < 150}
    arrays = {branch: v.astype(float) for branch, v in values.items()}
    rows = ask("binomial", arrays, sequential=True, planned_units=800)
    row = pick(rows, "new", "control", statistic="binomial_sequential")
    error = math.sqrt(0.25 * 0.75 / 399 + 0.375 * 0.625 / 399)
    half = _errors(800, 800) * error
    assert numbers(row) == pytest.approx((0.125, 0.125 - half, 0.125 + half))
    relative = pick(rows, "new", "control", "relative_uplift", statistic="binomial_sequential")
    assert relative.point == pytest.approx(0.5)
