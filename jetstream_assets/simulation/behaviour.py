"""What a unit does on a day is drawn around its own nature; the treatment scales the mean.

Belongs here: the activity of one cohort on one day, and its expectation under each branch. Does
not: how it is written down (`tables`).
"""

from __future__ import annotations

from dataclasses import astuple, dataclass

import numpy as np

from jetstream_assets.simulation.streams import flips, stream
from jetstream_assets.simulation.units import Cohort, Flags, Floats, Integers
from jetstream_assets.simulation.world import Effects, Measure

_WEEKEND_SHARE = 0.8
_HIGHEST_CHANCE = 0.98
_ADS_PER_SEARCH = 0.35
_MEETING_CHANCE = 0.7
_REPEAT_CHANCE = 0.15
_FEATURE_CHANCE = 0.08
_BITS = (1 << 28) - 1


@dataclass(frozen=True)
class Activity:
    """What the units of a cohort did on one day.

    ``units`` are the indices of the active units; every other field has one entry per active unit.
    ``treated`` says whether the unit is enrolled on that day, ``arrives_on`` when its rows reach
    the warehouse.
    """

    day: int
    units: Integers
    treated: Flags
    hours: Floats
    pages: Integers
    searches: Integers
    searches_with_ads: Integers
    ad_clicks: Integers
    is_default: Flags
    exposed: Flags
    opened_reader: Flags
    arrives_on: Integers


@dataclass(frozen=True)
class History:
    """What the days so far left behind; one entry per unit.

    Bit k of ``seen`` (``active``) says whether the unit was seen (qualified as active) k days ago,
    for 28 days.
    """

    seen: Integers
    active: Integers
    exposed: Flags

    def after(self, activity: Activity) -> History:
        """The history at the end of the day."""
        qualified = activity.units[(activity.hours > 0) & (activity.pages > 0)]
        exposed = self.exposed.copy()
        exposed[activity.units[activity.exposed]] = True
        return History(
            _shifted(self.seen, activity.units), _shifted(self.active, qualified), exposed
        )


def earlier_history(seed: int, cohort: Cohort) -> History:
    """The 28 days before the first day of telemetry, drawn from the same chances."""
    draw = stream(seed, "history", cohort.experiment.slug, cohort.block)
    bits = np.zeros(cohort.size, np.int64)
    first = cohort.bounds[0]
    for day in range(first - 28, first):
        chance = _active_chance(cohort, day, np.ones(cohort.size))
        bits = _shifted(bits, np.flatnonzero(flips(draw, cohort.size, chance)))
    return History(bits, bits, np.zeros(cohort.size, bool))


def live_through(seed: int, cohort: Cohort, day: int, history: History) -> Activity:
    """What the units of a cohort did on a day of its bounds."""
    names = (cohort.experiment.slug, cohort.block, day)
    draw = stream(seed, "activity", *names)
    treated = _treated(cohort, day)
    effects = _effects(cohort) * treated[:, None]
    chance = _active_chance(cohort, day, 1 + effects[:, _field(Measure.DAYS_OF_USE)])
    units = np.flatnonzero(flips(draw, cohort.size, chance))
    scale: Floats = 1 + effects[units]
    hours = _hours(draw, cohort, units)
    searches, with_ads, clicks = _searches(draw, cohort, units, scale)
    return Activity(
        day=day,
        units=units,
        treated=treated[units],
        hours=hours * scale[:, _field(Measure.ACTIVE_HOURS)],
        # Pages follow from the day's time as it would be untreated, so effects stay separate.
        pages=draw.poisson(
            hours * cohort.traits.pages[units] * scale[:, _field(Measure.URI_COUNT)]
        ),
        searches=searches,
        searches_with_ads=with_ads,
        ad_clicks=clicks,
        is_default=cohort.traits.is_default[units] != flips(draw, len(units), 0.02),
        exposed=_exposed(draw, cohort, units, history) & treated[units],
        opened_reader=flips(draw, len(units), _FEATURE_CHANCE),
        arrives_on=day + _delays(stream(seed, "arrival", *names), cohort, len(units)),
    )


