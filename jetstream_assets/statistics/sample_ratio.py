"""Whether branches have the units that their ratios promise: a sample ratio mismatch is no chance.

Belongs here: the test of one set of counts. Does not: which sets are tested, and what follows
(`analysis.enrollment_checks`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

# Below it the distribution of the sum is not that of chi-squared: the usual rule.
FEWEST_EXPECTED = 5.0


@dataclass(frozen=True)
class RatioTest:
    """Units by branch, and how likely they differ so much from what is expected.

    Args:
        observed: Units by branch, also of branches that nobody planned.
        expected: Units by branch, in all as many as were observed.
        chi_squared: The sum of (observed - expected)^2 / expected; infinite where units are in a
            branch that is to have none.
        p_value: The chance of such a sum or a larger one; None where the test cannot be made: of
            fewer than two branches, or with fewer than `FEWEST_EXPECTED` units in one.
    """

    observed: Mapping[str, int]
    expected: Mapping[str, float]
    chi_squared: float
    p_value: float | None


def ratio_test(observed: Mapping[str, int], ratios: Mapping[str, float]) -> RatioTest:
    """Pearson's chi-squared test of the counts against the ratios, whatever these add up to.

    Args:
        observed: Units by branch.
        ratios: The ratio of each branch, at least 0; a branch that is not in it has 0.
    """
    total, weight = sum(observed.values()), sum(ratios.values())
    branches = [*ratios, *(branch for branch in sorted(observed) if branch not in ratios)]
    counts = {branch: observed.get(branch, 0) for branch in branches}
    expected = {
        branch: total * ratios.get(branch, 0.0) / weight if weight else 0.0 for branch in branches
    }
    planned = [branch for branch in branches if expected[branch] > 0]
    if any(counts[branch] for branch in branches if branch not in planned):
        return RatioTest(counts, expected, float("inf"), 0.0)
    chi_squared = sum((counts[b] - expected[b]) ** 2 / expected[b] for b in planned)
    if len(planned) < 2 or min(expected[b] for b in planned) < FEWEST_EXPECTED:  # noqa: PLR2004
        return RatioTest(counts, expected, chi_squared, None)
    return RatioTest(counts, expected, chi_squared, _chance(chi_squared, len(planned) - 1))


def _chance(chi_squared: float, degrees: int) -> float:
    from scipy.special import chdtrc

    return float(chdtrc(degrees, chi_squared))
