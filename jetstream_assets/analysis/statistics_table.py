"""Rows of statistics become a table of the stored schema, in an order of their own.

Belongs here: the table of one window. Does not: the rows (`statistics`), storing them.
"""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from jetstream_assets.statistics.base import StatisticRow
from jetstream_assets.warehouse.tables import STATISTICS_SCHEMA

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from jetstream_assets.experiments.plan import PlannedWindow

_BATCH = 1000
# What identifies a row inside a window, in the order in which rows are stored.
ROW_ORDER = (
    "analysis_basis",
    "segment",
    "metric",
    "statistic",
    "parameter",
    "branch",
    "comparison",
    "comparison_to_branch",
)


def statistics_table(planned: PlannedWindow, rows: Iterable[StatisticRow]) -> pa.Table:
    """The rows as STATISTICS_SCHEMA with the window's columns filled in, sorted; null first."""
    due = planned.due
    window = {
        "period": due.period.value,
        "window_index": due.index,
        "window_start": due.window.start,
        "window_end": due.window.end,
        "is_provisional": planned.is_provisional,
    }
    columns: dict[str, Sequence[object] | pa.Array] = {**_columns(rows)}
    count = len(columns[ROW_ORDER[0]])
    for name, value in window.items():
        fixed = pa.scalar(value, STATISTICS_SCHEMA.field(name).type)
        columns[name] = pa.repeat(fixed, count)
    table = pa.table({name: columns[name] for name in STATISTICS_SCHEMA.names}, STATISTICS_SCHEMA)
    keys = [(name, "ascending", "at_start") for name in ROW_ORDER]
    return table.take(pc.sort_indices(table, sort_keys=keys))


def _columns(rows: Iterable[StatisticRow]) -> dict[str, list[object]]:
    """The values of all rows, which are not kept themselves: there may be very many."""
    columns: dict[str, list[object]] = {name: [] for name in StatisticRow._fields}
    remaining = iter(rows)
    while batch := list(islice(remaining, _BATCH)):
        for column, values in zip(columns.values(), zip(*batch, strict=True), strict=True):
            column.extend(values)
    return columns
