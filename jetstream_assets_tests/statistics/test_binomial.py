from __future__ import annotations

import numpy as np
import pytest
from scipy import integrate, stats

from jetstream_assets.statistics.base import Status
from jetstream_assets.statistics.beta_pairs import Beta, difference_quantile, ratio_quantile
from jetstream_assets_tests.statistics.arrays import Rows, ask, numbers, pick


def _binomial(**ones_of: tuple[int, int]) -> Rows:
    return ask("binomial", {b: [1] * ones + [0] * (n - ones) for b, (ones, n) in ones_of.items()})


def test_golden_numbers() -> None:
    rows = _binomial(control=(30, 100), treatment=(36, 80))
    assert numbers(pick(rows, "control")) == pytest.approx(
        (0.30392157, 0.21897873, 0.39614713), abs=1e-8
    )
    assert numbers(pick(rows, "treatment")) == pytest.approx(
        (0.45121951, 0.34557966, 0.55911439), abs=1e-8
    )
    assert pick(rows, "treatment", "control").point == pytest.approx(0.14729794, abs=1e-8)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (Beta(1, 3), Beta(2, 2)),
        (Beta(37, 45), Beta(31, 71)),
        (Beta(3, 10_000), Beta(12, 10_000)),
        (Beta(4_001, 6_001), Beta(2, 4)),
        (Beta(1, 101), Beta(1, 101)),
    ],
)
@pytest.mark.parametrize("share", [0.025, 0.975])
def test_quantiles_are_roots_of_the_integrals(first: Beta, second: Beta, share: float) -> None:
    reference = stats.beta(second.a, second.b)
    low, high = reference.ppf(1e-14), reference.ppf(1 - 1e-14)

    def mean_over_reference(below: object) -> float:
        assert callable(below)
        found, _ = integrate.quad(
            lambda b: reference.pdf(b) * stats.beta.cdf(below(b), first.a, first.b),
            low,
            high,
            limit=500,
            points=[first.mean] if low < first.mean < high else None,
        )
        return float(found)

    difference = difference_quantile(first, second, share)
    assert mean_over_reference(lambda b: b + difference) == pytest.approx(share, abs=1e-6)
    ratio = ratio_quantile(first, second, share)
    assert mean_over_reference(lambda b: b * ratio) == pytest.approx(share, abs=1e-6)


@pytest.mark.parametrize("ones", [((30, 100), (36, 80)), ((5, 4000), (9, 4100)), ((3, 4), (1, 3))])
def test_agrees_with_many_draws(ones: tuple[tuple[int, int], tuple[int, int]]) -> None:
    (s, n), (t, m) = ones
    rng = np.random.default_rng(11)
    control, new = (rng.beta(1 + k, 1 + of - k, 400_000) for k, of in ((s, n), (t, m)))
    rows = _binomial(control=(s, n), new=(t, m))
    for kind, draws in (("difference", new - control), ("relative_uplift", new / control - 1)):
        expected = (draws.mean(), *np.quantile(draws, [0.025, 0.975]))
        row = pick(rows, "new", "control", kind)
        assert numbers(row) == pytest.approx(expected, abs=0.02 * draws.std())


def test_other_values_fail_with_their_number() -> None:
    (row,) = ask("binomial", {"control": [0, 1, 2], "new": [0.5, 1, 0]})
    assert row.status is Status.FAILED
    assert "2 units have another value" in (row.reason or "")
    assert row.exception_type == "NotBinaryError"


def test_no_success_in_the_reference() -> None:
    rows = _binomial(control=(0, 50), new=(5, 50))
    row = pick(rows, "new", "control", "relative_uplift")
    assert row.status is Status.INSUFFICIENT_DATA
    assert row.point is None
    assert "mean of the ratio is infinite" in (row.reason or "")
    assert pick(rows, "new", "control").status is Status.OK
    assert pick(rows, "control", "new", "relative_uplift").status is Status.OK


def test_confidence_level_is_honoured() -> None:
    ones = [1] * 30 + [0] * 70
    rows = ask("binomial", {"control": ones, "new": ones}, confidence_interval=0.9)
    assert numbers(pick(rows, "control"))[1:] == pytest.approx(
        tuple(stats.beta(31, 71).ppf([0.05, 0.95]))
    )
    wide = ask("binomial", {"control": ones, "new": ones})
    assert numbers(pick(rows, "new", "control"))[2] < numbers(pick(wide, "new", "control"))[2]
