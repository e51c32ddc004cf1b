"""One pass over the units collects what every statistic of a window needs.

Belongs here: the queries for moments and totals, and for the number of units. Does not: which
units and values (`unit_values`), capping (`capping`), distributions (`distributions`), what is
computed from the numbers (`statistics`).

Powers are summed of differences from the group's mean: a plain sum of squares of a value whose
mean is large against its spread loses the spread.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlglot import exp

from jetstream_assets.experiments.needs import CoMoments, Moments, Totals
from jetstream_assets.sql.capping import Summed, capped_columns, capping, same_group, where_present
from jetstream_assets.sql.unit_values import group_columns, unit_values

if TYPE_CHECKING:
    from collections.abc import Sequence

    from jetstream_assets.experiments.needs import Value
    from jetstream_assets.sql.capping import CappedColumn
    from jetstream_assets.sql.unit_values import UnitRows, UnitValues


def units_query(rows: UnitRows) -> exp.Select:
    """Units per segment (by number), analysis basis and branch: `GROUP` and ``units``."""
    values = unit_values(rows, ())
    counted = exp.select(*group_columns(), exp.Count(this=exp.Star()).as_("units"))
    return values.query(counted.from_("unit_values").group_by(*group_columns()))


def summed_query(rows: UnitRows, needs: Sequence[Summed]) -> exp.Select:
    """Moments and totals of all needs, one row per `GROUP` that has a unit.

    The columns of need number i end in ``_i`` (mean about which powers are summed: ``centre``;
    sums of powers of the difference from it: ``power1`` and so on):

    - `Totals`: units, odd, total, others (neither 0 nor 1);
    - `Moments`: units, odd, centre, power1 to power4, threshold (NULL without cap), lowest and
      highest (before the cap);
    - `CoMoments`: units, odd (of either), values (with or without covariate), centre, power1,
      power2, and centre_x, power1_x, power2_x of the covariate, and product.

    Raises:
        QueryError: A pre-treatment is not known or has wrong arguments.
    """
    values = unit_values(rows, _distinct_values(needs))
    capped = [
        column for index, need in enumerate(needs) for column in capped_columns(rows, index, need)
    ]
    aggregates = [
        aggregate for i, need in enumerate(needs) for aggregate in _aggregates(values, i, need)
    ]
    final = (
        exp.select(*group_columns("c"), *aggregates)
        .from_(exp.to_table("capped").as_("c"))
        .join(exp.to_table("centres").as_("u"), on=same_group("c", "u"))
        .group_by(*group_columns("c"))
    )
    return values.query(
        final,
        *capping(values, capped),
        ("centres", _centres(capped)),
    )


def _distinct_values(needs: Sequence[Summed]) -> list[Value]:
    found: dict[Value, None] = {}
    for need in needs:
        found[need.value] = None
        if isinstance(need, CoMoments):
            found[need.covariate] = None
    return list(found)


def _centres(capped: Sequence[CappedColumn]) -> exp.Select:
    means = [exp.Avg(this=exp.column(f"capped_{c.label}")).as_(f"centre_{c.label}") for c in capped]
    return exp.select(*group_columns(), *means).from_("capped").group_by(*group_columns())


def _aggregates(values: UnitValues, index: int, need: Summed) -> list[exp.Expr]:
    if isinstance(need, Totals):
        found = _total_aggregates(values, need)
    elif isinstance(need, Moments):
        found = _moment_aggregates(values, index, need)
    else:
        found = _joint_aggregates(values, index, need)
    return [tree.as_(f"{key}_{index}") for key, tree in found.items()]


def _total_aggregates(values: UnitValues, need: Totals) -> dict[str, exp.Expr]:
    value = values.column(need.value)
    binary = value.isin(exp.Literal.number(0), exp.Literal.number(1))
    others = exp.case().when(binary, "0").else_("1")
    return {
        "units": exp.Count(this=value.copy()),
        "odd": exp.Sum(this=values.odd(need.value)),
        "total": exp.Sum(this=value.copy()),
        "others": exp.Sum(this=where_present(others, value)),
    }


def _moment_aggregates(values: UnitValues, index: int, need: Moments) -> dict[str, exp.Expr]:
    value = values.column(need.value)
    found = _powers(str(index), 4)
    found["odd"] = exp.Sum(this=values.odd(need.value))
    found["lowest"] = exp.Min(this=value.copy())
    found["highest"] = exp.Max(this=value.copy())
    if need.drop_highest > 0:
        found["threshold"] = exp.Max(this=exp.column(f"threshold_{index}"))
    return found


def _joint_aggregates(values: UnitValues, index: int, need: CoMoments) -> dict[str, exp.Expr]:
    label, label_x = str(index), f"{index}_x"
    odd = exp.Add(this=values.odd(need.value), expression=values.odd(need.covariate))
    product = exp.Mul(
        this=exp.paren(_difference(label)), expression=exp.paren(_difference(label_x))
    )
    found = _powers(label, 2)
    found |= {f"{key}_x": tree for key, tree in _powers(label_x, 2).items()}
    found["odd"] = exp.Sum(this=odd)
    found["values"] = exp.Count(this=values.column(need.value))
    found["product"] = exp.Sum(this=product)
    return found


def _powers(label: str, highest: int) -> dict[str, exp.Expr]:
    difference = exp.paren(_difference(label))
    found: dict[str, exp.Expr] = {
        "units": exp.Count(this=exp.column(f"capped_{label}", table="c")),
        "centre": exp.Max(this=exp.column(f"centre_{label}", table="u")),
    }
    power: exp.Expr = difference
    for exponent in range(1, highest + 1):
        found[f"power{exponent}"] = exp.Sum(this=power.copy())
        power = exp.Mul(this=power.copy(), expression=difference.copy())
    return found


def _difference(label: str) -> exp.Expr:
    return exp.Sub(
        this=exp.column(f"capped_{label}", table="c"),
        expression=exp.column(f"centre_{label}", table="u"),
    )
