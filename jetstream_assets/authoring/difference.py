"""What a change of the configuration would compute again, and what that would read.

Belongs here: from changed experiments and their forecasts to rows and Markdown. Does not: what
differs (`config.change`), what a run would do (`analysis.forecast`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from jetstream_assets.analysis.forecast import forecast
from jetstream_assets.config.change import ConfigurationChange
from jetstream_assets.report.markdown import escaped, table_markdown
from jetstream_assets.report.readable import size_text
from jetstream_assets.warehouse.tables import ResultTable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from jetstream_assets.analysis.options import AnalysisOptions
    from jetstream_assets.experiments.plan import AnalysisPlan
    from jetstream_assets.warehouse.base import Warehouse

_MOST_ROWS = 100
_MOST_PARTS = 8
_HEADER = ("experiment", "what differs", "cells", "windows", "source days", "rows", "read")


@dataclass(frozen=True)
class Recomputed:
    """What a run of an experiment's cells would compute.

    Args:
        cells: The cells with tables that would be written.
        windows: The windows that would be computed, by period in the order of the cells.
        days: Days of sources that would be scanned.
        rows: What the sources hold of these days.
        bytes_read: What all statements would read, at most.
    """

    cells: int
    windows: tuple[str, ...]
    days: int
    rows: int
    bytes_read: int


@dataclass(frozen=True)
class Difference:
    """An experiment that changed; ``recomputed`` is None where no warehouse was asked."""

    change: ConfigurationChange
    recomputed: Recomputed | None = None


def recomputed(
    plans: Sequence[AnalysisPlan], warehouse: Warehouse, options: AnalysisOptions
) -> Recomputed:
    """What a run over the cells of one experiment would compute now. Nothing is written.

    Args:
        plans: The cells, with the changed configuration.
        warehouse: Where sources and results are.
        options: How a run would be started.
    """
    told = [
        one
        for one in forecast(plans, warehouse, options, with_estimates=True)
        if one.action == "compute"
    ]
    written = {ResultTable.METRICS.value, ResultTable.PREENROLLMENT_METRICS.value}
    tables = {table.value for table in ResultTable}
    dates = {one.date for one in told if one.what in tables}
    computed = {one.date for one in told if one.what in written}
    windows = dict.fromkeys(
        f"{window.due.period.suffix} {window.due.index}"
        for plan in plans
        if plan.date in computed
        for window in (*plan.preenrollment, *plan.windows)
    )
    return Recomputed(
        cells=len(dates),
        windows=tuple(windows),
        days=sum(one.days for one in told),
        rows=sum(one.rows for one in told),
        bytes_read=sum(one.bytes_read for one in told),
    )


def difference_markdown(
    files: Sequence[tuple[str, str]], found: Sequence[Difference], base: str, head: str
) -> str:
    """A comment for a pull request: the files, and each experiment with what it costs.

    Args:
        files: (path, ``added``, ``changed`` or ``deleted``).
        found: The experiments that changed.
        base: What is compared with.
        head: What is compared.
    """
    title = f"### What changes from {escaped(base)} to {escaped(head)}\n"
    listed = "".join(f"- {escaped(path)}: {kind}\n" for path, kind in files)
    if not found:
        return f"{title}\n{listed}\nNo experiment computes anything else.\n"
    rows = [_row(one) for one in found]
    known = [one.recomputed for one in found if one.recomputed is not None]
    asked = ""
    if known:
        size = size_text(sum(one.bytes_read for one in known))
        cells, scanned = sum(one.cells for one in known), sum(one.rows for one in known)
        asked = f"In all {cells:,} cells are computed; {scanned:,} rows are scanned, {size} read.\n"
    else:
        asked = "What that reads was not asked: name a warehouse with `--warehouse`.\n"
    return f"{title}\n{listed}\n{table_markdown(_HEADER, rows, _MOST_ROWS)}\n{asked}"


def _row(one: Difference) -> list[str]:
    parts, more = one.change.what[:_MOST_PARTS], len(one.change.what) - _MOST_PARTS
    what = "; ".join(parts) + (f" and {more} more" if more > 0 else "")
    cost = one.recomputed
    if cost is None:
        return [one.change.slug, what, "", "", "", "", ""]
    counted = [f"{number:,}" for number in (cost.cells, cost.days, cost.rows)]
    windows = ", ".join(cost.windows[:_MOST_PARTS])
    rest = len(cost.windows) - _MOST_PARTS
    windows += f" and {rest} more" if rest > 0 else ""
    return [one.change.slug, what, counted[0], windows, *counted[1:], size_text(cost.bytes_read)]
