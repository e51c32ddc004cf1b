"""The one partition space of all assets: experiment (dynamic) x date (daily, UTC).

Belongs here: partition definitions and reading cells from a run. Does not: what is due on a date
(`experiments.windows`).

A partition's text is ``date|experiment``, since Dagster sorts the dimensions by name; it is never
split, because a slug may hold any character.
"""

from dataclasses import dataclass
from datetime import date

from dagster import (
    AssetExecutionContext,
    BackfillPolicy,
    DailyPartitionsDefinition,
    DynamicPartitionsDefinition,
    MultiPartitionKey,
    MultiPartitionsDefinition,
)

EXPERIMENT = "experiment"
DATE = "date"

# One run takes all asked dates of an experiment, so that it reads the configuration once and finds
# what its earlier dates computed.
BACKFILL = BackfillPolicy.single_run()


@dataclass(frozen=True, order=True)
class Cell:
    """One experiment on one date whose data is complete."""

    slug: str
    date: date

    @property
    def key(self) -> MultiPartitionKey:
        """The cell as Dagster's partition key."""
        return MultiPartitionKey({EXPERIMENT: self.slug, DATE: self.date.isoformat()})


def cell_partitions(first_date: date) -> MultiPartitionsDefinition:
    """The partition space from ``first_date`` (inclusive) until yesterday (UTC)."""
    return MultiPartitionsDefinition(
        {
            EXPERIMENT: DynamicPartitionsDefinition(name=EXPERIMENT),
            DATE: DailyPartitionsDefinition(start_date=first_date.isoformat(), timezone="UTC"),
        }
    )


def unusable_slug(slug: str) -> str:
    """Why a slug cannot be part of a partition key; empty when it can."""
    if "|" in slug:
        return f"The slug {slug!r} holds a '|', which divides partition keys. Give it another slug."
    return ""


def cells(context: AssetExecutionContext) -> tuple[Cell, ...]:
    """The cells of a run, by experiment and date, so that earlier dates come first."""
    return tuple(sorted(cell_of(key) for key in context.partition_keys))


def cell_of(key: str) -> Cell:
    """The cell of a partition key, which must be a key of `cell_partitions`."""
    if not isinstance(key, MultiPartitionKey):
        raise TypeError(f"partition key {key!r} has no experiment and date")
    dimensions = key.keys_by_dimension
    return Cell(dimensions[EXPERIMENT], date.fromisoformat(dimensions[DATE]))
