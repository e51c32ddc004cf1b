"""Seeded records of what happened, and the same records as the tables of every application.

The oracle reads the records; the queries read the tables. Nothing but the records is shared.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

import numpy as np
import pyarrow as pa

FIRST = date(2024, 1, 1)
LAST = date(2024, 1, 8)
END = date(2024, 2, 5)
BRANCHES = ("control", "treatment")
OTHER_SLUG = "another-experiment"

_MAP = pa.list_(pa.struct([("key", pa.string()), ("value", pa.string())]))
_BRANCH_MAP = pa.list_(
    pa.struct([("key", pa.string()), ("value", pa.struct([("branch", pa.string())]))])
)


@dataclass(frozen=True)
class Event:
    """An enrollment or exposure event, or, for other ways of enrolling, an annotated ping."""

    client: str | None
    group: str | None
    branch: str | None
    day: date
    is_exposure: bool
    slug: str
    sample_id: int
    stream: int


@dataclass(frozen=True)
class Row:
    """A row of activity. ``branch`` is the annotation with the experiment, None without."""

    client: str | None
    group: str | None
    day: date
    value: float | None
    hits: int
    is_shown: bool
    branch: str | None


@dataclass(frozen=True)
class Records:
    slug: str
    events: tuple[Event, ...]
    rows: tuple[Row, ...]


def make_records(slug: str, seed: int = 7, units: int = 160) -> Records:
    rng = np.random.default_rng(seed)
    events: list[Event] = []
    rows: list[Row] = []
    for number in range(units):
        client, group = f"c{number:03d}", f"g{number // 2:03d}"
        sample_id = number * 7 % 100
        branch = BRANCHES[int(rng.integers(2))]
        enrolled = FIRST + timedelta(days=int(rng.integers(-9, 12)))

        def add(
            of: str | None,
            day: date,
            *,
            is_exposure: bool = False,
            client: str | None = client,
            group: str | None = group,
            slug: str = slug,
            sample_id: int = sample_id,
        ) -> None:
            stream = int(rng.integers(3))
            events.append(Event(client, group, of, day, is_exposure, slug, sample_id, stream))

        if number % 10 != 9:
            for _ in range(int(rng.integers(1, 4))):
                add(branch, enrolled + timedelta(days=int(rng.integers(0, 9))))
            add(branch, enrolled)
        if number % 6 == 0:
            other = BRANCHES[1 - BRANCHES.index(branch)]
            add(other, enrolled + timedelta(days=int(rng.integers(0, 3))))
        if number % 8 == 0:
            add(None, enrolled)
            add(branch, enrolled, client=None, group=None)
            add(branch, enrolled, slug=OTHER_SLUG)
        for _ in range(int(rng.integers(0, 4))):
            seen = branch if rng.random() < 0.8 else None
            add(seen, enrolled + timedelta(days=int(rng.integers(-2, 9))), is_exposure=True)
        rows += _activity(rng, client, group, branch, enrolled)
    rows.append(Row(None, None, FIRST, 5.0, 1, is_shown=True, branch="control"))
    return Records(slug, tuple(events), tuple(rows))


def _activity(
    rng: np.random.Generator, client: str, group: str, branch: str, enrolled: date
) -> list[Row]:
    if rng.random() < 0.15:
        return []
    found = []
    for offset in range(-40, 60):
        day = FIRST + timedelta(days=offset)
        for _ in range(int(rng.choice([0, 1, 2], p=[0.6, 0.3, 0.1]))):
            chance = 0.0 if day < enrolled else 0.6 if day == enrolled else 0.95
            marked = branch if rng.random() < chance else None
            if marked and rng.random() < 0.05:
                marked = "neither"
            value = None if rng.random() < 0.2 else float(np.round(rng.gamma(2.0, 3.0), 2))
            shown = bool(rng.random() < 0.15)
            found.append(Row(client, group, day, value, int(rng.integers(0, 5)), shown, marked))
    return found


def _instant(day: date) -> datetime:
    return datetime.combine(day, time(23, 30))


def _map(**values: str | None) -> list[dict[str, str | None]]:
    return [{"key": key, "value": value} for key, value in values.items()]


def _branch_map(records: Records, slug: str, branch: str | None) -> list[dict[str, object]]:
    found: list[dict[str, object]] = [{"key": OTHER_SLUG + "-2", "value": {"branch": "x"}}]
    if branch is not None:
        found.append({"key": slug, "value": {"branch": branch}})
    return found if records.slug else []


def _table(rows: list[dict[str, object]], **types: pa.DataType) -> pa.Table:
    return pa.Table.from_pylist(rows, schema=pa.schema(list(types.items())))


def telemetry_tables(records: Records) -> dict[tuple[str, str], pa.Table]:
    """Every table that a query under test reads, by (dataset, table)."""
    app, background = "firefox_desktop", "firefox_desktop_background_update"
    return {
        ("telemetry", "events"): _telemetry_events(records),
        (app, "events_stream"): _events_stream(records, None),
        (app, "baseline"): _baseline(records),
        (app, "enrollment"): _cirrus(records, is_exposure=False),
        (app, "events"): _cirrus(records, is_exposure=True),
        (background, "events_stream"): _events_stream(records, 0),
        (background, "background_update"): _background_pings(records),
        ("lab", "activity"): _activity_table(records),
    }


def _telemetry_events(records: Records) -> pa.Table:
    rows: list[dict[str, object]] = []
    for event in records.events:
        kinds = ("exposure", "expose") if event.is_exposure else ("enroll",)
        key = "branchSlug" if event.is_exposure else "branch"
        row: dict[str, object] = {
            "client_id": event.client,
            "profile_group_id": event.group,
            "sample_id": event.sample_id,
            "submission_date": event.day,
            "event_category": "normandy",
            "event_method": kinds[event.stream % len(kinds)],
            "event_string_value": event.slug,
            "event_map_values": _map(other="x", **{key: event.branch}),
        }
        rows += [row, {**row, "event_category": "decoy"}, {**row, "event_method": "unenroll"}]
        if event.stream == 2 and not event.is_exposure:
            rows += _toasts(row, event)
    return _table(
        rows,
        client_id=pa.string(),
        profile_group_id=pa.string(),
        sample_id=pa.int64(),
        submission_date=pa.date32(),
        event_category=pa.string(),
        event_method=pa.string(),
        event_object=pa.string(),
        event_string_value=pa.string(),
        event_map_values=_MAP,
    )


def _toasts(row: dict[str, object], event: Event) -> list[dict[str, object]]:
    """A click on the toast of the branch, and a click on something else."""
    toast: dict[str, object] = {
        **row,
        "event_category": "browser.launched_to_handle",
        "event_method": "system_notification",
        "event_object": "toast",
        "event_map_values": _map(
            name=None if event.branch is None else f"{event.slug}:{event.branch}"
        ),
    }
    return [toast, {**toast, "event_object": "decoy"}]


def _events_stream(records: Records, stream: int | None) -> pa.Table:
    """One stream of the background update's enrollment events, or all events."""
    rows: list[dict[str, object]] = []
    for event in records.events:
        if stream is not None and (event.stream != stream or event.is_exposure):
            continue
        extra = {"experiment": event.slug, "branch": event.branch}
        uuid = {"uuid": {"background_update_client_id": event.client}}
        row: dict[str, object] = {
            "client_id": event.client,
            "sample_id": event.sample_id,
            "submission_timestamp": _instant(event.day),
            "event_category": "nimbus_events",
            "event_name": "exposure" if event.is_exposure else "enrollment",
            "event_extra": json.dumps({k: v for k, v in extra.items() if v is not None}),
            "metrics": json.dumps(uuid if event.client else {}),
        }
        rows += [row, {**row, "event_category": "decoy"}, {**row, "event_name": "unenrollment"}]
    return _table(
        rows,
        client_id=pa.string(),
        sample_id=pa.int64(),
        submission_timestamp=pa.timestamp("us"),
        event_category=pa.string(),
        event_name=pa.string(),
        event_extra=pa.string(),
        metrics=pa.string(),
    )


