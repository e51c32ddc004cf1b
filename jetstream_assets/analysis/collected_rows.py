"""Rows of the collecting queries become the numbers that statistics take.

Belongs here: the arithmetic from sums to moments, and cutting rows into branches. Does not: asking
for them (`collection`), distributions (`collected_distributions`), the queries (`sql`).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from math import comb
from typing import TYPE_CHECKING, Any

import numpy as np

from jetstream_assets.experiments.needs import (
    CoMoments,
    JointMoments,
    Moments,
    Odd,
    RatioCoMoments,
    Totals,
)
from jetstream_assets.sql.sufficient_statistics import joint_powers
from jetstream_assets.statistics.collected import (
    BranchCoMoments,
    BranchJointMoments,
    BranchMoments,
    BranchPairs,
    BranchRatioCoMoments,
    BranchTotals,
)

if TYPE_CHECKING:
    import pyarrow as pa

    from jetstream_assets.experiments.needs import Need
    from jetstream_assets.sql.capping import Summed

# Segment (0 is the whole, others by their position from 1) and analysis basis.
Scope = tuple[int, str]
Row = Mapping[str, Any]
Branches = dict[str, Any]


def of_sums(rows: Sequence[Row], needs: Sequence[Summed]) -> dict[Need, dict[Scope, Branches]]:
    """The answers of `summed_query`."""
    answers: dict[Need, dict[Scope, Branches]] = {}
    columns = _columns_by_need(rows)
    for index, need in enumerate(needs):
        scopes: defaultdict[Scope, Branches] = defaultdict(dict)
        own = columns[str(index)]
        for row in rows:
            branch = _BRANCH[type(need)]({name: row[column] for name, column in own})
            scopes[row["segment"], row["analysis_basis"]][row["branch"]] = branch
        answers[need] = dict(scopes)
    return answers


def _columns_by_need(rows: Sequence[Row]) -> dict[str, list[tuple[str, str]]]:
    """The columns ``<name>_<need>`` by the number of the need, and their names without it."""
    found: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for column in rows[0] if rows else ():
        name, _, need = column.rpartition("_")
        found[need].append((name, column))
    return found


def _odd(row: Row) -> int:
    return int(row.get("odd", 0))


def _totals(row: Row) -> BranchTotals:
    units, others, odd = int(row["units"]), int(row.get("others", 0)), int(row.get("odd", 0))
    return BranchTotals(units, float(row["total"] or 0.0), others, odd)


def _moments(row: Row) -> BranchMoments:
    """Central moments from powers of the difference from a centre that rounding moved a little."""
    n, odd = int(row["units"]), int(row.get("odd", 0))
    if not n:
        return BranchMoments(0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, odd=odd)
    off, p2, p3, p4 = (row[f"power{k}"] / n for k in (1, 2, 3, 4))
    return BranchMoments(
        n,
        row["centre"] + off,
        max(p2 - off**2, 0.0),
        p3 - 3 * off * p2 + 2 * off**3,
        max(p4 - 4 * off * p3 + 6 * off**2 * p2 - 3 * off**4, 0.0),
        row["lowest"],
        row["highest"],
        row.get("threshold"),
        odd,
        row.get("uncapped"),
    )


def _co_moments(row: Row) -> BranchCoMoments:
    n, values, odd = int(row["units"]), int(row["values"]), int(row.get("odd", 0))
    if not n:
        return BranchCoMoments(0, values, 0.0, 0.0, 0.0, 0.0, 0.0, odd)
    off, off_x = row["power1"] / n, row["power1_x"] / n
    return BranchCoMoments(
        n,
        values,
        row["centre"] + off,
        row["centre_x"] + off_x,
        max(row["power2"] - n * off**2, 0.0),
        max(row["power2_x"] - n * off_x**2, 0.0),
        row["product"] - n * off * off_x,
        odd,
    )


def _joint_moments(row: Row) -> BranchJointMoments:
    """Central moments from those about centres that rounding and caps moved a little."""
    n, odd = int(row["units"]), int(row.get("odd", 0))
    if not n:
        return BranchJointMoments(0, 0.0, 0.0, {}, 0.0, odd=odd)
    about = {(a, b): row[f"joint{a}{b}"] / n for a, b in joint_powers()} | {(0, 0): 1.0}
    off, off_x = about[1, 0], about[0, 1]
    central = {
        (a, b): sum(
            comb(a, i) * comb(b, j) * (-off) ** i * (-off_x) ** j * about[a - i, b - j]
            for i in range(a + 1)
            for j in range(b + 1)
        )
        for a, b in joint_powers()
        if a + b > 1
    }
    return BranchJointMoments(
        n,
        row["centre"] + off,
        row["centre_x"] + off_x,
        central,
        row["highest"],
        row.get("threshold"),
        odd,
        row.get("threshold_x"),
        (row["uncapped"], row["uncapped_x"]) if "uncapped" in row else None,
    )


def _ratio_co_moments(row: Row) -> BranchRatioCoMoments:
    n, values, odd = int(row["units"]), int(row["values"]), int(row.get("odd", 0))
    parts = sum(key.startswith("part") for key in row)
    centres = ("centre", "centre_x", "centre_c0", "centre_c1")[:parts]
    if not n:
        return BranchRatioCoMoments(0, values, np.zeros(parts), np.zeros((parts, parts)), odd)
    off = np.array([row[f"part{p}"] for p in range(parts)]) / n
    products = np.array(
        [[row[f"product{min(p, q)}{max(p, q)}"] for q in range(parts)] for p in range(parts)]
    )
    means = np.array([row[centre] for centre in centres]) + off
    return BranchRatioCoMoments(n, values, means, products - n * np.outer(off, off), odd)


_BRANCH = {
    Totals: _totals,
    Odd: _odd,
    Moments: _moments,
    CoMoments: _co_moments,
    JointMoments: _joint_moments,
    RatioCoMoments: _ratio_co_moments,
}


def of_pairs(table: pa.Table) -> dict[Scope, Branches]:
    """The pairs of each branch, in ascending order."""
    keys = ("segment", "analysis_basis", "branch")
    listed: dict[Scope, dict[str, list[tuple[float, float, int]]]] = defaultdict(
        lambda: defaultdict(list)
    )
    order = [(key, "ascending") for key in (*keys, "numerator", "denominator")]
    for row in table.sort_by(order).to_pylist():
        pair = (row["numerator"], row["denominator"], row["units"])
        listed[row["segment"], row["analysis_basis"]][row["branch"]].append(pair)
    return {
        scope: {branch: _branch_pairs(pairs) for branch, pairs in branches.items()}
        for scope, branches in listed.items()
    }


def _branch_pairs(pairs: Sequence[tuple[float, float, int]]) -> BranchPairs:
    numerators, denominators, units = zip(*pairs, strict=True)
    return BranchPairs(
        np.array(numerators, dtype=np.float64),
        np.array(denominators, dtype=np.float64),
        np.array(units, dtype=np.int64),
    )
