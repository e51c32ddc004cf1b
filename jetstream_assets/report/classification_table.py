"""How the metrics of a repository are computed, on a terminal: counts first, then the reasons.

Belongs here: the tables of `jetstream classify`. Does not: classifying (`config.classification`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from rich import box
from rich.table import Table
from rich.text import Text

from jetstream_assets.report.readable import printable

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

_NUMBERS = (
    "exact",
    "windowed for itself",
    "for its source",
    "unusable",
    "exact of computable",
    "exact of distinct SQL",
)
_STYLES = {"unusable": "red"}


@dataclass(frozen=True)
class KindRow:
    """The counts of one kind of file: references, and the distinct SQL among them."""

    kind: str
    exact: int
    windowed: int
    windowed_source: int
    unusable: int
    exact_sql: int
    windowed_sql: int


@dataclass(frozen=True)
class ReasonRow:
    """One reference that is not exact; equal reasons are told once, with their number."""

    treatment: str
    reason: str
    path: str
    metric: str


def counts_table(rows: Iterable[KindRow]) -> Table:
    """One line for each kind of file."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("named in")
    for name in _NUMBERS:
        table.add_column(name, justify="right")
    for row in rows:
        table.add_row(
            row.kind,
            f"{row.exact:,}",
            f"{row.windowed:,}",
            f"{row.windowed_source:,}",
            f"{row.unusable:,}",
            _share(row.exact, row.exact + row.windowed + row.windowed_source),
            f"{row.exact_sql:,} of {row.exact_sql + row.windowed_sql:,}",
        )
    return table


def reasons_table(rows: Iterable[ReasonRow], most: int | None = None) -> Table:
    """One line for each reason, the most frequent first; the caption counts those left out."""
    groups = _grouped(rows)
    ordered = sorted(groups.items(), key=lambda item: (-len(item[1]), item[0]))
    shown = ordered[:most]
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, caption_justify="left")
    table.add_column("times", justify="right", no_wrap=True)
    table.add_column("computed", overflow="fold", max_width=12)
    table.add_column("why", overflow="fold", ratio=3)
    table.add_column("such as", overflow="fold", ratio=2)
    for (treatment, reason), found in shown:
        table.add_row(
            f"{len(found):,}",
            Text(treatment, style=_STYLES.get(treatment, "yellow")),
            Text(printable(reason)),
            Text(printable(f"{found[0].metric} in {found[0].path}")),
        )
    if len(shown) < len(ordered):
        hidden = len(ordered) - len(shown)
        table.caption = Text(
            f"{hidden:,} rarer reasons are not shown; --all shows them.", style="dim"
        )
    return table


def _grouped(rows: Iterable[ReasonRow]) -> Mapping[tuple[str, str], Sequence[ReasonRow]]:
    groups: dict[tuple[str, str], list[ReasonRow]] = {}
    for row in rows:
        groups.setdefault((row.treatment, row.reason), []).append(row)
    return groups


def _share(part: int, whole: int) -> str:
    return f"{part / whole:.1%}" if whole else ""
