from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from jetstream_assets.errors import ConfigError
from jetstream_assets.experiments.decision import DecisionRule, Guardrail
from jetstream_assets.experiments.metrics import AnalysisBasis
from jetstream_assets.experiments.windows import Period
from jetstream_assets_tests.config.folder import CLICKS, SLUG

if TYPE_CHECKING:
    from jetstream_assets_tests.config.folder import Folder

OTHERS = """
[metrics.taps]
select_expression = "SUM(taps)"
data_source = "events"
statistics = { count = {} }

[metrics.crashes]
select_expression = "SUM(crashes)"
data_source = "events"
bigger_is_better = false
analysis_bases = ["exposures"]
statistics = { binomial = {} }
"""
GOAL = 'goals = ["clicks"]'


def _own(folder: Folder, table: str) -> Folder:
    metrics = '[metrics]\nweekly = ["clicks", "taps", "crashes"]\noverall = ["clicks", "taps"]\n'
    return folder.own(f"{metrics}{CLICKS}{OTHERS}{table}")


def test_no_rule_is_declared_by_default(folder: Folder) -> None:
    assert _own(folder, "").resolve().decision is None


def test_a_rule_needs_its_goals_only(folder: Folder) -> None:
    found = _own(folder, f"[experiment.decision]\n{GOAL}").resolve_strictly().decision
    assert found == DecisionRule(goals=("clicks",))
    assert found.minimum_days == 7
    assert (found.period, found.analysis_basis) == (Period.OVERALL, AnalysisBasis.ENROLLMENTS)


def test_a_rule_says_everything(folder: Folder) -> None:
    found = _own(
        folder,
        """
        [experiment.decision]
        goals = ["clicks", "clicks"]
        guardrails = { crashes = 0.05 }
        minimum_days = 14
        period = "weekly"
        analysis_basis = "exposures"
        """,
    ).resolve_strictly()
    assert found.decision == DecisionRule(
        ("clicks",), (Guardrail("crashes", 0.05),), 14, Period.WEEK, AnalysisBasis.EXPOSURES
    )


@pytest.mark.parametrize(
    ("table", "key", "words"),
    [
        ("minimum_days = 7", "goals", "the key is missing"),
        ("goals = []", "goals", "at least 1"),
        ('goals = ["click"]', "goals", "Did you mean 'clicks'?"),
        ('goals = ["crashes"]', "goals", "the overall period lists no such metric"),
        ('goals = ["taps"]', "goals", "no statistic that decides"),
        (f"{GOAL}\nguardrails = {{clicks = 0.1}}", "guardrails", "it is a goal, too"),
        (f"{GOAL}\nguardrails = {{nothing = 0.1}}", "guardrails", "lists no such metric"),
        (f"{GOAL}\nguardrails = {{taps = 0}}", "guardrails.taps", "greater than 0"),
        (f"{GOAL}\nguardrails = {{taps = 5}}", "guardrails.taps", "less than 1"),
        (f"{GOAL}\nguardrails = {{taps = nan}}", "guardrails.taps", "finite"),
        (f"{GOAL}\nminimum_days = 0", "minimum_days", "greater than or equal to 1"),
        (f'{GOAL}\nperiod = "preenrollment_week"', "period", "'overall'"),
        (f'{GOAL}\nanalysis_basis = "all"', "analysis_basis", "'exposures'"),
        (
            'goals = ["crashes"]\nperiod = "weekly"',
            "goals",
            "it is computed for exposures, not for enrollments",
        ),
    ],
)
def test_a_rule_that_cannot_decide_is_refused(
    folder: Folder, table: str, key: str, words: str
) -> None:
    _own(folder, f"[experiment.decision]\n{table}")
    with pytest.raises(ConfigError) as caught:
        folder.resolve()
    assert caught.value.path == f"jetstream/{SLUG}.toml"
    assert caught.value.key == f"experiment.decision.{key}"
    assert words in caught.value.problem + caught.value.remedy


def test_the_files_rule_takes_the_place_of_the_defaults(folder: Folder) -> None:
    folder.defaults(f"[experiment.decision]\n{GOAL}\nminimum_days = 21")
    _own(folder, f"[experiment.decision]\n{GOAL}\nguardrails = {{taps = 0.1}}")
    with pytest.raises(ConfigError, match="no statistic that decides"):
        folder.resolve()
    found = _own(folder, "").resolve().decision
    assert found == DecisionRule(("clicks",), minimum_days=21)
