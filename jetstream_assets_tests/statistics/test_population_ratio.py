from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from jetstream_assets.experiments.metrics import AnalysisBasis, Summary
from jetstream_assets.experiments.needs import JointMoments, Pairs, RatioCoMoments
from jetstream_assets.sql.sufficient_statistics import joint_powers
from jetstream_assets.statistics.base import Question, StatisticRow, Status
from jetstream_assets.statistics.collected import (
    BranchJointMoments,
    BranchPairs,
    BranchRatioCoMoments,
    Collected,
)
from jetstream_assets.statistics.population_ratio import PopulationRatio
from jetstream_assets.statistics.ratio_distribution import RatioMoments
from jetstream_assets.statistics.resampled_ratio import MOST_DRAWN
from jetstream_assets_tests.statistics.arrays import numbers, pick

if TYPE_CHECKING:
    from collections.abc import Mapping

    from jetstream_assets.experiments.metrics import CovariateAdjustment, Scalar

Floats = NDArray[np.float64]
Parts = tuple[Floats, Floats]
Rows = list[StatisticRow]


def ask(
    values: Mapping[str, Parts],
    before: Mapping[str, tuple[Floats, ...]] | None = None,
    covariate: CovariateAdjustment | None = None,
    given: Mapping[str, Scalar] | None = None,
    **parameters: Scalar,
) -> Rows:
    """The rows for the numerators and denominators of each branch."""
    written = {"numerator": "clicks", "denominator": "views", **(given or {}), **parameters}
    named = tuple(sorted(written.items()))
    summary = Summary("rate", "population_ratio", named, covariate=covariate)
    question = Question(summary, AnalysisBasis.ENROLLMENTS, "all", tuple(values))
    found = Collected({}, {}, {}, {}, {}, {}, {})
    for need in PopulationRatio().needs(question):
        if isinstance(need, JointMoments):
            share = need.drop_highest
            joint = {b: _joint(x, y, share) for b, (x, y) in values.items() if x.size}
            found.joint_moments[need] = joint  # type: ignore[index]  # dicts here
        elif isinstance(need, Pairs):
            few = {b: _pairs(x, y) for b, (x, y) in values.items() if 0 < x.size <= MOST_DRAWN}
            found.pairs[need] = few  # type: ignore[index]  # dicts here
        elif isinstance(need, RatioCoMoments):
            assert before is not None
            both = _co_moments(values, before, need.drop_highest)
            found.ratio_co_moments[need] = both  # type: ignore[index]  # dicts here
    return PopulationRatio().rows(question, found)


def _co_moments(
    values: Mapping[str, Parts], before: Mapping[str, tuple[Floats, ...]], share: float
) -> dict[str, BranchRatioCoMoments]:
    pooled = [np.concatenate(columns) for columns in zip(*before.values(), strict=True)]
    caps = [np.quantile(column, 1 - share) for column in pooled]
    found = {}
    for branch, (x, y) in values.items():
        covariates = [np.minimum(c, cap) for c, cap in zip(before[branch], caps, strict=True)]
        columns = np.stack([capped(x, share), capped(y, share), *covariates])
        means = columns.mean(axis=1)
        centred = columns - means[:, None]
        found[branch] = BranchRatioCoMoments(x.size, x.size, means, centred @ centred.T)
    return found


def capped(values: Floats, share: float) -> Floats:
    return np.minimum(values, np.quantile(values, 1 - share))


def _joint(x: Floats, y: Floats, share: float) -> BranchJointMoments:
    highest, threshold = float(x.max()), float(np.quantile(x, 1 - share))
    of_y, uncapped = float(np.quantile(y, 1 - share)), (float(x.mean()), float(y.mean()))
    x, y = capped(x, share), capped(y, share)
    dx, dy = x - x.mean(), y - y.mean()
    central = {(a, b): float((dx**a * dy**b).mean()) for a, b in joint_powers() if a + b > 1}
    means = float(x.mean()), float(y.mean())
    if not share:
        return BranchJointMoments(x.size, *means, central, highest)
    return BranchJointMoments(x.size, *means, central, highest, threshold, 0, of_y, uncapped)


def _pairs(x: Floats, y: Floats) -> BranchPairs:
    distinct, units = np.unique(np.stack([x, y]), axis=1, return_counts=True)
    return BranchPairs(distinct[0], distinct[1], units)


