"""The daily tables: one row per unit and day, or per unit, day and search source.

Belongs here: how a day's activity is written into each daily table. Does not: events (`events`),
files (`telemetry`).

Units have rows in the tables of activity on active days only. The two tables that look back 28 days
have a row for every unit seen within them, as the real ones do.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from jetstream_assets.simulation.arrow import UnitRows
from jetstream_assets.simulation.behaviour import Activity, History
from jetstream_assets.simulation.schemas import SCHEMAS
from jetstream_assets.simulation.streams import stream
from jetstream_assets.simulation.units import Cohort, Flags, Integers
from jetstream_assets.simulation.world import TelemetryTable

if TYPE_CHECKING:
    from collections.abc import Callable

_SOURCES = ("urlbar", "searchbar", "abouthome")
# Active days of the last 28 from which a unit counts as such.
_CORE_DAYS, _REGULAR_DAYS, _CASUAL_DAYS = 21, 14, 7
_NEW_DAYS = 28


@dataclass(frozen=True)
class CohortDay:
    """A cohort's day, ready to be written: ``arrived`` marks the active units with rows so far."""

    seed: int
    cohort: Cohort
    activity: Activity
    history: History
    arrived: Flags

    def draw(self, purpose: str) -> np.random.Generator:
        """The stream of a table on this day."""
        names = (self.cohort.experiment.slug, self.cohort.block, self.activity.day)
        return stream(self.seed, purpose, *names)

    def rows(self, units: Integers) -> UnitRows:
        """Rows of these units on this day."""
        return UnitRows(self.cohort, self.activity.day, units)


def clients_daily(day: CohortDay) -> pa.Table:
    """One row per active unit."""
    activity, draw = day.activity, day.draw("clients_daily")
    size = len(activity.units)
    rows = day.rows(activity.units)
    profile = ("country", "locale", "os", "os_version", "normalized_channel")
    pages = "scalar_parent_browser_engagement_total_uri_count"
    first_day = day.cohort.participation.first_day[activity.units]
    columns = {
        **rows.columns(*profile),
        "windows_build_number": np.full(size, 26_100),
        "browser_version_info": pa.StructArray.from_arrays(
            [np.full(size, 148), np.zeros(size, np.int64)], ["major_version", "patch_revision"]
        ),
        "user_pref_browser_urlbar_quicksuggest_data_collection_enabled": pa.array(
            np.where(activity.units % 5 == 0, "true", "false")
        ),
        "first_seen_date": rows.first_seen_date(),
        "profile_age_in_days": activity.day - first_day,
        "active_hours_sum": activity.hours,
        f"{pages}_sum": activity.pages,
        f"{pages}_normal_and_private_mode_sum": activity.pages + draw.poisson(0.5, size),
        "search_count_all": activity.searches,
        "is_default_browser": activity.is_default,
        "scalar_parent_os_environment_is_taskbar_pinned": activity.units % 3 == 0,
        "pings_aggregated_by_this_row": 1 + draw.poisson(1.5, size),
        "experiments": rows.experiments(),
    }
    return pa.table(columns, schema=SCHEMAS[TelemetryTable.CLIENTS_DAILY]).filter(day.arrived)


def search(day: CohortDay) -> pa.Table:
    """One row per active unit and source from which it searched, organic searches in the first."""
    activity, draw = day.activity, day.draw("search")
    second = draw.binomial(activity.searches, 0.25)
    second_ads = draw.hypergeometric(
        activity.searches_with_ads, activity.searches - activity.searches_with_ads, second
    )
    second_clicks = draw.hypergeometric(
        activity.ad_clicks, activity.searches_with_ads - activity.ad_clicks, second_ads
    )
    organic = draw.poisson(0.3, len(activity.units)) * (activity.searches > 0)
    first = [
        activity.searches - second,
        activity.searches_with_ads - second_ads,
        activity.ad_clicks - second_clicks,
        organic,
    ]
    others = [second, second_ads, second_clicks, np.zeros_like(organic)]
    sources = 1 + draw.integers(0, 2, len(organic))
    parts = [
        _search_rows(day, np.zeros_like(sources), first),
        _search_rows(day, sources, others),
    ]
    return pa.concat_tables(parts)


def desktop_active_users(day: CohortDay) -> pa.Table:
    """One row per unit seen within 28 days, active or not."""
    units, bits = _within_28_days(day)
    columns = {
        **day.rows(units).columns("country"),
        "is_desktop": np.ones(len(units), bool),
        "is_dau": bits & 1 > 0,
        "is_wau": bits & 0x7F > 0,
        "is_mau": bits > 0,
        "is_daily_user": day.history.seen[units] & 1 > 0,
        **_bits(day, units),
    }
    return pa.table(columns, schema=SCHEMAS[TelemetryTable.DESKTOP_ACTIVE_USERS])


def clients_last_seen(day: CohortDay) -> pa.Table:
    """One row per unit seen within 28 days, with the segments that follow from those days."""
    units, bits = _within_28_days(day)
    days = np.bitwise_count(bits).astype(np.int64)
    age = day.activity.day - day.cohort.participation.first_day[units]
    segments = np.select(
        [days >= _CORE_DAYS, days >= _REGULAR_DAYS, days >= _CASUAL_DAYS],
        ["core_user", "regular_user", "casual_user"],
        "infrequent_user",
    )
    rows = day.rows(units)
    columns = {
        **rows.columns("country", "locale", "os"),
        **_bits(day, units),
        "activity_segments_v1": pa.array(segments),
        "is_regular_user_v3": days >= _REGULAR_DAYS,
        "is_new_or_resurrected_v3": (age < _NEW_DAYS) | (days <= 1),
        "is_weekday_regular_v1": (days >= _REGULAR_DAYS) & (days < _CORE_DAYS),
        "is_allweek_regular_v1": days >= _CORE_DAYS,
        "experiments": rows.experiments(),
    }
    return pa.table(columns, schema=SCHEMAS[TelemetryTable.CLIENTS_LAST_SEEN])


DAILY_TABLES: dict[TelemetryTable, Callable[[CohortDay], pa.Table]] = {
    TelemetryTable.CLIENTS_DAILY: clients_daily,
    TelemetryTable.SEARCH: search,
    TelemetryTable.DESKTOP_ACTIVE_USERS: desktop_active_users,
    TelemetryTable.CLIENTS_LAST_SEEN: clients_last_seen,
}


def _search_rows(day: CohortDay, sources: Integers, counts: list[Integers]) -> pa.Table:
    searches, with_ads, clicks, organic = counts
    kept = np.flatnonzero((searches + organic > 0) & day.arrived)
    rows = day.rows(day.activity.units[kept])
    columns = {
        **rows.columns("country", "engine"),
        "source": pa.array(_SOURCES).take(pa.array(sources[kept])),
        "sap": searches[kept],
        "tagged_sap": searches[kept] * 9 // 10,
        "tagged_follow_on": searches[kept] // 8,
        "organic": organic[kept],
        "search_with_ads": with_ads[kept],
        "ad_click": clicks[kept],
        "experiments": rows.experiments(),
    }
    return pa.table(columns, schema=SCHEMAS[TelemetryTable.SEARCH])


def _within_28_days(day: CohortDay) -> tuple[Integers, Integers]:
    units = np.flatnonzero(day.history.seen > 0)
    return units, day.history.active[units]


def _bits(day: CohortDay, units: Integers) -> dict[str, pa.Array | Integers]:
    return {
        "first_seen_date": day.rows(units).first_seen_date(),
        "days_seen_bits": day.history.seen[units],
        "days_active_bits": day.history.active[units],
    }
