from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from jetstream_assets.analysis.decision import Evidence, decide
from jetstream_assets.experiments.decision import (
    Conclusion,
    DecisionRule,
    Finding,
    Guardrail,
)
from jetstream_assets.experiments.experiment import Branch
from jetstream_assets.experiments.hypotheses import MultipleComparisons
from jetstream_assets.experiments.windows import Period
from jetstream_assets_tests.builders import (
    make_configuration,
    make_experiment,
    make_metric,
    make_summary,
)
from jetstream_assets_tests.report.rows import statistics_rows

if TYPE_CHECKING:
    from jetstream_assets.experiments.configuration import AnalysisConfiguration
    from jetstream_assets.experiments.decision import ExperimentConclusion

    Row = dict[str, Any]

# The experiment starts on 1 January; its overall window is of 28 days.
THROUGH = date(2024, 2, 4)
GOAL = DecisionRule(goals=("clicks",))
GUARDED = DecisionRule(goals=("clicks",), guardrails=(Guardrail("hours", 0.02),))
METRICS = ("clicks", "hours", "crashes")


def _configuration(rule: DecisionRule, **changes: Any) -> AnalysisConfiguration:  # noqa: ANN401  # any field
    metrics = tuple(
        make_metric(name, bigger_is_better=name != "crashes") for name in sorted(METRICS)
    )
    listed = {Period.OVERALL: tuple(make_summary(name) for name in METRICS)}
    return make_configuration(listed, metrics, decision=rule, **changes)


def _compared(
    metric: str,
    lower: float,
    upper: float,
    branch: str = "treatment",
    **fields: Any,  # noqa: ANN401  # any field
) -> list[Row]:
    """The comparisons of a metric; relative they are what they are absolute."""
    of = {
        "period": "overall", "metric": metric, "branch": branch, "ci_width": 0.95,
        "comparison_to_branch": "control", "lower": lower, "upper": upper,
        "point": (lower + upper) / 2, **fields,
    }  # fmt: skip
    return [{**of, "comparison": kind} for kind in ("difference", "relative_uplift")]


def _decide(
    rule: DecisionRule,
    *rows: Row,
    through: date = THROUGH,
    **changes: Any,  # noqa: ANN401
) -> ExperimentConclusion:
    evidence = Evidence(statistics_rows(*rows), through)
    return decide(_configuration(rule, **changes), evidence)


@pytest.mark.parametrize(
    ("lower", "upper", "conclusion", "finding"),
    [
        (0.01, 0.05, Conclusion.POSITIVE, Finding.BETTER),
        (-0.05, -0.01, Conclusion.NEGATIVE, Finding.WORSE),
        (-0.01, 0.05, Conclusion.INCONCLUSIVE, Finding.UNDECIDED),
        (0.0, 0.05, Conclusion.INCONCLUSIVE, Finding.UNDECIDED),
        (0.01, float("inf"), Conclusion.POSITIVE, Finding.BETTER),
    ],
)
def test_a_goal_decides_by_its_interval(
    lower: float, upper: float, conclusion: Conclusion, finding: Finding
) -> None:
    found = _decide(GOAL, *_compared("clicks", lower, upper, point=(lower + min(upper, 1)) / 2))
    assert found.conclusion is conclusion
    (branch,) = found.branches
    assert (branch.branch, branch.conclusion) == ("treatment", conclusion)
    assert [one.finding for one in branch.findings] == [finding]


def test_less_is_better_where_the_metric_says_so() -> None:
    rule = DecisionRule(goals=("crashes",))
    assert _decide(rule, *_compared("crashes", -0.3, -0.1)).conclusion is Conclusion.POSITIVE
    assert _decide(rule, *_compared("crashes", 0.1, 0.3)).conclusion is Conclusion.NEGATIVE


@pytest.mark.parametrize(
    ("lower", "upper", "conclusion", "finding"),
    [
        (-0.019, 0.01, Conclusion.POSITIVE, Finding.HARMLESS),
        (0.01, 0.02, Conclusion.POSITIVE, Finding.HARMLESS),
        (-0.05, 0.01, Conclusion.INCONCLUSIVE, Finding.UNDECIDED),
        (-0.02, 0.01, Conclusion.INCONCLUSIVE, Finding.UNDECIDED),
        # Certainly worse, but not by the margin: not harmful, and not harmless.
        (-0.03, -0.01, Conclusion.INCONCLUSIVE, Finding.UNDECIDED),
        (-0.05, -0.021, Conclusion.NEGATIVE, Finding.HARMFUL),
    ],
)
def test_a_guardrail_may_not_reach_its_margin(
    lower: float, upper: float, conclusion: Conclusion, finding: Finding
) -> None:
    rows = [*_compared("clicks", 0.01, 0.05), *_compared("hours", lower, upper)]
    found = _decide(GUARDED, *rows)
    assert found.conclusion is conclusion
    assert found.branches[0].findings[1].finding is finding


