"""One query over the units collects what every statistic of a window needs, with little memory.

Belongs here: the queries for moments and totals, and for the number of units. Does not: which
units and values (`unit_values`), capping (`capping`, `centres`), distributions (`distributions`),
what is computed from the numbers (`statistics`).

Powers are summed of differences from a number near the group's mean: a plain sum of squares of a
value whose mean is large against its spread loses the spread.
"""

from __future__ import annotations

from functools import reduce
from itertools import combinations_with_replacement, product
from typing import TYPE_CHECKING

from sqlglot import exp

from jetstream_assets.experiments.needs import (
    CapScope,
    CoMoments,
    JointMoments,
    Moments,
    Odd,
    Totals,
)
from jetstream_assets.sql.capping import capped_columns, same_group, where_present
from jetstream_assets.sql.centres import centres
from jetstream_assets.sql.unit_values import group_columns, unit_values

if TYPE_CHECKING:
    from collections.abc import Sequence

    from jetstream_assets.experiments.needs import RatioCoMoments
    from jetstream_assets.sql.capping import CappedColumn, GroupSizes, Summed
    from jetstream_assets.sql.centres import Centres
    from jetstream_assets.sql.unit_values import UnitRows, UnitValues

MOST_POWERS = 4


def units_query(rows: UnitRows) -> exp.Select:
    """Units per segment (by number), analysis basis and branch: `GROUP` and ``units``."""
    values = unit_values(rows, ())
    counted = exp.select(
        *group_columns(), exp.Count(this=exp.Star()).as_("units", copy=False), copy=False
    )
    return values.query(
        counted.from_(exp.table_("unit_values"), copy=False).group_by(*group_columns(), copy=False)
    )


def summed_query(rows: UnitRows, needs: Sequence[Summed], sizes: GroupSizes) -> exp.Select:
    """Moments and totals of all needs, one row per `GROUP` that has a unit.

    The columns of need number i end in ``_i`` (number from which differences are taken:
    ``centre``; sums of powers of the difference from it: ``power1`` and so on):

    - `Odd`: odd;
    - `Totals`: units, odd, total, and others (neither 0 nor 1) unless the value is BOOL;
    - `Moments`: units, odd, centre, power1 to power4, threshold (NULL without cap), lowest and
      highest (before the cap);
    - `CoMoments`: units, odd (of either), values (with or without covariate), centre, power1,
      power2, and centre_x, power1_x, power2_x of the covariate, and product;
    - `JointMoments`: units, odd (of either), centre, centre_x (of the denominator), threshold and
      highest (before the cap) of the numerator, and joint<ab>: the sums of the products of power a
      of the numerator's and power b of the denominator's difference, for a + b from 1 to 4;
    - `RatioCoMoments`: units, odd (of any), values (with or without covariates), and of the parts
      p, q, ... in the order of the need (numerator 0, denominator 1, covariates): part<p>, the sum
      of its differences, product<pq>, of products of two, and centre, centre_x, centre_c0, ...

    No column odd is there for values that are integers for certain. Where a branch's own cap
    applies there are ``threshold`` and ``uncapped``, the mean before it.

    Args:
        rows: The unit rows.
        needs: What is to be collected.
        sizes: Of the groups; larger numbers are right, too, smaller ones are not.

    Raises:
        QueryError: A pre-treatment is not known or has wrong arguments.
    """
    values = unit_values(rows, list(dict.fromkeys(v for need in needs for v in need.values)))
    columns = [c for index, need in enumerate(needs) for c in capped_columns(rows, index, need)]
    aggregates = [
        aggregate
        for i, need in enumerate(needs)
        for aggregate in _aggregates(rows, values, i, need)
    ]
    sums = exp.select(*group_columns(), *aggregates, copy=False).group_by(
        *group_columns(), copy=False
    )
    if not columns:
        return values.query(sums.from_(exp.table_("unit_values"), copy=False))
    known = centres(rows, values, [column.capped for column in columns], sizes)
    final = (
        exp.select(exp.Column(this=exp.Star(), table=exp.to_identifier("s")), copy=False)
        .select(*_constants(columns, known), copy=False)
        .from_(exp.table_("sums", alias="s"), copy=False)
        .join(_facts(), on=same_group("s", "f", known.keys), copy=False)
    )
    return values.query(
        final,
        *known.ctes,
        ("centred", _centred(values, known)),
        ("differences", _differences(values, columns, known)),
        ("sums", sums.from_(exp.table_("differences"), copy=False)),
    )


