"""The code location: what Dagster loads, built by a function so that tests pass other settings."""

from functools import lru_cache

from dagster import Definitions, JobDefinition

from jetstream_assets.orchestration.assets import corridor
from jetstream_assets.orchestration.configuration_sensor import configuration_sensor
from jetstream_assets.orchestration.executors import run_executor
from jetstream_assets.orchestration.jobs import ANALYSIS, analysis_job
from jetstream_assets.orchestration.notifications import notification_sensors
from jetstream_assets.orchestration.partitions import cell_partitions
from jetstream_assets.orchestration.plan_store import PlansIOManager
from jetstream_assets.orchestration.resources import resources
from jetstream_assets.orchestration.schedules import daily_schedule, waiting_sensor
from jetstream_assets.orchestration.settings import Settings, read_settings


def build_definitions(settings: Settings) -> Definitions:
    """All assets, jobs and resources for these settings."""
    return Definitions(
        assets=corridor(cell_partitions(settings.first_date), settings.shards),
        jobs=[analysis_job],
        schedules=[daily_schedule(settings)],
        sensors=[
            waiting_sensor(settings),
            configuration_sensor(settings),
            *notification_sensors(settings),
        ],
        resources=resources(settings) | {"plans": PlansIOManager(root=settings.output)},
        executor=run_executor(settings),
    )


@lru_cache(maxsize=4)
def resolved_analysis(settings_json: str) -> JobDefinition:
    """The analysis job for these settings: how a worker process finds the job of a run again.

    Dagster asks several times a run, and in a worker for each step; building takes a quarter of a
    second.
    """
    settings = Settings.model_validate_json(settings_json)
    return build_definitions(settings).resolve_job_def(ANALYSIS)


defs = build_definitions(read_settings())