def _baseline(records: Records) -> pa.Table:
    rows: list[dict[str, object]] = [
        {
            "client_info": {"client_id": event.client},
            "sample_id": event.sample_id,
            "submission_date": event.day,
            "submission_timestamp": _instant(event.day),
            "ping_info": {"experiments": _branch_map(records, event.slug, event.branch)},
        }
        for event in records.events
        if not event.is_exposure
    ]
    return _table(
        rows,
        client_info=pa.struct([("client_id", pa.string())]),
        sample_id=pa.int64(),
        submission_date=pa.date32(),
        submission_timestamp=pa.timestamp("us"),
        ping_info=pa.struct([("experiments", _BRANCH_MAP)]),
    )


def _cirrus(records: Records, *, is_exposure: bool) -> pa.Table:
    rows: list[dict[str, object]] = []
    for event in records.events:
        if event.is_exposure != is_exposure:
            continue
        extra = _map(nimbus_user_id=event.client, branch=event.branch, experiment=event.slug)
        name = "exposure" if is_exposure else "enrollment"
        told = {"category": "cirrus_events", "name": name, "extra": extra}
        row: dict[str, object] = {
            "submission_timestamp": _instant(event.day),
            "client_info": {"app_channel": "production"},
            "events": [told, {**told, "name": "other"}],
        }
        rows.append(row)
        if not is_exposure:
            rows.append({**row, "client_info": {"app_channel": "nightly"}})
    one_event = pa.struct([("category", pa.string()), ("name", pa.string()), ("extra", _MAP)])
    return _table(
        rows,
        submission_timestamp=pa.timestamp("us"),
        client_info=pa.struct([("app_channel", pa.string())]),
        events=pa.list_(one_event),
    )


