"""Which days of a source must be read: those never read, read for another purpose, or changed.

Belongs here: what is remembered of each day that was read, and comparing it with what is there now.
Does not: reading days (`enrollment_days`, `daily_aggregates`), how a source tells that a day
changed (`warehouse`).

What is remembered stands in the details of the day's slice. A day that changed after it was read is
read again within the lookback, the days D - lookback to D of a run for date D; an older change is
told and not followed, since results of long ago should not move by themselves.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import date, timedelta
from types import MappingProxyType
from typing import TYPE_CHECKING

from jetstream_assets.warehouse.base import SourceDay

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from jetstream_assets.warehouse.base import Provenance, Warehouse
    from jetstream_assets.warehouse.tables import ResultTable

DEFAULT_LOOKBACK = 3
NO_ROWS = SourceDay("", 0)

_NO_UNITS: Mapping[date, str] = MappingProxyType({})
_LISTED = 10


@dataclass(frozen=True)
class StoredDay:
    """What a day's slice was computed from.

    Args:
        fingerprint: Digest of what was asked of the source.
        mark: The source's mark of the day when it was read; empty when it had no rows.
        rows: The source's rows of that day.
        units: Digest of the units whose rows were asked for; empty where that decides nothing.
    """

    fingerprint: str
    mark: str
    rows: int
    units: str = ""


def encoded(
    days: Iterable[date],
    now: Mapping[date, SourceDay],
    units: Mapping[date, str] = _NO_UNITS,
) -> str:
    """The details to store with the slices of the days that are read together.

    Args:
        days: The days that are read.
        now: What the source holds of them, asked before they are read: a change in between then
            shows at the next run. A day that is not in it has no rows.
        units: The digest of the units of each day, where it decides what is read.
    """
    told = {day: (now.get(day, NO_ROWS), units.get(day, "")) for day in sorted(days)}
    return json.dumps({str(day): [of.mark, of.rows, known] for day, (of, known) in told.items()})


def read(
    warehouse: Warehouse, table: ResultTable, experiment: str, dataset: str, part: str
) -> dict[date, StoredDay]:
    """What is remembered of every stored day of a table's part, by day.

    A slice whose details do not tell of its own day counts as missing.
    """
    slices = warehouse.slices(table, experiment, dataset)
    found = (
        (stored.date, remembered(warehouse.provenance(stored), stored.date))
        for stored in slices
        if stored.part == part
    )
    return {day: of for day, of in found if of is not None}


def stale(
    stored: Mapping[date, StoredDay],
    now: Mapping[date, SourceDay],
    wanted: Sequence[date],
    fingerprint: str,
    on: date,
    lookback: int = DEFAULT_LOOKBACK,
    units: Mapping[date, str] = _NO_UNITS,
) -> tuple[date, ...]:
    """The wanted days that must be read, ascending.

    Args:
        stored: What is remembered, by `read`.
        now: What the source holds now; a day that is not in it has no rows.
        wanted: The days that are needed.
        fingerprint: Digest of what is asked of the source.
        on: The date D of the run.
        lookback: Days ``on - lookback`` to ``on``, inclusive, are read again when they changed.
        units: The digest of the units of each day; another one is a reason at any age.
    """
    first = on - timedelta(days=lookback)
    return tuple(
        day
        for day in sorted(wanted)
        if (of := stored.get(day)) is None
        or of.fingerprint != fingerprint
        or of.units != units.get(day, "")
        or (first <= day <= on and of.mark != now.get(day, NO_ROWS).mark)
    )


def older_changes(
    stored: Mapping[date, StoredDay],
    now: Mapping[date, SourceDay],
    wanted: Sequence[date],
    source: str,
    on: date,
    lookback: int = DEFAULT_LOOKBACK,
) -> tuple[str, ...]:
    """A sentence on the wanted days before the lookback that changed after they were read.

    Args:
        stored: What is remembered of the days that are not read again in this run; others may be in
            it once they have been read, since they equal what is there now.
        now: What the source holds now.
        wanted: The days that are needed.
        source: The source's name, for the sentence.
        on: The date D of the run.
        lookback: As for `stale`.

    Returns:
        No sentence, or one that names the source, the days and their rows before and now.
    """
    first = on - timedelta(days=lookback)
    changed = [
        f"{day} ({of.rows:,} rows, now {now.get(day, NO_ROWS).rows:,})"
        for day in sorted(wanted)
        if day < first
        and (of := stored.get(day)) is not None
        and of.mark != now.get(day, NO_ROWS).mark
    ]
    if not changed:
        return ()
    more = f" and {len(changed) - _LISTED} more days" if len(changed) > _LISTED else ""
    told = (
        f"{source} changed after it was read, on {', '.join(changed[:_LISTED])}{more}. Results "
        f"keep what was read, since these days lie more than {lookback} days before {on}; run "
        "with a longer lookback to read them again."
    )
    return (told,)


def remembered(origin: Provenance | None, day: date) -> StoredDay | None:
    """What a slice's provenance tells of the day; None when it tells nothing of it."""
    try:
        mark, rows, units = json.loads(origin.details if origin else "")[str(day)]
        return StoredDay(origin.fingerprint if origin else "", str(mark), int(rows), str(units))
    except (ValueError, KeyError, TypeError):
        return None
