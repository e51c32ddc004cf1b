from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pytest

from jetstream_assets.analysis.collection import collect
from jetstream_assets.errors import QueryError
from jetstream_assets.experiments.metrics import PreTreatment, Scalar, Summary
from jetstream_assets.experiments.needs import Histogram, Totals, Value
from jetstream_assets.experiments.statistic_parameters import PRE_TREATMENTS
from jetstream_assets.sql.pre_treatments import steps
from jetstream_assets_tests.unit_rows import Laboratory, unit_table

if TYPE_CHECKING:
    from pathlib import Path

INF, NAN = math.inf, math.nan


def _treatment(name: str, **arguments: Scalar) -> PreTreatment:
    return PreTreatment(name, tuple(sorted(arguments.items())))


def _treated(
    root: Path, values: list[float | None], *treatments: PreTreatment
) -> tuple[list[float], int]:
    """What is left of the values, sorted, and how many were infinite or not a number."""
    column = pa.array(values, type=pa.float64(), from_pandas=False)
    half = len(values) // 2
    branches = ["a"] * half + ["b"] * (len(values) - half)
    laboratory = Laboratory.of(root, unit_table(branches, {"spend": column}))
    value = Value("spend", treatments)
    histogram, totals = Histogram(value), Totals(value)
    summary = Summary("spend", "deciles")
    found = collect(laboratory.warehouse, laboratory.rows(), {summary: [histogram, totals]})
    assert not found.errors
    scope = found.of((0, "enrollments"))
    left = [
        number
        for branch in scope.histograms[histogram].values()
        for number in np.repeat(branch.values, branch.units).tolist()
    ]
    return sorted(left), sum(branch.odd for branch in scope.totals[totals].values())


@pytest.mark.parametrize(
    ("treatments", "values", "left", "odd"),
    [
        ([_treatment("remove_nulls")], [1, None, 2], [1, 2], 0),
        # Infinity of either sign and "not a number" are removed on request, without remark.
        ([_treatment("remove_indefinites")], [1, INF, -INF, NAN, None], [1], 0),
        ([], [1, INF, -INF, NAN, None], [1], 3),
        ([_treatment("censor_values_below_threshold", threshold=2)], [1, 2, 3, None], [3], 0),
        ([_treatment("censor_values_above_threshold", threshold=2)], [1, 2, 3, None], [1], 0),
        ([_treatment("normalize_over_analysis_period")], [7, 14, None], [1, 2], 0),
        ([_treatment("log")], [1, 1000, None], [0, 3], 0),
        ([_treatment("log", base=2)], [8, 0.5], [-1, 3], 0),
        ([_treatment("log", base=0)], [1, math.e], [0, 1], 0),
        # 0 and below have no logarithm: left out, but not silently.
        ([_treatment("log")], [0, -1, 100, NAN], [2], 3),
        ([_treatment("log"), _treatment("remove_indefinites")], [0, -1, 100], [2], 0),
        ([_treatment("zero_fill")], [1, None, None], [0, 0, 1], 0),
        # What an earlier pre-treatment has dropped does not come back as zero.
        ([_treatment("remove_nulls"), _treatment("zero_fill")], [1, None], [1], 0),
        (
            [_treatment("censor_values_above_threshold", threshold=5), _treatment("zero_fill")],
            [1, 9, None],
            [1],
            0,
        ),
        # In order: the logarithm of the filled zero, or zero for the missing logarithm.
        ([_treatment("zero_fill"), _treatment("log")], [10, None], [1], 1),
        ([_treatment("log"), _treatment("zero_fill")], [10, None], [0, 1], 0),
    ],
)
def test_table(
    tmp_path: Path,
    treatments: list[PreTreatment],
    values: list[float | None],
    left: list[float],
    odd: int,
) -> None:
    found, counted = _treated(tmp_path, values, *treatments)
    assert found == pytest.approx(left)
    assert counted == odd


@pytest.mark.parametrize("fraction", [0.9, 0.5])
def test_highest_values_are_cut_at_the_pooled_quantile(tmp_path: Path, fraction: float) -> None:
    values = [float(v) for v in range(100)]
    expected = [v for v in values if v < np.quantile(values, fraction)]
    treatment = _treatment("censor_highest_values", fraction=fraction)
    assert _treated(tmp_path, [*values, None], treatment) == (expected, 0)


def test_lowest_values_are_cut_at_the_pooled_quantile(tmp_path: Path) -> None:
    values = [float(v) for v in range(100)]
    expected = [v for v in values if v > np.quantile(values, 0.2)]
    treatment = _treatment("censor_lowest_values", fraction=0.2)
    assert _treated(tmp_path, list(values), treatment) == (expected, 0)


def test_a_quantile_is_that_of_the_values_so_far(tmp_path: Path) -> None:
    values = np.arange(1.0, 101.0)
    kept = values[values < 51]
    expected = np.log10(kept[kept > np.quantile(kept, 0.5)])
    treatments = (
        _treatment("censor_values_above_threshold", threshold=51),
        _treatment("censor_lowest_values", fraction=0.5),
        _treatment("log"),
    )
    left, odd = _treated(tmp_path, values.tolist(), *treatments)
    assert left == pytest.approx(expected)
    assert odd == 0


def test_every_pre_treatment_is_there() -> None:
    given = {"threshold": 1.0}
    for name, parameters in PRE_TREATMENTS.items():
        arguments = {p.name: given[p.name] for p in parameters if p.is_required}
        assert len(steps([_treatment(name, **arguments)], 7)) == 1


@pytest.mark.parametrize(
    ("treatment", "word"),
    [
        (_treatment("remove_outliers"), "'remove_outliers' is not known; allowed are censor_"),
        (_treatment("log", bass=2), "has no argument 'bass'; allowed are: base"),
        (_treatment("remove_nulls", threshold=2), "allowed are: none"),
        (_treatment("censor_values_above_threshold"), "needs the argument 'threshold'"),
        (_treatment("censor_values_above_threshold", threshold="x"), "'x', not a number"),
        (_treatment("log", base=1), "the base of a logarithm is 1"),
    ],
)
def test_mistakes_say_what_is_allowed(treatment: PreTreatment, word: str) -> None:
    with pytest.raises(QueryError, match=word):
        steps([treatment], 7)
