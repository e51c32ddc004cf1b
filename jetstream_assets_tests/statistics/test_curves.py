from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from jetstream_assets.statistics.base import Status
from jetstream_assets_tests.statistics.arrays import ask


def test_empirical_cdf_by_hand() -> None:
    rows = ask("empirical_cdf", {"control": [0, 1, 1, 4]}, grid_size=5)
    found = [(row.parameter, row.point) for row in rows]
    assert found == [(0, 0.25), (1, 0.75), (2, 0.75), (3, 0.75), (4, 1.0)]
    assert all(row.lower is None and row.ci_width is None for row in rows)


def test_empirical_cdf_agrees_with_scipy() -> None:
    values = np.random.default_rng(4).gamma(2, 2, 500)
    rows = ask("empirical_cdf", {"control": values})
    points = np.array([row.parameter for row in rows])
    assert points.size == 256
    expected = stats.ecdf(values).cdf.evaluate(points)
    assert np.array([row.point for row in rows]) == pytest.approx(expected)


def test_log_space_starts_at_the_second_value_after_zero() -> None:
    rows = ask("empirical_cdf", {"c": [0, 1, 10, 100]}, grid_size=3, log_space=True)
    assert [row.parameter for row in rows] == pytest.approx([0, 1, 10, 100])
    assert [row.point for row in rows] == [0.25, 0.5, 0.75, 1.0]


def test_log_space_of_negative_values_is_linear_and_says_so() -> None:
    rows = ask("empirical_cdf", {"c": [-2, 0, 2]}, grid_size=3, log_space=True)
    assert [row.parameter for row in rows] == [-2, 0, 2]
    assert all("the grid is linear" in (row.reason or "") for row in rows)
    assert all(row.status is Status.OK for row in rows)


def test_density_agrees_with_scipy() -> None:
    values = np.random.default_rng(4).normal(10, 3, 400)
    rows = ask("kernel_density_estimate", {"control": values})
    points = np.array([row.parameter for row in rows])
    bandwidth = values.std() / values.std(ddof=1) * 400 ** (-1 / 5)
    expected = stats.gaussian_kde(values, bandwidth)(points)
    assert np.array([row.point for row in rows]) == pytest.approx(expected)


def test_density_follows_the_unit_of_measurement() -> None:
    values = np.random.default_rng(4).normal(10, 3, 100)
    metres = ask("kernel_density_estimate", {"control": values})
    kilometres = ask("kernel_density_estimate", {"control": values / 1000})
    assert [row.point for row in kilometres] == pytest.approx(
        [(row.point or 0) * 1000 for row in metres]
    )


def test_a_constant_has_no_density() -> None:
    (row,) = ask("kernel_density_estimate", {"control": [3, 3, 3]})
    assert row.status is Status.INSUFFICIENT_DATA
    assert "same value" in (row.reason or "")