def _facts() -> exp.Expr:
    return exp.table_("facts", alias="f")


def _constants(columns: Sequence[CappedColumn], known: Centres) -> list[exp.Expr]:
    """Centres and thresholds under the names of the result's columns."""
    found: list[exp.Expr] = []
    for column in columns:
        index, _, suffix = column.label.partition("_")
        kinds: tuple[str, ...] = ("centre",)
        if column.cap is not None and column.cap.scope is CapScope.BRANCH:
            kinds = ("centre", "threshold", "uncapped")
        elif column.cap is not None and not suffix:
            kinds = ("centre", "threshold")
        for kind in kinds:
            name = f"{kind}_{suffix}_{index}" if suffix else f"{kind}_{index}"
            found.append(known.column(kind, column.capped).as_(name, copy=False))
    return found


def _centred(values: UnitValues, known: Centres) -> exp.Select:
    """The values of the units and the differences of the capped ones from their centre."""
    differences: list[exp.Expr] = []
    for number, capped in enumerate(known.capped):
        value: exp.Expr = values.column(capped.value)
        if capped.cap is not None:
            threshold = known.column("threshold", capped)
            above = exp.GT(this=value.copy(), expression=threshold)
            value = (
                exp.case().when(above, threshold.copy(), copy=False).else_(value.copy(), copy=False)
            )
        difference = exp.Sub(this=value, expression=known.column("centre", capped))
        differences.append(difference.as_(f"centred_{number}", copy=False))
    return (
        exp.select(*group_columns("v"), *_raw(values), *differences, copy=False)
        .from_(exp.table_("unit_values", alias="v"), copy=False)
        .join(_facts(), on=same_group("v", "f", known.keys), copy=False)
    )


def _differences(values: UnitValues, columns: Sequence[CappedColumn], known: Centres) -> exp.Select:
    """The differences of the units that enter the sums of each need."""
    differences = [
        where_present(
            exp.column(f"centred_{known.capped.index(column.capped)}"),
            *map(values.column, column.also),
        ).as_(f"difference_{column.label}", copy=False)
        for column in columns
    ]
    selected = exp.select(*group_columns(), *_raw(values), *differences, copy=False)
    return selected.from_(exp.table_("centred"), copy=False)


def _raw(values: UnitValues) -> list[exp.Expr]:
    found = (tree for v in values.values for tree in (values.column(v), values.odd(v)))
    return [tree for tree in found if tree is not None]


def _aggregates(rows: UnitRows, values: UnitValues, index: int, need: Summed) -> list[exp.Expr]:
    found: dict[str, exp.Expr] = {}
    if isinstance(need, Totals):
        found = _total_aggregates(values, need, is_flag=rows.is_flag(need.value))
    elif isinstance(need, Moments):
        found = _moment_aggregates(values, index, need)
    elif isinstance(need, CoMoments):
        found = _co_moment_aggregates(values, index, need)
    elif isinstance(need, JointMoments):
        found = _joint_aggregates(values, index, need)
    elif not isinstance(need, Odd):
        found = _ratio_co_moment_aggregates(values, index, need)
    odd = [column for value in dict.fromkeys(need.values) if (column := values.odd(value))]
    if odd and isinstance(need, CoMoments):
        counts: list[exp.Expr] = [exp.CountIf(this=column) for column in odd]
        found["odd"] = reduce(lambda a, b: exp.Add(this=a, expression=b), counts)
    elif odd:
        found["odd"] = exp.CountIf(this=exp.or_(*odd, copy=False))
    return [tree.as_(f"{key}_{index}", copy=False) for key, tree in found.items()]


