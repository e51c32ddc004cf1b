"""Of few units the pairs of two values are collected as they are.

Belongs here: the query for pairs. Does not: joint moments (`sufficient_statistics`), what is drawn
from the pairs (`statistics`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlglot import exp

from jetstream_assets.sql.fragments import int64
from jetstream_assets.sql.unit_values import group_columns, unit_values

if TYPE_CHECKING:
    from jetstream_assets.experiments.needs import Pairs
    from jetstream_assets.sql.unit_values import UnitRows


def pairs_query(rows: UnitRows, need: Pairs) -> exp.Select:
    """The distinct pairs: rows of `GROUP`, numerator, denominator and units.

    Only units that have both values, and only groups of at most ``need.up_to_units`` such units.

    Raises:
        QueryError: A pre-treatment is not known or has wrong arguments.
    """
    values = unit_values(rows, list(dict.fromkeys(need.values)))
    pair = [values.column(value) for value in need.values]
    count = exp.Count(this=exp.Star())
    total = exp.Window(this=exp.Sum(this=count.copy()), partition_by=group_columns())
    counted = (
        exp.select(
            *group_columns(),
            pair[0].as_("numerator", copy=False),
            pair[1].as_("denominator", copy=False),
            count.as_("units", copy=False),
            int64(total).as_("total", copy=False),
            copy=False,
        )
        .from_(exp.table_("unit_values"), copy=False)
        .where(
            *(exp.Not(this=exp.Is(this=value.copy(), expression=exp.null())) for value in pair),
            copy=False,
        )
        .group_by(*group_columns(), *(value.copy() for value in pair), copy=False)
    )
    final = (
        exp.select(
            *group_columns(), *map(exp.column, ("numerator", "denominator", "units")), copy=False
        )
        .from_(exp.table_("counted"), copy=False)
        .where(exp.column("total") <= need.up_to_units, copy=False)
    )
    return values.query(final, ("counted", counted))
