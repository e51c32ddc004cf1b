"""What must hold for any data: names, units of measurement and the order of units mean nothing."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jetstream_assets.experiments.metrics import CovariateAdjustment
from jetstream_assets.experiments.windows import Period
from jetstream_assets.statistics.base import ComparisonKind, StatisticRow, Status
from jetstream_assets_tests.statistics.arrays import Floats, ask

# Enough units that nothing is drawn, except where a test is about that.
VALUES = st.lists(st.integers(0, 50), min_size=30, max_size=60).map(
    lambda found: np.array(found, dtype=np.float64)
)
FEW = st.lists(st.integers(0, 9), min_size=1, max_size=6).map(
    lambda found: np.array(found, dtype=np.float64)
)
MEANS = ["linear_model_mean", "bootstrap_mean"]
ALL = [*MEANS, "deciles", "count", "sum", "empirical_cdf", "per_client_dau_impact"]
COVARIATE = CovariateAdjustment("spend", Period.PREENROLLMENT_WEEK)


def _ask(statistic: str, values: dict[str, Floats]) -> list[StatisticRow]:
    # Draws take most of the time, and their number does not matter here.
    return ask(statistic, values, num_samples=200)


def _keyed(rows: list[StatisticRow]) -> dict[object, StatisticRow]:
    return {
        (r.statistic, r.parameter, r.branch, r.comparison, r.comparison_to_branch): r for r in rows
    }


def _numbers(row: StatisticRow) -> list[float | None]:
    return [row.point, row.lower, row.upper]


def _approx(expected: list[float | None], tolerance: float = 1e-9) -> list[object]:
    return [
        None if number is None else pytest.approx(number, rel=tolerance, abs=tolerance)
        for number in expected
    ]


@given(control=VALUES | FEW, new=VALUES | FEW, seed=st.integers(0, 99))
@settings(max_examples=12, deadline=None)
@pytest.mark.parametrize("statistic", ALL)
def test_order_of_units_means_nothing(
    statistic: str, control: Floats, new: Floats, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    rows = _keyed(_ask(statistic, {"control": control, "new": new}))
    shuffled = {"control": rng.permutation(control), "new": rng.permutation(new)}
    for key, row in _keyed(_ask(statistic, shuffled)).items():
        assert _numbers(row) == _approx(_numbers(rows[key]), 1e-7)
        assert row.status == rows[key].status


@given(control=VALUES | FEW, new=VALUES | FEW)
@settings(max_examples=12, deadline=None)
@pytest.mark.parametrize("statistic", [*MEANS, "deciles", "per_client_dau_impact"])
def test_a_difference_read_backwards_is_its_negative(
    statistic: str, control: Floats, new: Floats
) -> None:
    rows = _keyed(_ask(statistic, {"control": control, "new": new}))
    differences = [r for r in rows.values() if r.comparison is ComparisonKind.DIFFERENCE]
    assert differences
    for row in differences:
        key = (row.statistic, row.parameter, row.comparison_to_branch, row.comparison, row.branch)
        back = rows[key]
        negated = [None if n is None else -n for n in (back.point, back.upper, back.lower)]
        assert _numbers(row) == negated


@given(control=VALUES, new=VALUES)
@settings(max_examples=25, deadline=None)
@pytest.mark.parametrize("statistic", MEANS)
def test_exchanged_branches_exchange_their_rows(
    statistic: str, control: Floats, new: Floats
) -> None:
    rows = _keyed(_ask(statistic, {"a": control, "b": new}))
    exchanged = _keyed(_ask(statistic, {"a": new, "b": control}))
    other = {"a": "b", "b": "a", None: None}
    for row in rows.values():
        if len(control) < 200 and statistic == "bootstrap_mean" and _is_skewed(control, new):
            continue
        branch, reference = other[row.branch], other[row.comparison_to_branch]
        twin = exchanged[row.statistic, row.parameter, branch, row.comparison, reference]
        assert _numbers(row) == _approx(_numbers(twin), 1e-8)


def _is_skewed(*samples: Floats) -> bool:
    """Whether few units of a skewed sample are drawn, with a seed for each branch."""
    found = [abs(float(((v - v.mean()) ** 3).mean())) for v in samples]
    spreads = [max(float(v.var()), 1e-9) ** 1.5 for v in samples]
    skewed = max(third / spread for third, spread in zip(found, spreads, strict=True))
    return bool(2 * skewed > 0.4 * min(v.size for v in samples) ** 0.5)


@given(control=VALUES, new=VALUES, factor=st.sampled_from([0.001, 7.0, 1e6]))
@settings(max_examples=12, deadline=None)
@pytest.mark.parametrize("statistic", [*MEANS, "deciles"])
def test_the_unit_of_measurement_scales_numbers_and_leaves_ratios(
    statistic: str, control: Floats, new: Floats, factor: float
) -> None:
    rows = _keyed(_ask(statistic, {"control": control, "new": new}))
    scaled = _keyed(_ask(statistic, {"control": control * factor, "new": new * factor}))
    for key, row in rows.items():
        by = 1.0 if row.comparison is ComparisonKind.RELATIVE_UPLIFT else factor
        expected = [None if n is None else n * by for n in _numbers(row)]
        assert _numbers(scaled[key]) == _approx(expected, 1e-7)


@given(control=VALUES, new=VALUES, shift=st.sampled_from([3.0, 1000.0]))
@settings(max_examples=12, deadline=None)
@pytest.mark.parametrize("statistic", [*MEANS, "deciles"])
def test_a_shift_of_all_values_leaves_differences(
    statistic: str, control: Floats, new: Floats, shift: float
) -> None:
    rows = _keyed(_ask(statistic, {"control": control, "new": new}))
    shifted = _keyed(_ask(statistic, {"control": control + shift, "new": new + shift}))
    for key, row in rows.items():
        if row.comparison is ComparisonKind.DIFFERENCE:
            assert _numbers(shifted[key]) == _approx(_numbers(row), 1e-6)


@given(
    values=st.dictionaries(st.sampled_from(["control", "new", "third"]), VALUES | FEW, min_size=1),
    statistic=st.sampled_from([*ALL, "binomial", "kernel_density_estimate"]),
)
@settings(max_examples=60, deadline=None)
def test_every_question_has_rows_that_are_whole(values: dict[str, Floats], statistic: str) -> None:
    rows = ask(statistic, values, branches=["control", "new"])
    assert rows
    assert len(_keyed(rows)) == len(rows)
    for row in rows:
        assert (row.reason is None) <= (row.status is Status.OK)
        found = [number for number in _numbers(row) if number is not None]
        assert np.isfinite(found).all()
        if row.lower is not None and row.upper is not None:
            assert row.lower <= row.upper


@given(control=VALUES, new=VALUES)
@settings(max_examples=25, deadline=None)
def test_a_value_adjusted_for_itself_leaves_no_difference(control: Floats, new: Floats) -> None:
    values = {"control": np.append(control, 1.0), "new": np.append(new, [0.0, 9.0])}
    rows = _keyed(ask("linear_model_mean", values, values, COVARIATE, drop_highest=0.0))
    row = rows["mean_lm", None, "new", ComparisonKind.DIFFERENCE, "control"]
    assert row.point == pytest.approx(0, abs=1e-9)
    assert all(bound is None or abs(bound) < 1e-5 for bound in (row.lower, row.upper))
