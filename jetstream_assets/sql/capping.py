"""A cap replaces what lies above a threshold by the threshold, so that few units do not decide.

Belongs here: which columns are capped at what, and the sub-queries for it. Does not: the
values before (`unit_values`), the sums after (`sufficient_statistics`).

A threshold is the quantile by linear interpolation between two order statistics. Few values lie
above it, so that it is read from the highest values alone: no more is ever kept of a group.
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
    RatioCoMoments,
    Totals,
    Value,
)
from jetstream_assets.sql.fragments import int64
from jetstream_assets.sql.numbers import float64
from jetstream_assets.sql.pre_treatments import keeps_integers
from jetstream_assets.sql.unit_values import GROUP, SCOPE, unit_values

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from jetstream_assets.sql.unit_values import UnitRows, UnitValues

Summed = Totals | Moments | CoMoments | JointMoments | RatioCoMoments
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
class CappedColumn:
    """A column of capped values with a label; a unit must have ``also``, too, to be summed."""

    label: str
    value: Value
    cap: Cap | None
    also: tuple[Value, ...] = ()


@dataclass(frozen=True)
class GroupSizes:
    """How many groups there are, and the units of the largest.

    Args:
        groups: Number of `GROUP` that have units.
        branch: Units of the largest of them.
        pooled: Units of the largest with all branches together.
    """

    groups: int
    branch: int
    pooled: int

    def of(self, scope: CapScope) -> int:
        """Units of the largest group of a scope."""
        return self.pooled if scope is CapScope.POOLED else self.branch


def capped_columns(rows: UnitRows, index: int, need: Summed) -> list[CappedColumn]:
    """The columns of need number ``index``.

    The label of the second of two ends in ``_x``, those of covariates of a ratio in ``_c0``,
    ``_c1``.
    """
    if isinstance(need, Totals):
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


@dataclass(frozen=True)
class Facts:
    """Common table expressions up to ``facts``, which has one row for each of its ``keys``."""

    ctes: tuple[tuple[str, exp.Query], ...]
    keys: tuple[str, ...]


def facts(rows: UnitRows, columns: Sequence[CappedColumn], sizes: GroupSizes) -> Facts:
    """What must be known of groups before their units are summed.

    Per label ``centre_<label>``, a number near the mean of the capped values, and, where there is a
    cap, ``threshold_<label>`` and ``uncapped_<label>``, the mean before it (NULL where no unit has
    a value).

    The sub-queries read the units by themselves: a common table expression that is read twice
    would be kept whole. The mean of all branches is as good a centre as that of a branch: where a
    cap is pooled, or another column's is, nothing has to be asked of the branches.
    """
    caps = list(dict.fromkeys(column.cap for column in columns if column.cap is not None))
    scopes = sorted({cap.scope for cap in caps}, reverse=True) or [CapScope.BRANCH]
    homes = {c.label: c.cap.scope if c.cap is not None else scopes[0] for c in columns}
    ctes: list[tuple[str, exp.Query]] = []
    for scope in scopes:
        own = {f"{i}": cap for i, cap in enumerate(caps) if cap.scope is scope}
        means = [column for column in columns if homes[column.label] is scope]
        ctes.append((f"{scope}_facts", _facts_of(rows, means, own, scope, sizes.of(scope))))
    keys = PARTITIONS[scopes[-1]]
    joined = exp.select(*(exp.column(key, table=scopes[-1].value) for key in keys), copy=False)
    joined = joined.from_(f"{scopes[-1]}_facts AS {scopes[-1]}", copy=False)
    if len(scopes) > 1:
        joined = joined.join(
            "pooled_facts AS pooled", on=same_group("branch", "pooled", SCOPE), copy=False
        )
    for column in columns:
        joined = joined.select(*_facts_columns(column, homes[column.label], caps), copy=False)
    # The limit tells the planner how few rows these are: it must keep them, and never the units,
    # in memory when it joins the two.
    ctes.append(("facts", joined.limit(max(sizes.groups, 1), copy=False)))
    return Facts(tuple(ctes), keys)


def _facts_columns(column: CappedColumn, home: CapScope, caps: Sequence[Cap]) -> list[exp.Expr]:
    centre: exp.Expr = exp.column(f"mean_{column.label}", table=home.value)
    if column.cap is None:
        return [centre.as_(f"centre_{column.label}", copy=False)]
    threshold = exp.column(f"threshold_{caps.index(column.cap)}", table=home.value)
    # The mean before the cap may lie far beyond it; the threshold is never farther from the mean
    # after it than 1 / sqrt(share) standard deviations.
    above = exp.GT(this=centre.copy(), expression=threshold.copy())
    nearest = exp.case().when(above, threshold.copy(), copy=False).else_(centre.copy(), copy=False)
    return [
        nearest.as_(f"centre_{column.label}", copy=False),
        threshold.as_(f"threshold_{column.label}", copy=False),
        centre.as_(f"uncapped_{column.label}", copy=False),
    ]


def _facts_of(
    rows: UnitRows,
    means: Sequence[CappedColumn],
    caps: Mapping[str, Cap],
    scope: CapScope,
    units: int,
) -> exp.Select:
    """Means and thresholds of the groups of one scope."""
    partition = [exp.column(column) for column in PARTITIONS[scope]]
    populations = [(c.value, c.also) for c in means] + [(c.value, c.also) for c in caps.values()]
    needed = dict.fromkeys(v for value, also in populations for v in (value, *also))
    values = unit_values(rows, list(needed))
    present, highest = (
        exp.select(*partition, copy=False).from_("unit_values", copy=False),
        exp.select(*partition, copy=False),
    )
    final = exp.select(*(column.copy() for column in partition), copy=False).from_(
        "ranked", copy=False
    )
    for column in means:
        value = _present(values, column.value, column.also).as_(f"own_{column.label}", copy=False)
        present = present.select(value, copy=False)
        mean = exp.Avg(this=exp.column(f"own_{column.label}")).as_(
            f"mean_{column.label}", copy=False
        )
        highest = highest.select(mean, copy=False)
        final = final.select(exp.column(f"mean_{column.label}"), copy=False)
    for label, cap in caps.items():
        value = _present(values, cap.value, cap.also).as_(f"value_{label}", copy=False)
        present = present.select(value, copy=False)
        highest = highest.select(*_highest_values(label, cap, units), copy=False)
        final = final.select(
            _quantile(label, cap).as_(f"threshold_{label}", copy=False), copy=False
        )
    grouped = highest.from_("present", copy=False).group_by(
        *(column.copy() for column in partition), copy=False
    )
    ranks = [_rank(label, cap).as_(f"rank_{label}", copy=False) for label, cap in caps.items()]
    ranked = exp.select("*", *ranks, copy=False).from_("highest_values", copy=False)
    return values.query(
        final, ("present", present), ("highest_values", grouped), ("ranked", ranked)
    )


def _present(values: UnitValues, value: Value, also: Sequence[Value]) -> exp.Expr:
    return where_present(values.column(value), *map(values.column, also))


def _highest_values(label: str, cap: Cap, units: int) -> list[exp.Expr]:
    value = exp.column(f"value_{label}")
    # One more for the value above the quantile, one since positions count from 0, one for rounding.
    count = min(int(cap.share * units) + 3, units)
    return [
        exp.Count(this=value).as_(f"units_{label}", copy=False),
        _highest(value.name, count).as_(f"highest_{label}", copy=False),
    ]


def _highest(column: str, count: int) -> exp.Expr:
    """The highest values, the highest first."""
    ordered = exp.Order(
        this=exp.column(column),
        expressions=[exp.Ordered(this=exp.column(column), desc=True, nulls_first=False)],
    )
    limited = exp.Limit(this=ordered, expression=exp.Literal.number(count))
    return exp.IgnoreNulls(this=exp.ArrayAgg(this=limited))


def _rank(label: str, cap: Cap) -> exp.Expr:
    """The rank of the quantile among the values from below, counted from 0; it has a fraction."""
    last = exp.paren(exp.column(f"units_{label}") - 1)
    return exp.Mul(this=last, expression=float64(1.0 - cap.share))


def _quantile(label: str, cap: Cap) -> exp.Expr:
    """The value at the rank, by linear interpolation between the two around it."""
    rank, units = exp.column(f"rank_{label}"), exp.column(f"units_{label}")
    below = exp.Floor(this=rank.copy())
    # From above, the value below the rank has this position, and the one above it the next smaller.
    position = exp.Sub(this=exp.Sub(this=units.copy(), expression=_one()), expression=below)
    lower = _at(label, position)
    upper = _at(label, exp.Sub(this=position.copy(), expression=_one()))
    share = exp.paren(exp.Sub(this=rank.copy(), expression=below.copy()))
    step = exp.paren(exp.Sub(this=upper, expression=lower.copy()))
    between = exp.Add(this=lower.copy(), expression=exp.Mul(this=share, expression=step))
    found: exp.Expr = (
        exp.case()
        .when(exp.GT(this=rank, expression=below.copy()), between, copy=False)
        .else_(lower, copy=False)
    )
    found = exp.Ceil(this=found) if cap.rounds_up else found
    return exp.case().when(exp.GT(this=units, expression=exp.Literal.number(0)), found, copy=False)


def _at(label: str, position: exp.Expr) -> exp.Expr:
    highest = exp.column(f"highest_{label}")
    return exp.Bracket(this=highest, expressions=[int64(position)], offset=0, safe=False)


def _one() -> exp.Expr:
    """The number 1."""
    return exp.Literal.number(1)


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
