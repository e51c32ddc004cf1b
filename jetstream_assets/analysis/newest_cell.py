"""The cell that speaks for an experiment: its newest one that has something due and results.

Belongs here: finding it, whichever cell of the experiment was just computed. Does not: what it says
(`appraisal`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from jetstream_assets.analysis.slices import result_dataset
from jetstream_assets.experiments.plan import AnalysisPlan, make_plan
from jetstream_assets.experiments.refusals import refusal
from jetstream_assets.warehouse.tables import ResultTable

if TYPE_CHECKING:
    from datetime import date

    from jetstream_assets.warehouse.base import Warehouse


def newest_cell(plan: AnalysisPlan, warehouse: Warehouse) -> AnalysisPlan:
    """The plan of the newest date with stored statistics on which something is due.

    Args:
        plan: A plan of the experiment, of any date; its configuration is that of the answer.
        warehouse: Where the results are.

    Returns:
        The plan itself where no date has anything.
    """
    if plan.configuration is None:
        return plan
    stored = warehouse.slices(ResultTable.STATISTICS, plan.slug, result_dataset(plan))
    dates = {target.date for target in stored} | {plan.date}
    found = (_plan_on(plan, on) for on in sorted(dates, reverse=True))
    return next((candidate for candidate in found if candidate.windows), plan)


def _plan_on(plan: AnalysisPlan, on: date) -> AnalysisPlan:
    if on == plan.date:
        return plan
    reason = refusal(plan.declared, on)
    if reason is not None:
        return AnalysisPlan(plan.slug, on, plan.declared, refusal=reason)
    return make_plan(plan.declared, on)
