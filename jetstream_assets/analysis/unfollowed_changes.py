"""A change of the configuration that nothing is computed for leaves results that are not its own.

Belongs here: marking the cells that a configuration would compute otherwise. Does not: which
changes are not followed (`orchestration.configuration_watch`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from jetstream_assets.analysis.result_status import mark_stale
from jetstream_assets.experiments.fingerprints import statistics_fingerprint
from jetstream_assets.experiments.plan import make_plan
from jetstream_assets.experiments.refusals import refusal
from jetstream_assets.warehouse.tables import DEFAULT_DATASET, ResultTable

if TYPE_CHECKING:
    from datetime import date

    from jetstream_assets.experiments.configuration import AnalysisConfiguration
    from jetstream_assets.warehouse.base import Warehouse


def mark_unfollowed(
    configuration: AnalysisConfiguration, warehouse: Warehouse, reason: str
) -> tuple[date, ...]:
    """Mark the cells of an experiment as stale whose statistics are of another configuration.

    Args:
        configuration: The configuration as it is now.
        warehouse: Where results are.
        reason: A sentence for people: what changed and why it is not computed.

    Returns:
        The dates of the cells that were marked.
    """
    slug = configuration.experiment.slug
    dataset = configuration.dataset_id or DEFAULT_DATASET
    changed = [
        stored.date
        for stored in warehouse.slices(ResultTable.STATISTICS, slug, dataset)
        if (origin := warehouse.provenance(stored)) is not None
        and origin.fingerprint != _fingerprint(configuration, stored.date)
    ]
    return mark_stale(slug, warehouse, reason, dates=changed, dataset=dataset)


def _fingerprint(configuration: AnalysisConfiguration, on: date) -> str:
    """That of a cell's statistics; empty where the configuration has none on that date."""
    if refusal(configuration, on) is not None:
        return ""
    plan = make_plan(configuration, on)
    return statistics_fingerprint(plan) if plan.windows else ""
