"""The distribution of a metric has a bounded size, however many units there are.

Belongs here: the query for histograms. Does not: moments (`sufficient_statistics`), how order
statistics are read from what was collected (`statistics.distribution`).

A distribution of at most `MOST_DISTINCT` values is collected whole. Of a longer one only those
values are kept at which the share of units passes a multiple of 1/`MOST_DISTINCT`; the number of
units up to each kept value is exact, so that between them a rank is known to within that share.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlglot import exp

from jetstream_assets.sql.fragments import int64
from jetstream_assets.sql.unit_values import GROUP, UnitRows, group_columns, unit_values

if TYPE_CHECKING:
    from collections.abc import Sequence

    from jetstream_assets.experiments.needs import Histogram

MOST_DISTINCT = 2048


def histograms_query(rows: UnitRows, needs: Sequence[Histogram]) -> exp.Select:
    """The kept values of all needs: rows of `GROUP`, need, value, units, upto and total.

    ``need`` is the column of the value (``value_<i>`` for the distinct values of the needs in
    their order), ``units`` the number of units with just this value, ``upto`` that of units with
    this value or a lower one, ``total`` that of all units with a value.

    Raises:
        QueryError: A pre-treatment is not known or has wrong arguments.
    """
    distinct = list(dict.fromkeys(need.value for need in needs))
    values = unit_values(rows, distinct)
    keys = [*group_columns(), exp.column("need")]
    runs = (
        exp.select(*keys, exp.column("value"), exp.Count(this=exp.Star()).as_("units"))
        .from_(_long([values.column(value) for value in distinct]))
        .group_by(*keys, exp.column("value"))
    )
    final = exp.select(*keys, *map(exp.column, ("value", "units", "upto", "total")))
    limit = _limit(needs)
    if limit is not None:
        final = final.where(exp.column("total") <= limit)
    return values.query(
        final.from_("ranked").where(_is_kept()), ("runs", runs), ("ranked", _ranked())
    )


def _long(columns: Sequence[exp.Expr]) -> exp.Table:
    """``unit_values`` with one row per unit and value; NULLs are left out."""
    table = exp.to_table("unit_values")
    chosen = exp.In(this=exp.to_identifier("need"), expressions=list(columns))
    pivot = exp.Pivot(
        expressions=[exp.to_identifier("value")],
        fields=[chosen],
        unpivot=True,
        include_nulls=False,
    )
    table.set("pivots", [pivot])
    return table


def _ranked() -> exp.Select:
    partition = [exp.column(column) for column in (*GROUP, "need")]

    def over(aggregate: exp.Expr, order: exp.Order | None = None) -> exp.Expr:
        copies = [column.copy() for column in partition]
        return exp.Window(this=aggregate, partition_by=copies, order=order)

    units = exp.Sum(this=exp.column("units"))
    ascending = exp.Order(expressions=[exp.Ordered(this=exp.column("value"), nulls_first=True)])
    return exp.select(
        *(column.copy() for column in partition),
        exp.column("value"),
        exp.column("units"),
        int64(over(units.copy(), ascending)).as_("upto"),
        int64(over(units.copy())).as_("total"),
        over(exp.Count(this=exp.Star())).as_("distinct_values"),
    ).from_("runs")


def _is_kept() -> exp.Expr:
    upto, units = exp.column("upto"), exp.column("units")
    before = exp.paren(exp.Sub(this=upto.copy(), expression=units.copy()))
    return exp.or_(
        exp.column("distinct_values") <= MOST_DISTINCT,
        upto.copy().eq(units.copy()),
        exp.GT(this=_step(upto), expression=_step(before)),
    )


def _step(rank: exp.Expr) -> exp.Expr:
    scaled = exp.Mul(this=rank.copy(), expression=exp.Literal.number(MOST_DISTINCT))
    return exp.Floor(this=exp.Div(this=scaled, expression=exp.column("total")))


def _limit(needs: Sequence[Histogram]) -> int | None:
    limits = [need.up_to_units for need in needs]
    return None if None in limits else max(limit for limit in limits if limit is not None)
