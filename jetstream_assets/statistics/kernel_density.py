"""The density of a metric, smoothed by a Gaussian kernel, at a grid of x.

Belongs here: the statistic ``kernel_density_estimate``. Does not: the grid (`grid`).

The bandwidth is Scott's: the standard deviation of the branch times n to the power -1/5. (Jetstream
leaves out the standard deviation, so that its curves depend on the unit of measurement.) A branch
without variation has no density.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from jetstream_assets.experiments.needs import Histogram, Odd
from jetstream_assets.statistics.curves import curve_rows

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from jetstream_assets.experiments.needs import Need
    from jetstream_assets.statistics.base import Question, StatisticRow
    from jetstream_assets.statistics.collected import Collected
    from jetstream_assets.statistics.distribution import Distribution


@dataclass(frozen=True)
class KernelDensity:
    """One row per branch and grid point, without interval or comparison."""

    outputs: tuple[str, ...] = ("kernel_density_estimate",)

    def needs(self, question: Question) -> tuple[Need, ...]:
        """The distribution, and how many values were left out of it."""
        return (Histogram(question.value), Odd(question.value))

    def rows(self, question: Question, collected: Collected) -> list[StatisticRow]:
        """The rows of all branches."""
        return curve_rows(question, self.outputs[0], collected, _density)


def _density(values: Distribution, points: NDArray[np.float64]) -> NDArray[np.float64]:
    """The density at the points; NaN without variation."""
    weights = np.diff(values.upto, prepend=0) / values.total
    mean = weights @ values.values
    deviation = math.sqrt(weights @ (values.values - mean) ** 2)
    if deviation == 0:
        return np.full(points.shape, np.nan)
    bandwidth = deviation * values.total ** (-1 / 5)
    distance = (points[:, None] - values.values[None, :]) / bandwidth
    kernel = np.exp(-(distance**2) / 2) / (bandwidth * math.sqrt(2 * math.pi))
    found: NDArray[np.float64] = kernel @ weights
    return found
