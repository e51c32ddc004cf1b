"""What a run would do, on a terminal: consecutive dates with the same to tell are one row.

Belongs here: the table of `jetstream plan`. Does not: finding out what a run would do
(`analysis.forecast`).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING

from rich import box
from rich.table import Table
from rich.text import Text

from jetstream_assets.report.readable import printable, size_text

if TYPE_CHECKING:
    from collections.abc import Iterable

_STYLES = {"compute": "green", "reuse": "dim", "nothing": "yellow"}


@dataclass(frozen=True)
class ForecastRow:
    """What one step of a cell would do; ``days``, ``rows`` and bytes are what it would read."""

    slug: str
    date: date
    what: str
    action: str
    why: str
    days: int = 0
    rows: int = 0
    bytes_read: int = 0


def forecast_table(
    told: Iterable[ForecastRow], *, with_reused: bool = False, with_bytes: bool = False
) -> Table:
    """The rows by experiment and kind, with the days and rows to be scanned in the caption."""
    rows = list(told)
    shown = [row for row in rows if with_reused or row.action != "reuse"]
    table = Table(
        box=box.SIMPLE_HEAD,
        pad_edge=False,
        caption=_caption(rows, with_bytes=with_bytes),
        caption_justify="left",
    )
    table.add_column("experiment, dates", overflow="fold", max_width=30)
    table.add_column("what", overflow="fold")
    table.add_column("action", no_wrap=True)
    table.add_column("days", justify="right", no_wrap=True)
    table.add_column("rows", justify="right", no_wrap=True)
    if with_bytes:
        table.add_column("bytes", justify="right", no_wrap=True)
    table.add_column("why", overflow="fold")
    former = ""
    for group in _groups(shown):
        if group[0].slug != former:
            former = group[0].slug
            table.add_section()
            table.add_row(Text(printable(former), style="bold"))
        table.add_row(*_cells(group, with_bytes=with_bytes))
    return table


def _groups(rows: list[ForecastRow]) -> list[list[ForecastRow]]:
    """Scans first; then rows that differ in nothing but the date, where dates follow each other."""
    ordered = sorted(rows, key=lambda row: (row.slug, not row.days, row.what, row.date))
    groups: list[list[ForecastRow]] = []
    for row in ordered:
        if groups and _continues(groups[-1][-1], row):
            groups[-1].append(row)
        else:
            groups.append([row])
    return groups


def _continues(former: ForecastRow, row: ForecastRow) -> bool:
    same = ("slug", "what", "action", "why")
    return not row.days and (
        all(getattr(former, name) == getattr(row, name) for name in same)
        and row.date - former.date <= timedelta(days=1)
    )


def _cells(group: list[ForecastRow], *, with_bytes: bool) -> list[Text]:
    first, last = group[0], group[-1]
    dates = str(first.date) if first.date == last.date else f"{first.date} to {last.date}"
    counted = [f"{first.days:,}" if first.days else "", f"{first.rows:,}" if first.rows else ""]
    if with_bytes:
        size = sum(row.bytes_read for row in group)
        counted.append(size_text(size) if size else "")
    action = Text(first.action, style=_STYLES.get(first.action, ""))
    texts = (Text(f"  {dates}"), Text(printable(first.what)), action)
    return [*texts, *(Text(text) for text in counted), Text(printable(first.why))]


def _caption(rows: list[ForecastRow], *, with_bytes: bool) -> Text:
    by_action = {action: sum(row.action == action for row in rows) for action in _STYLES}
    scanned = sum(row.rows for row in rows)
    told = f"{by_action['compute']} to compute, {by_action['reuse']} to reuse; "
    told += f"{scanned:,} rows of sources to scan"
    if with_bytes:
        told += f", at most {size_text(sum(row.bytes_read for row in rows))} to read"
    return Text(told + ". Nothing was computed.", style="dim")
