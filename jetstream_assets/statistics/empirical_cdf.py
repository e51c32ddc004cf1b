"""The share of units whose value is at most x, at a grid of x.

Belongs here: the statistic ``empirical_cdf``. Does not: the grid (`grid`).

Exact where a branch's distribution was collected whole; otherwise within 1/2048 (see
`sql.distributions`), and exact at the values that were collected.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from jetstream_assets.experiments.needs import Histogram, Odd
from jetstream_assets.statistics.curves import curve_rows

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from jetstream_assets.experiments.needs import Need
    from jetstream_assets.statistics.base import Question, StatisticRow
    from jetstream_assets.statistics.collected import Collected
    from jetstream_assets.statistics.distribution import Distribution


@dataclass(frozen=True)
class EmpiricalCdf:
    """One row per branch and grid point, without interval or comparison."""

    outputs: tuple[str, ...] = ("empirical_cdf",)

    def needs(self, question: Question) -> tuple[Need, ...]:
        """The distribution, and how many values were left out of it."""
        return (Histogram(question.value), Odd(question.value))

    def rows(self, question: Question, collected: Collected) -> list[StatisticRow]:
        """The rows of all branches."""
        return curve_rows(question, self.outputs[0], collected, _share)


def _share(values: Distribution, points: NDArray[np.float64]) -> NDArray[np.float64]:
    return values.share_up_to(points)
