"""What a step's queries cost: told in its metadata, and stored with the results.

Belongs here: which step's queries belong to which asset, experiment and run. Does not: noticing
costs (`warehouse.query_costs`), their table (`analysis.query_costs`).
"""

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dagster import AssetExecutionContext, AssetKey, MetadataValue

from jetstream_assets.errors import WarehouseError
from jetstream_assets.orchestration.metadata import Metadata
from jetstream_assets.orchestration.partitions import Cell
from jetstream_assets.warehouse.purpose import Purpose, asked_for
from jetstream_assets.warehouse.query_costs import QueryCost, costs_kept

if TYPE_CHECKING:
    from jetstream_assets.experiments.plan import AnalysisPlan
    from jetstream_assets.warehouse.base import Warehouse


@dataclass
class Bill:
    """What a step's queries have cost so far, also those of steps before it."""

    costs: list[QueryCost]

    def add(self, costs: Sequence[QueryCost]) -> None:
        """Count what earlier steps of the same asset cost."""
        self.costs.extend(costs)


def about(plan: "AnalysisPlan") -> AbstractContextManager[Purpose]:
    """What is asked within the block is asked for this experiment."""
    commit = plan.configuration.commit if plan.configuration else ""
    return asked_for(experiment=plan.slug, commit=commit)


@contextmanager
def unpaid(asset: str, plans: "Sequence[AnalysisPlan]") -> Iterator[Bill]:
    """The costs of the block's queries, for a later step of the same asset to store."""
    with asked_for(asset=asset), costs_kept() as kept:
        if len({plan.slug for plan in plans}) == 1:
            with about(plans[0]):
                yield Bill(kept)
        else:
            yield Bill(kept)


@contextmanager
def paid(
    context: AssetExecutionContext,
    asset: str,
    plans: "Sequence[AnalysisPlan]",
    warehouse: "Warehouse",
) -> Iterator[Bill]:
    """Store the costs of the block's queries when it ends, well or with an error, and tell them.

    They stand in the metadata of the last cell of each experiment.
    """
    with unpaid(asset, plans) as bill:
        try:
            yield bill
        except Exception:
            _store_if_possible(context, bill, plans, warehouse)
            raise
        _store(context, bill, plans, warehouse)
        _tell(context, asset, bill, plans)


def _store(
    context: AssetExecutionContext,
    bill: Bill,
    plans: "Sequence[AnalysisPlan]",
    warehouse: "Warehouse",
) -> None:
    from jetstream_assets.analysis.query_costs import store_costs  # noqa: PLC0415

    store_costs(list(bill.costs), plans, warehouse, context.run.run_id)


def _store_if_possible(
    context: AssetExecutionContext,
    bill: Bill,
    plans: "Sequence[AnalysisPlan]",
    warehouse: "Warehouse",
) -> None:
    """The step has failed; that its costs cannot be stored must not hide why."""
    try:
        _store(context, bill, plans, warehouse)
    except WarehouseError as error:
        context.log.warning("What the queries cost was not stored: %s", error)


def _tell(
    context: AssetExecutionContext, asset: str, bill: Bill, plans: "Sequence[AnalysisPlan]"
) -> None:
    last = {plan.slug: plan for plan in sorted(plans, key=lambda plan: plan.date)}
    for slug, plan in last.items():
        of_slug = [cost for cost in bill.costs if cost.purpose.experiment == slug]
        if of_slug:
            context.add_asset_metadata(
                cost_metadata(of_slug),
                asset_key=AssetKey(asset),
                partition_key=Cell(slug, plan.date).key,
            )


def cost_metadata(costs: Sequence[QueryCost]) -> Metadata:
    """Queries, bytes and slot time, together and by period."""
    from jetstream_assets.analysis.query_costs import sums_of  # noqa: PLC0415
    from jetstream_assets.report.cost_table import costs_markdown  # noqa: PLC0415

    sums = sums_of(costs)
    return {
        "cost_queries": MetadataValue.int(sum(one.queries for one in sums)),
        "cost_bytes_read": MetadataValue.int(sum(one.bytes_read for one in sums)),
        "cost_bytes_billed": MetadataValue.int(sum(one.bytes_billed for one in sums)),
        "cost_slot_seconds": MetadataValue.float(round(sum(s.slot_seconds for s in sums), 3)),
        "cost_by_period": MetadataValue.md(costs_markdown(sums)),
    }
