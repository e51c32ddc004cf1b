from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from scipy.stats import binomtest

from jetstream_assets.analysis.enrollment_checks import ALL_UNITS, judge_sample_ratio
from jetstream_assets.analysis.metric_checks import judge_balance
from jetstream_assets.experiments.checks import Limits
from jetstream_assets.statistics.equal_means import Arm

if TYPE_CHECKING:
    from numpy.typing import NDArray

BRANCHES = ("a", "b", "c")
RATIOS = {"a": 1.0, "b": 1.0, "c": 2.0}
SHARES = np.array([0.25, 0.25, 0.5])
EVEN = {"a": 1.0, "b": 1.0}
ALPHA = 0.05
RUNS = 1_000


def _counts(
    rng: np.random.Generator, days: int = 7, segments: int = 3
) -> dict[str, dict[str, int]]:
    """An experiment whose ratios are right: units by day, and segments that overlap."""
    by_day = rng.multinomial(600, SHARES, size=days)
    whole = by_day.sum(axis=0)
    parts = {f"day {day}": by_day[day] for day in range(days)}
    parts |= {f"segment {s}": rng.binomial(whole, 0.3) for s in range(segments)}
    found = {ALL_UNITS: whole} | parts
    return {
        part: dict(zip(BRANCHES, map(int, units), strict=True)) for part, units in found.items()
    }


def test_while_ratios_are_right_the_check_fails_as_rarely_as_it_says() -> None:
    rng = np.random.default_rng(31)
    verdicts = [judge_sample_ratio(_counts(rng), RATIOS, Limits(ALPHA)) for _ in range(RUNS)]
    whole = sum(float(v.facts["p_value"]) < ALPHA for v in verdicts)
    parts = sum(
        min(float(v.facts[f"worst_{kind}_adjusted_p_value"]) for kind in ("day", "segment")) < ALPHA
        for v in verdicts
    )
    failed = sum(not v.passed for v in verdicts)
    assert binomtest(whole, RUNS, ALPHA).pvalue > 0.001
    assert binomtest(parts, RUNS, ALPHA, alternative="greater").pvalue > 0.001
    assert max(whole, parts) <= failed <= whole + parts
    # Holm is not so careful that it never speaks.
    assert parts > RUNS * ALPHA / 5


def test_one_bad_segment_or_day_is_named() -> None:
    counts = {
        ALL_UNITS: {"a": 10_000, "b": 10_020},
        "segment new": {"a": 1_000, "b": 1_300},
        "segment old": {"a": 9_000, "b": 8_720},
        "day 2026-03-02": {"a": 5_000, "b": 5_010},
        "day 2026-03-03": {"a": 3, "b": 1},
    }
    verdict = judge_sample_ratio(counts, EVEN, Limits())
    assert not verdict.passed
    assert "segment new" in verdict.message
    assert verdict.facts["worst_segment"] == "new"
    assert verdict.facts["parts_tested"] == 3
    assert verdict.facts["parts_too_small"] == 1
    assert verdict.listing is not None
    assert [row[0] for row in verdict.listing.rows][:2] == [ALL_UNITS, "segment new"]


def test_an_overall_mismatch_and_a_branch_that_nobody_planned_fail() -> None:
    verdict = judge_sample_ratio({ALL_UNITS: {"a": 600, "b": 400}}, EVEN, Limits())
    assert not verdict.passed
    assert "a 600 (expected 500.0), b 400 (expected 500.0)" in verdict.message
    assert judge_sample_ratio(
        {ALL_UNITS: {"a": 600, "b": 400}}, {"a": 3.0, "b": 2.0}, Limits()
    ).passed
    stray = judge_sample_ratio({ALL_UNITS: {"a": 500, "b": 500, "c": 2}}, EVEN, Limits())
    assert not stray.passed


@pytest.mark.parametrize("counts", [{}, {"a": 2, "b": 1}])
def test_few_units_pass_with_a_note(counts: dict[str, int]) -> None:
    verdict = judge_sample_ratio({ALL_UNITS: counts}, EVEN, Limits())
    assert verdict.passed
    assert verdict.message.startswith("Too few units")
    assert "p_value" not in verdict.facts


def _arm(values: NDArray[np.float64]) -> Arm:
    return Arm(values.size, float(values.mean()), float(values.var(ddof=1)))


def test_while_branches_are_alike_the_balance_fails_as_rarely_as_it_says() -> None:
    rng = np.random.default_rng(32)
    failed = 0
    for _ in range(RUNS):
        # Metrics of one unit go together, as they do in telemetry.
        activity = rng.gamma(1.0, 1.0, size=(3, 200))
        metrics = [activity * rng.gamma(2.0, 1.0, size=activity.shape) for _ in range(4)]
        arms = {
            ("preenrollment_week", f"m{i}"): {
                branch: _arm(values[number]) for number, branch in enumerate(BRANCHES)
            }
            for i, values in enumerate(metrics)
        }
        failed += not judge_balance(arms, Limits(ALPHA)).passed
    assert binomtest(failed, RUNS, ALPHA, alternative="greater").pvalue > 0.001
    assert failed > RUNS * ALPHA / 5


def test_an_imbalance_is_named_with_its_means() -> None:
    arms = {
        ("preenrollment_week", "hours"): {"a": Arm(900, 3.0, 4.0), "b": Arm(900, 3.5, 4.0)},
        ("preenrollment_week", "clicks"): {"a": Arm(900, 1.0, 4.0), "b": Arm(900, 1.01, 4.0)},
        ("preenrollment_week", "constant"): {"a": Arm(900, 1.0, 0.0), "b": Arm(900, 2.0, 0.0)},
    }
    verdict = judge_balance(arms, Limits())
    assert not verdict.passed
    assert "hours" in verdict.message
    assert "clicks" not in verdict.message
    assert verdict.facts["metrics_tested"] == 2
    assert verdict.facts["metrics_not_tested"] == 1
    assert verdict.listing is not None
    assert verdict.listing.rows[0][:4] == ("preenrollment_week", "hours", "3", "3.5")
