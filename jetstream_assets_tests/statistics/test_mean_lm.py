from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from jetstream_assets.experiments.metrics import CovariateAdjustment
from jetstream_assets.experiments.windows import Period
from jetstream_assets.statistics.base import Status
from jetstream_assets_tests.statistics.arrays import Floats, ask, numbers, pick
from jetstream_assets_tests.statistics.golden import COVARIATE, SPEND

WEEK_BEFORE = CovariateAdjustment("spend", Period.PREENROLLMENT_WEEK)


def test_six_units_by_hand() -> None:
    # Means 2 and 5; squares within branches 2 + 2, 4 degrees of freedom: the variance is 1 and
    # the error of the difference sqrt(2 / 3); t with 4 degrees of freedom is 2.776445 at 97.5 %.
    rows = ask("linear_model_mean", {"control": [1, 2, 3], "new": [4, 5, 6]}, drop_highest=0.0)
    half = 2.7764451 * (2 / 3) ** 0.5
    assert numbers(pick(rows, "new", "control")) == pytest.approx((3, 3 - half, 3 + half))
    # One branch: variance 1, error sqrt(1 / 3), 2 degrees of freedom.
    half = 4.3026527 / 3**0.5
    assert numbers(pick(rows, "control")) == pytest.approx((2, 2 - half, 2 + half))


@pytest.mark.parametrize(
    ("branch", "to", "comparison", "expected"),
    [
        ("control", None, None, (10.375, 8.6789221, 12.0710779)),
        ("a", None, None, (12.06666667, 9.80660822, 14.32672511)),
        ("b", None, None, (13.46, 11.41831483, 15.50168517)),
        ("a", "control", "difference", (1.69166667, -1.33615374, 4.71948707)),
        ("a", "control", "relative_uplift", (0.16305221, -0.10898049, 0.51813785)),
        ("b", "control", "difference", (3.085, 0.42563486, 5.74436514)),
        ("b", "control", "relative_uplift", (0.2973494, 0.03114123, 0.63228413)),
    ],
)
def test_golden_numbers_without_cap(
    branch: str, to: str | None, comparison: str | None, expected: tuple[float, ...]
) -> None:
    rows = ask("linear_model_mean", SPEND, drop_highest=0.0)
    assert numbers(pick(rows, branch, to, comparison)) == pytest.approx(expected, abs=1e-7)


@pytest.mark.parametrize(
    ("branch", "comparison", "expected", "tolerance"),
    [
        ("a", "difference", (1.68020321, -1.16664669, 4.5270531), 1e-7),
        ("b", "difference", (3.14690269, 0.64630703, 5.64749834), 1e-7),
        # The reference takes the covariate's mean from 10,000 quantiles: 2e-5 of the bounds.
        ("a", "relative_uplift", (0.16230985, -0.09581405, 0.49412207), 2e-5),
        ("b", "relative_uplift", (0.30399495, 0.05061842, 0.61847803), 2e-5),
    ],
)
def test_golden_numbers_with_covariate(
    branch: str, comparison: str, expected: tuple[float, ...], tolerance: float
) -> None:
    rows = ask("linear_model_mean", SPEND, COVARIATE, WEEK_BEFORE, drop_highest=0.0)
    adjusted = pick(rows, branch, "control", comparison, statistic="mean_lm")
    assert numbers(adjusted) == pytest.approx(expected, abs=tolerance)
    assert adjusted.covariate == "preenrollment_week.spend"
    unadjusted = pick(rows, branch, "control", comparison, statistic="mean_lm_unadjusted")
    alone = ask("linear_model_mean", SPEND, drop_highest=0.0)
    assert numbers(unadjusted) == numbers(pick(alone, branch, "control", comparison))
    assert unadjusted.covariate is None


def test_the_cap_is_pooled_and_applied_once() -> None:
    rows = ask("linear_model_mean", SPEND, drop_highest=0.05)
    assert numbers(pick(rows, "b")) == pytest.approx((13.223, 11.28530491, 15.16069509), abs=1e-7)
    assert numbers(pick(rows, "b", "control")) == pytest.approx(
        (2.848, 0.2608195, 5.4351805), abs=1e-7
    )
    # Whatever branch is the reference, the capped data are the same.
    assert numbers(pick(rows, "control", "b")) == pytest.approx(
        (-2.848, -5.4351805, -0.2608195), abs=1e-7
    )


@pytest.mark.parametrize("level", [0.8, 0.9, 0.99])
def test_any_confidence_level(level: float) -> None:
    import statsmodels.formula.api as formula  # noqa: PLC0415 - takes a second

    rows = ask("linear_model_mean", SPEND, drop_highest=0.0, confidence_interval=level)
    row = pick(rows, "b", "control")
    assert row.ci_width == level
    fitted = formula.ols("y ~ C(branch, Treatment('control'))", _frame(SPEND)).fit()
    bounds = fitted.conf_int(1 - level).loc["C(branch, Treatment('control'))[T.b]"]
    assert numbers(row)[1:] == pytest.approx(tuple(bounds))


