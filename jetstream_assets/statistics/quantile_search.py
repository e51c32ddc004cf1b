"""A quantile of a distribution that is close to normal is found in a few steps.

Belongs here: the search. Does not: any distribution (`beta_pairs`, `ratio_distribution`).

The normal quantile of a distribution function that is close to a normal one is close to a straight
line, so that the secant method needs some five evaluations where bisection and its kind need three
times as many. Where it does not settle, Brent's method decides.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

_STEPS = 12


def quantile(
    probability: Callable[[float], float],
    share: float,
    guesses: tuple[float, float],
    ends: tuple[float, float],
) -> float:
    """Where a distribution function reaches a share (0 to 1).

    Args:
        probability: The distribution function.
        share: The share.
        guesses: Two values near the quantile, not the same.
        ends: Values between which the quantile lies.
    """
    found = _by_secants(probability, share, guesses, ends)
    if found is not None:
        return found
    from scipy.optimize import brentq

    def excess(value: float) -> float:
        return probability(value) - share

    return float(brentq(excess, *ends, xtol=1e-15, rtol=1e-12))


def _by_secants(
    probability: Callable[[float], float],
    share: float,
    guesses: tuple[float, float],
    ends: tuple[float, float],
) -> float | None:
    from scipy.special import ndtri

    wanted = float(ndtri(share))
    before, value = guesses
    scale = abs(value - before)
    error_before = float(ndtri(probability(before))) - wanted
    for _ in range(_STEPS):
        error = float(ndtri(probability(value))) - wanted
        if error == 0:
            return value
        # Infinite where the function is 0 or 1, to its last digit.
        if not math.isfinite(error - error_before) or error == error_before:
            return None
        step = error * (value - before) / (error - error_before)
        before, error_before, value = value, error, value - step
        if not ends[0] <= value <= ends[1]:
            return None
        if abs(step) <= _TOLERANCE * max(abs(value), scale):
            return value
    return None


# The error after a step is as good as the product of the last two, so that this leaves rounding.
_TOLERANCE = 1e-9