def expected(cohort: Cohort, day: int, window_length: int) -> Floats:
    """The expected measures of a day, summed over the units whose window includes it.

    The window is [0, window_length - 1] days since enrollment. Every unit counts in every branch:
    this is what the population would do if all were treated so.

    Returns:
        Shape (branches, measures), in the order of `Measure`.
    """
    since = day - cohort.participation.enrollment_day
    inside = (since >= 0) & (since < window_length)
    treated = _treated(cohort, day)
    per_active_day = _per_active_day(cohort)
    rows = []
    for branch in cohort.experiment.branches:
        scale = np.where(treated[:, None], _compounded(branch.effects), 1.0)
        chance = _active_chance(cohort, day, np.where(treated, 1 + branch.effects.days_of_use, 1.0))
        rows.append((per_active_day * scale * (chance * inside)[:, None]).sum(axis=0))
    return np.array(rows)


def _treated(cohort: Cohort, day: int) -> Flags:
    who = cohort.participation
    treated: Flags = (who.enrollment_day <= day) & (day <= who.unenrollment_day)
    return treated


def _active_chance(cohort: Cohort, day: int, scale: Floats) -> Floats:
    """The chance of an active day; certain on the enrollment day, none just before it."""
    who = cohort.participation
    chance = np.minimum(cohort.traits.active_chance * _season(day) * scale, _HIGHEST_CHANCE)
    is_absent = (day < who.first_day) | (day > who.last_day)
    is_waiting = (cohort.start_day <= day) & (day < who.enrollment_day)
    return np.where(day == who.enrollment_day, 1.0, chance * ~(is_absent | is_waiting))


def _season(day: int) -> float:
    # 1970-01-01 was a Thursday: days 2 and 3 of that week are Saturday and Sunday.
    return _WEEKEND_SHARE if day % 7 in {2, 3} else 1.0


def _hours(draw: np.random.Generator, cohort: Cohort, units: Integers) -> Floats:
    """Mean one times the unit's level, at most four times, so no untreated day has more than 24."""
    hours: Floats = cohort.traits.hours[units] * 4 * draw.beta(1.2, 3.6, len(units))
    return hours


def _searches(
    draw: np.random.Generator, cohort: Cohort, units: Integers, scale: Floats
) -> tuple[Integers, Integers, Integers]:
    """Searches (negative binomial: many days without, some with many), with ads, and ad clicks."""
    level = cohort.traits.searches[units] * scale[:, _field(Measure.SEARCH_COUNT)]
    searches = draw.poisson(level * draw.gamma(0.7, 1 / 0.7, len(units)))
    with_ads = draw.binomial(searches, _ADS_PER_SEARCH)
    rate = cohort.traits.clicks_per_ad[units] * scale[:, _field(Measure.AD_CLICKS)]
    return searches, with_ads, draw.binomial(with_ads, rate)


def _exposed(draw: np.random.Generator, cohort: Cohort, units: Integers, history: History) -> Flags:
    chance = np.where(history.exposed[units], _REPEAT_CHANCE, _MEETING_CHANCE)
    return cohort.participation.meets_feature[units] & flips(draw, len(units), chance)


def _delays(draw: np.random.Generator, cohort: Cohort, size: int) -> Integers:
    is_late = flips(draw, size, cohort.experiment.late_rows_share)
    delays: Integers = is_late * draw.integers(1, 4, size)
    return delays


def _effects(cohort: Cohort) -> Floats:
    """Each unit's effects, shape (units, measures): those of the branch it enrolled in first."""
    table = np.array([astuple(branch.effects) for branch in cohort.experiment.branches])
    effects: Floats = table[cohort.participation.branch]
    return effects


def _per_active_day(cohort: Cohort) -> Floats:
    """The untreated means of an active day, shape (units, measures)."""
    traits = cohort.traits
    clicks = traits.searches * _ADS_PER_SEARCH * traits.clicks_per_ad
    pages = traits.hours * traits.pages
    return np.stack([traits.hours, pages, traits.searches, clicks, np.ones(cohort.size)], axis=1)


def _compounded(effects: Effects) -> Floats:
    """By what each mean of an active day is multiplied, in the order of `Measure`."""
    searches = 1 + effects.search_count
    return np.array(
        [
            1 + effects.active_hours,
            1 + effects.uri_count,
            searches,
            searches * (1 + effects.ad_clicks),
            1.0,
        ]
    )


def _field(measure: Measure) -> int:
    return list(Measure).index(measure)


def _shifted(bits: Integers, units: Integers) -> Integers:
    shifted: Integers = (bits << 1) & _BITS
    shifted[units] |= 1
    return shifted