def _background_pings(records: Records) -> pa.Table:
    rows: list[dict[str, object]] = [
        {
            "metrics": {"uuid": {"background_update_client_id": event.client}},
            "sample_id": event.sample_id,
            "submission_timestamp": _instant(event.day),
            "ping_info": {"experiments": _branch_map(records, event.slug, event.branch)},
        }
        for event in records.events
        if event.stream == 1 and not event.is_exposure
    ]
    uuid = pa.struct([("background_update_client_id", pa.string())])
    return _table(
        rows,
        metrics=pa.struct([("uuid", uuid)]),
        sample_id=pa.int64(),
        submission_timestamp=pa.timestamp("us"),
        ping_info=pa.struct([("experiments", _BRANCH_MAP)]),
    )


def _activity_table(records: Records) -> pa.Table:
    rows: list[dict[str, object]] = []
    for row in records.rows:
        experiments = _branch_map(records, records.slug, row.branch)
        extra = {"experiment": records.slug, "branch": row.branch}
        foreign = {"experiment": OTHER_SLUG, "branch": "x"}
        rows.append(
            {
                "client_id": row.client,
                "profile_group_id": row.group,
                "info": {"client_id": row.client, "day": row.day},
                "submission_date": row.day,
                "value": row.value,
                "hits": row.hits,
                "is_shown": row.is_shown,
                "simple": [
                    {"key": e["key"], "value": e["value"]["branch"]}  # type: ignore[index] # made here
                    for e in experiments
                ],
                "native": experiments,
                "ping_info": {"experiments": experiments},
                "event_extra": json.dumps(foreign if row.branch is None else extra),
            }
        )
    return _table(
        rows,
        client_id=pa.string(),
        profile_group_id=pa.string(),
        info=pa.struct([("client_id", pa.string()), ("day", pa.date32())]),
        submission_date=pa.date32(),
        value=pa.float64(),
        hits=pa.int64(),
        is_shown=pa.bool_(),
        simple=_MAP,
        native=_BRANCH_MAP,
        ping_info=pa.struct([("experiments", _BRANCH_MAP)]),
        event_extra=pa.string(),
    )
