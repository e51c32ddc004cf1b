"""Rows of the queries for distributions become distributions.

Belongs here: cutting rows into branches, and ranking values that came without ranks. Does not:
asking for them (`collection`), the queries (`sql.distributions`), other rows (`collected_rows`).
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

import numpy as np

from jetstream_assets.sql.ranks import MOST_DISTINCT
from jetstream_assets.statistics.distribution import Distribution

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pyarrow as pa
    from numpy.typing import NDArray

    from jetstream_assets.analysis.collected_rows import Branches, Scope
    from jetstream_assets.experiments.needs import Histogram, Need

_KEYS = ("need", "segment", "analysis_basis", "branch")


def of_counts(table: pa.Table, needs: Sequence[Histogram]) -> dict[Need, dict[Scope, Branches]]:
    """The answers of `counts_query`, with the values that `histograms_query` keeps."""
    found: dict[str, dict[Scope, Branches]] = defaultdict(lambda: defaultdict(dict))
    counts = table["counts"].combine_chunks()
    values, units = (field.to_numpy() for field in counts.flatten().flatten())
    lengths = counts.value_lengths().to_numpy()
    ends = np.cumsum(lengths)
    groups = zip(*(table[key].to_pylist() for key in _KEYS), strict=True)
    spans = zip(groups, ends - lengths, ends, strict=True)
    for (need, segment, basis, branch), start, end in spans:
        found[need][segment, basis][branch] = _ranked(values[start:end], units[start:end])
    return _by_need(found, needs)


def _ranked(values: NDArray[np.float64], units: NDArray[np.int64]) -> Distribution:
    """The distribution of distinct values; of many those at which a step of the share begins."""
    order = np.argsort(values)
    whole = Distribution.of(values[order], units[order])
    if values.size <= MOST_DISTINCT:
        return whole
    steps, before = (
        np.floor(ranks * MOST_DISTINCT / whole.total)
        for ranks in (whole.upto, whole.upto - whole.units)
    )
    kept = steps > before
    kept[0] = True
    return Distribution(whole.values[kept], whole.units[kept], whole.upto[kept])


def of_histograms(table: pa.Table, needs: Sequence[Histogram]) -> dict[Need, dict[Scope, Branches]]:
    """Cut the rows, in the order of group and value, where the group changes."""
    codes = [table[key].combine_chunks().dictionary_encode().indices.to_numpy() for key in _KEYS]
    order = np.lexsort([table["value"].to_numpy(), *codes])
    values, units, upto = (table[key].to_numpy()[order] for key in ("value", "units", "upto"))
    starts = _starts([code[order] for code in codes])
    groups = zip(*(table[key].take(order[starts]).to_pylist() for key in _KEYS), strict=True)
    found: dict[str, dict[Scope, Branches]] = defaultdict(lambda: defaultdict(dict))
    ends = [*starts[1:], len(table)] if starts.size else []
    for (need, segment, basis, branch), start, end in zip(groups, starts, ends, strict=True):
        found[need][segment, basis][branch] = Distribution(
            values[start:end].astype(np.float64),
            units[start:end].astype(np.int64),
            upto[start:end].astype(np.int64),
        )
    return _by_need(found, needs)


def _by_need(
    found: Mapping[str, Mapping[Scope, Branches]], needs: Sequence[Histogram]
) -> dict[Need, dict[Scope, Branches]]:
    values = dict.fromkeys(need.value for need in needs)
    columns = {value: f"value_{i}" for i, value in enumerate(values)}
    return {need: dict(found.get(columns[need.value], {})) for need in needs}


def _starts(keys: Sequence[NDArray[np.int32]]) -> NDArray[np.int64]:
    """The rows at which any key differs from that of the row before."""
    changes = np.zeros(keys[0].size, dtype=bool)
    changes[:1] = True
    for key in keys:
        changes[1:] |= key[1:] != key[:-1]
    found: NDArray[np.int64] = np.flatnonzero(changes)
    return found
