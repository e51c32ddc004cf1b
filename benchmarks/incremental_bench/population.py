"""Who takes part: ids, branches, and on which day each unit enrolls, is exposed and leaves.

Belongs here: what is drawn once a unit. Does not: what units do on a day (`telemetry`).

Days are numbers, 0 is the experiment's first day, `START`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
import numpy.typing as npt
import pyarrow as pa

Integers = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

SEED = 20240115
START = date(2024, 1, 15)
ENROLLMENT_PERIOD = 7
LAST_ENROLLMENT_DATE = START + timedelta(days=ENROLLMENT_PERIOD)
BRANCHES = ("control", "treatment")
NEVER = 10_000

_EXPOSED = 0.6
_LEAVING = 0.03
_LONGEST_STAY = 75
_IN_BOTH_BRANCHES = 0.003


@dataclass(frozen=True)
class Population:
    """All units, one entry each; days are `NEVER` where something does not happen."""

    ids: pa.Array
    branch: Integers
    enrollment_day: Integers
    second_branch_day: Integers
    exposure_day: Integers
    leaving_day: Integers
    liveliness: Floats

    @property
    def size(self) -> int:
        """How many units there are."""
        return len(self.branch)


def draw_population(units: int) -> Population:
    """The same units for the same number."""
    draw = np.random.default_rng([SEED, units])
    enrolled = draw.integers(0, ENROLLMENT_PERIOD + 1, units)
    # Most meet what is tested within days; some after enrollment has ended, which does not count.
    delay = draw.geometric(0.4, units) - 1
    return Population(
        ids=_identifiers(draw, units),
        branch=draw.integers(0, len(BRANCHES), units),
        enrollment_day=enrolled,
        second_branch_day=_some(draw, _IN_BOTH_BRANCHES, enrolled + 1),
        exposure_day=_some(draw, _EXPOSED, enrolled + delay),
        leaving_day=_some(draw, _LEAVING, enrolled + draw.integers(1, _LONGEST_STAY, units)),
        liveliness=draw.gamma(0.8, 1.25, units) + 0.02,
    )


def _some(draw: np.random.Generator, share: float, days: Integers) -> Integers:
    return np.where(draw.random(len(days)) < share, days, NEVER)


def _identifiers(draw: np.random.Generator, units: int) -> pa.Array:
    """Texts in the form of a UUID, as telemetry has them."""
    digits = draw.bytes(16 * units).hex()
    texts = (digits[start : start + 32] for start in range(0, 32 * units, 32))
    return pa.array([f"{t[:8]}-{t[8:12]}-{t[12:16]}-{t[16:20]}-{t[20:]}" for t in texts])
