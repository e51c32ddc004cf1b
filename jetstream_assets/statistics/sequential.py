"""Whoever looks at results while units come in needs wider intervals: the sequential companions.

Belongs here: which rows they are, and those of a statistic that is no linear model. Does not: how
wide they are (`reach`).

The rows of a companion have the statistic's name with `SEQUENTIAL` at its end. The points are
plain means, their difference and their ratio less 1; each branch has its own variance.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from jetstream_assets.statistics.linear_model import fit
from jetstream_assets.statistics.linear_rows import Facts, mean_rows
from jetstream_assets.statistics.reach import Sequential

if TYPE_CHECKING:
    from collections.abc import Mapping

    from jetstream_assets.statistics.base import Question, StatisticRow
    from jetstream_assets.statistics.collected import BranchMoments
    from jetstream_assets.statistics.layout import Label
    from jetstream_assets.statistics.linear_model import Arm
    from jetstream_assets.statistics.shape import Shape

SEQUENTIAL = "_sequential"


def sequential_reach(question: Question) -> Sequential | None:
    """The sequential interval that is asked for, or None."""
    if not question.flag("sequential"):
        return None
    return Sequential(question.confidence, question.number("planned_units"))


def sequential_label(label: Label) -> Label:
    """What the rows of the companion have in common."""
    return label._replace(statistic=label.statistic + SEQUENTIAL)


def sequential_rows(
    question: Question,
    label: Label,
    arms: Mapping[str, Arm],
    shapes: Mapping[str, Shape],
    moments: Mapping[str, BranchMoments] | None = None,
) -> list[StatisticRow]:
    """The companion of a statistic of means; empty where none is asked for.

    Args:
        question: What is asked.
        label: That of the statistic itself.
        arms: The branches with units.
        shapes: Those of their values.
        moments: What is known of the values before the cap.
    """
    reach = sequential_reach(question)
    if reach is None:
        return []
    facts = Facts(dict(moments or {}), 0, {}, has_covariate=False, shapes=shapes)
    model = fit(arms, is_robust=True)
    return mean_rows(question, sequential_label(label), model, facts, reach)
