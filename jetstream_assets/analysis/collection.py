"""The needs of all summaries of a window are collected in a handful of queries.

Belongs here: asking the warehouse, each need once. Does not: the queries
(`sql.sufficient_statistics`, `sql.distributions`, `sql.pairs`), turning their rows into what
statistics take (`collected_rows`), which summaries there are (`estimation`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from jetstream_assets.analysis.collected_distributions import of_counts, of_histograms
from jetstream_assets.analysis.collected_rows import Branches, Scope, of_pairs, of_sums
from jetstream_assets.errors import QueryError
from jetstream_assets.experiments.metrics import Summary
from jetstream_assets.experiments.needs import (
    CoMoments,
    Histogram,
    JointMoments,
    Moments,
    Need,
    Odd,
    Pairs,
    RatioCoMoments,
    Totals,
)
from jetstream_assets.sql.capping import GroupSizes
from jetstream_assets.sql.distributions import (
    counts_query,
    distinct_query,
    histograms_query,
    middles_query,
)
from jetstream_assets.sql.pairs import pairs_query
from jetstream_assets.sql.sufficient_statistics import summed_query, units_query
from jetstream_assets.statistics.collected import Collected

if TYPE_CHECKING:
    from jetstream_assets.experiments.needs import Value
    from jetstream_assets.sql.capping import Summed
    from jetstream_assets.sql.unit_values import UnitRows
    from jetstream_assets.warehouse.base import Warehouse


# Up to so many distinct values each is counted; more fall into bins.
MOST_COUNTED = 50_000
# Up to so many distinct values of all metrics together are taken over from the warehouse, for each
# group of units, and are ranked here: 16 bytes each.
MOST_LISTED = 50_000


@dataclass(frozen=True)
class Collection:
    """What was collected of a window, and why the needs of some summaries could not be."""

    answers: Mapping[Need, Mapping[Scope, Branches]] = field(default_factory=dict)
    errors: Mapping[Summary, QueryError] = field(default_factory=dict)

    def of(self, scope: Scope) -> Collected:
        """What was collected of one segment and analysis basis."""
        found: dict[type[Need], dict[Any, Branches]] = {kind: {} for kind in _KINDS}
        for need, scopes in self.answers.items():
            found[type(need)][need] = scopes.get(scope, {})
        return Collected(*found.values())


# In the order of the fields of `Collected`.
_KINDS = (
    Totals,
    Moments,
    CoMoments,
    Histogram,
    JointMoments,
    Pairs,
    RatioCoMoments,
    Odd,
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
    summed = [need for need in needs if not isinstance(need, Histogram | Pairs)]
    if summed:
        query = summed_query(rows, summed, _sizes(warehouse, rows, summed))
        answers |= of_sums(warehouse.query(query).to_pylist(), summed)
    histograms = [need for need in needs if isinstance(need, Histogram)]
    whole = [need for need in histograms if need.up_to_units is None]
    few = [
        n for n in histograms if n.up_to_units is not None and _has_few(n, n.up_to_units, answers)
    ]
    if whole:
        answers |= _distributions(warehouse, rows, whole)
    if few:
        answers |= of_histograms(warehouse.query(histograms_query(rows, few)), few)
    for need in needs:
        if isinstance(need, Pairs) and _has_few(need, need.up_to_units, answers):
            answers[need] = of_pairs(warehouse.query(pairs_query(rows, need)))
    return answers


def _sizes(warehouse: Warehouse, rows: UnitRows, needs: Sequence[Summed]) -> GroupSizes:
    """Number and sizes of the groups; not asked for where only totals are wanted.

    Only the whole is counted: no segment has more units.
    """
    if all(isinstance(need, Totals | Odd) for need in needs):
        return GroupSizes(0, 0, 0, 0)
    branches: list[int] = []
    pooled = Counter[str]()
    for row in warehouse.query(units_query(replace(rows, segments=()))).to_pylist():
        branches.append(row["units"])
        pooled[row["analysis_basis"]] += row["units"]
    groups, largest = len(branches) * (1 + len(rows.segments)), max(branches, default=0)
    return GroupSizes(groups, largest, max(pooled.values(), default=0), sum(branches))


def _distributions(
    warehouse: Warehouse, rows: UnitRows, needs: Sequence[Histogram]
) -> dict[Need, dict[Scope, Branches]]:
    """The distributions of all units, whose values are ranked by the warehouse if they are many."""
    values = list(dict.fromkeys(need.value for need in needs))
    (found,) = warehouse.query(distinct_query(rows, values)).to_pylist()
    counts = {value: found[f"distinct_{i}"] for i, value in enumerate(values)}
    if sum(counts.values()) <= MOST_LISTED:
        return of_counts(warehouse.query(counts_query(rows, needs)), needs)
    many = [value for value, count in counts.items() if count > MOST_COUNTED]
    middles = _middles(warehouse, rows, many)
    return of_histograms(warehouse.query(histograms_query(rows, needs, middles)), needs)


def _middles(warehouse: Warehouse, rows: UnitRows, values: Sequence[Value]) -> dict[Value, float]:
    """A middle of each value."""
    if not values:
        return {}
    (found,) = warehouse.query(middles_query(rows, values)).to_pylist()
    return {value: found[f"middle_{i}"] for i, value in enumerate(values)}


def _has_few(need: Need, limit: int, answers: Mapping[Need, Mapping[Scope, Branches]]) -> bool:
    """Whether any branch has so few units that its values are wanted, as far as is known."""
    counted = [
        branch.units
        for other, scopes in answers.items()
        if isinstance(other, Moments | JointMoments) and other.values == need.values
        for branches in scopes.values()
        for branch in branches.values()
    ]
    return not counted or any(0 < units <= limit for units in counted)
