"""What the declared rule says, as records of an overview.

Belongs here: the mapping. Does not: judging (`analysis.decision`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from jetstream_assets.report.overview_schema import (
    BranchVerdictRecord,
    DecisionRecord,
    RuleRecord,
    VerdictRecord,
)

if TYPE_CHECKING:
    from jetstream_assets.experiments.configuration import AnalysisConfiguration
    from jetstream_assets.experiments.decision import BranchConclusion, ExperimentConclusion


def verdict_record(
    configuration: AnalysisConfiguration | None, conclusion: ExperimentConclusion | None
) -> VerdictRecord | None:
    """The record of a conclusion; None where no rule is declared."""
    if configuration is None or configuration.decision is None or conclusion is None:
        return None
    rule = configuration.decision
    return VerdictRecord(
        verdict=conclusion.conclusion.value,
        text=conclusion.text,
        more_days=conclusion.more_days,
        rule=RuleRecord(
            text=conclusion.rule,
            goals=list(rule.goals),
            guardrails=[guardrail.metric for guardrail in rule.guardrails],
            period=rule.period.suffix,
            analysis_basis=rule.analysis_basis.value,
            minimum_days=rule.minimum_days,
        ),
        branches=[_branch(branch) for branch in conclusion.branches],
    )


def _branch(branch: BranchConclusion) -> BranchVerdictRecord:
    return BranchVerdictRecord(
        branch=branch.branch,
        verdict=branch.conclusion.value,
        text=branch.text,
        decided_by=[
            DecisionRecord(
                metric=finding.metric,
                role=finding.role.value,
                finding=finding.finding.value,
                text=finding.text,
            )
            for finding in branch.findings
        ],
    )
