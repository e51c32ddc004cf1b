"""The needs of all summaries of a window are collected in a handful of queries.

Belongs here: asking the warehouse, and turning its rows into what statistics take. Does not: the
queries (`sql.sufficient_statistics`, `sql.distributions`), which summaries there are
(`estimation`).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from jetstream_assets.errors import QueryError
from jetstream_assets.experiments.metrics import Summary
from jetstream_assets.experiments.needs import CoMoments, Histogram, Moments, Need, Totals
from jetstream_assets.sql.distributions import histograms_query
from jetstream_assets.sql.sufficient_statistics import summed_query
from jetstream_assets.statistics.collected import (
    BranchCoMoments,
    BranchMoments,
    BranchTotals,
    Collected,
)
from jetstream_assets.statistics.distribution import Distribution

if TYPE_CHECKING:
    import pyarrow as pa

    from jetstream_assets.sql.unit_values import UnitRows
    from jetstream_assets.warehouse.base import Warehouse

# Segment (0 is the whole, others by their position from 1) and analysis basis.
Scope = tuple[int, str]
Row = Mapping[str, Any]
Branches = dict[str, Any]


@dataclass(frozen=True)
class Collection:
    """What was collected of a window, and why the needs of some summaries could not be."""

    answers: Mapping[Need, Mapping[Scope, Branches]] = field(default_factory=dict)
    errors: Mapping[Summary, QueryError] = field(default_factory=dict)

    def of(self, scope: Scope) -> Collected:
        """What was collected of one segment and analysis basis."""

        def answered(kind: type) -> dict[Any, Branches]:
            return {
                need: scopes.get(scope, {})
                for need, scopes in self.answers.items()
                if isinstance(need, kind)
            }

        return Collected(
            answered(Totals), answered(Moments), answered(CoMoments), answered(Histogram)
        )


def collect(
    warehouse: Warehouse, rows: UnitRows, wanted: Mapping[Summary, Sequence[Need]]
) -> Collection:
    """The answers to the needs of all summaries, each need once.

    When the warehouse refuses, every summary is asked for by itself, so that only those that it
    refuses go without.
    """
    needs = list(dict.fromkeys(need for listed in wanted.values() for need in listed))
    try:
        return Collection(_answers(warehouse, rows, needs))
    except QueryError as error:
        if len(wanted) == 1:
            return Collection(errors=dict.fromkeys(wanted, error))
    parts = [collect(warehouse, rows, {summary: needs}) for summary, needs in wanted.items()]
    return Collection(
        {need: found for part in parts for need, found in part.answers.items()},
        {summary: error for part in parts for summary, error in part.errors.items()},
    )


def _answers(
    warehouse: Warehouse, rows: UnitRows, needs: Sequence[Need]
) -> dict[Need, dict[Scope, Branches]]:
    answers: dict[Need, dict[Scope, Branches]] = {}
    summed = [need for need in needs if not isinstance(need, Histogram)]
    if summed:
        table = warehouse.query(summed_query(rows, summed))
        answers |= _summed(table.to_pylist(), summed)
    histograms = [need for need in needs if isinstance(need, Histogram)]
    whole = [need for need in histograms if need.up_to_units is None]
    few = [n for n in histograms if n.up_to_units is not None and _has_few(n, answers)]
    for asked in (whole, few):
        if asked:
            answers |= _histograms(warehouse.query(histograms_query(rows, asked)), asked)
    return answers


def _has_few(need: Histogram, answers: Mapping[Need, Mapping[Scope, Branches]]) -> bool:
    """Whether any branch has so few units that its values are wanted, as far as is known."""
    counted = [
        branch.units
        for other, scopes in answers.items()
        if isinstance(other, Moments) and other.value == need.value
        for branches in scopes.values()
        for branch in branches.values()
    ]
    limit = need.up_to_units or 0
    return not counted or any(0 < units <= limit for units in counted)


def _summed(
    rows: Sequence[Row], needs: Sequence[Totals | Moments | CoMoments]
) -> dict[Need, dict[Scope, Branches]]:
    answers: dict[Need, dict[Scope, Branches]] = {}
    for index, need in enumerate(needs):
        scopes: defaultdict[Scope, Branches] = defaultdict(dict)
        for row in rows:
            suffix = f"_{index}"
            numbers = {
                key.removesuffix(suffix): number
                for key, number in row.items()
                if key.endswith(suffix)
            }
            branch = _BRANCH[type(need)](numbers)
            scopes[row["segment"], row["analysis_basis"]][row["branch"]] = branch
        answers[need] = dict(scopes)
    return answers


def _totals(row: Row) -> BranchTotals:
    units, others, odd = int(row["units"]), int(row["others"] or 0), int(row["odd"])
    return BranchTotals(units, float(row["total"] or 0.0), others, odd)


def _moments(row: Row) -> BranchMoments:
    """Central moments from powers of the difference from a centre that rounding moved a little."""
    n, odd = int(row["units"]), int(row["odd"])
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
    )


def _co_moments(row: Row) -> BranchCoMoments:
    n, values, odd = int(row["units"]), int(row["values"]), int(row["odd"])
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


_BRANCH = {Totals: _totals, Moments: _moments, CoMoments: _co_moments}


def _histograms(table: pa.Table, needs: Sequence[Histogram]) -> dict[Need, dict[Scope, Branches]]:
    """Cut the rows, in the order of group and value, where the group changes."""
    keys = ("need", "segment", "analysis_basis", "branch")
    table = table.sort_by([(key, "ascending") for key in (*keys, "value")])
    labels = [table[key].to_pylist() for key in keys]
    values, units, upto = (table[key].to_numpy() for key in ("value", "units", "upto"))
    groups = list(zip(*labels, strict=True))
    starts = [i for i, group in enumerate(groups) if i == 0 or group != groups[i - 1]]
    found: dict[str, dict[Scope, Branches]] = defaultdict(lambda: defaultdict(dict))
    for start, end in zip(starts, [*starts[1:], len(groups)], strict=True):
        need, segment, basis, branch = groups[start]
        found[need][segment, basis][branch] = Distribution(
            values[start:end].astype(np.float64),
            units[start:end].astype(np.int64),
            upto[start:end].astype(np.int64),
        )
    columns = {value: f"value_{i}" for i, value in enumerate(dict.fromkeys(n.value for n in needs))}
    return {need: dict(found[columns[need.value]]) for need in needs}
