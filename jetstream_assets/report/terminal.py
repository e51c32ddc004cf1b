"""Statistics and the outcome of a run, on a terminal of ordinary width.

Belongs here: rich tables, which the command line prints. Does not: how numbers and names read
(`readable`), how dates are folded (`cells`).

Every name is shown as `Text`, never as markup: a slug such as ``[red]`` is what it says.
"""

from __future__ import annotations

from collections import Counter
from itertools import groupby
from typing import TYPE_CHECKING, Any

from rich import box
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from jetstream_assets.report.cells import CellOutcome, CellRange, CellState, cell_ranges
from jetstream_assets.report.readable import (
    comparison_text,
    curve_text,
    displayed_rows,
    estimate_text,
    is_decided,
    parameter_text,
    printable,
    window_text,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import pyarrow as pa

    Row = dict[str, Any]

__all__ = ["CellOutcome", "outcome_table", "statistics_table"]

_STATE_STYLES: dict[CellState, str] = {
    "computed": "green",
    "nothing due": "dim",
    "refused": "yellow",
    "failed": "bold red",
}


def statistics_table(rows: pa.Table) -> Table:
    """The rows in reading order, under a heading for each metric and statistic.

    What is the same in all rows stands once in the caption; a curve with many points is one row;
    a comparison whose interval leaves out zero is bold; why a number is missing stands below.

    Args:
        rows: The columns of `STATISTICS_SCHEMA`; others are ignored.
    """
    shown = list(displayed_rows(rows))
    common = _common_facts(shown)
    table = _empty_table(Text(_joined(common) if shown else "No statistics."))
    table.add_column("metric, statistic, branch", overflow="fold")
    has_parameters = any(_at(row) for row in shown)
    for header in ("at", "estimate", "interval", "units")[0 if has_parameters else 1 :]:
        table.add_column(header, justify="right", no_wrap=True)
    for heading, group in groupby(shown, key=lambda row: _heading(row, common)):
        table.add_section()
        table.add_row(Text(heading, style="bold"))
        _add_group(table, list(group), has_parameters=has_parameters)
    return table


def outcome_table(cells: Iterable[CellOutcome]) -> Table:
    """What a run computed, what it did not and why; consecutive dates with one story as one row."""
    told = list(cells)
    table = _empty_table(_totals(told))
    table.add_column("experiment, dates", overflow="fold", max_width=30)
    table.add_column("result", no_wrap=True)
    table.add_column("rows", justify="right", no_wrap=True)
    table.add_column("due, or why there is no result", overflow="fold")
    for slug, ranges in groupby(cell_ranges(told), key=lambda found: found.slug):
        table.add_section()
        table.add_row(Text(printable(slug), style="bold"))
        for found in ranges:
            table.add_row(*_range_cells(found))
    return table


def _empty_table(caption: Text) -> Table:
    caption.style = "dim"
    return Table(box=box.SIMPLE_HEAD, pad_edge=False, caption=caption, caption_justify="left")


def _indented(text: str, style: str = "") -> Padding:
    return Padding(Text(text, style=style), (0, 0, 0, 2))


def _add_group(table: Table, rows: Sequence[Row], *, has_parameters: bool) -> None:
    former = ""
    for row in (row for row in rows if row["branch"] is not None):
        label = _label(row)
        text = estimate_text(row)
        numbers = ("", "") if curve_text(row) else (text.point, text.interval)
        units = "" if row["units"] is None else f"{row['units']:,}"
        at = (_at(row),) if has_parameters else ()
        style = "bold" if is_decided(row) else ""
        first = _indented(label if label != former else "", style)
        table.add_row(first, *(Text(cell, style=style) for cell in (*at, *numbers, units)))
        former = label
    for remark in _remarks(rows):
        table.add_row(_indented(remark, "yellow"))


def _facts(row: Row) -> dict[str, str]:
    """What a row is about apart from metric, statistic and branch; empty where not applicable."""
    width = row["ci_width"]
    return {
        "window": window_text(row),
        "basis": row["analysis_basis"],
        "segment": printable(row["segment"]),
        "adjusted for": printable(row["covariate"] or ""),
        "level": f"{100 * width:.4g}%" if width else "",
    }


def _common_facts(rows: Sequence[Row]) -> dict[str, str]:
    """The facts that are the same in all rows; those without an interval have any level."""
    found: dict[str, set[str]] = {}
    for row in rows:
        for name, text in _facts(row).items():
            if text or name != "level":
                found.setdefault(name, set()).add(text)
    return {name: texts.pop() for name, texts in found.items() if len(texts) == 1}


def _heading(row: Row, common: dict[str, str]) -> str:
    own = {name: text for name, text in _facts(row).items() if name not in common}
    name = f"{printable(row['metric'])}, {printable(row['statistic'])}"
    return "; ".join(part for part in (name, _joined(own)) if part)


def _joined(facts: dict[str, str]) -> str:
    return "; ".join(f"{name} {text}" for name, text in facts.items() if text)


def _label(row: Row) -> str:
    named = ", ".join(part for part in (printable(row["branch"]), comparison_text(row)) if part)
    return ": ".join(part for part in (named, curve_text(row)) if part)


def _at(row: Row) -> str:
    return "" if curve_text(row) else parameter_text(row)


def _remarks(rows: Sequence[Row]) -> list[str]:
    """Each remark once, with the branches that it is about unless it is about all of them."""
    about: dict[str, dict[str, None]] = {}
    labels = {_label(row) for row in rows if row["branch"] is not None}
    for row in rows:
        status = "" if row["status"] == "ok" else row["status"].replace("_", " ")
        remark = ": ".join(printable(part) for part in (status, row["reason"]) if part)
        if remark:
            about.setdefault(remark, {}).update({_label(row): None} if row["branch"] else {})
    return [
        f"{'; '.join(named)}: {remark}" if named and named.keys() != labels else remark
        for remark, named in about.items()
    ]


def _range_cells(found: CellRange) -> tuple[Padding | Text, ...]:
    days = f"{found.first}" if found.first == found.last else f"{found.first} to {found.last}"
    story = [printable(text) for text in (found.due, *found.reasons) if text]
    return (
        _indented(days),
        Text(found.state, style=_STATE_STYLES[found.state]),
        Text(f"{found.computed:,}" if found.computed else ""),
        Text("\n".join(story)),
    )


def _totals(cells: Sequence[CellOutcome]) -> Text:
    if not cells:
        return Text("No dates.")
    states = Counter(cell.state for cell in cells)
    counts = ", ".join(f"{states[state]} {state}" for state in _STATE_STYLES if states[state])
    failures = sum(len(cell.failures) for cell in cells)
    rows = sum(cell.computed for cell in cells)
    return Text(f"{counts}; {rows:,} rows of statistics, {failures:,} failures")
