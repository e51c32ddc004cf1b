"""How many more days a decision takes: until it may be asked, and until it could be answered.

Belongs here: dates and the rows of declared power, turned into days. Does not: the rule
(`decision`), the rows (`power`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from jetstream_assets.analysis.power import DAYS
from jetstream_assets.experiments.decision import Finding, Role

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date

    from jetstream_assets.analysis.decision_findings import DecidingRows
    from jetstream_assets.experiments.decision import DecisionRule, MetricFinding
    from jetstream_assets.experiments.experiment import Experiment


@dataclass(frozen=True)
class Wait:
    """Why nothing may be decided yet, empty where it may; ``days`` is how long, where known."""

    reason: str = ""
    days: int | None = None


def days_until_decidable(
    rule: DecisionRule, experiment: Experiment, data_through: date, *, has_window: bool
) -> Wait:
    """Whether the rule may be asked by now, and else when.

    Args:
        rule: The rule.
        experiment: It has a start date.
        data_through: The newest date whose data is known.
        has_window: Whether the period has a complete window with results.
    """
    timeline, end = experiment.timeline, experiment.end_date
    known = (min(data_through, end or data_through) - timeline.first_enrollment_date).days + 1
    lacking = max(rule.minimum_days - known, 0)
    reasons = [f"there are {known} of at least {rule.minimum_days} days of data"] if lacking else []
    if end is not None and (end - timeline.first_enrollment_date).days + 1 < rule.minimum_days:
        return Wait(f"The experiment ends on {end}, before {rule.minimum_days} days of data.")
    if not has_window:
        due = timeline.next_due(rule.period, data_through)
        lacking = max(lacking, (due - data_through).days) if due else 0
        told = f"is due on {due}" if due else "has no results, and no date on which it is due"
        reasons.append(f"the {rule.period.config_key} window {told}")
    if not reasons:
        return Wait()
    text = " and ".join(reasons)
    return Wait(f"{text[0].upper()}{text[1:]}.", lacking or None)


def days_until_found(
    rows: DecidingRows, branch: str, found: Sequence[MetricFinding]
) -> tuple[int | None, str]:
    """Of the undecided goals the longest time in which the declared effect would be found.

    Returns:
        The days, None where they are not known or 0; and a sentence with a space before it, empty
        where no effect is declared.
    """
    undecided = [
        one.metric for one in found if (one.role, one.finding) == (Role.GOAL, Finding.UNDECIDED)
    ]
    power = [
        row
        for metric in undecided
        for row in rows.by_metric.get(metric, ())
        if (row["statistic"], row["branch"]) == (DAYS, branch) and row["point"] is not None
    ]
    if not power:
        return None, ""
    row = max(power, key=lambda row: float(row["point"]))
    days, effect = int(row["point"]), f"{row['parameter']:.4g}"
    if not days:
        return None, f" An effect of {effect}, relative, would have been found."
    return days, f" To find an effect of {effect}, relative, takes {days} more days of enrollment."
