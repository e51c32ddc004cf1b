"""Of a long distribution those values are kept at which a step of the share of units begins.

Belongs here: how many units have a value or a lower one, and which values are kept by it. Does not:
counting values (`distributions`).

A distribution of at most `MOST_DISTINCT` values is kept whole. Of a longer one only those values
are kept at which the share of units passes a multiple of 1/`MOST_DISTINCT`; the number of units up
to each kept value is exact, so that between them a rank is known to within that share.
"""

from __future__ import annotations

from sqlglot import exp

from jetstream_assets.sql.fragments import int64
from jetstream_assets.sql.unit_values import GROUP

MOST_DISTINCT = 2048


def ranked() -> exp.Select:
    """The values of ``runs`` with their units, and the units up to them, in all and of values."""
    partition = [exp.column(column) for column in (*GROUP, "need")]

    def over(aggregate: exp.Expr, order: exp.Order | None = None) -> exp.Expr:
        copies = [column.copy() for column in partition]
        return exp.Window(this=aggregate, partition_by=copies, order=order)

    in_bin, lowest, highest = map(exp.column, ("in_bin", "lowest", "highest"))
    ascending = exp.Order(expressions=[exp.Ordered(this=highest, nulls_first=True)])
    is_first = exp.EQ(this=lowest, expression=over(exp.Min(this=lowest.copy())))
    is_one_value = exp.EQ(this=lowest.copy(), expression=highest.copy())
    units = (
        exp.case()
        .when(is_one_value, in_bin.copy(), copy=False)
        .else_(exp.Literal.number(1), copy=False)
    )
    return exp.select(
        *(column.copy() for column in partition),
        exp.case()
        .when(is_first, lowest.copy(), copy=False)
        .else_(highest.copy(), copy=False)
        .as_("value", copy=False),
        int64(units).as_("units", copy=False),
        in_bin,
        int64(over(exp.Sum(this=in_bin.copy()), ascending)).as_("upto", copy=False),
        int64(over(exp.Sum(this=in_bin.copy()))).as_("total", copy=False),
        over(exp.Count(this=exp.Star())).as_("distinct_values", copy=False),
        copy=False,
    ).from_(exp.table_("runs"), copy=False)


def is_kept() -> exp.Expr:
    """Whether a row of `ranked` is kept."""
    upto, in_bin = exp.column("upto"), exp.column("in_bin")
    before = exp.paren(exp.Sub(this=upto.copy(), expression=in_bin.copy()))
    return exp.or_(
        exp.column("distinct_values") <= MOST_DISTINCT,
        upto.copy().eq(in_bin.copy()),
        exp.GT(this=_step(upto), expression=_step(before)),
        copy=False,
    )


def _step(rank: exp.Expr) -> exp.Expr:
    scaled = exp.Mul(this=rank.copy(), expression=exp.Literal.number(MOST_DISTINCT))
    return exp.Floor(this=exp.Div(this=scaled, expression=exp.column("total")))
