"""How much of a configuration is understood, on a terminal.

Belongs here: the tables of `jetstream coverage`. Does not: counting (`authoring.coverage`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from rich import box
from rich.table import Table
from rich.text import Text

from jetstream_assets.report.readable import printable

if TYPE_CHECKING:
    from collections.abc import Iterable

# Files and experiments are understood or not; SQL comes further.
_COUNTED = 2
_STEPS = ("found", "understood", "for BigQuery", "for DuckDB", "bound")


@dataclass(frozen=True)
class CoverageRow:
    """How many of a kind come how far; None where that step is not asked of the kind."""

    kind: str
    found: int
    understood: int
    bigquery: int | None
    duckdb: int | None
    bound: int | None


def coverage_table(rows: Iterable[CoverageRow]) -> Table:
    """A line for each kind, with the share of the understood that come to its last step."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("what")
    for name in (*_STEPS, "of understood"):
        table.add_column(name, justify="right")
    for row in rows:
        steps = (row.found, row.understood, row.bigquery, row.duckdb, row.bound)
        asked = [step for step in steps if step is not None]
        whole = row.understood if len(asked) > _COUNTED else row.found
        share = f"{asked[-1] / whole:.1%}" if whole else ""
        table.add_row(row.kind, *("" if s is None else f"{s:,}" for s in steps), share)
    return table


def reasons_table(reasons: Iterable[tuple[str, str, int]]) -> Table:
    """Why the rest is not: what, how often, why."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("what")
    table.add_column("times", justify="right")
    table.add_column("why", overflow="fold")
    for kind, reason, number in reasons:
        table.add_row(kind, f"{number:,}", Text(printable(reason)))
    return table
