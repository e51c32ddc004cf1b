"""The job that materializes cells, and how a process that was started elsewhere finds it again.

Belongs here: jobs. Does not: which cells are asked for.
"""

from dagster import AssetSelection, define_asset_job
from dagster._core.definitions.reconstruct import ReconstructableJob, build_reconstructable_job

from jetstream_assets.orchestration.settings import Settings

ANALYSIS = "analysis"

analysis_job = define_asset_job(
    ANALYSIS,
    selection=AssetSelection.all(),
    description="Analyse experiments: from their definition to exported results.",
)


def reconstructable_analysis(settings: Settings) -> ReconstructableJob:
    """The job as worker processes rebuild it."""
    return build_reconstructable_job(
        "jetstream_assets.definitions",
        "resolved_analysis",
        reconstructable_args=(settings.model_dump_json(),),
    )
