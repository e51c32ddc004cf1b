"""The job that materializes cells, and how a process that was started elsewhere finds it again.

Belongs here: jobs. Does not: which cells are asked for.
"""

from dagster import AssetSelection, JobDefinition, define_asset_job
from dagster._core.definitions.reconstruct import ReconstructableJob, build_reconstructable_job

from jetstream_assets.orchestration.settings import Settings

ANALYSIS = "analysis"

analysis_job = define_asset_job(
    ANALYSIS,
    selection=AssetSelection.all(),
    description="Analyse experiments: from their definition to exported results.",
)


def resolved_job(settings_json: str) -> JobDefinition:
    """The analysis job of a code location with these settings."""
    from jetstream_assets.definitions import build_definitions  # noqa: PLC0415  # circular above

    settings = Settings.model_validate_json(settings_json)
    return build_definitions(settings).resolve_job_def(ANALYSIS)


def reconstructable_analysis(settings: Settings) -> ReconstructableJob:
    """The job as worker processes rebuild it."""
    return build_reconstructable_job(
        __name__, "resolved_job", reconstructable_args=(settings.model_dump_json(),)
    )
