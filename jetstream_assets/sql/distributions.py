"""The distribution of a metric has a bounded size, however many units there are.

Belongs here: the queries for histograms. Does not: ranks, and which values are kept (`ranks`),
moments (`sufficient_statistics`), how order statistics are read from what was collected
(`statistics.distribution`).

Where all distinct values are few, they are counted and nothing else (`counts_query`): who reads
them ranks them sooner, and keeps the same ones.

Counting each of many million values takes much memory. Where there are too many, values fall into
bins first, whose width is a fixed share of their distance from a middle value, 0 into one of its
own; the highest value stands for its bin, in the lowest bin of a group the lowest.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from sqlglot import exp

from jetstream_assets.experiments.needs import Value
from jetstream_assets.sql.fragments import int64, text_literal
from jetstream_assets.sql.memberships import belongs, is_worth_it, segment_numbers
from jetstream_assets.sql.numbers import float64
from jetstream_assets.sql.ranks import is_kept, ranked
from jetstream_assets.sql.unit_values import (
    UnitRows,
    UnitValues,
    group_columns,
    unit_values,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from jetstream_assets.experiments.needs import Histogram

# Bins per factor e of the distance from the middle. Of a smooth distribution a bin then holds less
# than 1/2048 of the units: at most .3 of them lie within a factor e.
_BINS = 1024
# Logarithms of doubles lie between -745 and 710, so that the bins below the middle, above it, at it
# and of 0 have numbers of their own.
_BELOW, _MIDDLE, _ZERO = -10_000_000, 10_000_000, 20_000_000

# The middle value of those values that are to fall into bins.
Middles = Mapping[Value, float]


def distinct_query(rows: UnitRows, values: Sequence[Value]) -> exp.Select:
    """About how many distinct values there are among all units: one row, ``distinct_<i>``.

    Raises:
        QueryError: A pre-treatment is not known or has wrong arguments.
    """
    found = unit_values(replace(rows, segments=()), values)
    counts = [
        exp.ApproxDistinct(this=found.column(value)).as_(f"distinct_{i}", copy=False)
        for i, value in enumerate(values)
    ]
    return found.query(exp.select(*counts, copy=False).from_(exp.table_("unit_values"), copy=False))


def middles_query(rows: UnitRows, values: Sequence[Value]) -> exp.Select:
    """About the medians of all units: one row, ``middle_<i>``; NULL where there is no value.

    Raises:
        QueryError: A pre-treatment is not known or has wrong arguments.
    """
    found = unit_values(replace(rows, segments=()), values)
    middles: list[exp.Expr] = []
    for index, value in enumerate(values):
        quantiles = exp.ApproxQuantiles(this=found.column(value), expression=exp.Literal.number(2))
        middle = exp.Bracket(
            this=quantiles, expressions=[exp.Literal.number(1)], offset=0, safe=False
        )
        middles.append(middle.as_(f"middle_{index}", copy=False))
    return found.query(
        exp.select(*middles, copy=False).from_(exp.table_("unit_values"), copy=False)
    )


def histograms_query(
    rows: UnitRows, needs: Sequence[Histogram], middles: Middles | None = None
) -> exp.Select:
    """The kept values of all needs: rows of `GROUP`, need, value, units, upto and total.

    ``need`` is the column of the value (``value_<i>`` for the distinct values of the needs in
    their order), ``units`` the number of units with just this value, ``upto`` that of units with
    this value or a lower one, ``total`` that of all units with a value. Of a value that stands for
    others of its bin, ``units`` is 1.

    Args:
        rows: The unit rows.
        needs: What is to be collected.
        middles: The middle of each value that has too many distinct ones; others are counted each.

    Raises:
        QueryError: A pre-treatment is not known or has wrong arguments.
    """
    values, ctes = _values_and_runs(rows, needs, middles or {})
    final = exp.select(*_keys(), *map(exp.column, ("value", "units", "upto", "total")), copy=False)
    limit = _limit(needs)
    if limit is not None:
        final = final.where(exp.column("total") <= limit, copy=False)
    final = final.from_(exp.table_("ranked"), copy=False).where(is_kept(), copy=False)
    return values.query(final, *ctes, ("ranked", ranked()))


def counts_query(rows: UnitRows, needs: Sequence[Histogram]) -> exp.Select:
    """All distinct values of all needs: rows of `GROUP`, need and counts.

    ``counts`` is an array of (value, units), in any order; ``need`` is as in `histograms_query`,
    whose ranks take a warehouse longer to compute than the counts. All values fit in memory only
    where they are few.

    Raises:
        QueryError: A pre-treatment is not known or has wrong arguments.
    """
    values, ctes = _values_and_runs(rows, needs, {})
    fields = {"value": exp.column("highest"), "units": exp.column("in_bin")}
    pair = exp.Struct(
        expressions=[
            exp.PropertyEQ(this=exp.to_identifier(field), expression=column)
            for field, column in fields.items()
        ]
    )
    counts = exp.ArrayAgg(this=pair).as_("counts", copy=False)
    listed = exp.select(*_keys(), counts, copy=False).from_(exp.table_("runs"), copy=False)
    return values.query(listed.group_by(*_keys(), copy=False), *ctes)


def _keys() -> list[exp.Column]:
    return [*group_columns(), exp.column("need")]


def _values_and_runs(
    rows: UnitRows, needs: Sequence[Histogram], middles: Middles
) -> tuple[UnitValues, list[tuple[str, exp.Query]]]:
    """The values of the units, and the common table expressions after them up to ``runs``."""
    distinct = list(dict.fromkeys(need.value for need in needs))
    by_membership = is_worth_it(len(rows.segments), distinct, rows.window_length)
    values = unit_values(rows, distinct, by_membership=by_membership)
    centres = {values.column(v).name: middle for v, middle in middles.items() if v in distinct}
    runs = _parts_and_runs if by_membership else _runs
    binned = exp.select(
        *_keys(), exp.column("value"), _bin(centres).as_("bin", copy=False), copy=False
    )
    binned = binned.from_(_long([values.column(value) for value in distinct]), copy=False)
    return values, [("binned", binned), *runs(rows, is_binned=bool(centres))]


def _runs(rows: UnitRows, *, is_binned: bool) -> list[tuple[str, exp.Query]]:
    """The units, the lowest and the highest value of each bin: ``runs``."""
    del rows
    counted = _counted(_keys(), exp.Count(this=exp.Star()), _extremes("value", is_binned=is_binned))
    return [("runs", counted.from_(exp.table_("binned"), copy=False))]


def _parts_and_runs(rows: UnitRows, *, is_binned: bool) -> list[tuple[str, exp.Query]]:
    """The same where units were counted by membership: the parts of a segment are added."""
    (_, parts), *_ = _runs(rows, is_binned=is_binned)
    keys = [*map(exp.column, ("analysis_basis", "branch", "need"))]
    added = _counted(
        [exp.column("segment", table="s"), *keys],
        int64(exp.Sum(this=exp.column("in_bin"))),
        _extremes("lowest", "highest", is_binned=is_binned),
    )
    added = added.from_(exp.table_("parts"), copy=False).join(
        segment_numbers(len(rows.segments)), join_type="cross", copy=False
    )
    added = added.where(
        belongs(len(rows.segments), exp.column("segment", table="parts")), copy=False
    )
    return [("parts", parts.select(exp.column("bin"), copy=False)), ("runs", added)]


def _counted(keys: Sequence[exp.Expr], count: exp.Expr, extremes: Sequence[exp.Expr]) -> exp.Select:
    lowest, highest = extremes
    return exp.select(
        *keys,
        lowest.as_("lowest", copy=False),
        highest.as_("highest", copy=False),
        count.as_("in_bin", copy=False),
        copy=False,
    ).group_by(*(key.copy() for key in keys), exp.column("bin"), copy=False)


def _extremes(*columns: str, is_binned: bool) -> tuple[exp.Expr, exp.Expr]:
    """The lowest and the highest value of a bin, which is the value itself where none are made."""
    if not is_binned:
        return exp.column("bin"), exp.column("bin")
    return exp.Min(this=exp.column(columns[0])), exp.Max(this=exp.column(columns[-1]))


def _long(columns: Sequence[exp.Expr]) -> exp.Table:
    """``unit_values`` with one row per unit and value; NULLs are left out."""
    table = exp.table_("unit_values")
    chosen = exp.In(this=exp.to_identifier("need"), expressions=list(columns))
    pivot = exp.Pivot(
        expressions=[exp.to_identifier("value")],
        fields=[chosen],
        unpivot=True,
        include_nulls=False,
    )
    table.set("pivots", [pivot])
    return table


def _bin(middles: Mapping[str, float]) -> exp.Expr:
    """The value itself, or the number of its bin."""
    value = exp.column("value")
    if not middles:
        return value
    distance = exp.case(exp.column("need"))
    for need, middle in middles.items():
        shifted = exp.Sub(this=value.copy(), expression=float64(middle))
        distance = distance.when(text_literal(need), shifted, copy=False)
    zero = exp.Literal.number(0)
    return (
        exp.case()
        .when(
            exp.Not(this=exp.column("need").isin(*map(text_literal, middles))),
            value.copy(),
            copy=False,
        )
        .when(value.eq(zero), float64(_ZERO), copy=False)
        .when(exp.GT(this=distance.copy(), expression=zero), _logarithm(distance), copy=False)
        .when(
            exp.LT(this=distance.copy(), expression=zero.copy()),
            exp.Sub(this=float64(_BELOW), expression=_logarithm(exp.Neg(this=exp.paren(distance)))),
            copy=False,
        )
        .else_(float64(_MIDDLE), copy=False)
    )


def _logarithm(distance: exp.Expr) -> exp.Expr:
    logarithm = exp.Ln(this=distance.copy())
    return exp.Floor(this=exp.Mul(this=logarithm, expression=exp.Literal.number(_BINS)))


def _limit(needs: Sequence[Histogram]) -> int | None:
    limits = [need.up_to_units for need in needs]
    return None if None in limits else max(limit for limit in limits if limit is not None)
