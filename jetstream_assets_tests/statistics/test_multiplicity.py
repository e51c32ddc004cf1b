from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats.multitest import multipletests

from jetstream_assets.experiments.hypotheses import Correction
from jetstream_assets.statistics.cumulants import Cumulants
from jetstream_assets.statistics.multiplicity import adjusted
from jetstream_assets_tests.statistics.arrays import ask, numbers, pick

NAMES = {Correction.HOLM: "holm", Correction.BENJAMINI_HOCHBERG: "fdr_bh"}


def test_three_by_hand() -> None:
    # Ascending .01, .02, .3. Holm: 3 * .01, 2 * .02, .3. The others: 3 * .01, 3 / 2 * .02, .3.
    assert adjusted([0.3, 0.01, 0.02], Correction.HOLM) == pytest.approx([0.3, 0.03, 0.04])
    found = adjusted([0.3, 0.01, 0.02], Correction.BENJAMINI_HOCHBERG)
    assert found == pytest.approx([0.3, 0.03, 0.03])


@pytest.mark.parametrize("method", Correction)
@given(
    st.lists(st.floats(0, 1, allow_subnormal=False) | st.sampled_from([0.01, 0.05]), max_size=12)
)
def test_agrees_with_statsmodels(method: Correction, p_values: list[float]) -> None:
    found = adjusted(p_values, method)
    if not p_values:
        assert found == []
        return
    assert found == pytest.approx(multipletests(p_values, method=NAMES[method])[1])


@pytest.mark.parametrize("statistic", ["bootstrap_mean", "linear_model_mean", "binomial"])
@pytest.mark.parametrize("units", [60, 4000])
def test_a_p_value_is_the_level_at_which_the_interval_touches_zero(
    statistic: str, units: int
) -> None:
    rng = np.random.default_rng(units)
    draws = {b: rng.random(units) < p for b, p in (("control", 0.4), ("new", 0.43))}
    values = {b: d.astype(float) for b, d in draws.items()}
    p_value = pick(ask(statistic, values), "new", "control").p_value
    assert p_value is not None
    row = pick(ask(statistic, values, confidence_interval=1 - p_value), "new", "control")
    point, lower, upper = numbers(row)
    assert min(abs(lower), abs(upper)) < 2e-3 * abs(point)


@pytest.mark.parametrize("robust", [False, True])
def test_a_p_value_is_that_of_the_t_test(*, robust: bool) -> None:
    rng = np.random.default_rng(2)
    values = {"control": rng.normal(0, 1, 50), "new": rng.normal(0.4, 3, 20)}
    row = pick(ask("linear_model_mean", values, drop_highest=0.0, robust=robust), "new", "control")
    found = stats.ttest_ind(values["new"], values["control"], equal_var=not robust)
    assert row.p_value == pytest.approx(found.pvalue)


def test_p_values_stand_at_differences_only_and_in_both_directions() -> None:
    values = {"control": np.arange(50.0), "new": np.arange(50.0) + 3}
    rows = ask("bootstrap_mean", values)
    assert {row.comparison for row in rows if row.p_value is not None} == {"difference"}
    assert pick(rows, "new", "control").p_value == pick(rows, "control", "new").p_value


@pytest.mark.parametrize(
    ("cumulants", "expected"),
    [
        (Cumulants(0.0, 1.0, 0.0, 0.0), 1.0),
        (Cumulants(2.0, 1.0, 0.0, 0.0), 2 * stats.norm.sf(2.0)),
        (Cumulants(-30.0, 4.0, 0.0, 0.0), 2 * stats.norm.sf(15.0)),
        # Skewed so that the gamma distribution takes over; it has no weight below -1.
        (Cumulants(1.5, 1.0, 2.0, 0.0), 0.0),
        (Cumulants(0.5, 1.0, 2.0, 0.0), 2 * stats.gamma(1).cdf(0.5)),
    ],
)
def test_p_values_of_posteriors(cumulants: Cumulants, expected: float) -> None:
    assert cumulants.p_value() == pytest.approx(expected, rel=1e-3, abs=1e-60)
    assert cumulants.negated.p_value() == pytest.approx(cumulants.p_value(), rel=1e-6)
