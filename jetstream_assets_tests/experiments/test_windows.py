from __future__ import annotations

import itertools
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jetstream_assets.experiments.windows import AnalysisWindow, DueWindow, Period, Timeline

# Enrollment from 1 January, seven days long, so the last enrollment date is 8 January.
WORKED_EXAMPLE = Timeline(date(2024, 1, 1), enrollment_period=7, end_date=date(2024, 2, 5))

DUE = [
    # on            period                        index  window     first data    last data
    ("2024-01-08", "day", 1, (0, 0), "2024-01-01", "2024-01-08"),
    ("2024-01-08", "preenrollment_week", 1, (-7, -1), "2023-12-25", "2024-01-07"),
    ("2024-01-08", "preenrollment_days28", 1, (-28, -1), "2023-12-04", "2024-01-07"),
    ("2024-01-09", "day", 2, (1, 1), "2024-01-02", "2024-01-09"),
    ("2024-01-14", "day", 7, (6, 6), "2024-01-07", "2024-01-14"),
    ("2024-01-14", "week", 1, (0, 6), "2024-01-01", "2024-01-14"),
    ("2024-01-21", "day", 14, (13, 13), "2024-01-14", "2024-01-21"),
    ("2024-01-21", "week", 2, (7, 13), "2024-01-08", "2024-01-21"),
    ("2024-02-04", "day", 28, (27, 27), "2024-01-28", "2024-02-04"),
    ("2024-02-04", "week", 4, (21, 27), "2024-01-22", "2024-02-04"),
    ("2024-02-04", "days28", 1, (0, 27), "2024-01-01", "2024-02-04"),
    ("2024-02-05", "day", 29, (28, 28), "2024-01-29", "2024-02-05"),
    ("2024-02-05", "overall", 1, (0, 27), "2024-01-01", "2024-02-04"),
]
timelines = st.builds(
    lambda start, enrollment, after: Timeline(
        start, enrollment, start + timedelta(days=enrollment + after)
    ),
    st.dates(date(2020, 1, 1), date(2030, 1, 1)),
    st.integers(1, 30),
    st.integers(-10, 120),
)


def _due_over_life(timeline: Timeline) -> list[tuple[date, DueWindow]]:
    assert timeline.end_date is not None
    days = range(-40, (timeline.end_date - timeline.start_date).days + 40)
    dates = [timeline.start_date + timedelta(days=day) for day in days]
    return [(on, due) for on in dates for due in timeline.due(on)]


@pytest.mark.parametrize(("on", "period", "index", "window", "first", "last"), DUE)
def test_worked_example(
    on: str, period: str, index: int, window: tuple[int, int], first: str, last: str
) -> None:
    expected = DueWindow(Period(period), index, AnalysisWindow(*window))
    assert expected in WORKED_EXAMPLE.due(date.fromisoformat(on))
    data_range = (date.fromisoformat(first), date.fromisoformat(last))
    assert WORKED_EXAMPLE.data_range(expected.window) == data_range


def test_dates_of_the_worked_example_have_nothing_else() -> None:
    listed = {(on, period, index) for on, period, index, *_ in DUE}
    dates = {on for on, *_ in DUE}
    found = {
        (on.isoformat(), due.period.value, due.index)
        for on, due in _due_over_life(WORKED_EXAMPLE)
        if on.isoformat() in dates
    }
    assert found == listed


@pytest.mark.parametrize("on", ["2023-12-31", "2024-01-01", "2024-01-07", "2024-02-06"])
def test_nothing_is_due_before_the_last_enrollment_date_or_after_the_end(on: str) -> None:
    assert WORKED_EXAMPLE.due(date.fromisoformat(on)) == ()


PROVISIONAL = [
    # on            day windows  week windows
    ("2023-12-31", 0, 0),
    ("2024-01-01", 1, 0),
    ("2024-01-06", 6, 0),
    ("2024-01-07", 7, 1),
    ("2024-01-08", 0, 0),
    ("2024-01-09", 0, 0),
]


@pytest.mark.parametrize(("on", "days", "weeks"), PROVISIONAL)
def test_windows_that_the_first_units_have_lived_through_are_provisional(
    on: str, days: int, weeks: int
) -> None:
    found = WORKED_EXAMPLE.provisional(date.fromisoformat(on))
    assert found == (
        *(DueWindow(Period.DAY, n + 1, AnalysisWindow(n, n)) for n in range(days)),
        *(DueWindow(Period.WEEK, n + 1, AnalysisWindow(7 * n, 7 * n + 6)) for n in range(weeks)),
    )


def test_a_long_enrollment_has_provisional_windows_of_every_repeated_period() -> None:
    timeline = Timeline(date(2024, 1, 1), 40)
    found = timeline.provisional(date(2024, 1, 28))
    assert found[-1] == DueWindow(Period.DAYS28, 1, AnalysisWindow(0, 27))
    assert len(found) == 28 + 4 + 1


