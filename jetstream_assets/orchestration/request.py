"""Which cells a day, a change or a command asks for, and what is left out with a sentence why.

Belongs here: from records, configuration and dates to cells. Does not: the rules of selection
(`experiments.selection`), what asks (schedules, sensors, the command line).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from difflib import get_close_matches
from typing import TYPE_CHECKING

from jetstream_assets.errors import ExperimentError
from jetstream_assets.experiments.failures import Refusal
from jetstream_assets.experiments.selection import (
    Exclusion,
    expand_dates,
    select_configurations,
    select_records,
)
from jetstream_assets.orchestration.partitions import Cell, unusable_slug

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from jetstream_assets.config.planning import Planner


@dataclass(frozen=True)
class Request:
    """The cells to compute, and the experiments that were left out with a sentence why."""

    cells: tuple[Cell, ...]
    excluded: tuple[Exclusion, ...] = ()

    def runnable(self) -> Request:
        """The request without experiments that cannot be partitions."""
        reasons = {cell.slug: unusable_slug(cell.slug) for cell in self.cells}
        excluded = [Exclusion(slug, reason) for slug, reason in reasons.items() if reason]
        cells = tuple(cell for cell in self.cells if not reasons[cell.slug])
        return Request(cells, (*self.excluded, *excluded))


def latest_complete_day() -> date:
    """Yesterday in UTC: the last day whose data can be complete."""
    return datetime.now(UTC).date() - timedelta(days=1)


def named_cells(planner: Planner, slugs: Sequence[str], dates: Sequence[date]) -> Request:
    """Exactly these experiments on exactly these dates."""
    _check_known(planner, slugs)
    return Request(tuple(Cell(slug, on) for slug in dict.fromkeys(slugs) for on in dates))


def cells_of_days(planner: Planner, dates: Sequence[date]) -> Request:
    """For each date, the experiments that a daily run would analyse."""
    cells: list[Cell] = []
    excluded: dict[str, Exclusion] = {}
    for on in dates:
        found = _selected(planner, on)
        cells += found.cells
        excluded |= {left_out.slug: left_out for left_out in found.excluded}
    asked = {cell.slug for cell in cells}
    return Request(tuple(cells), tuple(e for slug, e in excluded.items() if slug not in asked))


def cells_of_all_dates(planner: Planner, slugs: Sequence[str], latest: date) -> Request:
    """All dates of these experiments, from launch to end or to the latest day; all when none named.

    An experiment that cannot be resolved is asked for on the latest day, so that the reason is
    stored.
    """
    _check_known(planner, slugs)
    cells: list[Cell] = []
    excluded: list[Exclusion] = []
    for slug in dict.fromkeys(slugs) or _all_slugs(planner):
        resolved = planner.configuration(slug)
        if isinstance(resolved, Refusal):
            cells.append(Cell(slug, latest))
        elif dates := expand_dates(resolved.experiment, latest):
            cells += [Cell(slug, on) for on in dates]
        else:
            excluded.append(Exclusion(slug, f"It was not launched by {latest}."))
    return Request(tuple(cells), tuple(excluded))


def _selected(planner: Planner, on: date) -> Request:
    records = select_records(planner.records.records, on)
    resolved = {record.slug: planner.configuration(record.slug) for record in records.selected}
    refused = [slug for slug, found in resolved.items() if isinstance(found, Refusal)]
    configurations = select_configurations(
        [found for found in resolved.values() if not isinstance(found, Refusal)], on
    )
    slugs = [c.experiment.slug for c in configurations.selected]
    slugs += [*refused, *_unreadable(planner)]
    cells = tuple(Cell(slug, on) for slug in dict.fromkeys(slugs))
    return Request(cells, records.excluded + configurations.excluded)


def _all_slugs(planner: Planner) -> Iterable[str]:
    return dict.fromkeys([*(r.slug for r in planner.records.records), *_unreadable(planner)])


def _unreadable(planner: Planner) -> Iterator[str]:
    """Slugs whose record could not be read: they are asked for, so that the reason is stored."""
    return (problem.slug for problem in planner.records.problems if problem.slug)


def _check_known(planner: Planner, slugs: Iterable[str]) -> None:
    known = list(_all_slugs(planner))
    for slug in slugs:
        if slug not in known:
            close = get_close_matches(slug, known, n=3)
            hint = f"Did you mean {' or '.join(close)}?" if close else f"Known: {', '.join(known)}."
            raise ExperimentError(f"There is no experiment {slug!r} among the records. {hint}")
