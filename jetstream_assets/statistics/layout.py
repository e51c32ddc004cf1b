"""Single branches and compared pairs become rows the same way for every statistic.

Belongs here: which rows there are, also for branches without units; each pair is estimated once
and read in both directions. Does not: the estimates.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING, NamedTuple

from jetstream_assets.statistics.base import ComparisonKind, Question, StatisticRow, Status

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence


class Estimate(NamedTuple):
    """A number with its interval; what is not meaningful is None and ``reason`` says why.

    ``remark`` is a sentence about a number that is nevertheless good. ``p_value`` is two-sided, of
    the hypothesis that a difference is 0; it stands at differences only, so that one hypothesis
    has one.
    """

    units: int
    point: float | None = None
    lower: float | None = None
    upper: float | None = None
    reason: str = ""
    remark: str = ""
    p_value: float | None = None


@dataclass(frozen=True)
class Comparison:
    """A pair (branch, reference), read in both directions.

    ``difference`` is branch - reference, ``relative`` branch / reference - 1, ``mirrored``
    reference / branch - 1.
    """

    difference: Estimate
    relative: Estimate
    mirrored: Estimate


class Label(NamedTuple):
    """What the rows of one statistic have in common.

    ``required`` says what a unit must have to enter, for the reason where none has it.
    """

    statistic: str
    ci_width: float | None = None
    parameter: float | None = None
    covariate: str | None = None
    required: str = "a value"


def all_branches(question: Question, observed: Mapping[str, object]) -> tuple[str, ...]:
    """The experiment's branches in its order, then what the data show beside them, sorted."""
    return (*question.branches, *sorted(set(observed) - set(question.branches)))


def single_rows(
    question: Question, label: Label, estimates: Mapping[str, Estimate]
) -> Iterator[StatisticRow]:
    """One row per branch; a branch of the experiment without estimate has a row that says so."""
    for branch in all_branches(question, estimates):
        yield estimate_row(
            question, label, estimates.get(branch, without_units(branch, label)), branch
        )


def comparison_rows(
    question: Question,
    label: Label,
    observed: Sequence[str],
    compare: Callable[[str, str], Comparison],
    branches: Sequence[str] | None = None,
) -> Iterator[StatisticRow]:
    """Two rows per pair and direction: difference and relative uplift.

    Args:
        question: What is asked.
        label: What the rows have in common.
        observed: The branches that can be compared.
        compare: The comparison of (branch, reference), called once per pair.
        branches: The branches to have rows; default all that are known or observed.
    """
    if branches is None:
        branches = all_branches(question, dict.fromkeys(observed))
    if len(branches) < 2:  # noqa: PLR2004 - a comparison takes two
        reason = "there is nothing to compare: fewer than two branches are known"
        yield estimate_row(question, label, Estimate(0, reason=reason))
    for reference, branch in combinations(branches, 2):
        missing = [name for name in (branch, reference) if name not in observed]
        pair = _missing_pair(missing[0], label) if missing else compare(branch, reference)
        yield from _both_directions(question, label, pair, branch, reference)


def remark_of_odd(odd: int) -> str:
    """A sentence about units that were left out; empty when there are none."""
    if not odd:
        return ""
    units = "1 unit" if odd == 1 else f"{odd} units"
    return f"{units} left out: the value is infinite or not a number"


def joined(*remarks: str) -> str:
    """Several remarks as one text; empty when all are."""
    return "; ".join(remark for remark in remarks if remark)


def without_units(branch: str, label: Label) -> Estimate:
    """Why a branch has no number: none of its units has what is required."""
    return Estimate(0, reason=f"no unit of branch {branch!r} has {label.required} here")


def _missing_pair(branch: str, label: Label) -> Comparison:
    missing = without_units(branch, label)
    return Comparison(missing, missing, missing)


def _both_directions(
    question: Question, label: Label, pair: Comparison, branch: str, reference: str
) -> Iterator[StatisticRow]:
    difference, relative = ComparisonKind.DIFFERENCE, ComparisonKind.RELATIVE_UPLIFT
    yield estimate_row(question, label, pair.difference, branch, difference, reference)
    yield estimate_row(question, label, pair.relative, branch, relative, reference)
    yield estimate_row(question, label, _negated(pair.difference), reference, difference, branch)
    yield estimate_row(question, label, pair.mirrored, reference, relative, branch)


def _negated(estimate: Estimate) -> Estimate:
    point, lower, upper = (
        # Adding zero turns -0.0 into 0.0.
        None if number is None else -number + 0.0
        for number in (estimate.point, estimate.upper, estimate.lower)
    )
    e = estimate
    return Estimate(e.units, point, lower, upper, e.reason, e.remark, e.p_value)


def estimate_row(
    question: Question,
    label: Label,
    estimate: Estimate,
    branch: str | None = None,
    comparison: ComparisonKind | None = None,
    comparison_to_branch: str | None = None,
) -> StatisticRow:
    """The row of an estimate; insufficient where the estimate has a reason."""
    units, point, lower, upper, reason, remark, p_value = _representable(estimate)
    statistic, ci_width, parameter, covariate, _ = label
    return StatisticRow(
        question.analysis_basis,
        question.segment,
        question.summary.metric,
        statistic,
        parameter=parameter,
        branch=branch,
        comparison=comparison,
        comparison_to_branch=comparison_to_branch,
        ci_width=ci_width,
        point=point,
        lower=lower,
        upper=upper,
        p_value=p_value,
        units=units,
        covariate=covariate,
        status=Status.INSUFFICIENT_DATA if reason else Status.OK,
        reason=(joined(reason, remark) if reason else remark) or None,
    )


def _representable(estimate: Estimate) -> Estimate:
    """The estimate without numbers that have overflowed."""
    numbers = point, lower, upper = estimate.point, estimate.lower, estimate.upper
    # Asked of every row there is, so not in a loop.
    if (
        (point is None or math.isfinite(point))
        and (lower is None or math.isfinite(lower))
        and (upper is None or math.isfinite(upper))
    ):
        return estimate
    point, lower, upper = (n if n is not None and math.isfinite(n) else None for n in numbers)
    reason = estimate.reason or "the values are too large for their powers to be summed"
    return Estimate(estimate.units, point, lower, upper, reason, estimate.remark)
