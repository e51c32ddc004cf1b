"""Which cells the options of a command ask for.

Belongs here: checking options and turning them into dates. Does not: from dates to cells
(`orchestration.request`).
"""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING

from jetstream_assets.errors import ExperimentError
from jetstream_assets.orchestration.request import (
    Request,
    cells_of_all_dates,
    cells_of_days,
    latest_complete_day,
    named_cells,
)

if TYPE_CHECKING:
    from jetstream_assets.config.planning import Planner


def asked_cells(
    planner: Planner,
    slugs: list[str],
    on: datetime | None,
    first: datetime | None,
    last: datetime | None,
    *,
    all_dates: bool,
) -> Request:
    """The cells that a command's options ask for.

    Raises:
        ExperimentError: Not exactly one way of naming dates is used, or a slug is not known.
    """
    latest = latest_complete_day()
    if (on is not None) + (first is not None or last is not None) + all_dates != 1:
        raise ExperimentError(
            "Say which dates to analyse by exactly one of --date D, --from D --to D, --all-dates."
        )
    if all_dates:
        return cells_of_all_dates(planner, slugs, latest)
    if on is None and (first is None or last is None):
        raise ExperimentError("--from and --to belong together: give the other one, too.")
    start, end = on or first, on or last
    if start is None or end is None:
        raise AssertionError  # the checks above leave no such case
    dates = checked_dates(start.date(), end.date(), latest)
    return named_cells(planner, slugs, dates) if slugs else cells_of_days(planner, dates)


def checked_dates(first: date, last: date, latest: date) -> tuple[date, ...]:
    """The dates from first to last, both inclusive.

    Raises:
        ExperimentError: They are in the wrong order, or the last day is not over yet.
    """
    if first > last:
        raise ExperimentError(f"--from {first} is after --to {last}. Swap them.")
    if last > latest:
        raise ExperimentError(
            f"{last} is not over yet (UTC). The latest day whose data can be complete is {latest}."
        )
    return tuple(first + timedelta(days=day) for day in range((last - first).days + 1))
