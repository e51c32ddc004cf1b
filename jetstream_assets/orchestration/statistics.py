"""The statistics asset: a fixed number of shards side by side, then one step that stores them.

Belongs here: the graph. Does not: what a shard computes (`analysis.statistics`).

Each shard is a named input of the storing step. A fan-in list would be shorter, but Dask's workers
do not know which outputs are ready, and Dagster then hands over an empty list.
"""

from typing import Any

from dagster import (
    AssetExecutionContext,
    AssetIn,
    AssetKey,
    AssetsDefinition,
    In,
    Nothing,
    OpDefinition,
    Out,
    PartitionsDefinition,
    graph_asset,
    op,
)

from jetstream_assets.orchestration.metadata import statistics_metadata
from jetstream_assets.orchestration.partitions import BACKFILL, Cell
from jetstream_assets.orchestration.plan_store import Plans
from jetstream_assets.orchestration.resources import WarehouseResource

STATISTICS = AssetKey("statistics")


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
    )
    def statistics(plans: Any, metrics: Any) -> Any:  # noqa: ANN401  # wiring, not values
        """Estimates and comparisons for every window, basis, segment, metric and branch."""
        parts = {name: step(plans=plans, metrics=metrics) for name, step in steps.items()}
        return store(plans=plans, **parts)

    return statistics


def _shard(index: int, count: int) -> OpDefinition:
    @op(name=f"shard_{index}", ins={"plans": In(), "metrics": In(Nothing)})
    def shard(plans: Plans, warehouse: WarehouseResource) -> list[Any]:
        """For each plan of the run, one shard's rows and the queries that gave them."""
        from jetstream_assets.analysis.observed import ObservedWarehouse  # noqa: PLC0415
        from jetstream_assets.analysis.statistics import Shard, shard_statistics  # noqa: PLC0415

        tables = ObservedWarehouse(warehouse.open())
        return [
            (shard_statistics(plan, tables, Shard(index, count)), tables.taken()) for plan in plans
        ]

    return shard


def _store(names: tuple[str, ...]) -> OpDefinition:
    @op(
        name="store_statistics",
        ins={"plans": In(), **{name: In() for name in names}},
        out=Out(Nothing),
    )
    def store(
        context: AssetExecutionContext,
        plans: Plans,
        warehouse: WarehouseResource,
        **shards: Any,  # noqa: ANN401  # a shard's rows and queries, for each plan
    ) -> None:
        """Put the shards of each plan together and store them as one slice."""
        import pyarrow as pa  # noqa: PLC0415

        from jetstream_assets.analysis.statistics import store_statistics  # noqa: PLC0415

        tables = warehouse.open()
        for plan, *parts in zip(plans, *shards.values(), strict=True):
            rows = [rows for rows, _ in parts]
            asked = [query for _, queries in parts for query in queries]
            result = store_statistics(plan, tables, rows)
            metadata = statistics_metadata(result, pa.concat_tables(rows), asked)
            context.add_asset_metadata(
                metadata, asset_key=STATISTICS, partition_key=Cell(plan.slug, plan.date).key
            )

    return store
