"""The corridor: plan, enrollments, aggregates, metrics, statistics, their status, export, pages.

Belongs here: which asset depends on which, and what each one calls. Does not: anything that could
be said without Dagster; an asset is plan in, one call down, metadata out.

Every asset shares one partition space, and one run may hold several cells of it; each asset then
goes through them by date.
"""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from itertools import groupby
from typing import TYPE_CHECKING, Any, cast

from dagster import (
    AssetExecutionContext,
    AssetIn,
    AssetKey,
    AssetsDefinition,
    MaterializeResult,
    PartitionsDefinition,
    asset,
)

from jetstream_assets.orchestration import run_tags
from jetstream_assets.orchestration.attempts import retry_only_what_may_pass
from jetstream_assets.orchestration.checks import (
    check_results,
    check_specs,
    reasons_to_block,
    refuse_export,
    results_of,
)
from jetstream_assets.orchestration.configuration_check import (
    check_of_run,
    configuration_is_valid,
)
from jetstream_assets.orchestration.costs import about, paid
from jetstream_assets.orchestration.documents import documents_of
from jetstream_assets.orchestration.metadata import (
    Metadata,
    aggregates_metadata,
    pages_metadata,
    plan_metadata,
    published_metadata,
    stage_metadata,
    status_metadata,
)
from jetstream_assets.orchestration.partitions import BACKFILL, Cell, cells
from jetstream_assets.orchestration.plan_store import Plans
from jetstream_assets.orchestration.resources import (
    WAREHOUSE_POOL,
    ChecksResource,
    DocumentsResource,
    InputsResource,
    OptionsResource,
)
from jetstream_assets.orchestration.statistics import statistics_asset
from jetstream_assets.orchestration.warehouse_resource import WarehouseResource

if TYPE_CHECKING:
    Checked = MaterializeResult[None]
else:
    # In an annotation that it reads, Dagster knows it without a parameter only.
    Checked = MaterializeResult

PLANS = {"plans": AssetIn("analysis_plan", input_manager_key="plans")}


def corridor(partitions: PartitionsDefinition[str], shards: int) -> list[AssetsDefinition]:
    """All assets, over one partition space, with the statistics cut into a number of shards."""
    return [
        _analysis_plan(partitions),
        _enrollments(partitions),
        _daily_aggregates(partitions),
        _metrics(partitions),
        statistics_asset(partitions, shards),
        _result_status(partitions),
        _statistics_export(partitions),
        _results_page(partitions),
    ]


def _cell_asset(
    partitions: PartitionsDefinition[str],
    **options: Any,  # noqa: ANN401  # passed on to Dagster, which checks them
) -> Callable[[Callable[..., Any]], AssetsDefinition]:
    """An asset of the corridor: in the shared partition space, all asked dates in one run."""
    decorator = asset(
        partitions_def=partitions,
        backfill_policy=BACKFILL,
        group_name="analysis",
        hooks={retry_only_what_may_pass},
        **options,
    )
    return cast("Callable[[Callable[..., Any]], AssetsDefinition]", decorator)


def note(context: AssetExecutionContext, cell: Cell, metadata: Metadata) -> None:
    """Record metadata for one cell of a run."""
    context.add_asset_metadata(metadata, partition_key=cell.key)


def _analysis_plan(partitions: PartitionsDefinition[str]) -> AssetsDefinition:
    @_cell_asset(
        partitions,
        io_manager_key="plans",
        kinds={"python"},
        check_specs=[configuration_is_valid],
    )
    def analysis_plan(
        context: AssetExecutionContext, inputs: InputsResource, warehouse: WarehouseResource
    ) -> Iterator[MaterializeResult[Plans]]:
        """What is due for an experiment on a date: windows, metrics, summaries; or a refusal."""
        from jetstream_assets.analysis.refusals import store_refusal  # noqa: PLC0415

        commit = context.run.tags.get(run_tags.COMMIT)
        planner, tables = inputs.planner(commit), warehouse.open()
        if commit not in {None, planner.repository.commit}:
            context.log.info("%s is superseded by %s.", commit, planner.repository.commit)
        plans = [planner.plan(cell.slug, cell.date) for cell in cells(context)]
        for plan in plans:
            store_refusal(plan, tables)
            note(context, Cell(plan.slug, plan.date), plan_metadata(plan))
        verdict = check_of_run(planner, [plan.slug for plan in plans])
        yield MaterializeResult(value=plans, check_results=[verdict])

    return analysis_plan


