"""Data that do not determine an answer: as many numbers as mean something, and a reason."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from jetstream_assets.statistics.base import ComparisonKind, Status
from jetstream_assets_tests.statistics.arrays import ask, pick

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

MANY = [1.0, 2.0, 3.0, 4.0] * 10

# Statistic, control, new; then of control alone, the difference and the relative uplift of new:
# whether there is a point, whether there are bounds, and a word of the reason.
Expected = tuple[bool, bool, str]
OK: Expected = (True, True, "")
TABLE: list[tuple[str, ArrayLike, ArrayLike, Expected, Expected, Expected]] = [
    (
        "linear_model_mean",
        [5.0],
        MANY,
        (True, False, "one unit"),
        (True, False, "one unit"),
        (True, False, "one unit"),
    ),
    (
        "linear_model_mean",
        [0.0] * 40,
        MANY,
        (True, False, "same value"),
        OK,
        (False, False, "mean is 0"),
    ),
    (
        "linear_model_mean",
        [2.0] * 40,
        [2.0] * 30,
        (True, False, "same value"),
        (True, False, "no branch has different values"),
        (True, False, "no branch has different values"),
    ),
    ("linear_model_mean", [-1.0, -2.0] * 20, MANY, OK, OK, (True, False, "differ in sign")),
    (
        "linear_model_mean",
        [],
        MANY,
        (False, False, "'control' has a value"),
        (False, False, "'control' has a value"),
        (False, False, "'control' has a value"),
    ),
    (
        "bootstrap_mean",
        [5.0],
        MANY,
        (True, False, "one unit"),
        (True, False, "one unit"),
        (True, False, "one unit"),
    ),
    (
        "bootstrap_mean",
        [0.0] * 40,
        MANY,
        (True, False, "same value"),
        OK,
        (False, False, "cannot be told from 0"),
    ),
    (
        "bootstrap_mean",
        [2.0] * 40,
        [2.0] * 30,
        (True, False, "same value"),
        (True, False, "neither branch"),
        (True, False, "neither branch"),
    ),
    (
        "bootstrap_mean",
        [],
        MANY,
        (False, False, "'control' has a value"),
        (False, False, "'control' has a value"),
        (False, False, "'control' has a value"),
    ),
    ("binomial", [1.0], [0.0], OK, OK, OK),
    ("binomial", [0.0], [1.0], OK, OK, (False, True, "infinite")),
    (
        "binomial",
        [],
        [0.0, 1.0],
        (False, False, "'control' has a value"),
        (False, False, "'control' has a value"),
        (False, False, "'control' has a value"),
    ),
    (
        "bootstrap_mean",
        [1e200, 2e200] * 20,
        MANY,
        (True, False, "too large"),
        (True, False, "too large"),
        (True, False, "too large"),
    ),
]


@pytest.mark.filterwarnings("ignore:overflow encountered:RuntimeWarning")
@pytest.mark.filterwarnings("ignore:invalid value encountered:RuntimeWarning")
@pytest.mark.parametrize(("statistic", "control", "new", "alone", "difference", "relative"), TABLE)
def test_table(
    statistic: str,
    control: ArrayLike,
    new: ArrayLike,
    alone: Expected,
    difference: Expected,
    relative: Expected,
) -> None:
    rows = ask(statistic, {"control": control, "new": new})
    for comparison, expected in (
        (None, alone),
        (ComparisonKind.DIFFERENCE, difference),
        (ComparisonKind.RELATIVE_UPLIFT, relative),
    ):
        branch, to = ("new", "control") if comparison else ("control", None)
        row = pick(rows, branch, to, comparison)
        has_point, has_bounds, word = expected
        assert (row.point is not None, row.lower is not None) == (has_point, has_bounds)
        assert (row.lower is None) == (row.upper is None)
        assert word in (row.reason or "")
        assert row.status is (Status.INSUFFICIENT_DATA if word else Status.OK)


@pytest.mark.parametrize("statistic", ["linear_model_mean", "bootstrap_mean", "binomial"])
def test_a_single_branch_has_nothing_to_compare(statistic: str) -> None:
    rows = ask(statistic, {"control": [0.0, 1.0] * 30})
    assert pick(rows, "control").status is Status.OK
    (other,) = (row for row in rows if row.branch is None)
    assert other.status is Status.INSUFFICIENT_DATA
    assert "nothing to compare" in (other.reason or "")


def test_impact_of_a_single_branch_is_a_reason() -> None:
    (row,) = ask("per_client_dau_impact", {"control": MANY})
    assert row.status is Status.INSUFFICIENT_DATA


@pytest.mark.parametrize("statistic", ["sum", "empirical_cdf", "kernel_density_estimate"])
def test_a_branch_without_a_value_has_a_row(statistic: str) -> None:
    (row,) = (r for r in ask(statistic, {"control": [], "new": MANY}) if r.branch == "control")
    assert row.status is Status.INSUFFICIENT_DATA
    assert row.point is None


def test_count_of_a_branch_without_a_value_is_zero() -> None:
    row = pick(ask("count", {"new": MANY}, branches=["control", "new"]), "control")
    assert (row.point, row.units, row.status) == (0.0, 0, Status.OK)


def test_a_branch_that_the_experiment_does_not_know_is_shown() -> None:
    rows = ask("sum", {"new": MANY, "stranger": [1.0]}, branches=["new"])
    assert [row.branch for row in rows] == ["new", "stranger"]
