from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pytest
from scipy import stats
from statsmodels.stats.power import tt_ind_solve_power

from jetstream_assets.analysis.power import DAYS, DETECTABLE, with_power
from jetstream_assets.experiments.hypotheses import PowerGoal
from jetstream_assets_tests.builders import make_experiment
from jetstream_assets_tests.report.rows import statistics_rows
from jetstream_assets_tests.statistics.arrays import Floats, ask, numbers, pick

if TYPE_CHECKING:
    from jetstream_assets.statistics.base import StatisticRow

TIMELINE = make_experiment().timeline


def _dictionary(row: StatisticRow) -> dict[str, Any]:
    kept = ("branch", "comparison", "comparison_to_branch", "ci_width", "point", "lower", "upper")
    return {name: getattr(row, name) for name in (*kept, "units", "reason", "statistic")}


def _power(
    values: dict[str, Floats], goal: PowerGoal | None, statistic: str = "linear_model_mean"
) -> list[dict[str, Any]]:
    rows = [_dictionary(row) for row in ask(statistic, values, drop_highest=0.0)]
    table = statistics_rows(*rows)
    found = with_power(table, goal, TIMELINE)
    assert found.schema == table.schema
    assert found.slice(0, table.num_rows) == table
    added: list[dict[str, Any]] = found.slice(table.num_rows).to_pylist()
    return added


def _values(units: int = 2000) -> dict[str, Floats]:
    rng = np.random.default_rng(1)
    return {b: rng.normal(10, 3, units) for b in ("control", "new")}


@pytest.mark.parametrize("power", [0.8, 0.95])
def test_the_detectable_effect_is_that_of_the_power_calculation(power: float) -> None:
    values = _values()
    rows = _power(values, PowerGoal(power=power))
    assert {row["statistic"] for row in rows} == {DETECTABLE}
    (row,) = (row for row in rows if row["branch"] == "new")
    pooled = np.sqrt((values["control"].var(ddof=1) + values["new"].var(ddof=1)) / 2)
    standardised = tt_ind_solve_power(nobs1=2000, alpha=0.05, power=power)
    assert row["point"] == pytest.approx(standardised * pooled / values["control"].mean(), rel=2e-3)
    assert (row["comparison"], row["parameter"]) == ("relative_uplift", power)
    assert (row["status"], row["reason"], row["ci_width"]) == ("ok", None, 0.95)


def test_days_follow_from_the_units_that_the_effect_takes() -> None:
    (detectable,) = (r for r in _power(_values(), PowerGoal()) if r["branch"] == "new")
    # Half of what is detectable takes 4 times the units: 3 times the 8 days on which they came.
    half = detectable["point"] / 2
    (row,) = (
        r
        for r in _power(_values(), PowerGoal(half))
        if r["branch"] == "new" and r["statistic"] == DAYS
    )
    assert (row["point"], row["parameter"], row["status"]) == (24.0, half, "ok")
    assert "enrollment is closed" in row["reason"]
    assert "from 2024-01-01 to 2024-01-08" in row["reason"]
    (row,) = (
        r
        for r in _power(_values(), PowerGoal(1.0))
        if r["branch"] == "new" and r["statistic"] == DAYS
    )
    assert (row["point"], row["reason"]) == (0.0, None)


@pytest.mark.parametrize("statistic", ["bootstrap_mean", "binomial"])
def test_other_statistics_speak_for_themselves(statistic: str) -> None:
    rng = np.random.default_rng(4)
    values = {b: (rng.random(3000) < 0.3).astype(float) for b in ("control", "new")}
    (row,) = (r for r in _power(values, PowerGoal(), statistic) if r["branch"] == "new")
    shares = [v.mean() for v in values.values()]
    error = np.sqrt(sum(p * (1 - p) / 3000 for p in shares))
    expected = (stats.norm.ppf(0.975) + stats.norm.ppf(0.8)) * error / shares[0]
    assert row["point"] == pytest.approx(expected, rel=0.01)


def test_what_is_not_known_has_a_reason() -> None:
    rows = _power({"control": np.zeros(50), "new": np.arange(50.0)}, PowerGoal(0.1))
    for row in (row for row in rows if row["branch"] == "new"):
        assert (row["point"], row["status"]) == (None, "insufficient_data")
        assert "mean is 0" in row["reason"]
    rows = _power({"control": np.ones(50), "new": np.ones(50)}, PowerGoal())
    assert all("no branch has different values" in row["reason"] for row in rows)


def test_one_statistic_speaks_and_only_after_enrollment() -> None:
    pair = {"branch": "new", "comparison": "difference", "comparison_to_branch": "control"}
    numbers_of = {"point": 0.0, "lower": -1.0, "upper": 1.0, "ci_width": 0.95}
    rows = [
        {"statistic": name, "period": period, **more}
        for name, lower in (("mean", -9.0), ("mean_lm", -1.0))
        for period in ("week", "preenrollment_week")
        for more in (
            {"branch": "control", "point": 2.0},
            {**pair, **numbers_of, "lower": lower},
        )
    ]
    table = statistics_rows(*rows)
    added = with_power(table, PowerGoal(), TIMELINE).slice(table.num_rows).to_pylist()
    (row,) = added
    assert row["period"] == "week"
    assert row["point"] == pytest.approx((1 + 0.841621 / 1.959964) / 2, rel=1e-5)


def test_nothing_declared_is_nothing_added() -> None:
    table = statistics_rows({"branch": "control"})
    assert with_power(table, None, TIMELINE) is table
    assert isinstance(with_power(table, PowerGoal(), TIMELINE), pa.Table)


@pytest.mark.slow
def test_the_detectable_effect_is_found_with_the_power() -> None:
    rng, experiments, found = np.random.default_rng(8), 2000, 0
    nothing = [{b: rng.normal(5, 1, 400) for b in ("control", "new")} for _ in range(40)]
    told = [row["point"] for values in nothing for row in _power(values, PowerGoal())]
    for _ in range(experiments):
        true = 5 * (1 + np.mean(told))
        values = {"control": rng.normal(5, 1, 400), "new": rng.normal(true, 1, 400)}
        rows = ask("linear_model_mean", values, drop_highest=0.0)
        found += numbers(pick(rows, "new", "control"))[1] > 0
    low, high = stats.binom(experiments, 0.8).ppf([5e-7, 1 - 5e-7])
    assert low <= found <= high
