"""Which days a preview looks at, on a calendar and by property."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jetstream_assets.authoring.preview_dates import (
    PreviewDates,
    dates_of_enrolled,
    dates_of_population,
)
from jetstream_assets.experiments.experiment import Branch, Experiment
from jetstream_assets.experiments.windows import Period, Timeline


def march(day: int) -> date:
    return date(2026, 3, 1) + timedelta(days=day - 1)


def _experiment(start: date | None, period: int = 7, end: date | None = None) -> Experiment:
    return Experiment("x", (Branch("control"),), start, end, period)


@pytest.mark.parametrize(
    ("start", "period", "end", "days", "latest", "expected"),
    [
        # Enrollment goes on: it is cut short by the days that are looked at.
        (1, 7, None, 3, 5, (1, 2, 5, 3, 5)),
        # So young that only those who enrolled at once have lived through anything.
        (1, 7, None, 7, 3, (1, 1, 3, 2, 3)),
        (1, 7, None, 7, 2, (1, 1, None, 2, 2)),
        # Enrollment has ended within these days.
        (1, 7, 60, 7, 12, (1, 5, 12, 6, 12)),
        # It has ended exactly before them, and long before them.
        (1, 7, 60, 7, 14, (1, 7, 14, 8, 14)),
        (1, 7, 60, 7, 30, (1, 7, None, 24, 30)),
        # The experiment is over.
        (1, 7, 20, 7, 90, (1, 7, None, 14, 20)),
        # Nobody knows how long enrollment is planned.
        (1, 0, None, 3, 9, (1, 6, 9, 7, 9)),
        (3, 7, None, 7, 3, None),
        (4, 7, None, 7, 3, None),
        (None, 7, None, 7, 3, None),
    ],
)
def test_dates_of_enrolled_units(  # one row of the table is one case
    start: int | None,
    period: int,
    end: int | None,
    days: int,
    latest: int,
    expected: tuple[int, int, int | None, int, int] | None,
) -> None:
    on = None if start is None else march(start)
    experiment = _experiment(on, period, None if end is None else march(end))
    found = dates_of_enrolled(experiment, days, march(latest))
    if expected is None:
        assert found is None
        return
    began, length, ended, first, last = expected
    ends = None if ended is None else march(ended)
    assert found == PreviewDates(march(began), length, ends, march(first), march(last))
    assert found.is_young == (ended is not None or first == last)


def test_a_population_has_lived_through_every_day() -> None:
    found = dates_of_population(7, march(20))
    assert found == PreviewDates(march(11), 3, march(20), march(14), march(20))
    assert found.is_young
    assert dates_of_population(1, march(20)).end_date is None


@given(
    lived=st.integers(1, 120),
    period=st.integers(0, 60),
    days=st.integers(1, 40),
    ends=st.none() | st.integers(1, 120),
)
def test_something_is_due_on_each_date_and_units_have_lived_through_it(
    lived: int, period: int, days: int, ends: int | None
) -> None:
    latest = march(1) + timedelta(days=lived)
    end = None if ends is None else march(1) + timedelta(days=ends)
    found = dates_of_enrolled(_experiment(march(1), period, end), days, latest)
    assert found is not None
    dates = list(found.dates)
    assert 1 <= len(dates) <= days
    assert dates[-1] == min(latest, end or latest)
    timeline = Timeline(found.start_date, found.enrollment_period, found.end_date or end)
    for on in dates:
        due = timeline.due(on)
        assert Period.DAY in {window.period for window in due}
        assert all(timeline.data_range(window.window)[1] <= on for window in due)
    if found.end_date is not None:
        assert Period.OVERALL in {window.period for window in timeline.due(dates[-1])}
