"""The p-values of the declared metrics of one window are adjusted together.

Belongs here: which rows of the statistics table are a family. Does not: the adjustment
(`statistics.multiplicity`), what is declared (`experiments.hypotheses`).

A family is one window and analysis basis, all units (no segments), the declared metrics that the
window has, and of each one statistic: the first of `experiments.hypotheses.SPEAKERS`. Its
hypotheses are one for each branch other than the reference branch, or one for each pair of
branches where the experiment has no reference branch. A hypothesis whose p-value is missing counts
as not rejected, so that a metric that fails today does not make the others look better. Sequential
companions are a family of their own.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from itertools import combinations
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from jetstream_assets.analysis.estimation import ALL_UNITS
from jetstream_assets.experiments.hypotheses import speaker
from jetstream_assets.statistics.multiplicity import adjusted
from jetstream_assets.statistics.sequential import SEQUENTIAL

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from jetstream_assets.experiments.experiment import Experiment
    from jetstream_assets.experiments.hypotheses import Correction, MultipleComparisons

    Pair = frozenset[str]
    Row = dict[str, Any]

_COLUMNS = (
    "period",
    "window_index",
    "analysis_basis",
    "metric",
    "statistic",
    "branch",
    "comparison",
    "comparison_to_branch",
    "p_value",
)


@dataclass
class _Family:
    """Metrics of the family, and the p-values found, each with the numbers of its rows."""

    metrics: set[str] = field(default_factory=set)
    p_values: dict[tuple[str, Pair], float] = field(default_factory=dict)
    rows: defaultdict[tuple[str, Pair], list[int]] = field(
        default_factory=lambda: defaultdict(list)
    )

    def adjusted(self, pairs: Sequence[Pair], method: Correction) -> dict[int, float]:
        """The adjusted p-values by number of row."""
        keys = [(metric, pair) for metric in sorted(self.metrics) for pair in pairs]
        found = adjusted([self.p_values.get(key, 1.0) for key in keys], method)
        return {
            number: value
            for key, value in zip(keys, found, strict=True)
            for number in self.rows.get(key, ())
        }


def with_adjusted_p_values(
    rows: pa.Table, declared: MultipleComparisons | None, experiment: Experiment
) -> pa.Table:
    """The table with ``p_value_adjusted`` filled in for the declared family, else as it is."""
    if declared is None:
        return rows
    pairs = _pairs(experiment)
    column: list[float | None] = [None] * rows.num_rows
    for family in _families(_candidates(rows, declared)):
        for number, value in family.adjusted(pairs, declared.method).items():
            column[number] = value
    name = "p_value_adjusted"
    return rows.set_column(
        rows.schema.get_field_index(name), rows.schema.field(name), pa.array(column, pa.float64())
    )


def _pairs(experiment: Experiment) -> list[Pair]:
    slugs = [branch.slug for branch in experiment.branches]
    reference = experiment.reference_branch
    return [frozenset(p) for p in combinations(slugs, 2) if reference is None or reference in p]


def _candidates(rows: pa.Table, declared: MultipleComparisons) -> list[tuple[int, Row]]:
    is_candidate = pc.and_(
        pc.equal(rows["segment"], ALL_UNITS),
        pc.is_in(rows["metric"], value_set=pa.array(declared.metrics, pa.string())),
    )
    chosen = rows.select(_COLUMNS).filter(is_candidate).to_pylist()
    numbers = pc.indices_nonzero(is_candidate).to_pylist()
    return list(zip(numbers, chosen, strict=True))


def _families(candidates: Sequence[tuple[int, Row]]) -> Iterable[_Family]:
    speakers = _speakers(row for _, row in candidates)
    families: defaultdict[tuple[object, ...], _Family] = defaultdict(_Family)
    for number, row in candidates:
        name = speakers[_window(row)][row["metric"]]
        if name is None or row["statistic"] not in (name, name + SEQUENTIAL):
            continue
        family = families[*_window(row), row["statistic"] == name]
        family.metrics.add(row["metric"])
        if row["comparison"] == "difference" and row["p_value"] is not None:
            key = (row["metric"], frozenset((row["branch"], row["comparison_to_branch"])))
            family.p_values[key] = row["p_value"]
            family.rows[key].append(number)
    return families.values()


def _speakers(rows: Iterable[Row]) -> dict[tuple[object, ...], dict[str, str | None]]:
    """Per window and metric the statistic that speaks for it."""
    names: defaultdict[tuple[object, ...], defaultdict[str, set[str]]] = defaultdict(
        lambda: defaultdict(set)
    )
    for row in rows:
        names[_window(row)][row["metric"]].add(row["statistic"])
    return {
        window: {metric: speaker(found) for metric, found in metrics.items()}
        for window, metrics in names.items()
    }


def _window(row: Row) -> tuple[object, ...]:
    return (row["period"], row["window_index"], row["analysis_basis"])
