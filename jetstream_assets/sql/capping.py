"""A cap replaces what lies above a threshold by the threshold, so that few units do not decide.

Belongs here: which columns are capped at what. Does not: the thresholds (`centres`), the values
before (`unit_values`), the sums after (`sufficient_statistics`).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from sqlglot import exp

from jetstream_assets.experiments.needs import (
    CapScope,
    CoMoments,
    JointMoments,
    Moments,
    Odd,
    RatioCoMoments,
    Totals,
    Value,
)
from jetstream_assets.sql.pre_treatments import keeps_integers
from jetstream_assets.sql.unit_values import GROUP, SCOPE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from jetstream_assets.sql.unit_values import UnitRows

Summed = Totals | Odd | Moments | CoMoments | JointMoments | RatioCoMoments
PARTITIONS = {CapScope.BRANCH: GROUP, CapScope.POOLED: SCOPE}


@dataclass(frozen=True)
class Cap:
    """A threshold: the quantile 1 - ``share`` of a value, in each group of ``scope``.

    ``also`` are values that a unit must have, too, to enter.
    """

    value: Value
    share: float
    scope: CapScope
    rounds_up: bool
    also: tuple[Value, ...] = ()


@dataclass(frozen=True)
class Capped:
    """Capped values, whichever units are summed: they have one threshold and one centre."""

    value: Value
    cap: Cap | None

    @property
    def also(self) -> tuple[Value, ...]:
        """What a unit must have, too, for its value to move threshold and centre."""
        return self.cap.also if self.cap is not None else ()


@dataclass(frozen=True)
class CappedColumn:
    """A column of capped values with a label; a unit must have ``also``, too, to be summed."""

    label: str
    value: Value
    cap: Cap | None
    also: tuple[Value, ...] = ()

    @property
    def capped(self) -> Capped:
        """What it shares with columns of other needs."""
        return Capped(self.value, self.cap)


@dataclass(frozen=True)
class GroupSizes:
    """How many groups there are, and the units of the largest: at most so many.

    Args:
        groups: Number of `GROUP` that have units.
        branch: Units of the largest of them.
        pooled: Units of the largest with all branches together.
        units: Units of all branches, whatever segments they are in.
    """

    groups: int
    branch: int
    pooled: int
    units: int

    def of(self, scope: CapScope) -> int:
        """Units of the largest group of a scope."""
        return self.pooled if scope is CapScope.POOLED else self.branch


def capped_columns(rows: UnitRows, index: int, need: Summed) -> list[CappedColumn]:
    """The columns of need number ``index``.

    The label of the second of two ends in ``_x``, those of covariates of a ratio in ``_c0``,
    ``_c1``.
    """
    if isinstance(need, Totals | Odd):
        return []
    share, label = need.drop_highest, str(index)
    if isinstance(need, Moments):
        return [CappedColumn(label, need.value, _cap(rows, need.value, share, need.cap))]
    if isinstance(need, CoMoments):
        value, covariate = need.value, need.covariate
        cap = _cap(rows, value, share, CapScope.POOLED)
        # A covariate's threshold follows from the units that the metric has a value of.
        covariate_cap = _cap(rows, covariate, share, CapScope.POOLED, also=(value,))
        return [
            CappedColumn(label, value, cap, also=(covariate,)),
            CappedColumn(f"{index}_x", covariate, covariate_cap, also=(value,)),
        ]
    return _ratio_columns(rows, index, need)


def _ratio_columns(
    rows: UnitRows, index: int, need: JointMoments | RatioCoMoments
) -> list[CappedColumn]:
    share, x, y = need.drop_highest, need.numerator, need.denominator
    covariates = need.covariates if isinstance(need, RatioCoMoments) else ()
    columns = [
        CappedColumn(label, value, _cap(rows, value, share, CapScope.BRANCH, also), also)
        for label, value, also in ((str(index), x, (y,)), (f"{index}_x", y, (x,)))
    ]
    columns += [
        CappedColumn(f"{index}_c{i}", value, _cap(rows, value, share, CapScope.POOLED, (x, y)))
        for i, value in enumerate(covariates)
    ]
    if not covariates:
        return columns
    # A unit enters the sums with all parts or not at all; the thresholds are those of the others.
    parts = need.values
    return [replace(c, also=tuple(v for v in parts if v != c.value)) for c in columns]


def _cap(
    rows: UnitRows, value: Value, share: float, scope: CapScope, also: tuple[Value, ...] = ()
) -> Cap | None:
    if share <= 0:
        return None
    whole = rows.is_integer(value) and keeps_integers(value.pre_treatments)
    return Cap(value, share, scope, whole and scope is CapScope.POOLED, also)


def where_present(value: exp.Expr, *others: exp.Expr) -> exp.Expr:
    """The value of the units that have the other values, too."""
    if not others:
        return value
    missing = (exp.Is(this=other.copy(), expression=exp.null()) for other in others)
    return exp.case().when(
        exp.and_(*(exp.Not(this=one) for one in missing), copy=False), value.copy(), copy=False
    )


def same_group(left: str, right: str, columns: Sequence[str] = GROUP) -> exp.Expr:
    """Whether rows of two relations are of the same group."""
    return exp.and_(
        *(exp.column(c, table=left).eq(exp.column(c, table=right)) for c in columns), copy=False
    )
