from __future__ import annotations

import math
from typing import Any

import pytest

from jetstream_assets.report.readable import (
    comparison_text,
    curve_text,
    displayed_rows,
    estimate_text,
    is_decided,
    number_text,
    parameter_text,
    printable,
    window_text,
)
from jetstream_assets_tests.report.rows import statistics_rows


def row(**fields: float | str | None) -> dict[str, Any]:
    [made] = statistics_rows({"branch": "treatment", **fields}).to_pylist()
    return dict(made)


@pytest.mark.parametrize(
    ("numbers", "point", "interval"),
    [
        ((10.375, 8.6789221, 12.0710779), "10.38", "[8.68, 12.07]"),
        ((0.5123, 0.501, 0.5231), "0.5123", "[0.5010, 0.5231]"),
        ((1204.5, 1204.1, 1204.9), "1,204.50", "[1,204.10, 1,204.90]"),
        ((1234567.8, 1100000.0, 1300000.0), "1,234,568", "[1,100,000, 1,300,000]"),
        ((20132.0, None, None), "20,132", ""),
        ((0.0, None, None), "0", ""),
        ((0.00012345, None, None), "0.000123", ""),
        ((0.000012345, None, None), "1.23e-05", ""),
        ((2.5e15, None, None), "2.5e+15", ""),
        ((None, None, None), "n/a", ""),
        ((1.5, None, 2.5), "1.500", "[n/a, 2.500]"),
        ((math.nan, math.inf, 2.5), "n/a", "[n/a, 2.500]"),
        ((0.0, -0.5, 0.5), "0.0000", "[-0.5000, 0.5000]"),
    ],
)
def test_numbers_have_few_digits(
    numbers: tuple[float | None, ...], point: str, interval: str
) -> None:
    text = estimate_text(row(**dict(zip(("point", "lower", "upper"), numbers, strict=True))))
    assert (text.point, text.interval) == (point, interval)


@pytest.mark.parametrize(
    ("comparison", "point", "interval"),
    [
        ("difference", "+0.1630", "[-0.1090, +0.5180]"),
        ("relative_uplift", "+16.3%", "[-10.9%, +51.8%]"),
    ],
)
def test_comparisons_are_signed_and_uplift_is_in_percent(
    comparison: str, point: str, interval: str
) -> None:
    made = row(comparison=comparison, point=0.163, lower=-0.109, upper=0.518)
    text = estimate_text(made)
    assert (text.point, text.interval) == (point, interval)


def test_a_tiny_negative_number_is_not_minus_zero() -> None:
    made = row(comparison="difference", point=-1e-9, lower=-0.5, upper=0.5)
    assert estimate_text(made).point == "+0.0000"


@pytest.mark.parametrize(
    ("comparison", "lower", "upper", "decided"),
    [
        ("difference", 0.1, 0.2, True),
        ("difference", -0.2, -0.1, True),
        ("difference", -0.1, 0.2, False),
        ("difference", 0.0, 0.2, False),
        ("difference", None, 0.2, False),
        (None, 0.1, 0.2, False),
    ],
)
def test_a_comparison_is_decided_when_zero_is_outside(
    comparison: str | None, lower: float | None, upper: float, *, decided: bool
) -> None:
    assert is_decided(row(comparison=comparison, lower=lower, upper=upper)) is decided


def test_words_of_a_row() -> None:
    made = row(comparison="relative_uplift", comparison_to_branch="control")
    assert comparison_text(made) == "uplift on control"
    made = row(comparison="difference", comparison_to_branch="control")
    assert comparison_text(made) == "difference to control"
    assert comparison_text(row()) == ""
    assert window_text(made) == "weekly 1 (days 0 to 6)"
    assert window_text(row(period="day", window_start=3, window_end=3)) == "daily 1 (day 3)"
    assert parameter_text(row(statistic="deciles", parameter=0.1)) == "10%"
    assert parameter_text(row(statistic="empirical_cdf", parameter=0.1)) == "0.1000"
    assert parameter_text(row()) == ""
    assert number_text(None) == "n/a"


def test_what_is_looked_for_first_comes_first() -> None:
    rows = statistics_rows(
        {"segment": "a", "branch": "x"},
        {"metric": "aaa", "branch": "x"},
        {"metric": "identity", "branch": "x"},
        {"period": "day", "metric": "zzz", "branch": "x"},
        {"metric": "aaa", "branch": None, "status": "failed"},
    )
    found = [(r["period"], r["segment"], r["metric"], r["branch"]) for r in displayed_rows(rows)]
    assert found == [
        ("day", "all", "zzz", "x"),
        ("week", "all", "identity", "x"),
        ("week", "all", "aaa", None),
        ("week", "all", "aaa", "x"),
        ("week", "a", "active_hours", "x"),
    ]


def test_a_curve_is_one_row_and_deciles_are_nine() -> None:
    rows = statistics_rows(
        *(
            {"statistic": "empirical_cdf", "branch": branch, "parameter": x / 2}
            for x in range(256)
            for branch in ("a", "b")
        ),
        *({"statistic": "deciles", "branch": "a", "parameter": x / 10} for x in range(1, 10)),
    )
    shown = list(displayed_rows(rows))
    assert [curve_text(r) for r in shown] == [""] * 9 + ["256 points from 0 to 127.5"] * 2


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain name", "plain name"),
        ("two\nlines\tand\rmore", "two lines and more"),
        ("\x1b[31mred", "\\x1b[31mred"),
        ("evil\u202etxt", "evil\\u202etxt"),
        ("bell\x07", "bell\\x07"),
        ("half\ud83e", "half\\ud83e"),
        ("é🦊", "é🦊"),
    ],
)
def test_invisible_characters_are_shown(text: str, shown: str) -> None:
    assert printable(text) == shown


def test_a_provisional_window_is_told_to_be_one() -> None:
    assert window_text(row(is_provisional=True)) == "weekly 1 (days 0 to 6, provisional)"
    assert window_text(row()) == "weekly 1 (days 0 to 6)"