@given(timelines, st.integers(-5, 60))
def test_a_window_is_provisional_exactly_while_units_enroll_and_some_have_lived_through_it(
    timeline: Timeline, day: int
) -> None:
    on = timeline.start_date + timedelta(days=day)
    found = {(due.period, due.index): due for due in timeline.provisional(on)}
    assert timeline.end_date is not None
    is_open = timeline.start_date <= on < timeline.last_enrollment_date and on <= timeline.end_date
    for period, length in ((Period.DAY, 1), (Period.WEEK, 7), (Period.DAYS28, 28)):
        complete = max(day + 1, 0) // length if is_open else 0
        assert {index for of, index in found if of == period} == set(range(1, complete + 1))
    for due in found.values():
        assert timeline.first_enrollment_date + timedelta(days=due.window.end) <= on
    assert not (found and timeline.due(on))


@given(timelines)
def test_every_provisional_window_that_is_in_time_becomes_due_as_it_is(timeline: Timeline) -> None:
    due = {window for _, window in _due_over_life(timeline)}
    assert timeline.end_date is not None
    for day in range(31):
        for window in timeline.provisional(timeline.start_date + timedelta(days=day)):
            final = timeline.last_enrollment_date + timedelta(days=window.window.end)
            assert (window in due) == (final <= timeline.end_date)


def test_an_experiment_without_end_has_no_overall_window() -> None:
    timeline = Timeline(date(2024, 1, 1), 7)
    on = date(2024, 2, 5)
    assert {due.period for due in timeline.due(on)} == {Period.DAY}
    assert timeline.overall_length is None


@pytest.mark.parametrize(("start", "end"), [(1, 0), (-1, 0), (-7, 3)])
def test_a_window_is_ordered_and_on_one_side_of_the_anchor(start: int, end: int) -> None:
    with pytest.raises(ValueError, match="window"):
        AnalysisWindow(start, end)


@given(timelines)
def test_each_window_is_due_exactly_once(timeline: Timeline) -> None:
    due = [(window.period, window.index) for _, window in _due_over_life(timeline)]
    assert len(due) == len(set(due))


@given(timelines)
def test_windows_of_a_period_neither_overlap_nor_leave_gaps(timeline: Timeline) -> None:
    by_period: dict[Period, list[DueWindow]] = {}
    for _, due in _due_over_life(timeline):
        by_period.setdefault(due.period, []).append(due)
    for windows in by_period.values():
        assert [due.index for due in windows] == list(range(1, len(windows) + 1))
        for earlier, later in itertools.pairwise(windows):
            assert later.window.start == earlier.window.end + 1


@given(timelines)
def test_no_window_needs_data_after_the_date_it_is_due_on(timeline: Timeline) -> None:
    for on, due in _due_over_life(timeline):
        assert timeline.data_range(due.window)[1] <= on


@given(timelines)
def test_every_complete_week_before_the_end_has_a_window(timeline: Timeline) -> None:
    assert timeline.end_date is not None
    observed = (timeline.end_date - timeline.last_enrollment_date).days + 1
    weeks = [due for _, due in _due_over_life(timeline) if due.period == Period.WEEK]
    assert len(weeks) == max(0, observed // 7)


@given(timelines)
def test_the_preenrollment_windows_are_due_with_the_first_day(timeline: Timeline) -> None:
    due = _due_over_life(timeline)
    first_days = [on for on, window in due if window.period == Period.DAY and window.index == 1]
    before = [on for on, window in due if window.period == Period.PREENROLLMENT_WEEK]
    assert first_days == before


@given(timelines)
def test_the_next_date_of_a_period_is_the_first_after_a_date_on_which_it_is_due(
    timeline: Timeline,
) -> None:
    assert timeline.end_date is not None
    over_life = _due_over_life(timeline)
    assert all(timeline.due_date(due) == on for on, due in over_life)
    first = timeline.first_enrollment_date - timedelta(days=2)
    for day in range((timeline.end_date - first).days + 3):
        after = first + timedelta(days=day)
        for period in Period:
            later = [on for on, due in over_life if due.period == period and on > after]
            assert timeline.next_due(period, after) == min(later, default=None)


def test_without_an_end_a_repeated_period_is_always_due_again_and_overall_never() -> None:
    timeline = Timeline(date(2026, 3, 2), 7)
    assert timeline.next_due(Period.WEEK, date(2027, 3, 1)) == date(2027, 3, 7)
    assert timeline.next_due(Period.OVERALL, date(2026, 3, 2)) is None
    assert timeline.next_due(Period.PREENROLLMENT_WEEK, date(2026, 3, 9)) is None
