"""The code location: what Dagster loads, built by a function so that tests pass other settings."""

from dagster import Definitions

from jetstream_assets.orchestration.assets import corridor
from jetstream_assets.orchestration.executors import run_executor
from jetstream_assets.orchestration.jobs import analysis_job
from jetstream_assets.orchestration.partitions import cell_partitions
from jetstream_assets.orchestration.plan_store import PlansIOManager
from jetstream_assets.orchestration.resources import DocumentsResource, resources
from jetstream_assets.orchestration.settings import Settings


def build_definitions(settings: Settings) -> Definitions:
    """All assets, jobs and resources for these settings."""
    documents = DocumentsResource(root=str(settings.output))
    return Definitions(
        assets=corridor(cell_partitions(settings.first_date), settings.shards),
        jobs=[analysis_job],
        resources=resources(settings) | {"plans": PlansIOManager(documents=documents)},
        executor=run_executor(settings),
    )


defs = build_definitions(Settings())
