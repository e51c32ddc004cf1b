from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import binomtest, chisquare

from jetstream_assets.statistics.sample_ratio import ratio_test


def test_by_hand() -> None:
    """60 against 40 where 50 each are expected: 100/50 + 100/50 = 4, and p = erfc(sqrt(2))."""
    test = ratio_test({"a": 60, "b": 40}, {"a": 1.0, "b": 1.0})
    assert test.expected == {"a": 50.0, "b": 50.0}
    assert test.chi_squared == 4.0
    assert test.p_value == pytest.approx(math.erfc(math.sqrt(2)), rel=1e-12)


@pytest.mark.parametrize(
    ("counts", "ratios"),
    [
        ([520, 480], [1, 1]),
        ([900, 105], [9, 1]),
        ([310, 295, 640, 80], [3, 3, 6, 1]),
        ([5, 5], [1, 1]),
        ([10_000_000, 10_012_000, 9_990_000], [1, 1, 1]),
    ],
)
def test_as_scipy(counts: list[int], ratios: list[int]) -> None:
    names = [f"b{i}" for i in range(len(counts))]
    expected = np.array(ratios) / sum(ratios) * sum(counts)
    theirs = chisquare(counts, expected)
    ours = ratio_test(
        dict(zip(names, counts, strict=True)), dict(zip(names, map(float, ratios), strict=True))
    )
    assert ours.chi_squared == pytest.approx(theirs.statistic, rel=1e-9)
    assert ours.p_value == pytest.approx(theirs.pvalue, rel=1e-9)


def test_units_where_none_are_to_be_are_no_chance() -> None:
    assert ratio_test({"a": 50, "b": 50, "other": 1}, {"a": 1.0, "b": 1.0}).p_value == 0.0
    assert ratio_test({"a": 50, "b": 1}, {"a": 1.0, "b": 0.0}).p_value == 0.0
    test = ratio_test({"a": 50, "b": 50}, {"a": 1.0, "b": 1.0, "paused": 0.0})
    assert test.p_value == 1.0


def test_a_branch_without_units_is_tested() -> None:
    test = ratio_test({"a": 40}, {"a": 1.0, "b": 1.0})
    assert test.observed == {"a": 40, "b": 0}
    assert test.p_value is not None
    assert test.p_value < 1e-6


@pytest.mark.parametrize(
    ("observed", "ratios"),
    [({}, {"a": 1.0, "b": 1.0}), ({"a": 9, "b": 0}, {"a": 1.0, "b": 1.0}), ({"a": 90}, {"a": 1.0})],
)
def test_too_few_units_or_branches_are_not_tested(
    observed: dict[str, int], ratios: dict[str, float]
) -> None:
    assert ratio_test(observed, ratios).p_value is None


def test_true_ratios_are_rejected_as_often_as_the_level_says() -> None:
    rng = np.random.default_rng(20_261)
    ratios = {"a": 1.0, "b": 2.0, "c": 5.0}
    counts = rng.multinomial(4_000, np.array([1, 2, 5]) / 8, size=2_000)
    found = [ratio_test(dict(zip("abc", map(int, row), strict=True)), ratios) for row in counts]
    rejected = sum(test.p_value is not None and test.p_value < 0.05 for test in found)
    assert binomtest(rejected, len(found), 0.05).pvalue > 0.001
