"""Before units are summed, a threshold and a number near the mean of their group must be known.

Belongs here: the sub-queries for them. Does not: which columns are capped at what (`capping`), the
sums (`sufficient_statistics`).

A threshold is the quantile by linear interpolation between two order statistics. Few values lie
above it, so that it is read from the highest values alone: no more is ever kept of a group.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from sqlglot import exp

from jetstream_assets.experiments.needs import CapScope
from jetstream_assets.sql.capping import PARTITIONS, Capped, same_group, where_present
from jetstream_assets.sql.fragments import int64
from jetstream_assets.sql.numbers import float64
from jetstream_assets.sql.unit_values import SCOPE, unit_values

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from jetstream_assets.sql.capping import Cap, GroupSizes
    from jetstream_assets.sql.unit_values import UnitRows, UnitValues

# So many numbers of units (48 MB) may be kept between the two times that they are needed, with
# their branches and segments, which take as much as five numbers.
_MOST_KEPT, _GROUP = 6_000_000, 5


@dataclass(frozen=True)
class Centres:
    """Common table expressions up to ``facts``, which has one row for each of its ``keys``.

    For number i of ``capped`` there are ``centre_<i>``, a number near the mean of the capped
    values, and, where there is a cap, ``threshold_<i>`` and ``uncapped_<i>``, the mean before it
    (NULL where no unit has a value).
    """

    ctes: tuple[tuple[str, exp.Query], ...]
    keys: tuple[str, ...]
    capped: tuple[Capped, ...]

    def column(self, kind: str, of: Capped) -> exp.Column:
        """The column of a kind (centre, threshold, uncapped), of ``facts AS f``."""
        return exp.column(f"{kind}_{self.capped.index(of)}", table="f")


def centres(
    rows: UnitRows, values: UnitValues, capped: Sequence[Capped], sizes: GroupSizes
) -> Centres:
    """What must be known of groups before their units are summed.

    Where units are many, the sub-queries read them by themselves: a common table expression that
    is read twice would be kept whole. The mean of all branches is as good a centre as that of a
    branch: where a cap is pooled, or another column's is, nothing has to be asked of the branches.
    """
    distinct = tuple(dict.fromkeys(capped))
    scopes = sorted({c.cap.scope for c in distinct if c.cap}, reverse=True) or [CapScope.BRANCH]
    homes = {c: c.cap.scope if c.cap is not None else scopes[0] for c in distinct}
    is_kept = sizes.units * (len(values.values) + _GROUP) <= _MOST_KEPT
    # One row of a unit is kept, which is put into its segments each time.
    again = values.ctes[1:] if rows.segments else ()
    kept = replace(values, ctes=again) if is_kept else None
    ctes: list[tuple[str, exp.Query]] = []
    for scope in scopes:
        own = {i: c for i, c in enumerate(distinct) if homes[c] is scope}
        ctes.append((f"{scope}_facts", _facts_of(rows, kept, own, scope, sizes.of(scope))))
    keys = PARTITIONS[scopes[-1]]
    joined = exp.select(*(exp.column(key, table=scopes[-1].value) for key in keys), copy=False)
    joined = joined.from_(exp.table_(f"{scopes[-1]}_facts", alias=scopes[-1].value), copy=False)
    if len(scopes) > 1:
        joined = joined.join(
            exp.table_("pooled_facts", alias="pooled"),
            on=same_group("branch", "pooled", SCOPE),
            copy=False,
        )
    for i, c in enumerate(distinct):
        columns = (exp.column(f"{kind}_{i}", table=homes[c].value) for kind in _kinds(c))
        joined = joined.select(*columns, copy=False)
    # The limit tells the planner how few rows these are: it must keep them, and never the units,
    # in memory when it joins the two.
    ctes.append(("facts", joined.limit(max(sizes.groups, 1), copy=False)))
    return Centres(tuple(ctes), keys, distinct)


def _kinds(capped: Capped) -> tuple[str, ...]:
    return ("centre",) if capped.cap is None else ("centre", "threshold", "uncapped")


def _facts_of(
    rows: UnitRows,
    kept: UnitValues | None,
    capped: Mapping[int, Capped],
    scope: CapScope,
    units: int,
) -> exp.Select:
    """Centres and thresholds of the groups of one scope."""
    if kept is None:
        needed = dict.fromkeys(v for c in capped.values() for v in (c.value, *c.also))
        kept = unit_values(rows, list(needed))
    caps = {i: c.cap for i, c in capped.items() if c.cap is not None}
    present = [
        where_present(kept.column(c.value), *map(kept.column, c.also)).as_(f"own_{i}", copy=False)
        for i, c in capped.items()
    ]
    means = [_own(i, exp.Avg).as_(f"mean_{i}", copy=False) for i in capped]
    highest = [tree for i, cap in caps.items() for tree in _highest_values(i, cap, units)]
    ranks = [_rank(i, cap).as_(f"rank_{i}", copy=False) for i, cap in caps.items()]
    places = [_position(i).as_(f"position_{i}", copy=False) for i in caps]
    thresholds = [_quantile(i, cap).as_(f"threshold_{i}", copy=False) for i, cap in caps.items()]
    facts = [tree for i, c in capped.items() for tree in _facts(i, c)]
    keys = PARTITIONS[scope]
    summed = _select(keys, *means, *highest).from_(exp.table_("present"), copy=False)
    return kept.query(
        _select(keys, *facts).from_(exp.table_("thresholds"), copy=False),
        ("present", _select(keys, *present).from_(exp.table_("unit_values"), copy=False)),
        ("highest_values", summed.group_by(*map(exp.column, keys), copy=False)),
        ("ranked", _more("highest_values", ranks)),
        ("placed", _more("ranked", places)),
        ("thresholds", _more("placed", thresholds)),
    )


def _select(keys: Sequence[str], *columns: exp.Expr) -> exp.Select:
    return exp.select(*map(exp.column, keys), *columns, copy=False)


def _more(source: str, columns: Sequence[exp.Expr]) -> exp.Select:
    """The rows of a source with more columns."""
    return exp.select(exp.Star(), *columns, copy=False).from_(exp.table_(source), copy=False)


def _own(index: int, aggregate: type[exp.AggFunc]) -> exp.Expr:
    return aggregate(this=exp.column(f"own_{index}"))


def _facts(index: int, capped: Capped) -> list[exp.Expr]:
    mean = exp.column(f"mean_{index}")
    if capped.cap is None:
        return [mean.as_(f"centre_{index}", copy=False)]
    threshold = exp.column(f"threshold_{index}")
    # The mean before the cap may lie far beyond it; the threshold is never farther from the mean
    # after it than 1 / sqrt(share) standard deviations.
    above = exp.GT(this=mean.copy(), expression=threshold.copy())
    nearest = exp.case().when(above, threshold.copy(), copy=False).else_(mean.copy(), copy=False)
    return [
        nearest.as_(f"centre_{index}", copy=False),
        threshold,
        mean.as_(f"uncapped_{index}", copy=False),
    ]


def _highest_values(index: int, cap: Cap, units: int) -> list[exp.Expr]:
    # One more for the value above the quantile, one since positions count from 0, one for rounding.
    count = min(int(cap.share * units) + 3, units)
    return [
        _own(index, exp.Count).as_(f"units_{index}", copy=False),
        _highest(f"own_{index}", count).as_(f"highest_{index}", copy=False),
    ]


def _highest(column: str, count: int) -> exp.Expr:
    """The highest values, the highest first."""
    ordered = exp.Order(
        this=exp.column(column),
        expressions=[exp.Ordered(this=exp.column(column), desc=True, nulls_first=False)],
    )
    limited = exp.Limit(this=ordered, expression=exp.Literal.number(count))
    return exp.IgnoreNulls(this=exp.ArrayAgg(this=limited))


def _rank(index: int, cap: Cap) -> exp.Expr:
    """The rank of the quantile among the values from below, counted from 0; it has a fraction."""
    last = exp.paren(exp.column(f"units_{index}") - 1)
    return exp.Mul(this=last, expression=float64(1.0 - cap.share))


def _position(index: int) -> exp.Expr:
    """Where the value below the rank is among the highest; the one above it is one before."""
    last = exp.Sub(this=exp.column(f"units_{index}"), expression=_one())
    below = exp.Floor(this=exp.column(f"rank_{index}"))
    return int64(exp.Sub(this=last, expression=below))


def _quantile(index: int, cap: Cap) -> exp.Expr:
    """The value at the rank, by linear interpolation between the two around it."""
    rank, units = exp.column(f"rank_{index}"), exp.column(f"units_{index}")
    below, position = exp.Floor(this=rank.copy()), exp.column(f"position_{index}")
    lower = _at(index, position)
    upper = _at(index, exp.Sub(this=position.copy(), expression=_one()))
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


def _at(index: int, position: exp.Expr) -> exp.Expr:
    highest = exp.column(f"highest_{index}")
    return exp.Bracket(this=highest, expressions=[position], offset=0, safe=False)


def _one() -> exp.Expr:
    """The number 1."""
    return exp.Literal.number(1)