def _total_aggregates(values: UnitValues, need: Totals, *, is_flag: bool) -> dict[str, exp.Expr]:
    value = values.column(need.value)
    found: dict[str, exp.Expr] = {
        "units": exp.Count(this=value),
        "total": exp.Sum(this=value.copy()),
    }
    if not is_flag:
        binary = value.isin(exp.Literal.number(0), exp.Literal.number(1))
        found["others"] = exp.CountIf(this=exp.Not(this=binary))
    return found


def _moment_aggregates(values: UnitValues, index: int, need: Moments) -> dict[str, exp.Expr]:
    value = values.column(need.value)
    found = _powers(str(index), MOST_POWERS)
    found["lowest"] = exp.Min(this=value.copy())
    found["highest"] = exp.Max(this=value.copy())
    return found


def _co_moment_aggregates(values: UnitValues, index: int, need: CoMoments) -> dict[str, exp.Expr]:
    label, label_x = str(index), f"{index}_x"
    found = _powers(label, 2)
    found |= {f"{key}_x": tree for key, tree in _powers(label_x, 2).items() if key != "units"}
    found["values"] = exp.Count(this=values.column(need.value))
    found["product"] = exp.Sum(
        this=exp.Mul(this=_difference(label), expression=_difference(label_x))
    )
    return found


def _joint_aggregates(values: UnitValues, index: int, need: JointMoments) -> dict[str, exp.Expr]:
    label, label_x = str(index), f"{index}_x"
    numerator, denominator = values.column(need.numerator), values.column(need.denominator)
    found: dict[str, exp.Expr] = {
        "units": exp.Count(this=_difference(label)),
        "highest": exp.Max(this=where_present(numerator, denominator)),
    }
    for a, b in joint_powers():
        factors = [_difference(label)] * a + [_difference(label_x)] * b
        found[f"joint{a}{b}"] = exp.Sum(this=_times(factors))
    return found


def _ratio_co_moment_aggregates(
    values: UnitValues, index: int, need: RatioCoMoments
) -> dict[str, exp.Expr]:
    parts, labels = need.values, (f"{index}", f"{index}_x", f"{index}_c0", f"{index}_c1")
    parts_present = where_present(values.column(need.numerator), values.column(need.denominator))
    found: dict[str, exp.Expr] = {
        "units": exp.Count(this=_difference(labels[0])),
        "values": exp.Count(this=parts_present),
    }
    for p in range(len(parts)):
        found[f"part{p}"] = exp.Sum(this=_difference(labels[p]))
    for p, q in combinations_with_replacement(range(len(parts)), 2):
        factors = [_difference(labels[p]), _difference(labels[q])]
        found[f"product{p}{q}"] = exp.Sum(this=_times(factors))
    return found


def joint_powers() -> list[tuple[int, int]]:
    """The powers (a, b) of a joint moment, a + b from 1 to 4."""
    pairs = product(range(MOST_POWERS + 1), repeat=2)
    return [(a, b) for a, b in pairs if 1 <= a + b <= MOST_POWERS]


def _powers(label: str, highest: int) -> dict[str, exp.Expr]:
    found: dict[str, exp.Expr] = {"units": exp.Count(this=_difference(label))}
    for exponent in range(1, highest + 1):
        found[f"power{exponent}"] = exp.Sum(this=_times([_difference(label)] * exponent))
    return found


def _times(factors: Sequence[exp.Expr]) -> exp.Expr:
    power = factors[0].copy()
    for factor in factors[1:]:
        power = exp.Mul(this=power, expression=factor.copy())
    return power


def _difference(label: str) -> exp.Expr:
    return exp.column(f"difference_{label}")
