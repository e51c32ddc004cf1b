"""A cap replaces what lies above a threshold by the threshold, so that few units do not decide.

Belongs here: the columns of capped values and their thresholds. Does not: the values before
(`unit_values`), the sums after (`sufficient_statistics`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlglot import exp

from jetstream_assets.experiments.needs import CapScope, CoMoments, Moments, Totals, Value
from jetstream_assets.sql.pre_treatments import keeps_integers
from jetstream_assets.sql.unit_values import GROUP, SCOPE, group_columns, quantile

if TYPE_CHECKING:
    from collections.abc import Sequence

    from jetstream_assets.sql.unit_values import UnitRows, UnitValues

Summed = Totals | Moments | CoMoments


@dataclass(frozen=True)
class CappedColumn:
    """A column of capped values: ``capped_<label>`` with its ``threshold_<label>``.

    ``also`` is a value that a unit must have, too, for its own to count; None asks for nothing.
    """

    label: str
    value: Value
    share: float
    cap: CapScope
    rounds_up: bool
    also: Value | None = None

    @property
    def partition(self) -> tuple[str, ...]:
        """Among whose values the threshold is found."""
        return SCOPE if self.cap is CapScope.POOLED else GROUP


def capped_columns(rows: UnitRows, index: int, need: Summed) -> list[CappedColumn]:
    """The columns that need number ``index`` asks for; a covariate's label ends in ``_x``."""
    if isinstance(need, Totals):
        return []
    if isinstance(need, Moments):
        return [_column(rows, str(index), need.value, need.drop_highest, need.cap)]
    pooled = (need.drop_highest, CapScope.POOLED)
    return [
        _column(rows, str(index), need.value, *pooled, also=need.covariate),
        _column(rows, f"{index}_x", need.covariate, *pooled, also=need.value),
    ]


def _column(
    rows: UnitRows, label: str, value: Value, share: float, cap: CapScope, also: Value | None = None
) -> CappedColumn:
    whole = rows.is_integer(value) and keeps_integers(value.pre_treatments)
    return CappedColumn(label, value, share, cap, whole and cap is CapScope.POOLED, also)


def capping(
    values: UnitValues, columns: Sequence[CappedColumn]
) -> tuple[tuple[str, exp.Select], ...]:
    """Common table expressions up to ``capped``.

    It has the columns of ``unit_values`` and for each column its ``capped_<label>``, and, where
    there is a cap, its ``threshold_<label>``.
    """
    return (
        ("row_thresholds", _row_thresholds(values, columns)),
        ("thresholds", _thresholds(columns)),
        ("capped", _capped_rows(values, columns)),
    )


def _row_thresholds(values: UnitValues, capped: Sequence[CappedColumn]) -> exp.Select:
    thresholds: list[exp.Expr] = []
    for column in capped:
        if column.share <= 0:
            continue
        value: exp.Expr = values.column(column.value)
        if column.also is not None and column.value.period is not None:
            # A covariate's threshold follows from the units that the metric has a value of.
            value = where_present(value, values.column(column.also))
        found = quantile(value, 1.0 - column.share, column.partition)
        found = exp.Ceil(this=found) if column.rounds_up else found
        thresholds.append(found.as_(f"threshold_{column.label}"))
    return exp.select(*group_columns(), *thresholds).from_("unit_values")


def _thresholds(capped: Sequence[CappedColumn]) -> exp.Select:
    maxima = [
        exp.Max(this=exp.column(f"threshold_{c.label}")).as_(f"threshold_{c.label}")
        for c in capped
        if c.share > 0
    ]
    grouped = exp.select(*group_columns(), *maxima).from_("row_thresholds")
    return grouped.group_by(*group_columns())


def _capped_rows(values: UnitValues, capped: Sequence[CappedColumn]) -> exp.Select:
    columns: list[exp.Expr] = []
    for column in capped:
        value: exp.Expr = values.column(column.value)
        if column.share > 0:
            threshold = exp.column(f"threshold_{column.label}", table="t")
            above = exp.GT(this=value.copy(), expression=threshold)
            value = exp.case().when(above, threshold.copy()).else_(value.copy())
            columns.append(threshold.copy())
        if column.also is not None:
            value = where_present(value, values.column(column.also))
        columns.append(value.as_(f"capped_{column.label}"))
    raw = [column for v in values.values for column in (values.column(v), values.odd(v))]
    return (
        exp.select(*group_columns("v"), *raw, *columns)
        .from_(exp.to_table("unit_values").as_("v"))
        .join(exp.to_table("thresholds").as_("t"), on=same_group("v", "t"))
    )


def where_present(value: exp.Expr, other: exp.Expr) -> exp.Expr:
    """The value of the units that have the other value, too."""
    missing = exp.Is(this=other.copy(), expression=exp.null())
    return exp.case().when(exp.Not(this=missing), value.copy())


def same_group(left: str, right: str) -> exp.Expr:
    """Whether rows of two relations are of the same group."""
    return exp.and_(*(exp.column(c, table=left).eq(exp.column(c, table=right)) for c in GROUP))
