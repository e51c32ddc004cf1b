"""What any plan has to do: write the rows of the results.

Belongs here: writing our slices of metrics once more. Does not: computing them (`incremental`).
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from sqlglot import exp

from incremental_bench.telemetry import SLUG
from incremental_bench.windowed import NOTHING_KNOWN
from jetstream_assets.warehouse.tables import DEFAULT_DATASET, ResultTable

if TYPE_CHECKING:
    from incremental_bench.measure import Run

_ORDER = ("period", "window_index", "analysis_basis", "analysis_id", "branch")


def again(run: Run) -> None:
    """Read, sort and write every slice, into a part beside it."""
    for target in run.warehouse.slices(ResultTable.METRICS, SLUG, DEFAULT_DATASET):
        rows = exp.select("*").from_(target.reference).order_by(*_ORDER)
        run.warehouse.replace(replace(target, part="again"), rows, NOTHING_KNOWN)
    run.record.note(run.plans[-1].date)
