"""Of all that is stored of an experiment over its dates, the rows that are its results today.

Belongs here: which date's rows count for a window, and which failures are still news. Does not:
reading rows, documents (the exports).

While units enroll, every date computes the same windows again, for more units; when enrollment has
closed, each window becomes final on one date. So the newest date's rows count.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa

from jetstream_assets.experiments.failures import Stage

if TYPE_CHECKING:
    from datetime import date

    from jetstream_assets.experiments.windows import Timeline

_ROW = ("date", "period", "window_index", "is_provisional")


def current_statistics(timeline: Timeline, rows: pa.Table) -> pa.Table:
    """The rows of each window's newest date on which it is due, final or provisional.

    When the enrollment period or the end changes, a window moves to another date, or what was
    provisional is so no longer; what was stored under its former date is not a result any more.

    Args:
        timeline: The experiment's dates as they are now.
        rows: All slices: the columns of `STATISTICS_SCHEMA` and ``date``.
    """
    due = _due(timeline, set(rows["date"].to_pylist()))
    keys = list(zip(*(rows[name].to_pylist() for name in _ROW), strict=True))
    newest: dict[tuple[str, int], date] = {}
    for on, period, index, is_provisional in set(keys):
        if (on, period, index, is_provisional) in due:
            newest[period, index] = max(on, newest.get((period, index), on))
    is_current = [key in due and newest[key[1], key[2]] == key[0] for key in keys]
    return rows.filter(pa.array(is_current, pa.bool_()))


def current_failures(timeline: Timeline, rows: pa.Table, as_of: date) -> pa.Table:
    """The failures that no later date has made obsolete.

    What failed while units enroll is tried again on every later date; a refusal is of its own date.

    Args:
        timeline: The experiment's dates as they are now.
        rows: All slices of all stages: the columns of `FAILURES_SCHEMA` and ``date``.
        as_of: The newest date that was computed.
    """
    dates = rows["date"].to_pylist()
    is_current = [
        on == as_of or stage == Stage.PLAN.value or not timeline.is_enrolling(on)
        for on, stage in zip(dates, rows["stage"].to_pylist(), strict=True)
    ]
    return rows.filter(pa.array(is_current, pa.bool_()))


def _due(timeline: Timeline, dates: set[date]) -> set[tuple[date, str, int, bool]]:
    """(date, period, window index, whether provisional) of all windows due on these dates."""
    return {
        (on, window.period.value, window.index, is_provisional)
        for on in dates
        for windows, is_provisional in (
            (timeline.due(on), False),
            (timeline.provisional(on), True),
        )
        for window in windows
    }
