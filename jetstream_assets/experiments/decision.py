"""The rule by which an experiment is decided, said before it was looked at, and what it then says.

Belongs here: the declared rule and its answers as plain data. Does not: judging
(`analysis.decision`), how the rule is written (`config.decision`).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from jetstream_assets.experiments.metrics import AnalysisBasis
from jetstream_assets.experiments.windows import Period

DEFAULT_MINIMUM_DAYS = 7


@dataclass(frozen=True)
class Guardrail:
    """A metric that must not become worse by ``margin``, relative to the reference, or more.

    ``margin`` is above 0; .02 is 2 %.
    """

    metric: str
    margin: float


@dataclass(frozen=True)
class DecisionRule:
    """What decides an experiment.

    Args:
        goals: The metrics of which at least one must become better, and none worse.
        guardrails: The metrics that must not become much worse.
        minimum_days: Days of data, from the first enrollment date on, before anything is decided.
        period: The analysis period whose newest complete window decides.
        analysis_basis: The units that decide.
    """

    goals: tuple[str, ...]
    guardrails: tuple[Guardrail, ...] = ()
    minimum_days: int = DEFAULT_MINIMUM_DAYS
    period: Period = Period.OVERALL
    analysis_basis: AnalysisBasis = AnalysisBasis.ENROLLMENTS


class Role(StrEnum):
    """What a metric is to the rule."""

    GOAL = "goal"
    GUARDRAIL = "guardrail"


class Finding(StrEnum):
    """What a metric says of a branch: the first two of goals, the next two of guardrails."""

    BETTER = "better"
    WORSE = "worse"
    HARMLESS = "harmless"
    HARMFUL = "harmful"
    UNDECIDED = "undecided"
    MISSING = "missing"


class Conclusion(StrEnum):
    """What the rule says."""

    POSITIVE = "positive"
    NEGATIVE = "negative"
    INCONCLUSIVE = "inconclusive"
    INVALID = "invalid"


@dataclass(frozen=True)
class MetricFinding:
    """What a metric says of a branch, and the sentence that says why."""

    metric: str
    role: Role
    finding: Finding
    text: str


@dataclass(frozen=True)
class BranchConclusion:
    """What the rule says of a branch.

    ``findings`` are those of all goals and guardrails, in the order of the rule; empty where it
    could not be asked. ``more_days`` is how many more days it takes, where that is known and not 0.
    """

    branch: str
    conclusion: Conclusion
    text: str
    findings: tuple[MetricFinding, ...] = ()
    more_days: int | None = None


@dataclass(frozen=True)
class ExperimentConclusion:
    """What the rule says of an experiment, and of each branch but the reference.

    ``rule`` is the rule in words.
    """

    conclusion: Conclusion
    text: str
    rule: str
    branches: tuple[BranchConclusion, ...] = ()
    more_days: int | None = None
