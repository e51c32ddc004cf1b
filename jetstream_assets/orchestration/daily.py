"""What a day asks for: the due cells of all active experiments, as far as their sources are there.

Belongs here: choosing the cells of a date, and which experiments leave the partition space. Does
not: when a day is looked at (`schedules`), what is due (`experiments.plan`).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

from jetstream_assets.experiments.selection import DAYS_AFTER_END, Exclusion
from jetstream_assets.orchestration.partitions import Cell, unusable_slug
from jetstream_assets.orchestration.request import cells_of_days

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable
    from datetime import timedelta

    from jetstream_assets.analysis.freshness import Freshness
    from jetstream_assets.config.planning import Planner
    from jetstream_assets.experiments.plan import AnalysisPlan


@dataclass(frozen=True)
class DailyRequest:
    """The experiments of one date, each in exactly one of the three groups.

    Args:
        on: The date.
        cells: What is to run: something is due, or the reason why nothing can be is to be stored.
        waiting: What is due but must wait, with the sources that do not have the date yet.
        left_out: What is not to run, and why.
    """

    on: date
    cells: tuple[Cell, ...]
    waiting: tuple[Exclusion, ...]
    left_out: tuple[Exclusion, ...]

    @property
    def sentences(self) -> tuple[str, ...]:
        """What a person reads in the tick: a head, then a line for each cell that does not run."""
        head = (
            f"{self.on}: {len(self.cells)} experiments to analyse, {len(self.waiting)} waiting for "
            f"sources, {len(self.left_out)} without anything due."
        )
        told = (*self.waiting, *self.left_out)
        return (head, *(f"{exclusion.slug}: {exclusion.reason}" for exclusion in told))


def daily_request(
    planner: Planner,
    freshness: Freshness,
    on: date,
    *,
    requested: Collection[str] = (),
    patience: timedelta,
) -> DailyRequest:
    """The cells of one date.

    Args:
        planner: Records and configuration.
        freshness: Where the sources are.
        on: The date.
        requested: Slugs whose cell of this date was requested before; they are left out silently.
        patience: How long after ``on`` a source is waited for. A run of incomplete sources says
            what it missed; a source that ended would otherwise hold its experiments up for ever.
    """
    asked = cells_of_days(planner, [on])
    cells, waiting, left_out = [], [], list(asked.excluded)
    waits = freshness.today <= on + patience
    for cell in asked.cells:
        if cell.slug in requested:
            continue
        plan = planner.plan(cell.slug, on)
        reason = unusable_slug(cell.slug) or plan.idle
        missing = freshness.missing(plan) if waits and not reason else ()
        if reason:
            left_out.append(Exclusion(cell.slug, reason))
        elif missing:
            waiting.append(Exclusion(cell.slug, _awaited(plan, missing)))
        else:
            cells.append(cell)
    return DailyRequest(on, tuple(cells), tuple(waiting), tuple(left_out))


def long_ended(planner: Planner, known: Iterable[str], on: date) -> tuple[str, ...]:
    """Of the known slugs those that no daily run will ask for again, sorted.

    They leave the partition space, so that it stays small enough for the UI. Their results and the
    history of their runs stay, and come into view again when the slug is added again.
    """
    ended = {record.slug: record.end_date for record in planner.records.records}
    return tuple(
        slug
        for slug in sorted(known)
        if (end := ended.get(slug)) is not None and (on - end).days > DAYS_AFTER_END
    )


def _awaited(plan: AnalysisPlan, missing: tuple[str, ...]) -> str:
    verb = "has" if len(missing) == 1 else "have"
    return f"{', '.join(missing)} {verb} no rows of {plan.date} or later yet."
