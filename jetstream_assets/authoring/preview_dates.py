"""Which days a preview looks at: those of the units that are enrolled, or of an invented beginning.

Belongs here: dates. Does not: who the units are (`population`), the files of a preview (`preview`).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from jetstream_assets.experiments.experiment import Experiment

# Of a population those who were seen on these days and the one after are taken.
_POPULATION_DAYS = 3


@dataclass(frozen=True)
class PreviewDates:
    """The dates of the experiment that a preview analyses in the place of the real one.

    Args:
        start_date: First day of enrollment.
        enrollment_period: Days of enrollment (>= 1).
        end_date: Its end; None leaves what the experiment says.
        first: First date to compute, not before the last enrollment date.
        last: Last date to compute, inclusive.
    """

    start_date: date
    enrollment_period: int
    end_date: date | None
    first: date
    last: date

    @property
    def last_enrollment_date(self) -> date:
        """Who enrolls later is not looked at."""
        return self.start_date + timedelta(days=self.enrollment_period)

    @property
    def dates(self) -> Iterator[date]:
        """Every date to compute, ascending."""
        for days in range((self.last - self.first).days + 1):
            yield self.first + timedelta(days=days)

    @property
    def is_young(self) -> bool:
        """Whether the dates to compute begin where enrollment ends, so that nothing is left out."""
        return self.first == self.last_enrollment_date


def dates_of_enrolled(experiment: Experiment, days: int, latest: date) -> PreviewDates | None:
    """The last dates of an experiment, with as many enrolled units as have lived through them.

    Enrollment is cut short where it still goes on, or has ended within these days; then the
    experiment is taken to end, so that there is an overall window, too.

    Args:
        experiment: As it is configured.
        days: How many dates, at most (>= 1).
        latest: The last one at most, inclusive.

    Returns:
        None where nobody can have enrolled on a day before the latest one.
    """
    start, end = experiment.start_date, experiment.end_date
    last = latest if end is None else min(latest, end)
    if start is None or start >= last:
        return None
    lived = (last - start).days
    period = max(1, min(experiment.enrollment_period or lived, lived - (days - 1)))
    closed = start + timedelta(days=period)
    first = max(closed, last - timedelta(days=days - 1))
    is_cut = first == closed < last
    return PreviewDates(start, period, last if is_cut else None, first, last)


def dates_of_population(days: int, latest: date) -> PreviewDates:
    """The last dates, of units that were seen just before them.

    Args:
        days: How many dates (>= 1).
        latest: The last one, inclusive.
    """
    first = latest - timedelta(days=days - 1)
    start = first - timedelta(days=_POPULATION_DAYS)
    return PreviewDates(start, _POPULATION_DAYS, latest if days > 1 else None, first, latest)
