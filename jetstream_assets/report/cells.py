"""A run of many dates is told in ranges: what was computed, what was not, and why.

Belongs here: the outcome of one cell (experiment, date) as a person is told it, and folding
consecutive dates that have the same to tell. Does not: how it looks on a terminal (`terminal`).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import groupby
from typing import TYPE_CHECKING, Literal

from jetstream_assets.experiments.failures import Failure

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

CellState = Literal["computed", "nothing due", "refused", "failed"]
_DUE = re.compile(r"(?P<period>.+) (?P<index>\d+)")


@dataclass(frozen=True)
class CellOutcome:
    """What became of one cell.

    Args:
        slug: The experiment slug.
        date: The cell's date.
        computed: Rows of statistics that were stored.
        due: What was due, such as ``daily 9, weekly 1`` or, while units enroll, ``provisional
            daily 1``; empty when nothing was.
        failures: What has no result although it was due.
        state: ``refused`` and ``nothing due`` are answers; ``failed`` is a cell without one.
        reason: The sentence that says why a cell was not computed; empty when it was.
    """

    slug: str
    date: date
    computed: int
    due: str
    failures: tuple[Failure, ...]
    state: CellState
    reason: str


@dataclass(frozen=True)
class CellRange:
    """Consecutive dates of one experiment that have the same to tell.

    Args:
        slug: The experiment slug.
        first: The first date.
        last: The last date, inclusive.
        state: The state of every cell.
        computed: Rows of statistics of all dates together.
        due: What was due on all dates together, such as ``daily 1-9, weekly 1``.
        reasons: Why there is no result: the cells' reason and their failures, each once.
    """

    slug: str
    first: date
    last: date
    state: CellState
    computed: int
    due: str
    reasons: tuple[str, ...]


def cell_ranges(cells: Iterable[CellOutcome]) -> list[CellRange]:
    """The cells by experiment and date, consecutive dates with the same state and reasons as one.

    Reasons are the same when they differ in nothing but the cell's own date.
    """
    ordered = sorted(cells, key=lambda cell: (cell.slug, cell.date))
    groups: list[list[CellOutcome]] = []
    for cell in ordered:
        if groups and _continues(groups[-1][-1], cell):
            groups[-1].append(cell)
        else:
            groups.append([cell])
    return [_range(group) for group in groups]


def _continues(former: CellOutcome, cell: CellOutcome) -> bool:
    return (
        former.slug == cell.slug
        and cell.date - former.date == timedelta(days=1)
        and former.state == cell.state
        and _told(former) == _told(cell)
    )


def _range(group: Sequence[CellOutcome]) -> CellRange:
    first, last = group[0], group[-1]
    return CellRange(
        slug=first.slug,
        first=first.date,
        last=last.date,
        state=first.state,
        computed=sum(cell.computed for cell in group),
        due=_due_together([cell.due for cell in group]),
        # One date keeps its sentence word for word.
        reasons=_reasons(first) if first is last else _told(first),
    )


def _reasons(cell: CellOutcome) -> tuple[str, ...]:
    """The cell's reason, then each failure's message once with everything that it hit."""
    by_message: dict[tuple[str, str], list[Failure]] = {}
    for failure in cell.failures:
        key = (failure.metric or failure.stage.value, failure.message)
        by_message.setdefault(key, []).append(failure)
    told = (_failures_text(*key, hit) for key, hit in by_message.items())
    return tuple(text for text in (cell.reason, *told) if text)


def _told(cell: CellOutcome) -> tuple[str, ...]:
    """The reasons without the cell's own date, by which equal ones are recognised."""
    day = cell.date.isoformat()
    return tuple(
        reason.replace(f" on {day}", "").replace(day, "that date") for reason in _reasons(cell)
    )


def _failures_text(metric: str, message: str, hit: Sequence[Failure]) -> str:
    statistics = dict.fromkeys(failure.statistic for failure in hit if failure.statistic)
    scopes = dict.fromkeys((failure.analysis_basis, failure.segment) for failure in hit)
    subject = [metric, *statistics]
    if len(scopes) == 1:
        subject += [part for part in next(iter(scopes)) if part]
    else:
        subject.append(f"{len(scopes)} combinations of analysis basis and segment")
    return f"{', '.join(subject)}: {message}"


def _due_together(dues: Sequence[str]) -> str:
    """Window indices of each period as ranges: ``daily 1, daily 2`` becomes ``daily 1-2``."""
    indices: dict[str, list[int]] = {}
    for part in (part for due in dues for part in due.split(", ") if part):
        match = _DUE.fullmatch(part)
        name = match["period"] if match else part
        indices.setdefault(name, []).extend([int(match["index"])] if match else [])
    texts = (f"{name} {_index_ranges(found)}".rstrip() for name, found in indices.items())
    return ", ".join(texts)


def _index_ranges(indices: Sequence[int]) -> str:
    # Along a run of consecutive numbers, the number less its position stays the same.
    runs = groupby(enumerate(sorted(set(indices))), key=lambda pair: pair[1] - pair[0])
    ends = [[number for _, number in run] for _, run in runs]
    return "+".join(str(e[0]) if e[0] == e[-1] else f"{e[0]}-{e[-1]}" for e in ends)
