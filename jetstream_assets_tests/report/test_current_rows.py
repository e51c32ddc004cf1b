"""Which date's rows are an experiment's results today."""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from jetstream_assets.experiments.windows import Period, Timeline
from jetstream_assets.report.current_rows import current_failures, current_statistics
from jetstream_assets_tests.report.rows import failure_rows, statistics_rows

if TYPE_CHECKING:
    import pyarrow as pa

FIRST = date(2024, 1, 1)
# Units enroll from 1 to 8 January.
TIMELINE = Timeline(FIRST, 7, date(2024, 2, 5))


def _day(number: int) -> date:
    return date(2024, 1, number)


def _stored(last: date) -> pa.Table:
    """A row of every window of every date, as it is stored."""
    rows = []
    for number in range((last - FIRST).days + 1):
        on = FIRST + timedelta(days=number)
        for windows, is_provisional in (
            (TIMELINE.due(on), False),
            (TIMELINE.provisional(on), True),
        ):
            rows += [
                {
                    "date": on,
                    "period": window.period.value,
                    "window_index": window.index,
                    "is_provisional": is_provisional,
                }
                for window in windows
            ]
    return statistics_rows(*rows)


def _dates(rows: pa.Table, period: Period = Period.DAY) -> dict[int, tuple[date, bool]]:
    """Date and whether provisional, by window index."""
    return {
        row["window_index"]: (row["date"], row["is_provisional"])
        for row in rows.to_pylist()
        if row["period"] == period.value
    }


def test_a_later_provisional_date_replaces_an_earlier_one() -> None:
    rows = current_statistics(TIMELINE, _stored(_day(4)))
    assert rows.num_rows == 4
    assert _dates(rows) == {n: (_day(4), True) for n in range(1, 5)}


def test_final_windows_replace_provisional_ones_one_by_one() -> None:
    found = _dates(current_statistics(TIMELINE, _stored(_day(10))))
    assert [found[n] for n in (1, 2, 3)] == [(_day(n), False) for n in (8, 9, 10)]
    assert [found[n] for n in (4, 5, 6, 7)] == [(_day(7), True)] * 4


def test_weeks_are_replaced_when_the_last_unit_has_lived_through_them() -> None:
    for last, expected in ((_day(13), (_day(7), True)), (_day(14), (_day(14), False))):
        rows = current_statistics(TIMELINE, _stored(last))
        assert _dates(rows, Period.WEEK)[1] == expected


@pytest.mark.parametrize(("days", "newest"), [(5, 5), (9, 7)])
def test_rows_whose_window_moved_are_left_out(days: int, newest: int) -> None:
    stored = _stored(_day(20))
    moved = Timeline(FIRST, days, TIMELINE.end_date)
    found = current_statistics(moved, stored)
    for row in found.to_pylist():
        windows = moved.provisional if row["is_provisional"] else moved.due
        indices = {(w.period.value, w.index) for w in windows(row["date"])}
        assert (row["period"], row["window_index"]) in indices
    # The final rows of day 1 are stored under a date on which it is not due any more.
    assert _dates(found)[1] == (_day(newest), True)


def test_nothing_stored_is_nothing_current() -> None:
    assert current_statistics(TIMELINE, statistics_rows()).num_rows == 0
    assert current_failures(TIMELINE, failure_rows(), FIRST).num_rows == 0


def test_what_failed_while_units_enroll_is_news_until_the_next_date() -> None:
    rows = failure_rows(
        {"date": _day(2)},
        {"date": _day(2), "stage": "plan"},
        {"date": _day(3)},
        {"date": _day(8)},
        {"date": _day(9)},
    )
    kept = {(row["date"].day, row["stage"]) for row in _kept(rows, _day(9))}
    assert kept == {(2, "plan"), (8, "metrics"), (9, "metrics")}
    assert {row["date"].day for row in _kept(rows.slice(0, 3), _day(3))} == {2, 3}


def _kept(rows: pa.Table, as_of: date) -> list[dict[str, Any]]:
    kept: list[dict[str, Any]] = current_failures(TIMELINE, rows, as_of).to_pylist()
    return kept
