"""What an experiment set out to show, said before it was looked at: its metrics and its effect.

Belongs here: the declared family of metrics, the effect to be found, and which statistic speaks
for a metric. Does not: p-values (`statistics`), how the declarations are written (`config`).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

# A metric may have several statistics, which all ask the same question of the data; the first of
# these that it has answers for it. Configuration name, and name in the statistics table.
SPEAKERS = {
    "linear_model_mean": "mean_lm",
    "bootstrap_mean": "mean",
    "binomial": "binomial",
    "population_ratio": "population_ratio",
}


class Correction(StrEnum):
    """How p-values are adjusted for the size of their family.

    ``HOLM`` bounds the probability of any false claim, ``BENJAMINI_HOCHBERG`` the share of false
    ones among the claims.
    """

    HOLM = "holm"
    BENJAMINI_HOCHBERG = "benjamini_hochberg"


@dataclass(frozen=True)
class MultipleComparisons:
    """The metrics on which an experiment is judged, and how their p-values are adjusted."""

    metrics: tuple[str, ...]
    method: Correction = Correction.HOLM


@dataclass(frozen=True)
class PowerGoal:
    """What an experiment is to find.

    Args:
        effect: The relative uplift (above 0; .02 is 2 %) that matters, or None.
        power: The probability (0 to 1) with which it is to be found.
    """

    effect: float | None = None
    power: float = 0.8


def speaker(statistics: Iterable[str]) -> str | None:
    """Of the names in the statistics table, the one that speaks for its metric, if any does."""
    known = set(statistics)
    return next((name for name in SPEAKERS.values() if name in known), None)
