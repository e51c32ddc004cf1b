"""Days of sources that changed after they were read, and that results do not follow.

Belongs here: asking the steps that read sources, without reading or writing anything. Does not: how
a change is noticed (`source_days`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from jetstream_assets.analysis.daily_aggregates import compute_daily_aggregates
from jetstream_assets.analysis.enrollments import compute_enrollments
from jetstream_assets.analysis.rehearsal import RehearsalWarehouse

if TYPE_CHECKING:
    from jetstream_assets.analysis.options import AnalysisOptions
    from jetstream_assets.experiments.plan import AnalysisPlan
    from jetstream_assets.warehouse.base import Warehouse


def late_data(
    plan: AnalysisPlan, warehouse: Warehouse, options: AnalysisOptions
) -> tuple[str, ...]:
    """A sentence for each source with such days, with their rows before and now.

    Args:
        plan: The cell that speaks for the experiment; something is due in it.
        warehouse: Where sources and states are.
        options: How far back changes are followed.
    """
    rehearsal = RehearsalWarehouse(warehouse, with_estimates=False)
    enrolled = compute_enrollments(plan, rehearsal, options)
    aggregates = compute_daily_aggregates([plan], rehearsal, options)
    warnings = (*enrolled.warnings, *(aggregates.warnings if aggregates else ()))
    return tuple(dict.fromkeys(warnings))
