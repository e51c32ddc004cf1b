"""Rows of statistics become a table of the stored schema, in an order of their own.

Belongs here: the table of one window. Does not: the rows (`statistics`), storing them.
"""

from __future__ import annotations

from operator import attrgetter
from typing import TYPE_CHECKING

import pyarrow as pa

from jetstream_assets.statistics.base import StatisticRow
from jetstream_assets.warehouse.tables import STATISTICS_SCHEMA

if TYPE_CHECKING:
    from collections.abc import Sequence

    from jetstream_assets.experiments.plan import PlannedWindow

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


def statistics_table(planned: PlannedWindow, rows: Sequence[StatisticRow]) -> pa.Table:
    """The rows as STATISTICS_SCHEMA with the window's columns filled in, sorted; null first."""
    due = planned.due
    window = {
        "period": due.period.value,
        "window_index": due.index,
        "window_start": due.window.start,
        "window_end": due.window.end,
        "is_provisional": planned.is_provisional,
    }
    fixed = {
        name: pa.scalar(value, STATISTICS_SCHEMA.field(name).type) for name, value in window.items()
    }
    columns = {name: pa.repeat(value, len(rows)) for name, value in fixed.items()}
    names = StatisticRow._fields
    values = zip(*sorted(rows, key=_key), strict=True)
    columns |= zip(names, values if rows else [()] * len(names), strict=True)
    return pa.table({name: columns[name] for name in STATISTICS_SCHEMA.names}, STATISTICS_SCHEMA)


def _key(row: StatisticRow) -> tuple[object, ...]:
    # None cannot be compared, so that each is decided by what stands before it.
    found: list[object] = []
    for value in _identity(row):
        found += (value is not None, value)
    return tuple(found)


_identity = attrgetter(*ROW_ORDER)
