"""Both sides have the same rows: every value of every unit, window and basis.

Belongs here: the comparison. Does not: either side (`incremental`, `windowed`).

Floats may differ by the order of additions; everything else is equal, NULLs included. Our slices
hold all windows of a date, so each slice of the original is compared with its part of ours, and in
the end no row of ours is left over.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from incremental_bench.population import LAST_ENROLLMENT_DATE
from jetstream_assets.warehouse.tables import DEFAULT_DATASET, ONLY_PART, ResultTable

if TYPE_CHECKING:
    from pathlib import Path

TABLES = (ResultTable.METRICS, ResultTable.PREENROLLMENT_METRICS)
FLOAT_TOLERANCE = 1e-9  # relative
_KEY = ("period", "window_index", "analysis_basis")


def agreement(ours: Path, windowed: Path) -> dict[str, float]:
    """How many slices of the original, rows and values are equal; the largest relative difference.

    Raises:
        ValueError: Anything differs, is missing or is too much, or there is nothing to compare.
    """
    counts: Counter[str] = Counter()
    largest = 0.0
    for table in TABLES:
        for folder in _dates(windowed, table):
            own = _dates(ours, table, folder.name)
            if not own:
                raise ValueError(f"our side has no slice {folder}")
            found = pq.read_table(own[0] / f"{ONLY_PART}.parquet", partitioning=None)
            expected = [pq.read_table(f, partitioning=None) for f in sorted(folder.iterdir())]
            if sum(one.num_rows for one in expected) != found.num_rows:
                raise ValueError(f"{folder}: our side has {found.num_rows} rows")
            for one in expected:
                largest = max(largest, _compare(_part_like(found, one), one, str(folder)))
                counts.update(slices=1, rows=one.num_rows, values=one.num_rows * one.num_columns)
        counts["dates"] = len(_dates(windowed, ResultTable.METRICS))
    _check_dates(ours, windowed)
    return {**counts, "largest_relative_difference": largest}


def _check_dates(ours: Path, windowed: Path) -> None:
    expected = {folder.name for folder in _dates(windowed, ResultTable.METRICS)}
    first = f"date={LAST_ENROLLMENT_DATE}"
    # Before, results are provisional; the original has none.
    found = {f.name for f in _dates(ours, ResultTable.METRICS) if f.name >= first}
    if not expected or found != expected:
        raise ValueError(f"dates of metrics: {sorted(found ^ expected)} are on one side only")


def _dates(root: Path, table: ResultTable, name: str = "date=*") -> list[Path]:
    return sorted((root / DEFAULT_DATASET / table).glob(f"experiment=*/{name}"))


def _part_like(found: pa.Table, one: pa.Table) -> pa.Table:
    """The rows of our slice that are of the window and basis of the original's."""
    is_part = None
    for column in _KEY:
        (value,) = pc.unique(one[column])
        equal = pc.equal(found[column], value)
        is_part = equal if is_part is None else pc.and_(is_part, equal)
    return found.filter(is_part)


def _compare(found: pa.Table, expected: pa.Table, what: str) -> float:
    """The largest relative difference of a float; columns of other windows are all NULL."""
    found, expected = (rows.sort_by("analysis_id").combine_chunks() for rows in (found, expected))
    if found.num_rows != expected.num_rows:
        raise ValueError(f"{what}: {found.num_rows} rows instead of {expected.num_rows}")
    for column in set(found.column_names) - set(expected.column_names):
        if found[column].null_count != found.num_rows:
            raise ValueError(f"{what}: {column} has values that the original has not")
    names = expected.column_names
    return max(_difference(found[c], expected[c], f"{what}: {c}") for c in names)


def _difference(found: pa.ChunkedArray, expected: pa.ChunkedArray, what: str) -> float:
    if found.type != expected.type:
        raise ValueError(f"{what} is {found.type} instead of {expected.type}")
    if found.equals(expected):
        return 0.0
    if not pa.types.is_floating(found.type) or not found.is_null().equals(expected.is_null()):
        raise ValueError(f"{what} differs")
    mine, theirs = (column.drop_null().to_numpy() for column in (found, expected))
    scale = np.maximum(np.abs(theirs), np.finfo(float).tiny)
    largest = float(np.max(np.abs(mine - theirs) / scale))
    if not largest <= FLOAT_TOLERANCE:
        raise ValueError(f"{what} differs by {largest:.3g}")
    return largest