def _frame(values: dict[str, Floats], covariates: dict[str, Floats] | None = None) -> pd.DataFrame:
    frame = pd.DataFrame(
        {
            "branch": np.repeat(list(values), [v.size for v in values.values()]),
            "y": np.concatenate(list(values.values())),
        }
    )
    if covariates is not None:
        frame["x"] = np.concatenate(list(covariates.values()))
    return frame


def _response(kind: str, x: Floats, rng: np.random.Generator) -> Floats:
    found = {
        "zero-inflated": rng.poisson(x * (rng.random(x.size) < 0.4)),
        "heavy tails": x * rng.lognormal(0, 1.5, x.size),
        "binary": rng.random(x.size) < 1 / (1 + np.exp(1 - x)),
        "ties": np.round(x + rng.normal(size=x.size)) + 5,
    }[kind]
    return np.asarray(found, dtype=np.float64)


def _data(kind: str, units: int) -> tuple[dict[str, Floats], dict[str, Floats]]:
    rng = np.random.default_rng(units)
    before = {b: rng.gamma(1.5, 2.0, units + 40 * i) for i, b in enumerate(("control", "a", "b"))}
    return {b: _response(kind, x, rng) for b, x in before.items()}, before


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.filterwarnings("ignore::FutureWarning")
@pytest.mark.parametrize("has_covariate", [False, True])
@pytest.mark.parametrize("units", [25, 400])
@pytest.mark.parametrize("kind", ["zero-inflated", "heavy tails", "binary", "ties"])
def test_agrees_with_mozanalysis(kind: str, units: int, *, has_covariate: bool) -> None:
    from mozanalysis.frequentist_stats.linear_models import (  # noqa: PLC0415 - takes seconds
        compare_branches_lm,
    )

    values, before = _data(kind, units)
    share = 0.0 if kind == "binary" else 0.02
    found = compare_branches_lm(
        _frame(values, before),
        "y",
        covariate_col_label="x" if has_covariate else None,
        threshold_quantile=1 - share,
        alphas=[0.05],
    )
    covariate = WEEK_BEFORE if has_covariate else None
    rows = ask("linear_model_mean", values, before, covariate, drop_highest=share)
    for branch in ("a", "b"):
        for kind_of, key in (("difference", "abs_uplift"), ("relative_uplift", "rel_uplift")):
            row = pick(rows, branch, "control", kind_of, statistic="mean_lm")
            reference = found["comparative"][branch][key]
            expected = tuple(float(reference[q]) for q in ("exp", "0.025", "0.975"))
            half = (expected[2] - expected[1]) / 2
            # The reference differentiates a ratio numerically, and takes the covariate's mean
            # from 10,000 quantiles; everything else is the same sum.
            is_ratio = kind_of == "relative_uplift"
            tolerance = (0.02 if has_covariate else 1e-4) if is_ratio else 1e-6
            assert numbers(row) == pytest.approx(expected, abs=tolerance * half)


def test_impact_is_the_difference_for_all_units() -> None:
    rows = ask("per_client_dau_impact", SPEND, branches=["control", "a"])
    means = ask("linear_model_mean", SPEND, drop_highest=0.0)
    assert {row.branch for row in rows} == {"control", "a"}
    assert all(row.comparison for row in rows)
    expected = np.array(numbers(pick(means, "a", "control"))) * 120
    assert numbers(pick(rows, "a", "control")) == pytest.approx(tuple(expected))
    relative = pick(rows, "a", "control", "relative_uplift")
    assert numbers(relative) == numbers(pick(means, "a", "control", "relative_uplift"))


def test_adjusted_impact_has_its_companion() -> None:
    rows = ask("per_client_dau_impact", SPEND, COVARIATE, WEEK_BEFORE)
    adjusted = pick(rows, "a", "control", statistic="per_client_dau_impact")
    alone = pick(rows, "a", "control", statistic="per_client_dau_impact_unadjusted")
    assert adjusted.point == pytest.approx(1.68020321 * 120, abs=1e-5)
    assert alone.point == pytest.approx(1.69166667 * 120, abs=1e-5)


def test_a_covariate_without_variation_is_a_reason_not_a_fallback() -> None:
    flat = {branch: np.full(values.size, 0.1) for branch, values in SPEND.items()}
    rows = ask("linear_model_mean", SPEND, flat, WEEK_BEFORE, drop_highest=0.0)
    adjusted = pick(rows, "a", "control", statistic="mean_lm")
    assert adjusted.status is Status.INSUFFICIENT_DATA
    assert "covariate has the same value" in (adjusted.reason or "")
    assert adjusted.lower is None
    assert pick(rows, "a", "control", statistic="mean_lm_unadjusted").status is Status.OK


def test_a_cap_to_zero_is_named() -> None:
    mostly_zero = [0.0] * 500 + [7.0]
    rows = ask("linear_model_mean", {"control": mostly_zero, "new": [0.0] * 499 + [1.0, 3.0]})
    relative = pick(rows, "new", "control", "relative_uplift")
    assert relative.point is None
    assert "all 0 after the cap at 0" in (relative.reason or "")
    assert pick(rows, "new", "control").point == 0.0
    assert "the cap at 0 leaves" in (pick(rows, "control").reason or "")
