"""A distribution is its sorted values with the number of units up to each.

Belongs here: reading shares and order statistics from a collected distribution. Does not: which
values were collected (`sql.distributions`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Integers = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Distribution:
    """The values of a branch, all or some of them.

    Args:
        values: Distinct values, ascending; the lowest and the highest are always there.
        units: Units with just that value.
        upto: Units with that value or a lower one, exact even where values are left out.
    """

    values: Floats
    units: Integers
    upto: Integers

    @classmethod
    def of(cls, values: Floats, units: Integers) -> Distribution:
        """The whole distribution of distinct, ascending values and their units."""
        return cls(values, units, np.cumsum(units))

    @property
    def total(self) -> int:
        """Units with a value."""
        return int(self.upto[-1]) if self.upto.size else 0

    @property
    def is_whole(self) -> bool:
        """Whether every value is there."""
        return int(self.units.sum()) == self.total

    def at_rank(self, ranks: Integers) -> Floats:
        """The order statistics of the ranks (1 is the lowest value, `total` the highest).

        Exact for a whole distribution; otherwise values that were left out are interpolated
        between their neighbours.
        """
        index = np.searchsorted(self.upto, ranks, side="left")
        found: Floats = self.values[index]
        if self.is_whole:
            return found
        first = self.upto[index] - self.units[index] + 1
        before = np.maximum(index - 1, 0)
        gap = np.maximum(first - self.upto[before], 1)
        share = np.clip((ranks - self.upto[before]) / gap, 0.0, 1.0)
        between: Floats = self.values[before] + share * (found - self.values[before])
        return np.where((ranks >= first) | (index == 0), found, between)

    def share_up_to(self, points: Floats) -> Floats:
        """The share of units whose value is at most each point."""
        index = np.searchsorted(self.values, points, side="right")
        exact: Floats = np.concatenate([[0], self.upto])[index] / self.total
        if self.is_whole:
            return exact
        last = self.values.size - 1
        left, right = np.clip(index - 1, 0, last), np.clip(index, 0, last)
        span = self.values[right] - self.values[left]
        share = np.where(span > 0, (points - self.values[left]) / np.where(span > 0, span, 1.0), 0)
        below = self.upto[right] - self.units[right] - self.upto[left]
        inside = (index > 0) & (index <= last)
        found: Floats = exact + np.where(inside, share * below / self.total, 0.0)
        return found
