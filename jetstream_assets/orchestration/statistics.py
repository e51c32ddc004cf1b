"""The statistics asset: a fixed number of shards side by side, then one step that stores them.

Belongs here: the graph. Does not: what a shard computes (`analysis.statistics`).

Each shard is a named input of the storing step. A fan-in list would be shorter, but Dask's workers
do not know which outputs are ready, and Dagster then hands over an empty list.
"""

from collections.abc import Iterator
from typing import Any

from dagster import (
    AssetCheckResult,
    AssetExecutionContext,
    AssetIn,
    AssetKey,
    AssetsDefinition,
    In,
    Nothing,
    OpDefinition,
    Out,
    Output,
    PartitionsDefinition,
    graph_asset,
    op,
)

from jetstream_assets.experiments.checks import Check
from jetstream_assets.orchestration.attempts import retry_only_what_may_pass
from jetstream_assets.orchestration.checks import check_results, check_specs
from jetstream_assets.orchestration.costs import about, paid, unpaid
from jetstream_assets.orchestration.metadata import statistics_metadata
from jetstream_assets.orchestration.partitions import BACKFILL, Cell
from jetstream_assets.orchestration.plan_store import Plans
from jetstream_assets.orchestration.resources import (
    WAREHOUSE_POOL,
    ChecksResource,
    OptionsResource,
)
from jetstream_assets.orchestration.warehouse_resource import WarehouseResource

STATISTICS = AssetKey("statistics")
# The output by which Dagster knows the check of the asset.
NO_FAILED = f"statistics_{Check.NO_FAILED_STATISTICS}"


def statistics_asset(partitions: PartitionsDefinition[str], shards: int) -> AssetsDefinition:
    """The asset, cut into ``shards`` steps that an executor may run at the same time."""
    steps = {f"shard_{index}": _shard(index, shards) for index in range(shards)}
    store = _store(tuple(steps))

    @graph_asset(
        ins={
            "plans": AssetIn("analysis_plan", input_manager_key="plans"),
            "metrics": AssetIn("metrics", dagster_type=Nothing),
        },
        partitions_def=partitions,
        backfill_policy=BACKFILL,
        group_name="analysis",
        kinds={"table"},
        check_specs=check_specs("statistics"),
        hooks={retry_only_what_may_pass},
    )
    def statistics(plans: Any, metrics: Any) -> Any:  # noqa: ANN401  # wiring, not values
        """Estimates and comparisons for every window, basis, segment, metric and branch."""
        parts = {name: step(plans=plans, metrics=metrics) for name, step in steps.items()}
        stored = store(plans=plans, **parts)
        return {"result": stored.result, NO_FAILED: getattr(stored, NO_FAILED)}

    return statistics


def _shard(index: int, count: int) -> OpDefinition:
    @op(
        name=f"shard_{index}",
        ins={"plans": In(), "metrics": In(Nothing)},
        pool=WAREHOUSE_POOL,
    )
    def shard(
        plans: Plans, warehouse: WarehouseResource, options: OptionsResource
    ) -> tuple[list[Any], list[Any]]:
        """For each cell one shard's rows, or None, and its queries; and what all queries cost."""
        from jetstream_assets.analysis.observed import ObservedWarehouse  # noqa: PLC0415
        from jetstream_assets.analysis.refresh import by_experiment  # noqa: PLC0415
        from jetstream_assets.analysis.statistics import Shard, shard_statistics  # noqa: PLC0415

        tables, found = ObservedWarehouse(warehouse.open()), []
        with unpaid("statistics", plans) as bill:
            for group in by_experiment(plans, tables, options.open()):
                for plan in group:
                    with about(plan):
                        rows = shard_statistics(plan, tables, Shard(index, count))
                    found.append((Cell(plan.slug, plan.date), rows, tables.taken()))
        return found, bill.costs

    return shard


def _store(names: tuple[str, ...]) -> OpDefinition:
    @op(
        name="store_statistics",
        ins={"plans": In(), **{name: In() for name in names}},
        out={"result": Out(Nothing), NO_FAILED: Out(Nothing)},
    )
    def store(
        context: AssetExecutionContext,
        plans: Plans,
        warehouse: WarehouseResource,
        options: OptionsResource,
        quality: ChecksResource,
        **shards: Any,  # noqa: ANN401  # what the shards returned
    ) -> Iterator[Output[None] | AssetCheckResult]:
        """Put the shards of each cell together and store them as one slice."""
        from jetstream_assets.analysis.refresh import by_experiment  # noqa: PLC0415
        from jetstream_assets.analysis.statistics import (  # noqa: PLC0415
            store_statistics,
            stored_statistics,
        )

        tables = warehouse.open()
        found = [{cell: part for cell, *part in shard} for shard, _ in shards.values()]
        asked = {Cell(plan.slug, plan.date) for plan in plans}
        with paid(context, "statistics", plans, tables) as bill:
            bill.add([cost for _, costs in shards.values() for cost in costs])
            for group in by_experiment(plans, tables, options.open()):
                for plan in group:
                    cell = Cell(plan.slug, plan.date)
                    # A cell that a shard did not meet is one that it found nothing to do for.
                    parts = [shard.get(cell, (None, ())) for shard in found]
                    with about(plan):
                        result = store_statistics(plan, tables, [rows for rows, _ in parts])
                    if cell in asked:
                        queries = [query for _, queries in parts for query in queries]
                        stored = stored_statistics(plan, tables)
                        metadata = statistics_metadata(result, stored, queries)
                        context.add_asset_metadata(
                            metadata, asset_key=STATISTICS, partition_key=cell.key
                        )
            results = check_results("statistics", plans, tables, quality)
        yield Output(None, "result")
        yield from results

    return store
