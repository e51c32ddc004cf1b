"""The data of the golden numbers: small integers by formula, three branches of unequal size."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def covariate(units: int) -> Floats:
    return (7 * np.arange(units) % 11).astype(np.float64)


def _spend(units: int, stride: int, modulus: int, base: float = 0.0) -> Floats:
    return (stride * np.arange(units) % modulus) + base + 0.5 * covariate(units)


SPEND = {"control": _spend(40, 13, 17), "a": _spend(30, 5, 19, 1.0), "b": _spend(50, 11, 23)}
COVARIATE = {branch: covariate(values.size) for branch, values in SPEND.items()}
