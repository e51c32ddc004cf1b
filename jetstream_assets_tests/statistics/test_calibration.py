"""Where nothing differs, a 95 % interval misses zero in 5 % of the experiments.

The number of misses among as many experiments is binomial; the bands leave one run in a million
outside by chance. The whole table is made by ``benchmarks/bench_calibration.py``.
"""

from __future__ import annotations

import pytest
from scipy import stats

from jetstream_assets_tests.statistics.calibration import (
    FIXED,
    METHODS,
    POPULATIONS,
    SEQUENTIAL,
    Design,
    peek,
    simulate,
    unequal_coverage,
)

RARELY = 5e-7
EQUAL = [
    "linear_model_mean",
    "linear_model_mean, robust",
    "linear_model_mean, covariate",
    "linear_model_mean, covariate, robust",
]


def _band(experiments: int, low: float = 0.05, high: float = 0.05) -> tuple[float, float]:
    lowest = stats.binom(experiments, low).ppf(RARELY)
    return float(lowest), float(stats.binom(experiments, high).ppf(1 - RARELY))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("population", "units", "names", "experiments"),
    [
        ("normal", 200, [*EQUAL, "bootstrap_mean", "deciles"], 500),
        ("normal", 10_000, [*EQUAL, "bootstrap_mean", "deciles"], 300),
        ("spend", 10_000, EQUAL, 500),
        ("rare", 10_000, [*EQUAL, "binomial"], 300),
    ],
)
def test_false_positives(population: str, units: int, names: list[str], experiments: int) -> None:
    methods = [METHODS[name] for name in names]
    design = Design.of(units, 0.5)
    found = simulate(POPULATIONS[population], design, experiments, methods=methods)
    low, high = _band(experiments, 0.035, 0.06)
    for name in names:
        assert low <= found[name].difference <= high, name
        assert found[name].relative <= high, name


@pytest.mark.slow
@pytest.mark.parametrize("population", ["normal", "rare"])
def test_true_differences_are_covered(population: str) -> None:
    names = [*EQUAL, "bootstrap_mean", *(["binomial"] if population == "rare" else ["deciles"])]
    methods = [METHODS[name] for name in names]
    design = Design.of(10_000, 0.5)
    found = simulate(POPULATIONS[population], design, 200, has_effect=True, methods=methods)
    low, high = _band(200, 0.035, 0.06)
    for name in names:
        assert low <= found[name].difference <= high, name


@pytest.mark.slow
def test_few_skewed_units_are_seldom_false_without_a_remark() -> None:
    names = ["linear_model_mean", "linear_model_mean, robust", "binomial"]
    methods = [METHODS[name] for name in names]
    found = simulate(POPULATIONS["rare"], Design.of(200, 0.05), 400, methods=methods)
    # Robust errors know nothing of ones that did not come: most of such intervals are false.
    assert found["linear_model_mean, robust"].difference > 100
    _, high = _band(400)
    for name in names:
        assert found[name].plain_difference <= high, name


RATIOS = ["population_ratio", "population_ratio, delta", "population_ratio, delta, covariate"]


@pytest.mark.slow
def test_false_positives_of_ratios() -> None:
    methods = [METHODS[name] for name in RATIOS]
    found = simulate(POPULATIONS["normal"], Design.of(1000, 0.5), 400, methods=methods)
    low, high = _band(400, 0.035, 0.06)
    for name in RATIOS:
        assert low <= found[name].difference <= high, name
        assert found[name].relative <= high, name


@pytest.mark.slow
@pytest.mark.parametrize(
    ("population", "units", "share"), [("rare", 200, 0.05), ("spend", 10_000, 0.5)]
)
def test_ratios_and_own_caps_are_seldom_false_without_a_remark(
    population: str, units: int, share: float
) -> None:
    names = [*RATIOS[:2], "bootstrap_mean"]
    methods = [METHODS[name] for name in names]
    found = simulate(POPULATIONS[population], Design.of(units, share), 300, methods=methods)
    low, high = _band(300)
    for name in names:
        assert found[name].difference > low, name
        assert found[name].plain_difference <= high, name


@pytest.mark.slow
@pytest.mark.parametrize("has_covariate", [False, True])
def test_peeking(*, has_covariate: bool) -> None:
    design, experiments = Design.of(10_000, 0.5), 400
    for name in ("normal", "spend"):
        population = POPULATIONS[name]
        once = peek(population, design, experiments, FIXED, has_covariate=has_covariate)
        always = peek(population, design, experiments, SEQUENTIAL, has_covariate=has_covariate)
        _, high = _band(experiments)
        assert once.any_look > 1.5 * high
        assert always.any_look <= high


@pytest.mark.slow
def test_unequal_branches_are_covered_only_with_robust_errors() -> None:
    experiments = 3000
    covered = unequal_coverage(experiments)
    assert covered[False] == pytest.approx(0.868, abs=0.03)
    low, high = _band(experiments)
    assert low <= experiments * (1 - covered[True]) <= high
