"""Any confidence level has bounds, and those of a higher level lie around those of a lower one."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

from jetstream_assets.experiments.metrics import CovariateAdjustment, Metric, Summary
from jetstream_assets.experiments.statistic_parameters import STATISTICS
from jetstream_assets.experiments.windows import AnalysisWindow, DueWindow, Period
from jetstream_assets_tests.unit_rows import Laboratory, Row, configured, unit_table

if TYPE_CHECKING:
    from pathlib import Path

LEVELS = (0.8, 0.9, 0.95, 0.99)
WEEK_BEFORE = DueWindow(Period.PREENROLLMENT_WEEK, 1, AnalysisWindow(-7, -1))
WITH_LEVEL = sorted(
    name
    for name, known in STATISTICS.items()
    if any(parameter.name == "confidence_interval" for parameter in known.parameters)
)


def _summary(statistic: str) -> Summary:
    covariate = None
    if STATISTICS[statistic].takes_covariate:
        covariate = CovariateAdjustment("pages", Period.PREENROLLMENT_WEEK)
    parts = (("denominator", "pages"), ("numerator", "clicks"))
    metric = {"population_ratio": "rate", "binomial": "retained"}.get(statistic, "pages")
    return Summary(metric, statistic, parts if metric == "rate" else (), covariate=covariate)


@pytest.fixture(scope="module")
def laboratory(tmp_path_factory: pytest.TempPathFactory) -> Laboratory:
    rng = np.random.default_rng(12)
    branches = ["control", "new"] * 300
    before = rng.poisson(8, 600)
    pages = rng.poisson(before + 1) + 1
    columns = {
        "pages": pages,
        "clicks": rng.binomial(pages, 0.3),
        "retained": rng.random(600) < 0.6,
    }
    root: Path = tmp_path_factory.mktemp("levels")
    earlier = unit_table(branches, {"pages": before}, WEEK_BEFORE)
    return Laboratory.of(root, unit_table(branches, columns), earlier)


def _bounds(laboratory: Laboratory, summary: Summary, level: float) -> dict[object, Row]:
    parameters = (*summary.parameters, ("confidence_interval", level))
    rate = Metric("rate", depends_on=("clicks", "pages"))
    configuration = configured("pages", "clicks", "retained", rate)
    rows = laboratory.estimate([replace(summary, parameters=parameters)], configuration)
    keys = ("statistic", "parameter", "branch", "comparison", "comparison_to_branch")
    return {tuple(r[k] for k in keys): r for r in rows if r["analysis_basis"] == "enrollments"}


def test_every_statistic_with_an_interval_takes_a_level() -> None:
    assert set(STATISTICS) - set(WITH_LEVEL) == {
        "count",
        "sum",
        "empirical_cdf",
        "kernel_density_estimate",
    }


@pytest.mark.parametrize("statistic", WITH_LEVEL)
def test_bounds_are_there_and_nested(laboratory: Laboratory, statistic: str) -> None:
    summary = _summary(statistic)
    inner: dict[object, Row] = {}
    for level in LEVELS:
        rows = _bounds(laboratory, summary, level)
        assert {row["status"] for row in rows.values()} == {"ok"}
        assert {row["ci_width"] for row in rows.values()} == {level}
        for key, row in rows.items():
            # Those of deciles are values of units, and two may be the same.
            assert row["lower"] < row["upper"] or statistic == "deciles"
            if inner:
                assert row["lower"] <= inner[key]["lower"]
                assert inner[key]["upper"] <= row["upper"]
                assert row["point"] == inner[key]["point"]
        inner = rows


def test_half_the_level_is_half_of_the_distribution(laboratory: Laboratory) -> None:
    """The 50 % interval of a normal estimate is .344 as wide as its 95 % interval."""
    for statistic in sorted(set(WITH_LEVEL) - {"deciles"}):
        wide, narrow = (_bounds(laboratory, _summary(statistic), level) for level in (0.95, 0.5))
        for key, row in wide.items():
            share = (narrow[key]["upper"] - narrow[key]["lower"]) / (row["upper"] - row["lower"])
            assert share == pytest.approx(0.344, abs=0.01)
