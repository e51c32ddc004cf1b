"""What queries cost, for people: in a terminal, and as Markdown in an asset's metadata.

Belongs here: the table of `jetstream cost`. Does not: summing (`analysis.query_costs`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich import box
from rich.table import Table
from rich.text import Text

from jetstream_assets.report.markdown import table_markdown
from jetstream_assets.report.readable import printable, size_text
from jetstream_assets.warehouse.query_costs import CostSum

if TYPE_CHECKING:
    from collections.abc import Sequence

_HOUR = 3600
_COLUMNS = ("queries", "bytes read", "bytes billed", "slot hours")
_SHOWN = 50


def cost_table(rows: Sequence[CostSum]) -> Table:
    """The rows below a line for each experiment, with the sum of all at the end."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_footer=True)
    table.add_column("asset", footer="all", overflow="fold")
    table.add_column("period", overflow="fold")
    for name, text in zip(_COLUMNS, _numbers(_total(rows)), strict=True):
        table.add_column(name, footer=text, justify="right", no_wrap=True)
    former = None
    for row in rows:
        if row.experiment != former:
            former = row.experiment
            table.add_section()
            table.add_row(Text(printable(former), style="bold"))
        names = (Text(f"  {printable(row.asset)}"), Text(printable(row.period)))
        table.add_row(*names, *_numbers(row))
    return table


def costs_markdown(rows: Sequence[CostSum]) -> str:
    """The rows by period, of one experiment and asset."""
    cells = [(row.period, *_numbers(row)) for row in rows]
    return table_markdown(("period", *_COLUMNS), cells, _SHOWN)


def _total(rows: Sequence[CostSum]) -> CostSum:
    return CostSum(
        "",
        "",
        "",
        queries=sum(row.queries for row in rows),
        seconds=sum(row.seconds for row in rows),
        bytes_read=sum(row.bytes_read for row in rows),
        bytes_billed=sum(row.bytes_billed for row in rows),
        slot_seconds=sum(row.slot_seconds for row in rows),
    )


def _numbers(row: CostSum) -> tuple[str, ...]:
    hours = row.slot_seconds / _HOUR
    sizes = (size_text(row.bytes_read), size_text(row.bytes_billed))
    return (f"{row.queries:,}", *sizes, f"{hours:,.4f}")