def _enrollments(partitions: PartitionsDefinition[str]) -> AssetsDefinition:
    @_cell_asset(
        partitions,
        ins=PLANS,
        kinds={"table"},
        check_specs=check_specs("enrollments"),
        pool=WAREHOUSE_POOL,
    )
    def enrollments(
        context: AssetExecutionContext,
        plans: Plans,
        warehouse: WarehouseResource,
        options: OptionsResource,
        quality: ChecksResource,
    ) -> Checked:
        """One row an analysis unit: branch, enrollment and exposure dates, segments."""
        from jetstream_assets.analysis.enrollments import compute_enrollments  # noqa: PLC0415

        tables, told = warehouse.open(), options.open()
        with paid(context, "enrollments", plans, tables):
            # The newest first: one scan then reads the days of events that all of them need.
            for plan in sorted(plans, key=lambda plan: plan.date, reverse=True):
                with about(plan):
                    result = compute_enrollments(plan, tables, told)
                note(context, Cell(plan.slug, plan.date), stage_metadata(result))
            return Checked(check_results=check_results("enrollments", plans, tables, quality))

    return enrollments


def _daily_aggregates(partitions: PartitionsDefinition[str]) -> AssetsDefinition:
    @_cell_asset(
        partitions,
        ins=PLANS,
        deps=[AssetKey("enrollments")],
        kinds={"table"},
        check_specs=check_specs("daily_aggregates"),
        pool=WAREHOUSE_POOL,
    )
    def daily_aggregates(
        context: AssetExecutionContext,
        plans: Plans,
        warehouse: WarehouseResource,
        options: OptionsResource,
        quality: ChecksResource,
    ) -> Checked:
        """What each unit did on each day, read once; every window is rolled up from it."""
        from jetstream_assets.analysis.daily_aggregates import (  # noqa: PLC0415
            compute_daily_aggregates,
        )
        from jetstream_assets.analysis.refresh import by_experiment  # noqa: PLC0415

        tables, told, asked = warehouse.open(), options.open(), set(cells(context))
        with paid(context, "daily_aggregates", plans, tables):
            for group in by_experiment(plans, tables, told):
                with about(group[-1]):
                    aggregates = compute_daily_aggregates(group, tables, told)
                for plan in group:
                    if (cell := Cell(plan.slug, plan.date)) in asked:
                        metadata = aggregates_metadata(plan, aggregates, is_last=plan is group[-1])
                        note(context, cell, metadata)
            return Checked(check_results=check_results("daily_aggregates", plans, tables, quality))

    return daily_aggregates


def _metrics(partitions: PartitionsDefinition[str]) -> AssetsDefinition:
    @_cell_asset(
        partitions,
        ins=PLANS,
        deps=[AssetKey("daily_aggregates")],
        kinds={"table"},
        check_specs=check_specs("metrics"),
        pool=WAREHOUSE_POOL,
    )
    def metrics(
        context: AssetExecutionContext,
        plans: Plans,
        warehouse: WarehouseResource,
        options: OptionsResource,
        quality: ChecksResource,
    ) -> Checked:
        """One row a unit, window and analysis basis, with every metric that is due."""
        from jetstream_assets.analysis.daily_aggregates import (  # noqa: PLC0415
            compute_daily_aggregates,
        )
        from jetstream_assets.analysis.metrics import compute_metrics  # noqa: PLC0415
        from jetstream_assets.analysis.refresh import by_experiment  # noqa: PLC0415

        tables, told, asked = warehouse.open(), options.open(), set(cells(context))
        with paid(context, "metrics", plans, tables):
            for group in by_experiment(plans, tables, told):
                with about(group[-1]):
                    aggregates = compute_daily_aggregates(group, tables, told)
                    results = [compute_metrics(p, tables, told, aggregates) for p in group]
                for plan, result in zip(group, results, strict=True):
                    if (cell := Cell(plan.slug, plan.date)) in asked:
                        note(context, cell, stage_metadata(result))
            return Checked(check_results=check_results("metrics", plans, tables, quality))

    return metrics


