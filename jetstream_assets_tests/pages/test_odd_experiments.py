"""Pages of experiments that are not as experiments should be: each says so and still stands."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import pytest

from jetstream_assets.report.overview_schema import (
    BranchVerdictRecord,
    DecisionRecord,
    MissingRecord,
    QueryRecord,
    RefusalRecord,
    RuleRecord,
    SegmentRecord,
    TrustRecord,
    VerdictRecord,
)
from jetstream_assets_tests.pages.invented import (
    branches,
    compared,
    metric,
    overview,
    publish,
    record,
)
from jetstream_assets_tests.pages.reader import said

if TYPE_CHECKING:
    from pathlib import Path

    from jetstream_assets_tests.pages.reader import Reader

pytestmark = [pytest.mark.slow, pytest.mark.browser]

HOSTILE = (
    "<img src=x onerror=\"document.title='run'\"></script><script>document.title='run'</script>"
)
LONG = "m" * 120


def test_one_without_results_says_so(tmp_path: Path, reader: Reader) -> None:
    refusal = RefusalRecord(kind="NoStartDateException", message="It was never launched.")
    reader.open(publish(tmp_path, overview(windows=[], refusal=refusal, analysis_bases=[])))
    assert "There are no results yet: It was never launched." in reader.text()
    assert reader.page.locator("select").count() == 0
    assert not reader.troubles()


def test_one_of_one_branch_shows_its_values(tmp_path: Path, reader: Reader) -> None:
    told = overview(branches=branches("control"))
    reader.open(publish(tmp_path, told, [record("searches", "control")]))
    assert "against control" in reader.text()
    assert not reader.troubles()
    assert not reader.violations()


def test_hundreds_of_metrics_are_shown_in_parts(tmp_path: Path, reader: Reader) -> None:
    names = [f"metric_{number}" for number in range(200)]
    told = overview(metrics=[metric(name) for name in names])
    reader.open(publish(tmp_path, told, [one for name in names for one in compared(name)]))
    assert len(reader.rows("other")) == 30
    while (more := reader.page.locator("[data-metrics=other] > button")).count():
        more.click()
    assert {name for name, _ in reader.rows("other")} == set(names)
    assert not reader.troubles()


def test_a_metric_that_failed_has_its_reason_in_its_place(tmp_path: Path, reader: Reader) -> None:
    missing = MissingRecord(
        status="failed", reason="There is no column spend.", results=4,
        metrics=["spend"], windows=["overall 1"], sql="SELECT spend",
    )  # fmt: skip
    told = overview(metrics=[metric("searches"), metric("spend")], missing=[missing])
    reader.open(publish(tmp_path, told, compared("searches")))
    assert "There is no column spend." in reader.rows("other")["spend", "treatment"]
    assert "No result" not in reader.rows("other")["searches", "treatment"]
    assert not reader.troubles()


def test_a_number_that_is_not_there_is_not_made_up(tmp_path: Path, reader: Reader) -> None:
    metrics = [metric("no_upper"), metric("no_bounds"), metric("no_point")]
    records = [
        *compared("no_upper", upper=None, lower=0.25),
        *compared("no_bounds", lower=None, upper=None),
        *compared("no_point", point=None, lower=None, upper=None),
    ]
    reader.open(publish(tmp_path, overview(metrics=metrics), records))
    rows = reader.rows("other")
    assert "better" in rows["no_upper", "treatment"]
    assert "[+25%, n/a]" in rows["no_upper", "treatment"]
    assert "not known" in rows["no_bounds", "treatment"]
    for text in rows.values():
        assert "NaN" not in text
        assert "undefined" not in text
        assert "Infinity" not in text
    assert not reader.troubles()
    assert not reader.violations()


def test_what_others_named_stays_text(tmp_path: Path, reader: Reader) -> None:
    told = overview(
        name=HOSTILE,
        description=HOSTILE,
        url="javascript:document.title='run'",
        configuration_commit=HOSTILE,
        facts=[HOSTILE],
        branches=branches("control", HOSTILE),
        segments=[SegmentRecord(name="all"), SegmentRecord(name=HOSTILE, friendly_name=HOSTILE)],
        metrics=[metric(HOSTILE, friendly_name=HOSTILE + "!", description=HOSTILE)],
        trust=[
            TrustRecord(
                name="sample_ratio", title=HOSTILE, state="warn", message=HOSTILE, remedy=HOSTILE,
                facts={HOSTILE: HOSTILE}, header=[HOSTILE], rows=[[HOSTILE]],
            )
        ],
        missing=[
            MissingRecord(
                status="failed", reason=HOSTILE, results=1, metrics=[HOSTILE], windows=[HOSTILE],
                sql=HOSTILE,
            )
        ],
        queries=[QueryRecord(title=HOSTILE, sql=HOSTILE)],
    )  # fmt: skip
    reader.open(publish(tmp_path, told, compared(HOSTILE, HOSTILE)))
    assert reader.page.title() == f"{HOSTILE}: results"
    assert reader.page.locator("img").count() == 0
    assert reader.page.locator("a[href^=javascript]").count() == 0
    assert (HOSTILE, HOSTILE) in reader.rows("other")
    assert not reader.troubles()
    reader.page.goto((tmp_path / "pages/index.html").as_uri())
    assert reader.page.title() == "All experiments: results"
    assert HOSTILE in reader.text()
    assert not reader.troubles()


def test_a_name_without_a_break_does_not_push_the_page_apart(
    tmp_path: Path, reader: Reader
) -> None:
    told = overview(
        metrics=[metric(LONG, friendly_name=LONG[::-1])], branches=branches("control", LONG)
    )
    path = publish(tmp_path, told, compared(LONG, LONG))
    reader.take_pictures(path, "long-names")
    assert not reader.troubles()


def test_nothing_but_the_pages_own_scripts_may_run(tmp_path: Path, reader: Reader) -> None:
    reader.open(publish(tmp_path, overview(), compared("searches")))
    reader.page.evaluate(
        """() => {
            const script = document.createElement("script");
            script.textContent = "document.title = 'run'";
            document.body.append(script);
        }"""
    )
    assert reader.page.title() == "invented: results"
    assert any("Content Security Policy" in one for one in reader.complaints)
    assert "onclick" not in reader.page.content().partition("<script>")[0]


def test_a_failed_ratio_greys_the_effects(tmp_path: Path, reader: Reader) -> None:
    ratio = TrustRecord(
        name="sample_ratio", title="Sample ratio", state="fail", message="p = 1e-9.", remedy="Look."
    )
    path = publish(tmp_path, overview(trust=[ratio]), compared("searches"))
    reader.open(path)
    assert "Do not read the effects: p = 1e-9." in reader.text()
    faded = reader.page.locator("tr.effect td").first.evaluate("one => getComputedStyle(one).color")
    assert faded == "rgb(102, 109, 117)"
    assert not reader.violations()
    reader.open(publish(tmp_path / "fine", overview(), compared("searches")))
    assert "Do not read the effects" not in reader.text()


def test_a_verdict_is_told_with_its_rule_and_what_decided(tmp_path: Path, reader: Reader) -> None:
    rule = RuleRecord(
        text="Searches must rise.", goals=["searches"], guardrails=["crashes"],
        period="overall", analysis_basis="enrollments", minimum_days=7,
    )  # fmt: skip
    decided = DecisionRecord(
        metric="searches", role="goal", finding="undecided", text="+1.0% [-1.0%, +3.0%]: undecided"
    )
    verdict = VerdictRecord(
        verdict="inconclusive", text="No difference is certain.", more_days=5, rule=rule,
        branches=[
            BranchVerdictRecord(
                branch="treatment", verdict="inconclusive", text="Open.", decided_by=[decided]
            )
        ],
    )  # fmt: skip
    metrics = [
        metric("searches", role="goal"),
        metric("crashes", role="guardrail", margin=0.05, bigger_is_better=False),
        metric("clicks"),
    ]
    records = [
        *compared("searches", p_value_adjusted=0.031),
        *compared("crashes", lower=-0.01, point=0.01, upper=0.02),
        *compared("clicks"),
        record(
            "searches", "treatment", statistic="minimum_detectable_effect", parameter="0.8",
            comparison="relative_uplift", comparison_to_branch="control",
            point=0.0123, lower=None, upper=None,
        ),
    ]  # fmt: skip
    reader.open(publish(tmp_path, overview(verdict=verdict, metrics=metrics), records))
    text = reader.text()
    for told in ("Inconclusive (5 more days)", "Searches must rise.", decided.text):
        assert told in text
    assert "0.0310 adj., was 0.2000" in reader.rows("goal")["searches", "treatment"]
    assert "+1.23%" in reader.rows("goal")["searches", "treatment"]
    reader.page.locator("[data-metrics=goal] .forest svg[tabindex]").focus()
    assert reader.page.locator("[data-metrics=goal] .tip").is_visible()
    assert set(reader.rows("guardrail")) == {("crashes", "treatment")}
    margin = reader.page.locator("[data-metrics=guardrail] line.margin").get_attribute("x1")
    zero = 100.0
    assert margin is not None
    assert float(margin) > zero
    assert set(reader.rows("other")) == {("clicks", "treatment")}
    assert not reader.page.locator("[data-metrics=other] table").is_visible()
    assert not reader.violations()
    assert not reader.troubles()


def test_the_page_writes_numbers_as_the_terminal_does(tmp_path: Path, reader: Reader) -> None:
    reader.open(publish(tmp_path, overview(), compared("searches")))
    random = np.random.default_rng(20_260_331)
    plain = [0, 1, -1, 0.5, 2.5, 1.005, 0.125, 1e-7, 123_456_789, 1e12, 1e15, -0.0625, 99.995]
    drawn = [float(random.normal() * 10.0 ** random.integers(-9, 13)) for _ in range(2_000)]
    kinds = (None, "difference", "relative_uplift")
    records = []
    for point in map(float, [*plain, *drawn]):
        width = float(abs(point) * random.random() * 10.0 ** random.integers(-3, 1))
        upper = point + width if random.random() < 0.8 else None
        kind = kinds[random.integers(3)]
        records.append(
            record("m", "b", point=point, lower=point - width, upper=upper, comparison=kind)
        )
    found = reader.page.evaluate("records => records.map(estimateText)", records)
    expected = [said(one) for one in records]
    assert all(math.isfinite(one["point"]) for one in records)
    wrong = [
        (one, want, (got["point"], got["interval"]))
        for one, want, got in zip(records, expected, found, strict=True)
        if want != (got["point"], got["interval"])
    ]
    assert wrong == []


def test_each_kind_of_distribution_is_drawn(tmp_path: Path, reader: Reader) -> None:
    records = compared("searches")
    for branch in ("control", "treatment"):
        for step in range(1, 10):
            at = {"parameter": str(step / 10), "lower": None, "upper": None, "units": 100}
            for statistic in ("empirical_cdf", "kernel_density_estimate"):
                records.append(
                    record("searches", branch, statistic=statistic, point=step / 10, **at)
                )
    for step in range(1, 10):
        against = {"comparison": "difference", "comparison_to_branch": "control"}
        decile = {"statistic": "deciles", "parameter": str(step / 10), **against}
        records.append(record("searches", "treatment", **decile))
    reader.open(publish(tmp_path, overview(), records))
    figures = reader.page.locator("[data-distributions] figure")
    captions = figures.locator("figcaption").all_inner_texts()
    assert captions == [
        "searches: difference of deciles",
        "searches: share of units up to a value",
        "searches: density",
    ]
    for drawn in figures.all():
        assert drawn.locator("svg path[d]").count() > 1
        drawn.get_by_text("As a table").click()
        drawn.locator("tbody tr").first.wait_for()
        assert drawn.locator("tbody tr").count() >= 9
    assert not reader.violations()
    assert not reader.troubles()


def test_paper_shows_what_is_folded_away(tmp_path: Path, reader: Reader) -> None:
    metrics = [metric("searches", role="goal"), metric("clicks")]
    records = [*compared("searches"), *compared("clicks")]
    reader.open(publish(tmp_path, overview(metrics=metrics), records))
    assert not reader.page.get_by_text("clicks", exact=True).first.is_visible()
    reader.page.evaluate("window.dispatchEvent(new Event('beforeprint'))")
    reader.page.emulate_media(media="print")
    assert reader.page.locator("[data-metrics=other] table").is_visible()
    assert not reader.page.locator(".selectors").is_visible()
    reader.page.emulate_media(media="screen")
    reader.page.evaluate("window.dispatchEvent(new Event('afterprint'))")
    assert not reader.page.locator("[data-metrics=other] table").is_visible()
