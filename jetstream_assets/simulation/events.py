"""Events say who enrolled, who left, who met the feature, and what else was done.

Belongs here: the two tables of events, the legacy one and the stream. Does not: when an event
happens (`units`, `behaviour`).

A unit may enroll, or leave, on a day without other rows: that event is then all it sent.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from jetstream_assets.simulation.arrow import UnitRows, maps
from jetstream_assets.simulation.schemas import SCHEMAS
from jetstream_assets.simulation.units import Integers
from jetstream_assets.simulation.world import TelemetryTable

if TYPE_CHECKING:
    from jetstream_assets.simulation.tables import CohortDay


@dataclass(frozen=True)
class _Happening:
    """Events of one kind on one day; ``branch`` is the number of each row's branch."""

    method: str
    stream_name: str
    rows: UnitRows
    branch: Integers

    def per_branch(self, texts: list[str]) -> pa.Array:
        """The text of each row's branch."""
        return pa.array(texts, pa.string()).take(pa.array(self.branch))


def events(day: CohortDay) -> pa.Table:
    """Enrollments, exposures, unenrollments and one ordinary event, in the normandy shape."""
    draw = day.draw("events")
    parts = [_normandy(happening, draw) for happening in _happenings(day)]
    return pa.concat_tables([*parts, _reader_events(day, draw)])


def events_stream(day: CohortDay) -> pa.Table:
    """Enrollments, exposures and unenrollments in the shape of the events stream."""
    draw = day.draw("events_stream")
    return pa.concat_tables([_streamed(happening, draw) for happening in _happenings(day)])


def _happenings(day: CohortDay) -> list[_Happening]:
    who, today = day.cohort.participation, day.activity.day
    exposed = day.activity.units[day.activity.exposed]
    kinds = [
        ("enroll", "enrollment", np.flatnonzero(who.enrollment_day == today), who.branch),
        ("enroll", "enrollment", np.flatnonzero(who.second_day == today), who.second_branch),
        ("unenroll", "unenrollment", np.flatnonzero(who.unenrollment_day == today), who.branch),
        ("expose", "exposure", exposed, who.branch),
    ]
    return [
        _Happening(method, name, day.rows(units), branch[units])
        for method, name, units, branch in kinds
    ]


def _normandy(happening: _Happening, draw: np.random.Generator) -> pa.Table:
    rows = happening.rows
    size, slug = len(rows.units), rows.cohort.experiment.slug
    # An exposure names its branch by another key than the rest does.
    key = "branchSlug" if happening.method == "expose" else "branch"
    columns = {
        **rows.columns(),
        "timestamp": rows.timestamps(draw),
        "event_category": _constant("normandy", size),
        "event_method": _constant(happening.method, size),
        "event_object": _constant("nimbus_experiment", size),
        "event_string_value": _constant(slug, size),
        "event_map_values": maps({key: happening.per_branch(rows.cohort.branch_slugs)}),
        "experiments": rows.native_experiments(),
    }
    return pa.table(columns, schema=SCHEMAS[TelemetryTable.EVENTS])


def _reader_events(day: CohortDay, draw: np.random.Generator) -> pa.Table:
    rows = day.rows(day.activity.units[day.activity.opened_reader & day.arrived])
    size = len(rows.units)
    minutes = pa.array(draw.integers(1, 30, size)).cast(pa.string())
    columns = {
        **rows.columns(),
        "timestamp": rows.timestamps(draw),
        "event_category": _constant("reader", size),
        "event_method": _constant("open", size),
        "event_object": _constant("toolbar", size),
        "event_string_value": pa.nulls(size, pa.string()),
        "event_map_values": maps({"minutes": minutes}),
        "experiments": rows.native_experiments(),
    }
    return pa.table(columns, schema=SCHEMAS[TelemetryTable.EVENTS])


def _streamed(happening: _Happening, draw: np.random.Generator) -> pa.Table:
    rows = happening.rows
    size, slug = len(rows.units), rows.cohort.experiment.slug
    extras = [json.dumps({"experiment": slug, "branch": b}) for b in rows.cohort.branch_slugs]
    columns = rows.columns()
    del columns["submission_date"]
    columns |= {
        "submission_timestamp": rows.timestamps(draw),
        "event_category": _constant("nimbus_events", size),
        "event_name": _constant(happening.stream_name, size),
        "event_extra": happening.per_branch(extras),
    }
    return pa.table(columns, schema=SCHEMAS[TelemetryTable.EVENTS_STREAM])


def _constant(text: str, size: int) -> pa.Array:
    return pa.repeat(pa.scalar(text), size)
