"""Analysis periods, their windows in days since a unit's own anchor date, and when each is due.

Belongs here: everything that turns (start, enrollment period, end, date D) into windows. Does not:
which metrics a window has (`plan`), dates in SQL (`sql`).

Words: a *period* is a rule (day, week, ...); a *window* is one interval of it, inclusive at both
ends, in days relative to each unit's enrollment (or exposure) date; the *window index* counts the
windows of a period from 1. Date D means: the data of day D is complete.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum


class Period(StrEnum):
    """An analysis period. The value is the name in tables; files and documents use two others."""

    DAY = "day"
    WEEK = "week"
    DAYS28 = "days28"
    OVERALL = "overall"
    PREENROLLMENT_WEEK = "preenrollment_week"
    PREENROLLMENT_DAYS28 = "preenrollment_days28"

    @property
    def config_key(self) -> str:
        """The key of the list of metrics in a configuration file."""
        return _CONFIG_KEYS[self]

    @property
    def suffix(self) -> str:
        """The name in exported documents and views."""
        return _SUFFIXES[self]

    @property
    def is_preenrollment(self) -> bool:
        """Whether the windows lie before the anchor date."""
        return self in _PREENROLLMENT_DAYS


_CONFIG_KEYS = {
    Period.DAY: "daily",
    Period.WEEK: "weekly",
    Period.DAYS28: "28_day",
    Period.OVERALL: "overall",
    Period.PREENROLLMENT_WEEK: "preenrollment_weekly",
    Period.PREENROLLMENT_DAYS28: "preenrollment_days28",
}
_SUFFIXES = {
    Period.DAY: "daily",
    Period.WEEK: "weekly",
    Period.DAYS28: "days28",
    Period.OVERALL: "overall",
    Period.PREENROLLMENT_WEEK: "preenrollment_weekly",
    Period.PREENROLLMENT_DAYS28: "preenrollment_days28",
}
_REPEATED_DAYS = {Period.DAY: 1, Period.WEEK: 7, Period.DAYS28: 28}
_PREENROLLMENT_DAYS = {Period.PREENROLLMENT_WEEK: 7, Period.PREENROLLMENT_DAYS28: 28}


@dataclass(frozen=True, order=True)
class AnalysisWindow:
    """Days ``start`` to ``end`` since the anchor date, both inclusive; (0, 6) is the first week.

    Raises:
        ValueError: ``start`` is after ``end``, or the window straddles the anchor date.
    """

    start: int
    end: int

    def __post_init__(self) -> None:
        if self.start > self.end:
            raise ValueError(f"window starts on day {self.start}, after its end {self.end}")
        if self.start < 0 <= self.end:
            raise ValueError(f"window {self.start}..{self.end} straddles the anchor date")

    @property
    def length(self) -> int:
        """Length in days."""
        return self.end - self.start + 1

    @property
    def is_one_day(self) -> bool:
        """Whether it is a single day, so that a unit has at most one day of data in it."""
        return self.start == self.end


@dataclass(frozen=True, order=True)
class DueWindow:
    """One window of a period with its index (from 1)."""

    period: Period
    index: int
    window: AnalysisWindow


@dataclass(frozen=True)
class Timeline:
    """The dates of an experiment from which every window follows.

    Args:
        start_date: First day on which units enroll (S).
        enrollment_period: Days of enrollment (P). Enrollment events count on P + 1 calendar dates,
            since the last day is inclusive.
        end_date: Last day of the experiment, or None while it has no end.
    """

    start_date: date
    enrollment_period: int
    end_date: date | None = None

    @property
    def first_enrollment_date(self) -> date:
        """The first date whose enrollment events count (F = S)."""
        return self.start_date

    @property
    def last_enrollment_date(self) -> date:
        """The last date whose enrollment events count (L = S + P), inclusive."""
        return self.start_date + timedelta(days=self.enrollment_period)

    @property
    def overall_length(self) -> int | None:
        """Days of the overall window, (end - S) - P; below 1 there is none. None without end."""
        if self.end_date is None:
            return None
        return (self.end_date - self.start_date).days - self.enrollment_period

    def due(self, on: date) -> tuple[DueWindow, ...]:
        """The windows that become due on date ``on``, in the order of `Period`.

        Day, week and 28-day windows are due on the first date on which the last enrolled unit has
        lived through all of the window; pre-enrollment windows on the last enrollment date;
        the overall window on the end date, over the days before it. Nothing after the end.
        """
        if self.end_date is not None and on > self.end_date:
            return ()
        found = (self._due_of(period, on) for period in Period)
        return tuple(window for window in found if window is not None)

    def is_enrolling(self, on: date) -> bool:
        """Whether date ``on`` is one on which units enroll, and not the last: F <= on < L."""
        return self.first_enrollment_date <= on < self.last_enrollment_date

    def provisional(self, on: date) -> tuple[DueWindow, ...]:
        """The windows that units of the first enrollment date have lived through, by period.

        Of day, week and 28-day windows each [a, b] with F + b <= ``on`` while units enroll; nothing
        on other dates or after the end. Such a window is complete for the units whose anchor date
        + b <= ``on`` alone; the others enter later. Overall and pre-enrollment windows wait until
        enrollment has closed.
        """
        is_over = self.end_date is not None and on > self.end_date
        if is_over or not self.is_enrolling(on):
            return ()
        complete_days = (on - self.first_enrollment_date).days + 1
        return tuple(
            DueWindow(period, index + 1, AnalysisWindow(index * days, index * days + days - 1))
            for period, days in _REPEATED_DAYS.items()
            for index in range(complete_days // days)
        )

    def preenrollment(self) -> tuple[DueWindow, ...]:
        """The pre-enrollment windows; they are due on the last enrollment date."""
        return tuple(
            DueWindow(period, 1, AnalysisWindow(-days, -1))
            for period, days in _PREENROLLMENT_DAYS.items()
        )

    def next_due(self, period: Period, after: date) -> date | None:
        """The first date after ``after`` on which a window of the period is due; None without one.

        An open end is no end: windows that repeat are then due for ever.
        """
        last = self.last_enrollment_date
        if period in _REPEATED_DAYS:
            days = _REPEATED_DAYS[period]
            complete_days = max((after - last).days + 1, 0)
            found = last + timedelta(days=(complete_days // days + 1) * days - 1)
        elif period in _PREENROLLMENT_DAYS:
            found = last
        elif self.end_date is None or (self.overall_length or 0) < 1:
            return None
        else:
            found = self.end_date
        is_over = found <= after or (self.end_date is not None and found > self.end_date)
        return None if is_over else found

    def due_date(self, due: DueWindow) -> date | None:
        """The date on which a window is due, with all units; None where it never is."""
        if due.period not in _REPEATED_DAYS:
            return self.next_due(due.period, date.min)
        found = self.last_enrollment_date + timedelta(days=due.window.end)
        return None if self.end_date is not None and found > self.end_date else found

    def data_range(self, window: AnalysisWindow) -> tuple[date, date]:
        """First and last calendar date (inclusive) that any enrolled unit's window touches."""
        return (
            self.first_enrollment_date + timedelta(days=window.start),
            self.last_enrollment_date + timedelta(days=window.end),
        )

    def _due_of(self, period: Period, on: date) -> DueWindow | None:
        if period in _REPEATED_DAYS:
            return self._repeated(period, _REPEATED_DAYS[period], on)
        if period in _PREENROLLMENT_DAYS:
            is_due = on == self.last_enrollment_date
            return next(w for w in self.preenrollment() if w.period == period) if is_due else None
        return self._overall(on)

    def _repeated(self, period: Period, days: int, on: date) -> DueWindow | None:
        complete_days = (on - self.last_enrollment_date).days + 1
        if complete_days < days or complete_days % days:
            return None
        return DueWindow(
            period, complete_days // days, AnalysisWindow(complete_days - days, complete_days - 1)
        )

    def _overall(self, on: date) -> DueWindow | None:
        length = self.overall_length
        if on != self.end_date or length is None or length < 1:
            return None
        return DueWindow(Period.OVERALL, 1, AnalysisWindow(0, length - 1))
