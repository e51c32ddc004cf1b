"""The declared rule asks the results: is a branch better, worse, or is it too early to say.

Belongs here: the rule over branches and the experiment, exactly as `docs/results.md` states it.
Does not: what one metric says (`decision_findings`), how long it still takes (`decision_days`).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

import pyarrow as pa

from jetstream_assets.analysis.decision_days import Wait, days_until_decidable, days_until_found
from jetstream_assets.analysis.decision_findings import DecidingRows, deciding_rows, findings
from jetstream_assets.experiments.decision import (
    BranchConclusion,
    Conclusion,
    ExperimentConclusion,
    Finding,
    Role,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from jetstream_assets.experiments.configuration import AnalysisConfiguration
    from jetstream_assets.experiments.decision import DecisionRule, MetricFinding
    from jetstream_assets.experiments.experiment import Experiment


@dataclass(frozen=True)
class Evidence:
    """What a decision rests on.

    Args:
        statistics: The experiment's current rows: `STATISTICS_SCHEMA`.
        data_through: The newest date whose data they know.
        obstacle: Why nothing may be concluded from them, whatever they say; empty where nothing
            stands in the way.
        not_analysed: Why there are no results to conclude from; empty where there are.
    """

    statistics: pa.Table
    data_through: date
    obstacle: str = ""
    not_analysed: str = ""


def decide(configuration: AnalysisConfiguration, evidence: Evidence) -> ExperimentConclusion:
    """What the declared rule says of each branch, and of the experiment.

    Args:
        configuration: It declares a rule.
        evidence: What the rule is asked of.

    Raises:
        ValueError: No rule is declared.
    """
    rule, experiment = configuration.decision, configuration.experiment
    if rule is None:
        raise ValueError(f"no decision is declared for {experiment.slug!r}")
    reference, told = experiment.reference_branch, rule_text(rule, experiment)
    branches = [branch.slug for branch in experiment.branches]
    others = [slug for slug in branches if slug != reference]
    if evidence.not_analysed:
        return _all(others, Conclusion.INCONCLUSIVE, evidence.not_analysed, told)
    if evidence.obstacle:
        return _all(others, Conclusion.INVALID, evidence.obstacle, told)
    if reference not in branches or len(branches) == 1:
        text = "There is no branch to compare with a reference branch."
        return ExperimentConclusion(Conclusion.INCONCLUSIVE, text, told)
    rows = deciding_rows(configuration, rule, evidence.statistics)
    wait = days_until_decidable(rule, experiment, evidence.data_through, has_window=rows.is_there)
    found = [_branch(configuration, rule, rows, wait, slug) for slug in others]
    return _experiment(found, told)


def _all(
    branches: Sequence[str], conclusion: Conclusion, text: str, rule: str
) -> ExperimentConclusion:
    """The same of every branch, without a look at the results."""
    concluded = tuple(BranchConclusion(slug, conclusion, text) for slug in branches)
    return ExperimentConclusion(conclusion, text, rule, concluded)


def rule_text(rule: DecisionRule, experiment: Experiment) -> str:
    """The rule in words."""
    reference = experiment.reference_branch or "the reference branch"
    goals = ", ".join(rule.goals)
    asked = f"at least one of {goals} is" if len(rule.goals) > 1 else f"{goals} is"
    parts = [f"Positive when {asked} better than in {reference}"]
    if len(rule.goals) > 1:
        parts.append(", none of them is worse")
    if rule.guardrails:
        allowed = ", ".join(f"{g.metric} ({g.margin:.4g})" for g in rule.guardrails)
        parts.append(f", and no guardrail may be worse by its relative margin: {allowed}")
    return (
        f"{''.join(parts)}. Negative when a goal is worse or a guardrail is. Judged on the newest "
        f"complete {rule.period.config_key} window, basis {rule.analysis_basis}, after at least "
        f"{rule.minimum_days} days of data."
    )


def _branch(
    configuration: AnalysisConfiguration,
    rule: DecisionRule,
    rows: DecidingRows,
    wait: Wait,
    branch: str,
) -> BranchConclusion:
    found = tuple(findings(configuration, rule, rows, branch))
    if wait.reason:
        text = wait.reason
        return BranchConclusion(branch, Conclusion.INCONCLUSIVE, text, found, wait.days)
    against = _metrics(found, Finding.WORSE, Finding.HARMFUL)
    if against:
        return BranchConclusion(branch, Conclusion.NEGATIVE, _against_text(found), found)
    missing = _metrics(found, Finding.MISSING)
    if missing:
        text = f"Without a result of {missing} nothing is decided."
        return BranchConclusion(branch, Conclusion.INCONCLUSIVE, text, found)
    better = _metrics(found, Finding.BETTER)
    unsafe = _metrics([f for f in found if f.role is Role.GUARDRAIL], Finding.UNDECIDED)
    if better and not unsafe:
        text = f"Better in {better}, and no goal is worse{_guarded(found)}."
        return BranchConclusion(branch, Conclusion.POSITIVE, text, found)
    days, told = days_until_found(rows, branch, found)
    return BranchConclusion(
        branch, Conclusion.INCONCLUSIVE, _open_text(found, better, unsafe) + told, found, days
    )


def _guarded(found: Sequence[MetricFinding]) -> str:
    harmless = _metrics(found, Finding.HARMLESS)
    return f"; within its margin: {harmless}" if harmless else ""


def _against_text(found: Sequence[MetricFinding]) -> str:
    worse, harmful = (_metrics(found, kind) for kind in (Finding.WORSE, Finding.HARMFUL))
    told = [f"Worse in {worse}"] if worse else []
    told += [f"{'worse' if worse else 'Worse'} than its margin: {harmful}"] if harmful else []
    return "; ".join(told) + "."


def _open_text(found: Sequence[MetricFinding], better: str, unsafe: str) -> str:
    if better:
        return f"Better in {better}, but it is not certain that {unsafe} stays within the margin."
    goals = _metrics([f for f in found if f.role is Role.GOAL], Finding.UNDECIDED)
    return f"No difference is certain in {goals}."


def _metrics(found: Sequence[MetricFinding], *kinds: Finding) -> str:
    return ", ".join(one.metric for one in found if one.finding in kinds)


def _experiment(found: Sequence[BranchConclusion], rule: str) -> ExperimentConclusion:
    """Positive when a branch is, negative when all are, else inconclusive."""
    kinds = {one.conclusion for one in found}
    conclusion = Conclusion.INCONCLUSIVE
    if Conclusion.POSITIVE in kinds:
        conclusion = Conclusion.POSITIVE
    elif kinds == {Conclusion.NEGATIVE}:
        conclusion = Conclusion.NEGATIVE
    days = max((one.more_days or 0 for one in found), default=0)
    is_open = conclusion is Conclusion.INCONCLUSIVE
    return ExperimentConclusion(
        conclusion,
        " ".join(_sentences(found)),
        rule,
        tuple(found),
        days if is_open and days else None,
    )


def _sentences(found: Sequence[BranchConclusion]) -> Iterator[str]:
    """What is said of each branch; once where it is the same of all."""
    texts = list(dict.fromkeys(one.text for one in found))
    if len(texts) == 1:
        yield texts[0]
        return
    for one in found:
        yield f"{one.branch}: {one.text}"
