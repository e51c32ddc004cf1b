"""A pre-treatment changes or drops single values; it is an expression of SQL, in the given order.

Belongs here: every pre-treatment by name. Does not: which parameters they have
(`experiments.statistic_parameters`), how the values are then collected (`sufficient_statistics`).

A dropped value becomes NULL, and a NULL never enters a statistic. Where this differs from the
pre-treatments of the same names in Jetstream:

- ``remove_indefinites`` drops minus infinity and "not a number" as well as infinity;
- ``log`` of 0 is minus infinity and of a negative number "not a number", as there, but neither is
  silent: such units are left out of every statistic and the result row says how many;
- ``zero_fill`` makes 0 of the NULL of a unit without a value, unless an earlier pre-treatment has
  dropped what is NULL; there NULL never arrives, so that it does nothing;
- ``normalize_over_analysis_period`` divides by the length of the window in days, for every period.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlglot import exp

from jetstream_assets.errors import QueryError
from jetstream_assets.experiments.statistic_parameters import PRE_TREATMENTS
from jetstream_assets.sql.numbers import float64

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from jetstream_assets.experiments.metrics import PreTreatment, Scalar

# What has dropped every NULL, so that nothing is left to fill with zeros.
_DROPPING = frozenset(PRE_TREATMENTS) - {"zero_fill", "log", "normalize_over_analysis_period"}
_CHANGING_TYPE = frozenset({"log", "normalize_over_analysis_period"})


@dataclass(frozen=True)
class RowWise:
    """A step that needs only the value itself."""

    apply: Callable[[exp.Expr], exp.Expr]


@dataclass(frozen=True)
class QuantileCensor:
    """A step that keeps values strictly below (or above) a quantile.

    The quantile is that of all values, over all branches, of the segment and analysis basis.
    """

    fraction: float
    keeps_below: bool

    def apply(self, value: exp.Expr, threshold: exp.Expr) -> exp.Expr:
        """The value where it is kept, else NULL."""
        return _kept(value, exp.LT if self.keeps_below else exp.GT, threshold)


Step = RowWise | QuantileCensor


def steps(pre_treatments: Sequence[PreTreatment], window_length: int) -> tuple[Step, ...]:
    """The steps of the pre-treatments, in their order.

    Args:
        pre_treatments: By name, with their arguments; a missing argument has its default.
        window_length: Length of the analysed window in days.

    Raises:
        QueryError: A name or an argument is unknown, or a required argument is missing.
    """
    found: list[Step] = []
    has_dropped_nulls = False
    for pre_treatment in pre_treatments:
        arguments = _arguments(pre_treatment) | {"window_length": window_length}
        if pre_treatment.name != "zero_fill" or not has_dropped_nulls:
            found.append(_STEPS[pre_treatment.name](arguments))
        has_dropped_nulls = has_dropped_nulls or pre_treatment.name in _DROPPING
    return tuple(found)


def keeps_integers(pre_treatments: Sequence[PreTreatment]) -> bool:
    """Whether the values of an integer metric are still integers afterwards."""
    return not any(pre_treatment.name in _CHANGING_TYPE for pre_treatment in pre_treatments)


def _arguments(pre_treatment: PreTreatment) -> dict[str, Scalar]:
    name, given = pre_treatment.name, dict(pre_treatment.arguments)
    if name not in PRE_TREATMENTS:
        raise QueryError(
            f"pre-treatment {name!r} is not known; allowed are {', '.join(sorted(PRE_TREATMENTS))}"
        )
    parameters = {parameter.name: parameter for parameter in PRE_TREATMENTS[name]}
    unknown = sorted(given.keys() - parameters.keys())
    if unknown:
        allowed = ", ".join(sorted(parameters)) or "none"
        raise QueryError(
            f"pre-treatment {name!r} has no argument {unknown[0]!r}; allowed are: {allowed}"
        )
    missing = sorted(p.name for p in parameters.values() if p.is_required and p.name not in given)
    if missing:
        raise QueryError(f"pre-treatment {name!r} needs the argument {missing[0]!r}")
    return {p.name: p.default for p in parameters.values()} | given


def _log(arguments: Mapping[str, Scalar]) -> Step:
    base = _number(arguments, "base")
    if base == 1 or base < 0:
        raise QueryError(f"the base of a logarithm is {base:g}; allowed are 0 (natural) and others")
    divisor = math.log(base) if base else 1.0

    def apply(value: exp.Expr) -> exp.Expr:
        # A logarithm of 0 or less is an error in BigQuery, so that the row is decided before it.
        logarithm = exp.Div(this=exp.Ln(this=value.copy()), expression=float64(divisor))
        zero = exp.EQ(this=value.copy(), expression=float64(0.0))
        positive = exp.GT(this=value.copy(), expression=float64(0.0))
        negative = exp.LT(this=value.copy(), expression=float64(0.0))
        to_zero = -math.inf if divisor > 0 else math.inf
        return (
            exp.case()
            .when(positive, logarithm, copy=False)
            .when(zero, float64(to_zero), copy=False)
            .when(negative, float64(math.nan), copy=False)
            .else_(value.copy(), copy=False)
        )

    return RowWise(apply)


def _normalize(arguments: Mapping[str, Scalar]) -> Step:
    length = _number(arguments, "window_length")
    return RowWise(lambda value: exp.Div(this=value, expression=float64(length)))


def _threshold(comparison: type[exp.Binary]) -> Callable[[Mapping[str, Scalar]], Step]:
    def make(arguments: Mapping[str, Scalar]) -> Step:
        threshold = float64(_number(arguments, "threshold"))
        return RowWise(lambda value: _kept(value, comparison, threshold))

    return make


def _kept(value: exp.Expr, comparison: type[exp.Binary], threshold: exp.Expr) -> exp.Expr:
    kept = comparison(this=value.copy(), expression=threshold.copy())
    return exp.case().when(kept, value.copy(), copy=False)


def finite(value: exp.Expr) -> exp.Expr:
    """The value, or NULL where it is infinite or not a number."""
    return exp.case().when(exp.Not(this=exp.paren(is_odd(value))), value.copy(), copy=False)


def is_odd(value: exp.Expr) -> exp.Expr:
    """Whether the value is infinite or not a number; NULL where it is NULL."""
    return exp.or_(exp.IsInf(this=value.copy()), exp.IsNan(this=value.copy()), copy=False)


def _number(arguments: Mapping[str, Scalar], name: str) -> float:
    value = arguments[name]
    if value is None or isinstance(value, str):
        raise QueryError(f"the argument {name!r} of a pre-treatment is {value!r}, not a number")
    return float(value)


_STEPS: dict[str, Callable[[Mapping[str, Scalar]], Step]] = {
    "remove_nulls": lambda _: RowWise(lambda value: value),
    "remove_indefinites": lambda _: RowWise(finite),
    "censor_highest_values": lambda a: QuantileCensor(_number(a, "fraction"), keeps_below=True),
    "censor_lowest_values": lambda a: QuantileCensor(_number(a, "fraction"), keeps_below=False),
    "censor_values_above_threshold": _threshold(exp.LT),
    "censor_values_below_threshold": _threshold(exp.GT),
    "normalize_over_analysis_period": _normalize,
    "log": _log,
    "zero_fill": lambda _: RowWise(
        lambda value: exp.Coalesce(this=value, expressions=[float64(0.0)])
    ),
}
