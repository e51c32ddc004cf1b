"""Columns of a day, built from what is known per unit.

Belongs here: the shapes that several tables share: unit columns, dates, maps, annotations with
experiments. Does not: the tables (`tables`, `events`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from jetstream_assets.simulation.schemas import NATIVE_EXPERIMENTS, SIMPLE_EXPERIMENTS
from jetstream_assets.simulation.units import Cohort, Flags, Integers


@dataclass(frozen=True)
class UnitRows:
    """Rows of a cohort on one day: ``units`` holds the unit's index of each row."""

    cohort: Cohort
    day: int
    units: Integers

    def columns(self, *names: str) -> dict[str, pa.Array]:
        """The id columns, ``submission_date``, and the named columns of the profile."""
        kept = ("client_id", "profile_group_id", "sample_id", *names)
        index = pa.array(self.units)
        columns = {name: getattr(self.cohort.profiles, name).take(index) for name in kept}
        return {**columns, "submission_date": self.dates(np.full(len(self.units), self.day))}

    def first_seen_date(self) -> pa.Array:
        """The day on which each row's unit was seen first."""
        return self.dates(self.cohort.participation.first_day[self.units])

    def branches(self) -> pa.Array:
        """The branch that each row is annotated with; null where the unit is not enrolled."""
        who = self.cohort.participation
        is_second = who.second_day[self.units] <= self.day
        branch = np.where(is_second, who.second_branch[self.units], who.branch[self.units])
        is_outside = (self.day < who.enrollment_day) | (self.day > who.unenrollment_day)
        slugs = pa.array(self.cohort.branch_slugs, pa.string())
        return slugs.take(pa.array(branch, mask=is_outside[self.units]))

    def experiments(self) -> pa.Array:
        """The simple annotation: a list of (slug, branch); empty where not enrolled."""
        branches = self.branches()
        return self._annotation(branches, branches.drop_null(), SIMPLE_EXPERIMENTS)

    def native_experiments(self) -> pa.Array:
        """The native annotation: a list of (slug, (branch)); empty where not enrolled."""
        branches = self.branches()
        record = pa.StructArray.from_arrays([branches.drop_null()], ["branch"])
        return self._annotation(branches, record, NATIVE_EXPERIMENTS)

    def _annotation(self, branches: pa.Array, values: pa.Array, kind: pa.DataType) -> pa.Array:
        present: Flags = branches.is_valid().to_numpy(zero_copy_only=False)
        ends = np.concatenate([[0], np.cumsum(present)]).astype(np.int32)
        slugs = pa.repeat(pa.scalar(self.cohort.experiment.slug), len(values))
        records = pa.StructArray.from_arrays([slugs, values], ["key", "value"])
        return pa.ListArray.from_arrays(pa.array(ends), records).cast(kind)

    @staticmethod
    def dates(days: Integers) -> pa.Array:
        """Days since 1970-01-01 as dates."""
        return pa.array(days.astype(np.int32), pa.int32()).cast(pa.date32())

    def timestamps(self, draw: np.random.Generator) -> pa.Array:
        """A moment of the day for each row, in microseconds and UTC."""
        seconds = self.day * 86_400 + draw.integers(0, 86_400, len(self.units))
        return pa.array(seconds * 1_000_000, pa.timestamp("us", tz="UTC"))


def maps(entries: dict[str, pa.Array]) -> pa.Array:
    """A list of (key, value) per row, with the same keys in each."""
    keys, columns = list(entries), list(entries.values())
    rows = len(columns[0])
    # Row by row, where the columns lie one after the other.
    order = np.arange(rows * len(keys)).reshape(len(keys), rows).T.ravel()
    names = pa.array(keys, pa.string()).take(pa.array(np.tile(np.arange(len(keys)), rows)))
    values = pa.concat_arrays([column.cast(pa.string()) for column in columns])
    records = pa.StructArray.from_arrays([names, values.take(pa.array(order))], ["key", "value"])
    ends = np.arange(rows + 1, dtype=np.int32) * len(keys)
    return pa.ListArray.from_arrays(pa.array(ends), records)