def test_a_guardrail_of_which_less_is_better_has_its_margin_above() -> None:
    rule = DecisionRule(goals=("clicks",), guardrails=(Guardrail("crashes", 0.1),))
    goal = _compared("clicks", 0.01, 0.05)
    assert _decide(rule, *goal, *_compared("crashes", -0.5, 0.09)).conclusion is Conclusion.POSITIVE
    assert _decide(rule, *goal, *_compared("crashes", 0.11, 0.5)).conclusion is Conclusion.NEGATIVE


def test_one_of_several_goals_suffices_and_none_may_be_worse() -> None:
    rule = DecisionRule(goals=("clicks", "hours"))
    better, open_, worse = (
        _compared("hours", *bounds) for bounds in ((0.1, 0.2), (-0.1, 0.1), (-0.2, -0.1))
    )
    clicks = _compared("clicks", 0.1, 0.2)
    assert _decide(rule, *clicks, *better).conclusion is Conclusion.POSITIVE
    assert _decide(rule, *clicks, *open_).conclusion is Conclusion.POSITIVE
    assert _decide(rule, *clicks, *worse).conclusion is Conclusion.NEGATIVE


def test_a_goal_of_a_family_decides_by_its_adjusted_p_value() -> None:
    family = MultipleComparisons(("clicks",))
    rows = _compared("clicks", 0.01, 0.05, p_value=0.02, p_value_adjusted=0.06)
    found = _decide(GOAL, *rows, multiple_comparisons=family)
    assert found.conclusion is Conclusion.INCONCLUSIVE
    assert "adjusted p = 0.06" in found.branches[0].findings[0].text
    assert _decide(GOAL, *rows).conclusion is Conclusion.POSITIVE
    certain = _compared("clicks", -0.01, 0.05, p_value_adjusted=0.04)
    assert _decide(GOAL, *certain, multiple_comparisons=family).conclusion is Conclusion.POSITIVE


def test_a_metric_without_a_result_leaves_it_open_and_says_why() -> None:
    rows = _compared("clicks", 0.1, 0.2)
    reason = {"period": "overall", "metric": "hours", "status": "failed", "reason": "no column"}
    found = _decide(GUARDED, *rows, reason)
    assert found.conclusion is Conclusion.INCONCLUSIVE
    assert found.branches[0].findings[1].text == "No result: no column"
    assert (
        _decide(GUARDED, *rows, *_compared("hours", -0.5, -0.1)).conclusion is Conclusion.NEGATIVE
    )


@pytest.mark.parametrize("number", [float("nan"), None])
def test_a_bound_that_is_no_number_is_no_result(number: float | None) -> None:
    rows = [{**row, "upper": number} for row in _compared("clicks", 0.1, 0.2)]
    found = _decide(GOAL, *rows)
    assert found.branches[0].findings[0].finding is Finding.MISSING
    assert found.conclusion is Conclusion.INCONCLUSIVE


def test_what_speaks_against_trust_makes_it_invalid_whatever_the_results() -> None:
    rows = statistics_rows(*_compared("clicks", 0.1, 0.2))
    found = decide(_configuration(GOAL), Evidence(rows, THROUGH, obstacle="p = 1e-9"))
    assert (found.conclusion, found.text) == (Conclusion.INVALID, "p = 1e-9")
    assert [one.conclusion for one in found.branches] == [Conclusion.INVALID]
    left_out = Evidence(rows, THROUGH, obstacle="p = 1e-9", not_analysed="It still enrolls.")
    assert decide(_configuration(GOAL), left_out).conclusion is Conclusion.INCONCLUSIVE


