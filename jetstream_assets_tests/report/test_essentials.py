from __future__ import annotations

import base64
import re
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree as ET

import pytest

from jetstream_assets.report.essentials import deciding_window, essentials, essentials_markdown
from jetstream_assets.report.forest_picture import forest_markdown
from jetstream_assets.report.overview_schema import RuleRecord, VerdictRecord, WindowRecord
from jetstream_assets_tests.pages.invented import compared, metric, overview

if TYPE_CHECKING:
    from jetstream_assets.report.overview_schema import MetricRecord

HOSTILE = "<b>|x|</b>"
SVG = "{http://www.w3.org/2000/svg}"


def _found(metrics: list[MetricRecord], *records: dict[str, Any]) -> dict[str, str]:
    told = overview(metrics=metrics)
    return {one.metric.name: one.direction for one in essentials(told, told.windows[0], records)}


@pytest.mark.parametrize(
    ("bounds", "is_more_better", "direction"),
    [
        ({"lower": 0.1, "point": 0.2, "upper": 0.3}, True, "better"),
        ({"lower": 0.1, "point": 0.2, "upper": 0.3}, False, "worse"),
        ({"lower": -0.3, "point": -0.2, "upper": -0.1}, True, "worse"),
        ({"lower": -0.1, "point": 0.1, "upper": 0.3}, True, "no certain difference"),
        ({"lower": 0.1, "point": 0.2, "upper": None}, True, "better"),
        ({"lower": None, "point": 0.2, "upper": None}, True, "not known"),
        ({"lower": 0.1, "point": 0.2, "p_value_adjusted": 0.06}, True, "no certain difference"),
        ({"lower": -0.1, "point": 0.2, "p_value_adjusted": 0.04}, True, "better"),
    ],
)
def test_the_direction_is_that_of_the_page(
    bounds: dict[str, Any],
    is_more_better: bool,  # noqa: FBT001  # pytest's way
    direction: str,
) -> None:
    one = metric("clicks", bigger_is_better=is_more_better)
    assert _found([one], *compared("clicks", **bounds)) == {"clicks": direction}


def test_with_a_rule_only_its_metrics_are_essential() -> None:
    metrics = [metric("goal", role="goal"), metric("rest"), metric("silent", statistic=None)]
    records = [*compared("goal"), *compared("rest"), *compared("silent")]
    assert set(_found(metrics, *records)) == {"goal"}
    assert set(_found(metrics[1:], *records)) == {"rest"}


def test_a_metric_of_the_rule_without_a_result_is_seen() -> None:
    metrics = [metric("there", role="goal"), metric("absolute", role="goal")]
    told = overview(metrics=[*metrics, metric("gone", role="guardrail")])
    (difference,) = (r for r in compared("absolute") if r.get("comparison") == "difference")
    found = essentials(told, told.windows[0], [*compared("there"), difference])
    directions = {one.metric.name: one.direction for one in found}
    assert directions == {"there": "better", "absolute": "better", "gone": "no result"}
    text = essentials_markdown(told, told.windows[0], found)
    assert "| gone | guardrail | treatment | no result | n/a | n/a |" in text
    assert "| absolute | goal | treatment | better | n/a | 0.2000 |" in text
    (packed,) = re.findall(r"base64,([^)]*)\)", forest_markdown(found))
    picture = ET.fromstring(base64.b64decode(packed))  # noqa: S314  # our own
    assert len([*picture.iter(f"{SVG}circle")]) == 1


def test_of_several_levels_the_usual_one_speaks() -> None:
    wide = compared("clicks", ci_width=0.99, lower=-1.0, upper=2.0)
    usual = compared("clicks", lower=0.5, upper=1.5)
    assert _found([metric("clicks")], *wide, *usual) == {"clicks": "better"}
    assert _found([metric("clicks")], *wide) == {"clicks": "no certain difference"}


def test_names_stay_text_in_markdown_and_in_the_picture() -> None:
    told = overview(metrics=[metric(HOSTILE)], facts=[HOSTILE])
    found = essentials(told, told.windows[0], compared(HOSTILE, lower=-0.1, point=0.1, upper=0.3))
    text = essentials_markdown(told, told.windows[0], found)
    assert "<b>" not in text
    assert r"&lt;b&gt;\|x\|&lt;/b&gt;" in text
    (packed,) = re.findall(r"base64,([^)]*)\)", forest_markdown(found))
    picture = ET.fromstring(base64.b64decode(packed))  # noqa: S314  # our own
    assert next(one.text for one in picture.iter(f"{SVG}text")) == f"{HOSTILE}, treatment"
    (circle,) = picture.iter(f"{SVG}circle")
    # A third of the way from zero, which is in the middle, to the widest bound.
    assert float(circle.attrib["cx"]) == pytest.approx(260 + 120 + 108 / 3, abs=0.1)


def test_without_results_it_says_what_is_so() -> None:
    told = overview(windows=[], facts=["There are no results yet."])
    assert deciding_window(told) is None
    assert essentials_markdown(told, None, ()) == "- There are no results yet.\n"
    assert forest_markdown(()) == ""


def test_the_rules_window_decides_and_else_the_newest_of_the_longest() -> None:
    def window(period: str, index: int) -> WindowRecord:
        return WindowRecord(period=period, window_index=index, start=0, end=6, is_provisional=False)

    windows = [window("weekly", 1), window("weekly", 2), window("overall", 1)]
    told = overview(windows=windows)
    assert deciding_window(told) == windows[2]
    rule = RuleRecord(
        text="", goals=[], guardrails=[], period="weekly", analysis_basis="enrollments",
        minimum_days=7,
    )  # fmt: skip
    verdict = VerdictRecord(verdict="positive", text="", rule=rule, branches=[])
    assert deciding_window(overview(windows=windows, verdict=verdict)) == windows[1]
