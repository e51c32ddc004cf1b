"""The columns of the simulated tables, named as Firefox's telemetry for desktop names them.

Belongs here: column names and types, as far as configurations for desktop use them. Does not: how
columns are filled (`tables`, `events`). Real tables have hundreds of columns more.

No column is called ``day``: that is the key of the folders.
"""

from __future__ import annotations

import pyarrow as pa

from jetstream_assets.simulation.world import TelemetryTable

# experiments_column_type "simple": slug to branch.
SIMPLE_EXPERIMENTS = pa.list_(pa.struct([("key", pa.string()), ("value", pa.string())]))
# experiments_column_type "native": slug to a record with the branch.
NATIVE_EXPERIMENTS = pa.list_(
    pa.struct([("key", pa.string()), ("value", pa.struct([("branch", pa.string())]))])
)
STRING_MAP = pa.list_(pa.struct([("key", pa.string()), ("value", pa.string())]))

_UNIT = [
    ("client_id", pa.string()),
    ("profile_group_id", pa.string()),
    ("sample_id", pa.int64()),
]
_DAILY = [*_UNIT, ("submission_date", pa.date32())]
_PLACE = [("country", pa.string()), ("locale", pa.string()), ("os", pa.string())]
_BITS = [
    ("first_seen_date", pa.date32()),
    ("days_seen_bits", pa.int64()),
    ("days_active_bits", pa.int64()),
]
_PAGES = "scalar_parent_browser_engagement_total_uri_count"

SCHEMAS: dict[TelemetryTable, pa.Schema] = {
    TelemetryTable.CLIENTS_DAILY: pa.schema(
        [
            *_DAILY,
            *_PLACE,
            ("os_version", pa.string()),
            ("windows_build_number", pa.int64()),
            ("normalized_channel", pa.string()),
            (
                "browser_version_info",
                pa.struct([("major_version", pa.int64()), ("patch_revision", pa.int64())]),
            ),
            ("user_pref_browser_urlbar_quicksuggest_data_collection_enabled", pa.string()),
            ("first_seen_date", pa.date32()),
            ("profile_age_in_days", pa.int64()),
            ("active_hours_sum", pa.float64()),
            (f"{_PAGES}_sum", pa.int64()),
            (f"{_PAGES}_normal_and_private_mode_sum", pa.int64()),
            ("search_count_all", pa.int64()),
            ("is_default_browser", pa.bool_()),
            ("scalar_parent_os_environment_is_taskbar_pinned", pa.bool_()),
            ("pings_aggregated_by_this_row", pa.int64()),
            ("experiments", SIMPLE_EXPERIMENTS),
        ]
    ),
    TelemetryTable.SEARCH: pa.schema(
        [
            *_DAILY,
            ("country", pa.string()),
            ("engine", pa.string()),
            ("source", pa.string()),
            ("sap", pa.int64()),
            ("tagged_sap", pa.int64()),
            ("tagged_follow_on", pa.int64()),
            ("organic", pa.int64()),
            ("search_with_ads", pa.int64()),
            ("ad_click", pa.int64()),
            ("experiments", SIMPLE_EXPERIMENTS),
        ]
    ),
    TelemetryTable.DESKTOP_ACTIVE_USERS: pa.schema(
        [
            *_DAILY,
            ("country", pa.string()),
            ("is_desktop", pa.bool_()),
            ("is_dau", pa.bool_()),
            ("is_wau", pa.bool_()),
            ("is_mau", pa.bool_()),
            ("is_daily_user", pa.bool_()),
            *_BITS,
        ]
    ),
    TelemetryTable.CLIENTS_LAST_SEEN: pa.schema(
        [
            *_DAILY,
            *_PLACE,
            *_BITS,
            ("activity_segments_v1", pa.string()),
            ("is_regular_user_v3", pa.bool_()),
            ("is_new_or_resurrected_v3", pa.bool_()),
            ("is_weekday_regular_v1", pa.bool_()),
            ("is_allweek_regular_v1", pa.bool_()),
            ("experiments", SIMPLE_EXPERIMENTS),
        ]
    ),
    TelemetryTable.EVENTS: pa.schema(
        [
            *_DAILY,
            ("timestamp", pa.timestamp("us", tz="UTC")),
            ("event_category", pa.string()),
            ("event_method", pa.string()),
            ("event_object", pa.string()),
            ("event_string_value", pa.string()),
            ("event_map_values", STRING_MAP),
            ("experiments", NATIVE_EXPERIMENTS),
        ]
    ),
    TelemetryTable.EVENTS_STREAM: pa.schema(
        [
            *_UNIT,
            ("submission_timestamp", pa.timestamp("us", tz="UTC")),
            ("event_category", pa.string()),
            ("event_name", pa.string()),
            ("event_extra", pa.string()),
        ]
    ),
}