def _result_status(partitions: PartitionsDefinition[str]) -> AssetsDefinition:
    @_cell_asset(partitions, ins=PLANS, deps=[AssetKey("statistics")], kinds={"table"})
    def result_status(
        context: AssetExecutionContext,
        plans: Plans,
        warehouse: WarehouseResource,
        options: OptionsResource,
    ) -> None:
        """What became of every result that the configuration declares, and why."""
        from jetstream_assets.analysis.refresh import by_experiment  # noqa: PLC0415
        from jetstream_assets.analysis.result_status import compute_result_status  # noqa: PLC0415

        tables, told, asked = warehouse.open(), options.open(), set(cells(context))
        with paid(context, "result_status", plans, tables):
            for group in by_experiment(plans, tables, told):
                for plan in group:
                    with about(plan):
                        found = compute_result_status(plan, tables, context.run.run_id)
                    if (cell := Cell(plan.slug, plan.date)) in asked:
                        note(context, cell, status_metadata(*found))

    return result_status


def _statistics_export(partitions: PartitionsDefinition[str]) -> AssetsDefinition:
    @_cell_asset(
        partitions,
        ins=PLANS,
        deps=[AssetKey("result_status")],
        kinds={"json"},
        check_specs=check_specs("statistics_export"),
    )
    def statistics_export(
        context: AssetExecutionContext,
        plans: Plans,
        warehouse: WarehouseResource,
        documents: DocumentsResource,
        options: OptionsResource,
        quality: ChecksResource,
    ) -> Checked:
        """Statistics, metadata, errors and the overview of an experiment as JSON documents."""
        from jetstream_assets.analysis.checks import Judged  # noqa: PLC0415
        from jetstream_assets.report.document_checks import check_published  # noqa: PLC0415
        from jetstream_assets.report.publish import publish  # noqa: PLC0415

        tables, store, started = warehouse.open(), documents.open(), datetime.now(UTC)
        told = options.open()
        judged: list[Judged] = []
        blocked: list[str] = []
        with paid(context, "statistics_export", plans, tables):
            # Documents hold all dates of an experiment, so the last cell of a run publishes for
            # all.
            for _, group in groupby(plans, key=lambda plan: plan.slug):
                of_experiment = list(group)
                last, url = of_experiment[-1], documents.configuration_url
                with about(last):
                    ready = documents_of(
                        last, tables, started, url, quality.limits(), told, documents.note
                    )
                    reasons = reasons_to_block(of_experiment, tables, ready, quality)
                if reasons:
                    blocked += reasons
                    continue
                published = publish(ready, store)
                judged.append(Judged(last, len(of_experiment), check_published(published, store)))
                for plan in of_experiment:
                    note(context, Cell(plan.slug, plan.date), published_metadata(published))
            refuse_export(context, blocked)
            return Checked(check_results=results_of(judged, quality))

    return statistics_export


def _results_page(partitions: PartitionsDefinition[str]) -> AssetsDefinition:
    @_cell_asset(partitions, ins=PLANS, deps=[AssetKey("statistics_export")], kinds={"html"})
    def results_page(
        context: AssetExecutionContext, plans: Plans, documents: DocumentsResource
    ) -> None:
        """The page of an experiment for people, and that of all, made of the documents alone."""
        from jetstream_assets.report.page.publishing import publish_page  # noqa: PLC0415
        from jetstream_assets.report.publish import is_published  # noqa: PLC0415

        store = documents.open()
        for slug, group in groupby(plans, key=lambda plan: plan.slug):
            of_experiment = list(group)
            is_public = is_published(of_experiment[-1])
            pages = publish_page(slug, store) if is_public else None
            for plan in of_experiment:
                note(context, Cell(slug, plan.date), pages_metadata(pages))

    return results_page