def test_nothing_is_decided_before_the_declared_days() -> None:
    rule = DecisionRule(goals=("clicks",), minimum_days=14, period=Period.WEEK)
    rows = [{**row, "period": "week"} for row in _compared("clicks", 0.1, 0.2)]
    # 1 to 10 January are ten days, both inclusive.
    found = _decide(rule, *rows, through=date(2024, 1, 10))
    assert (found.conclusion, found.more_days) == (Conclusion.INCONCLUSIVE, 4)
    assert "10 of at least 14 days" in found.text
    found = _decide(rule, *rows, through=date(2024, 1, 14))
    assert (found.conclusion, found.more_days) == (Conclusion.POSITIVE, None)


def test_an_experiment_that_ends_before_the_declared_days_says_so() -> None:
    rule = DecisionRule(goals=("clicks",), minimum_days=60)
    found = _decide(rule, *_compared("clicks", 0.1, 0.2))
    assert found.conclusion is Conclusion.INCONCLUSIVE
    assert "ends on 2024-02-05, before 60 days" in found.text


def test_a_window_that_is_not_there_yet_is_waited_for() -> None:
    through = date(2024, 1, 20)
    found = _decide(GOAL, through=through)
    due = make_experiment().timeline.next_due(Period.OVERALL, through)
    assert due is not None
    assert (found.conclusion, found.more_days) == (
        Conclusion.INCONCLUSIVE,
        (due - through) // timedelta(days=1),
    )
    assert f"due on {due}" in found.text


def test_provisional_rows_and_other_bases_segments_and_periods_decide_nothing() -> None:
    good = _compared("clicks", 0.1, 0.2)
    for change in (
        {"is_provisional": True},
        {"analysis_basis": "exposures"},
        {"segment": "germany"},
        {"period": "week"},
    ):
        found = _decide(GOAL, *({**row, **change} for row in good))
        assert found.conclusion is Conclusion.INCONCLUSIVE, change


def test_the_newest_window_decides() -> None:
    rule = DecisionRule(goals=("clicks",), period=Period.WEEK)
    old = [{**row, "period": "week"} for row in _compared("clicks", 0.1, 0.2)]
    new = [{**row, "period": "week", "window_index": 2} for row in _compared("clicks", -0.2, -0.1)]
    assert _decide(rule, *old, *new).conclusion is Conclusion.NEGATIVE


GOOD, BAD, UNSURE = (0.1, 0.2), (-0.2, -0.1), (-0.1, 0.1)


@pytest.mark.parametrize(
    ("first", "second", "conclusion"),
    [
        (GOOD, BAD, Conclusion.POSITIVE),
        (GOOD, UNSURE, Conclusion.POSITIVE),
        (BAD, UNSURE, Conclusion.INCONCLUSIVE),
        (BAD, BAD, Conclusion.NEGATIVE),
    ],
)
def test_of_several_branches_one_that_is_better_suffices(
    first: tuple[float, float], second: tuple[float, float], conclusion: Conclusion
) -> None:
    branches = tuple(Branch(slug) for slug in ("control", "a", "b"))
    rows = [*_compared("clicks", *first, "a"), *_compared("clicks", *second, "b")]
    found = _decide(GOAL, *rows, experiment=make_experiment(branches=branches))
    assert found.conclusion is conclusion
    assert [one.branch for one in found.branches] == ["a", "b"]


def test_without_a_branch_to_compare_nothing_is_decided() -> None:
    alone = make_experiment(branches=(Branch("control"),))
    found = _decide(GOAL, experiment=alone)
    assert (found.conclusion, found.branches) == (Conclusion.INCONCLUSIVE, ())


def test_declared_power_says_how_many_more_days_it_takes() -> None:
    days = {
        "period": "overall", "metric": "clicks", "statistic": "days_to_detect_effect",
        "branch": "treatment", "comparison_to_branch": "control", "comparison": "difference",
        "parameter": 0.05, "point": 9.0,
    }  # fmt: skip
    found = _decide(GOAL, *_compared("clicks", -0.01, 0.05), days)
    assert (found.conclusion, found.more_days) == (Conclusion.INCONCLUSIVE, 9)
    assert "takes 9 more days" in found.text
    assert _decide(GOAL, *_compared("clicks", 0.01, 0.05), days).more_days is None


def test_without_a_rule_there_is_nothing_to_ask() -> None:
    configuration = make_configuration()
    with pytest.raises(ValueError, match="no decision is declared"):
        decide(configuration, Evidence(statistics_rows(), THROUGH))


def test_the_rule_is_told_in_words() -> None:
    told = _decide(GUARDED, *_compared("clicks", 0.1, 0.2)).rule
    for words in ("clicks is better than in control", "hours (0.02)", "overall", "7 days"):
        assert words in told
