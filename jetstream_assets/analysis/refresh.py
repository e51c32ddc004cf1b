"""Late data changes cells of earlier dates, too: those within the lookback are looked at again.

Belongs here: which earlier cells go along with the cells of a run. Does not: whether anything of
them has changed; each stage compares what it stored with what there is now.
"""

from __future__ import annotations

from datetime import timedelta
from itertools import groupby
from typing import TYPE_CHECKING

from jetstream_assets.analysis.slices import cell_slice
from jetstream_assets.experiments.plan import AnalysisPlan, make_plan
from jetstream_assets.warehouse.tables import ResultTable

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from jetstream_assets.analysis.options import AnalysisOptions
    from jetstream_assets.warehouse.base import Warehouse


def by_experiment(
    plans: Sequence[AnalysisPlan], warehouse: Warehouse, options: AnalysisOptions
) -> Iterator[tuple[AnalysisPlan, ...]]:
    """For each experiment of a run, its cells and its earlier ones, by date."""
    ordered = sorted(plans, key=lambda plan: (plan.slug, plan.date))
    for _, group in groupby(ordered, key=lambda plan: plan.slug):
        yield with_earlier(list(group), warehouse, options)


def with_earlier(
    plans: Sequence[AnalysisPlan], warehouse: Warehouse, options: AnalysisOptions
) -> tuple[AnalysisPlan, ...]:
    """The plans of one experiment and of its earlier cells within the lookback, by date.

    Only cells that have metrics go along: a cell that nobody asked for is not made. A day that
    changed lies in the windows of such cells alone, for a cell reads nothing after its own date.
    """
    by_date = {plan.date: plan for plan in plans}
    for plan in plans:
        if plan.configuration is None or plan.refusal is not None or options.is_full:
            continue
        for days in range(1, options.lookback + 1):
            on = plan.date - timedelta(days=days)
            if on not in by_date:
                earlier = make_plan(plan.configuration, on)
                if _has_metrics(earlier, warehouse):
                    by_date[on] = earlier
    return tuple(by_date[on] for on in sorted(by_date))


def _has_metrics(plan: AnalysisPlan, warehouse: Warehouse) -> bool:
    if not plan.observation_windows:
        return False
    return warehouse.provenance(cell_slice(plan, ResultTable.METRICS)) is not None
