"""A curve is read at grid points between the lowest and the highest value of a branch.

Belongs here: the grid. Does not: the curves (`empirical_cdf`, `kernel_density`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from jetstream_assets.statistics.distribution import Distribution

NO_LOGARITHM = "the grid is linear: values below 0 (or only 0) have no logarithm"


def grid(values: Distribution, size: int, *, log_space: bool) -> tuple[NDArray[np.float64], str]:
    """The grid points, ascending and distinct, and a remark where the grid is not as asked.

    Linear from the lowest to the highest value; with ``log_space`` geometric, from the second
    lowest value where the lowest is 0, which is then a point of its own.
    """
    lowest, highest = float(values.values[0]), float(values.values[-1])
    if not log_space:
        return np.unique(np.linspace(lowest, highest, size)), ""
    if lowest < 0 or highest <= 0:
        return np.unique(np.linspace(lowest, highest, size)), NO_LOGARITHM
    if lowest > 0:
        return np.unique(np.geomspace(lowest, highest, size)), ""
    points = np.geomspace(float(values.values[1]), highest, size)
    return np.unique(np.concatenate([[0.0], points])), ""
