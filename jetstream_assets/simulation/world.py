"""A world is a few experiments whose effects are known because we choose them.

Belongs here: what is simulated, as plain data with its limits checked. Does not: how units behave
(`units`, `behaviour`), what tables look like (`tables`), what is then true (`truth`).
"""

from __future__ import annotations

from dataclasses import astuple, dataclass
from datetime import date, timedelta
from enum import StrEnum

from jetstream_assets.experiments.windows import Timeline


class TelemetryTable(StrEnum):
    """A table that can be written. The value is its folder, ``<dataset>/<table>``."""

    CLIENTS_DAILY = "telemetry/clients_daily"
    EVENTS = "telemetry/events"
    DESKTOP_ACTIVE_USERS = "telemetry/desktop_active_users"
    CLIENTS_LAST_SEEN = "telemetry/clients_last_seen"
    SEARCH = "search/search_clients_engines_sources_daily"
    EVENTS_STREAM = "firefox_desktop/events_stream"


class Measure(StrEnum):
    """What a branch may change; in the order of the fields of `Effects`."""

    ACTIVE_HOURS = "active_hours"
    URI_COUNT = "uri_count"
    SEARCH_COUNT = "search_count"
    AD_CLICKS = "ad_clicks"
    DAYS_OF_USE = "days_of_use"


def _check_between(name: str, value: float, low: float, high: float) -> None:
    if not low <= value <= high:
        raise ValueError(f"{name} is {value}, must be between {low} and {high}")


@dataclass(frozen=True)
class Effects:
    """How much a branch changes each measure, relative: 0.05 is five per cent more.

    ``days_of_use`` raises the chance of an active day, and with it everything else; the others are
    per active day. ``search_count`` carries over to ad clicks, ``ad_clicks`` is per search.

    Raises:
        ValueError: An effect lies outside [-1, 1]; a click rate could then exceed one.
    """

    active_hours: float = 0.0
    uri_count: float = 0.0
    search_count: float = 0.0
    ad_clicks: float = 0.0
    days_of_use: float = 0.0

    def __post_init__(self) -> None:
        for measure, effect in zip(Measure, astuple(self), strict=True):
            _check_between(f"effect on {measure}", effect, -1, 1)


@dataclass(frozen=True)
class SimulatedBranch:
    """One arm: its share of the traffic relative to the others, and what it changes."""

    slug: str
    ratio: int = 1
    effects: Effects = Effects()


@dataclass(frozen=True)
class SimulatedExperiment:
    """One experiment and the units that enroll in it; no unit is in two experiments.

    Args:
        slug: The experiment slug.
        start_date: First day of enrollment.
        enrollment_period: Days of enrollment P; units enroll on P + 1 dates, both ends inclusive.
        end_date: Last day with telemetry of its units; None: the world's last date.
        branches: The arms; the first is the reference branch.
        units: How many units enroll.
        several_branches_share: Share of the units that enroll in a second branch too, on the same
            day or the next.
        sample_ratio_skew: Relative change of the last branch's share of the traffic against its
            ratio; -0.2 means that a fifth of its units are lost, 0 is a healthy experiment.
        exposed_share: Share of the units that meet what is tested, most on the day they enroll.
        unenrolled_share: Chance per day that a unit leaves; the effect ends with that day.
        late_rows_share: Share of the unit days that arrive one to three days late.

    Raises:
        ValueError: A number is outside its limits, or there is no branch.
    """

    slug: str
    start_date: date
    enrollment_period: int
    end_date: date | None
    branches: tuple[SimulatedBranch, ...]
    units: int
    several_branches_share: float = 0.0
    sample_ratio_skew: float = 0.0
    exposed_share: float = 0.6
    unenrolled_share: float = 0.001
    late_rows_share: float = 0.0

    def __post_init__(self) -> None:
        if not self.branches:
            raise ValueError(f"experiment {self.slug!r} has no branches; it needs at least one")
        for name in ("several_branches", "exposed", "unenrolled", "late_rows"):
            _check_between(f"{name}_share", getattr(self, f"{name}_share"), 0, 1)
        _check_between("sample_ratio_skew", self.sample_ratio_skew, -1, 10)
        _check_between("units", self.units, 1, 10**9)
        if self.several_branches_share > 0 and len(self.branches) == 1:
            raise ValueError(f"experiment {self.slug!r} has one branch; no unit can be in several")

    @property
    def timeline(self) -> Timeline:
        """The dates from which windows follow."""
        return Timeline(self.start_date, self.enrollment_period, self.end_date)


@dataclass(frozen=True)
class World:
    """Everything that decides the telemetry: equal worlds give equal bytes.

    Args:
        seed: Seed of every stream, >= 0.
        experiments: The experiments, with distinct slugs.
        days_before: Days of telemetry before each experiment's start.
        last_date: Last day of telemetry of experiments without an end.
        tables: The tables to write.
        as_of: What the warehouse has in the evening of that date: nothing later, and no row that
            was late until then. None: everything.

    Raises:
        ValueError: Slugs repeat, or an experiment without an end has no last date.
    """

    seed: int
    experiments: tuple[SimulatedExperiment, ...]
    days_before: int = 35
    last_date: date | None = None
    tables: tuple[TelemetryTable, ...] = tuple(TelemetryTable)
    as_of: date | None = None

    def __post_init__(self) -> None:
        slugs = [experiment.slug for experiment in self.experiments]
        if len(set(slugs)) != len(slugs):
            raise ValueError(f"experiment slugs repeat: {', '.join(sorted(slugs))}")
        for experiment in self.experiments:
            self.bounds(experiment)

    def bounds(self, experiment: SimulatedExperiment) -> tuple[date, date]:
        """First and last day (inclusive) with telemetry of an experiment's units."""
        last = experiment.end_date or self.last_date
        if last is None or last < experiment.timeline.last_enrollment_date:
            raise ValueError(
                f"telemetry of {experiment.slug!r} ends on {last}; it must reach the last "
                f"enrollment date {experiment.timeline.last_enrollment_date}"
            )
        return experiment.start_date - timedelta(days=self.days_before), last
