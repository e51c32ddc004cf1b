from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest

from jetstream_assets.experiments.configuration import AnalysisConfiguration, PeriodSummaries
from jetstream_assets.experiments.experiment import Branch, Experiment
from jetstream_assets.experiments.failures import Failure, Refusal, RefusalKind, Stage
from jetstream_assets.experiments.fingerprints import (
    enrollments_fingerprint,
    statistics_fingerprint,
    windows_fingerprint,
)
from jetstream_assets.experiments.metrics import AnalysisBasis, DataSource, Metric, Summary
from jetstream_assets.experiments.plan import AnalysisPlan, make_plan
from jetstream_assets.experiments.windows import Period
from jetstream_assets.report.markdown import (
    escaped,
    failures_markdown,
    plan_markdown,
    published_markdown,
    statistics_markdown,
)
from jetstream_assets.report.store import Published, PublishResult
from jetstream_assets_tests.report.rows import statistics_rows

HOSTILE = "<script>alert(1)</script>|`x`\n# *b* [a](javascript:x)"
CONFIGURATION = AnalysisConfiguration(
    experiment=Experiment(
        "my-exp",
        (Branch("control"), Branch("treatment")),
        date(2024, 1, 1),
        None,
        7,
        reference_branch="control",
    ),
    metrics=(Metric("cards", DataSource("main", "telemetry.main"), "SUM(cards)"),),
    periods=(PeriodSummaries(Period.WEEK, (Summary("cards", "mean"), Summary("cards", "sum"))),),
    commit="abc123",
    warnings=("The key <colour> is not known.",),
)


def test_a_provisional_plan_says_so() -> None:
    text = plan_markdown(make_plan(CONFIGURATION, date(2024, 1, 7)))
    assert "Provisional: units enroll until 2024-01-08. Each window counts" in text
    assert "| weekly | 1 | 0 to 6 |" in text
    assert "Enrollment period: 7 days" in text


def test_a_plan_says_what_is_due_and_from_what_it_follows() -> None:
    plan = make_plan(CONFIGURATION, date(2024, 1, 14))
    assert (
        plan_markdown(plan)
        == f"""**my-exp** on 2024-01-14

| period | window | days | metrics | summaries |
| --- | --- | --- | --- | --- |
| weekly | 1 | 0 to 6 | 1 | 2 |

- Branches: control (reference), treatment
- Start: 2024-01-01
- Enrollment period: 7 days
- End: open
- Configuration: abc123

- Enrollments fingerprint: {enrollments_fingerprint(CONFIGURATION)}
- Metrics fingerprint: {windows_fingerprint(CONFIGURATION, plan.windows)}
- Statistics fingerprint: {statistics_fingerprint(plan)}

Warnings:

- The key &lt;colour&gt; is not known.
"""
    )


def test_an_idle_plan_says_why() -> None:
    text = plan_markdown(make_plan(CONFIGURATION, date(2024, 1, 10)))
    assert "Nothing to do: Nothing is due on 2024-01-10: no window" in text
    assert "fingerprint" not in text


def test_a_refused_plan_says_why() -> None:
    refusal = Refusal(RefusalKind.ROLLOUT, "Rollouts have no control | at all.")
    text = plan_markdown(AnalysisPlan("my-exp", date(2024, 1, 10), refusal=refusal))
    assert text == (
        "**my-exp** on 2024-01-10\n\n"
        "Not analysed (RolloutSkipException): Rollouts have no control \\| at all.\n"
    )


def test_hostile_names_are_text() -> None:
    experiment = replace(CONFIGURATION.experiment, slug=HOSTILE, branches=(Branch(HOSTILE),))
    plan = make_plan(replace(CONFIGURATION, experiment=experiment), date(2024, 1, 14))
    failure = Failure(Stage.METRICS, HOSTILE, HOSTILE, metric=HOSTILE)
    rows = statistics_rows({"metric": HOSTILE, "branch": HOSTILE, "reason": HOSTILE})
    for text in (plan_markdown(plan), failures_markdown([failure]), statistics_markdown(rows, 9)):
        assert r"\[a\](javascript:x)" in text
        for markup in ("<", ">alert", " *b*", "\n#", " `x`", ")|`"):
            assert markup not in text.replace("\\|", "")


@pytest.mark.parametrize(
    ("text", "markdown"),
    [
        ("a_b", "a\\_b"),
        ("a|b", "a\\|b"),
        ("a\\|b", "a\\\\\\|b"),
        ("<b>&amp;", "&lt;b&gt;&amp;amp;"),
        ("a\nb", "a b"),
        ("~~a~~", "\\~\\~a\\~\\~"),
    ],
)
def test_escaping(text: str, markdown: str) -> None:
    assert escaped(text) == markdown


def test_equal_failures_are_counted() -> None:
    failure = Failure(
        Stage.METRICS,
        "column spend is missing",
        "QueryError",
        Period.WEEK,
        1,
        AnalysisBasis.EXPOSURES,
        metric="spend",
    )
    text = failures_markdown([failure, failure, Failure(Stage.PLAN, "no record", "X")])
    assert text == (
        "| stage | what | kind | reason | times |\n"
        "| --- | --- | --- | --- | --- |\n"
        "| metrics | spend, exposures, weekly 1 | QueryError | column spend is missing | 2 |\n"
        "| plan |  | X | no record | 1 |\n"
    )


def test_many_failures_are_cut_and_the_rest_counted() -> None:
    text = failures_markdown([Failure(Stage.METRICS, f"reason {n}", "X") for n in range(60)])
    assert text.endswith("\n\nAnd 10 more.\n")
    assert [f"reason {n} " in text for n in (0, 49, 50, 59)] == [True, True, False, False]


def test_nothing_is_said_in_words() -> None:
    assert failures_markdown([]) == "No failures.\n"
    assert statistics_markdown(statistics_rows(), 10) == "No statistics.\n"


def test_statistics_are_a_compact_table() -> None:
    rows = statistics_rows(
        {"branch": "control", "point": 10.375, "lower": 8.6789, "upper": 12.071},
        {
            "branch": "treatment",
            "comparison": "relative_uplift",
            "comparison_to_branch": "control",
            "point": 0.1631,
            "lower": 0.0425,
            "upper": 0.29,
        },
        {"metric": "spend", "status": "failed", "reason": "column is missing"},
    )
    window = "weekly 1 (days 0 to 6), enrollments, all"
    assert statistics_markdown(rows, 2) == (
        "| window | metric | statistic | branch | comparison | estimate | status |\n"
        "| --- | --- | --- | --- | --- | --- | --- |\n"
        f"| {window} | active\\_hours | mean | control |  | 10.38 \\[8.68, 12.07\\] | ok |\n"
        f"| {window} | active\\_hours | mean | treatment | uplift on control "
        "| +16.3% \\[+4.2%, +29.0%\\] | ok |\n"
        "\nAnd 1 more.\n"
    )
    last = statistics_markdown(rows, 3).splitlines()[-1]
    assert last == f"| {window} | spend | mean |  |  |  | failed: column is missing |"


def test_each_document_is_named_with_what_became_of_it_and_its_date() -> None:
    published = [
        Published("a/written.json", PublishResult.WRITTEN, date(2024, 1, 9), "/r/a/written.json"),
        Published("a/*old*.json", PublishResult.SUPERSEDED, date(2024, 2, 1), "/r/a/*old*.json"),
    ]
    assert published_markdown(published) == (
        "- a/written.json: written, as of 2024-01-09\n"
        "- a/\\*old\\*.json: superseded, as of 2024-02-01\n"
    )
    assert published_markdown([]) == "No documents.\n"
