"""Which states of which days are stored, and in which slices: what need not be read again.

Belongs here: the catalogue of an experiment's stored states, and choosing parts for a window. Does
not: reading what is missing (`state_reading`), the states themselves (`sql.source_states`).

A part of the table holds some states of one source; its slices' fingerprint lists their names.
States that are asked for later stand in parts of their own, so that nothing is read twice. Days
before enrollment are one slice of the last enrollment date, in parts of their own.
"""

from __future__ import annotations

import hashlib
import re
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import date
from typing import TYPE_CHECKING

from jetstream_assets.analysis.source_days import StoredDay, remembered
from jetstream_assets.sql.rollup import StatePart
from jetstream_assets.warehouse.tables import ResultTable, Slice, slices_table

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from jetstream_assets.warehouse.base import Provenance, Warehouse

_UNSAFE = re.compile(r"[^A-Za-z0-9_]")
_LONGEST = 60
_DIGEST = 10


@dataclass(frozen=True)
class StoredSlice:
    """One stored day of some states, and what it was read from."""

    target: Slice
    names: frozenset[str]
    read: StoredDay


@dataclass
class Catalogue:
    """The stored states of an experiment, by part prefix and day; changed as slices are written."""

    slices: dict[tuple[str, date], list[StoredSlice]] = field(default_factory=dict)

    def of(self, prefix: str, day: date) -> list[StoredSlice]:
        """The slices of a source's day."""
        return self.slices.get((prefix, day), [])

    def note(self, prefix: str, target: Slice, origin: Provenance | None) -> None:
        """Note a slice that is there; one that tells nothing of its day does not count."""
        read = remembered(origin, target.date)
        if origin is not None and read is not None:
            kept = [s for s in self.of(prefix, target.date) if s.target != target]
            found = StoredSlice(target, _names(origin.fingerprint), read)
            self.slices[prefix, target.date] = [*kept, found]

    def forget(self, prefix: str, stored: StoredSlice) -> None:
        """Forget a slice that was emptied."""
        self.slices[prefix, stored.target.date].remove(stored)


def read_catalogue(warehouse: Warehouse, experiment: str, dataset: str) -> Catalogue:
    """What is stored of an experiment."""
    catalogue = Catalogue()
    for target in warehouse.slices(ResultTable.DAILY_AGGREGATES, experiment, dataset):
        prefix, _, _ = target.part.rpartition("-")
        catalogue.note(prefix, target, warehouse.provenance(target))
    return catalogue


def part_prefix(source: str, *, before_enrollment: bool = False) -> str:
    """What the names of a source's parts begin with.

    Letters that no file may have are replaced, so a digest keeps different names apart.
    """
    digest = hashlib.sha256(source.encode()).hexdigest()[:4]
    safe = _UNSAFE.sub("_", source)[:_LONGEST]
    return f"{safe}-{digest}" + ("-before" if before_enrollment else "")


def part_name(prefix: str, names: Collection[str]) -> str:
    """The part that holds exactly these states of a source."""
    return f"{prefix}-{hashlib.sha256(fingerprint(names).encode()).hexdigest()[:_DIGEST]}"


def fingerprint(names: Collection[str]) -> str:
    """What is stored as the fingerprint of slices that hold these states."""
    return ",".join(sorted(names))


def chosen_parts(
    days: Iterable[date], by_day: Mapping[date, Sequence[StoredSlice]], wanted: frozenset[str]
) -> tuple[StatePart, ...]:
    """The parts from which the wanted states of these days are read, each state of a day once."""
    chosen: dict[tuple[str, frozenset[str]], list[Slice]] = defaultdict(list)
    for day in days:
        left = wanted
        # Few large parts rather than many small ones, and the same ones every day.
        ordered = sorted(by_day[day], key=lambda s: (-len(s.names), s.target.part))
        for stored in ordered:
            taken = left & stored.names
            if taken or not wanted:
                chosen[stored.target.part, taken].append(stored.target)
            left -= taken
    return tuple(
        StatePart(slices_table([target.date for target in targets], targets[0]), names)
        for (_, names), targets in sorted(chosen.items(), key=_by_part_and_names)
    )


def _by_part_and_names(
    item: tuple[tuple[str, frozenset[str]], list[Slice]],
) -> tuple[str, list[str]]:
    part, names = item[0]
    return part, sorted(names)


def _names(text: str) -> frozenset[str]:
    return frozenset(name for name in text.split(",") if name)
