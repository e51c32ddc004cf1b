"""Events of a day: who enrolled, was exposed or left, and others that nobody asks for.

Belongs here: which events happen on a day, and their columns. Does not: files and other tables
(`telemetry`), when something happens to a unit (`population`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from incremental_bench.population import BRANCHES, Integers, Population
from jetstream_assets.simulation.arrow import maps

if TYPE_CHECKING:
    from collections.abc import Iterator

_REPEATED_AFTER = 3  # days from the first exposure to another


@dataclass(frozen=True)
class EventRows:
    """Rows of events: the unit of each, and all columns but those of the unit."""

    units: Integers
    columns: dict[str, pa.Array]


@dataclass(frozen=True)
class _Kind:
    """Events of one kind on one day."""

    category: str
    method: str
    key: str
    units: Integers
    branch: Integers


def event_rows(
    population: Population, day: int, wanted: int, slug: str, draw: np.random.Generator
) -> EventRows:
    """The wanted number of events of a day, in no particular order.

    Raises:
        ValueError: More happened than is wanted.
    """
    kinds = list(_kinds(population, day))
    missing = wanted - sum(len(kind.units) for kind in kinds)
    if missing < 0:
        raise ValueError(f"{wanted} events are wanted on day {day}; {wanted - missing} happened")
    others = draw.integers(0, population.size, missing)
    kinds.append(_Kind("navigation", "open", "branch", others, population.branch[others]))
    tables = pa.concat_tables([_columns(kind, slug) for kind in kinds])
    order = draw.permutation(wanted)
    shuffled = tables.take(pa.array(order)).combine_chunks()
    names = shuffled.column_names
    return EventRows(
        np.concatenate([kind.units for kind in kinds])[order],
        {name: shuffled[name].combine_chunks() for name in names},
    )


def _kinds(population: Population, day: int) -> Iterator[_Kind]:
    """What happened on the day: a few enrollments are told again the day after."""
    enrolled = np.flatnonzero(population.enrollment_day == day)
    again = np.flatnonzero(population.enrollment_day == day - 1)
    again = again[again % 100 == 0]
    both = np.flatnonzero(population.second_branch_day == day)
    exposed = np.flatnonzero(population.exposure_day == day)
    repeated = np.flatnonzero(population.exposure_day == day - _REPEATED_AFTER)
    left = np.flatnonzero(population.leaving_day == day)
    own = population.branch
    yield _Kind("normandy", "enroll", "branch", enrolled, own[enrolled])
    yield _Kind("normandy", "enroll", "branch", again, own[again])
    yield _Kind("normandy", "enroll", "branch", both, 1 - own[both])
    yield _Kind("normandy", "expose", "branchSlug", exposed, own[exposed])
    yield _Kind("normandy", "expose", "branchSlug", repeated, own[repeated])
    yield _Kind("normandy", "unenroll", "branch", left, own[left])


def _columns(kind: _Kind, slug: str) -> pa.Table:
    branches = pa.array(BRANCHES).take(pa.array(kind.branch))
    return pa.table(
        {
            "event_category": _constant(kind.category, kind),
            "event_method": _constant(kind.method, kind),
            "event_string_value": _constant(slug, kind),
            "event_map_values": maps({kind.key: branches}),
        }
    )


def _constant(text: str, kind: _Kind) -> pa.Array:
    return pa.repeat(pa.scalar(text), len(kind.units))
