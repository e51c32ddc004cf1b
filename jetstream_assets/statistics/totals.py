"""Count and sum are exact: no interval, no comparison.

Belongs here: both. Does not: the number of enrolled units, which is no metric (`analysis`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from jetstream_assets.experiments.needs import Totals
from jetstream_assets.statistics.layout import Estimate, Label, remark_of_odd, single_rows

if TYPE_CHECKING:
    from jetstream_assets.experiments.needs import Need
    from jetstream_assets.statistics.base import Question, StatisticRow
    from jetstream_assets.statistics.collected import BranchTotals, Collected


@dataclass(frozen=True)
class Count:
    """The number of units with a value; 0 for a branch of the experiment without any."""

    outputs: tuple[str, ...] = ("count",)

    def needs(self, question: Question) -> tuple[Need, ...]:
        """The totals of the value."""
        return (Totals(question.value),)

    def rows(self, question: Question, collected: Collected) -> list[StatisticRow]:
        """One row per branch."""
        totals = collected.totals[Totals(question.value)]
        estimates = dict.fromkeys(question.branches, Estimate(0, 0.0))
        estimates |= {branch: _estimate(t, float(t.units)) for branch, t in totals.items()}
        return list(single_rows(question, Label(self.outputs[0]), estimates))


@dataclass(frozen=True)
class Sum:
    """The sum of the values; a branch without a value has no sum."""

    outputs: tuple[str, ...] = ("sum",)

    def needs(self, question: Question) -> tuple[Need, ...]:
        """The totals of the value."""
        return (Totals(question.value),)

    def rows(self, question: Question, collected: Collected) -> list[StatisticRow]:
        """One row per branch."""
        totals = collected.totals[Totals(question.value)]
        estimates = {branch: _estimate(t, t.total) for branch, t in totals.items() if t.units}
        return list(single_rows(question, Label(self.outputs[0]), estimates))


def _estimate(totals: BranchTotals, point: float) -> Estimate:
    return Estimate(totals.units, point, remark=remark_of_odd(totals.odd))