def resampled(x: Floats, y: Floats, samples: int, seed: int) -> Floats:
    """Ratios of resamples by brute force."""
    rng, n = np.random.default_rng(seed), x.size
    hits = np.concatenate(
        [rng.multinomial(n, np.full(n, 1 / n), size=1000) for _ in range(samples // 1000)]
    )
    ratios: Floats = (hits @ x) / (hits @ y)
    return ratios


def sample(kind: str, units: int, seed: int) -> Parts:
    rng = np.random.default_rng(seed)
    activity = rng.gamma(1, 1, units)
    if kind == "heavy tails":
        y = np.exp(rng.normal(0, 1.2, units))
        return y * rng.beta(2, 8, units), y
    y = rng.poisson(5 * activity + (1 if kind == "counts" else 0))
    if kind == "many without":
        y = np.where(rng.random(units) < 0.8, 0, y)
    x = rng.binomial(y, 0.02 if kind == "rare" else 0.3)
    return x.astype(np.float64), y.astype(np.float64)


KINDS = ["counts", "heavy tails", "rare", "many without"]


def test_two_units_by_hand() -> None:
    # Resamples of (1, 2) and (3, 2): the numerator's mean is 1, 2 or 3 with shares 1/4, 1/2, 1/4.
    rows = ask({"control": (np.array([1.0, 3.0]), np.array([2.0, 2.0]))}, drop_highest=0.0)
    assert numbers(pick(rows, "control")) == pytest.approx((1.0, 0.5, 1.5), abs=0.02)


def test_cumulants_by_hand() -> None:
    # x - r y with r = 0 is x: values 0, 0, 3 have mean 1, m2 = 2, m3 = 2.
    x, y = np.array([0.0, 0.0, 3.0]), np.ones(3)
    moments = RatioMoments.of(_joint(x, y, 0.0))
    assert (moments.ratio, moments.denominator_errors) == (1.0, np.inf)
    assert moments.skewness == pytest.approx(2 / 2**1.5 / 3**0.5)


@pytest.mark.parametrize("units", [60, 400])
@pytest.mark.parametrize("kind", KINDS)
def test_bounds_are_those_of_many_resamples(kind: str, units: int) -> None:
    values = {b: sample(kind, units * (i + 1), i) for i, b in enumerate(("control", "new"))}
    rows = ask(values, drop_highest=0.005)
    drawn = {
        b: resampled(capped(x, 0.005), capped(y, 0.005), 20_000, 7 + i)
        for i, (b, (x, y)) in enumerate(values.items())
    }
    first, second = drawn["new"], drawn["control"]
    with np.errstate(divide="ignore", invalid="ignore"):
        uplift = first / second - 1
    for row, draws in (
        (pick(rows, "control"), second),
        (pick(rows, "new"), first),
        (pick(rows, "new", "control"), first - second),
        (pick(rows, "new", "control", "relative_uplift"), uplift),
    ):
        if row.status is Status.INSUFFICIENT_DATA:
            # Some resamples have a part that is 0.
            assert not np.isfinite(draws).all()
            continue
        draws = draws[np.isfinite(draws)]  # noqa: PLW2901 - of 20,000 one may be
        expected = (draws.mean(), *np.quantile(draws, [0.025, 0.975]))
        # In the long tail of few units a quantile of 10,000 draws is uncertain by .05 deviations.
        assert numbers(row) == pytest.approx(expected, abs=0.15 * draws.std())


def test_agrees_with_mozanalysis() -> None:
    from mozanalysis.frequentist_stats import bootstrap as reference  # noqa: PLC0415

    values = {b: sample("counts", 900, i) for i, b in enumerate(("control", "new"))}
    frame = pd.concat([pd.DataFrame({"branch": b, "x": x, "y": y}) for b, (x, y) in values.items()])
    found = reference.compare_branches(
        frame,
        ["x", "y"],
        stat_fn=lambda data: data[:, 0].mean() / data[:, 1].mean(),
        num_samples=4000,
        threshold_quantile=0.995,
    )
    rows = ask(values, drop_highest=0.005)
    single = found["individual"]["new"]
    expected = tuple(float(single[q]) for q in ("mean", "0.025", "0.975"))
    half = (expected[2] - expected[1]) / 2
    assert numbers(pick(rows, "new")) == pytest.approx(expected, abs=0.1 * half)
    for kind, key in (("difference", "abs_uplift"), ("relative_uplift", "rel_uplift")):
        compared = found["comparative"]["new"][key]
        expected = tuple(float(compared[q]) for q in ("exp", "0.025", "0.975"))
        half = (expected[2] - expected[1]) / 2
        row = pick(rows, "new", "control", kind)
        assert numbers(row) == pytest.approx(expected, abs=0.1 * half)


PARTS = st.integers(0, 10_000).map(lambda seed: sample("counts", 120 + seed % 50, seed))


@given(control=PARTS, new=PARTS)
@settings(max_examples=10, deadline=None)
def test_exchanged_branches_exchange_their_rows(control: Parts, new: Parts) -> None:
    rows, exchanged = ask({"a": control, "b": new}), ask({"a": new, "b": control})
    for kind in ("difference", "relative_uplift"):
        found, twin = pick(rows, "b", "a", kind), pick(exchanged, "a", "b", kind)
        width = numbers(found)[2] - numbers(found)[1]
        assert numbers(found) == pytest.approx(numbers(twin), abs=1e-3 * width)
    backwards = pick(rows, "a", "b")
    point, lower, upper = numbers(pick(rows, "b", "a"))
    assert numbers(backwards) == (-point, -upper, -lower)


@given(control=PARTS, new=PARTS, factor=st.sampled_from([0.001, 7.0, 1e6]))
@settings(max_examples=10, deadline=None)
def test_the_unit_of_the_numerator_scales_ratios(control: Parts, new: Parts, factor: float) -> None:
    rows = ask({"control": control, "new": new})
    scaled = ask({"control": (control[0] * factor, control[1]), "new": (new[0] * factor, new[1])})
    for row, other in zip(rows, scaled, strict=True):
        by = 1.0 if row.comparison == "relative_uplift" else factor
        expected = tuple(by * number for number in numbers(row))
        assert numbers(other) == pytest.approx(expected, rel=1e-6, abs=1e-6 * by)


def test_a_denominator_below_zero_is_as_good() -> None:
    x, y = sample("counts", 500, 3)
    positive, negative = ask({"a": (x, y)}, drop_highest=0.0), ask({"a": (x, -y)}, drop_highest=0.0)
    point, lower, upper = numbers(pick(positive, "a"))
    assert numbers(pick(negative, "a")) == pytest.approx((-point, -upper, -lower), rel=1e-6)


def test_ratios_below_zero_can_be_compared() -> None:
    values = {b: sample("counts", 500, i) for i, b in enumerate(("control", "new"))}
    positive = ask(values, drop_highest=0.0)
    negative = ask({b: (-x, y) for b, (x, y) in values.items()}, drop_highest=0.0)
    expected = numbers(pick(positive, "new", "control", "relative_uplift"))
    found = numbers(pick(negative, "new", "control", "relative_uplift"))
    assert found == pytest.approx(expected, rel=1e-5)


def _row(x: list[float], y: list[float], share: float = 0.0) -> StatisticRow:
    return pick(ask({"a": (np.array(x), np.array(y))}, drop_highest=share), "a")


@pytest.mark.parametrize(
    ("x", "y", "share", "point", "word"),
    [
        ([1.0], [2.0], 0.0, 0.5, "one unit"),
        ([1.0, 2.0], [0.0, 0.0], 0.0, None, "denominator is 0"),
        ([1.0] * 400, [1.0, -0.99] * 200, 0.0, 200.0, "too close to 0"),
        ([0.0] * 40, [1.0, 2.0] * 20, 0.0, 0.0, "same multiple"),
        ([0.1, 0.3] * 20, [1.0, 3.0] * 20, 0.0, 0.1, "same multiple"),
        ([0.0] * 999 + [9.0], [1.0] * 1000, 0.005, 0.0, "lower drop_highest"),
        ([1.0, 0.0, 0.0], [1.0, 0.0, 0.0], 0.0, 1.0, "same multiple"),
        ([1.0, 1.0, 0.0], [1.0, 0.0, 0.0], 0.0, 2.0, "too close to 0"),
        ([1e200, 2e200] * 20, [1.0, 2.0] * 20, 0.0, 1e200, "too large"),
    ],
)
@pytest.mark.filterwarnings("ignore:overflow encountered:RuntimeWarning")
@pytest.mark.filterwarnings("ignore:invalid value encountered:RuntimeWarning")
def test_what_is_not_determined_is_a_reason(
    x: list[float], y: list[float], share: float, point: float | None, word: str
) -> None:
    row = _row(x, y, share)
    assert row.status is Status.INSUFFICIENT_DATA
    assert word in (row.reason or "")
    assert (row.lower, row.upper) == (None, None)
    assert row.point == (None if point is None else pytest.approx(point))


def test_a_reference_of_zero_has_differences_only() -> None:
    x, y = sample("counts", 200, 5)
    rows = ask({"control": (np.zeros(200), y), "new": (x, y)})
    assert pick(rows, "new", "control").status is Status.OK
    row = pick(rows, "new", "control", "relative_uplift")
    assert "cannot be told from 0" in (row.reason or "")
    # The other way round the reference is clear of zero, and the ratio is known.
    row = pick(rows, "control", "new", "relative_uplift")
    assert numbers(row) == pytest.approx((-1, -1, -1), abs=1e-9)


def test_a_branch_without_units_is_a_reason() -> None:
    nothing = np.array([])
    rows = ask({"control": (nothing, nothing), "new": sample("counts", 200, 5)})
    assert "'control' has a numerator and a denominator" in (pick(rows, "control").reason or "")
    assert pick(rows, "new").status is Status.OK
    assert pick(rows, "new", "control").status is Status.INSUFFICIENT_DATA


def test_few_units_are_drawn_with_a_fixed_seed() -> None:
    values = {"control": sample("counts", 20, 1), "new": sample("counts", 400, 2)}
    assert ask(values) == ask(values)
    few, many = (
        resampled(capped(x, 0.005), capped(y, 0.005), 20_000, 1) for x, y in values.values()
    )
    np.random.default_rng(1).shuffle(few)
    row = pick(ask(values), "new", "control")
    expected = tuple(np.quantile(many - few, [0.025, 0.975]))
    assert numbers(row)[1:] == pytest.approx(expected, abs=0.1 * float((many - few).std()))
