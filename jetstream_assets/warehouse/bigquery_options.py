"""How BigQuery is used: projects, datasets, limits.

Belongs here: the options of the adapter. Does not: where they come from (`orchestration.settings`).
"""

from __future__ import annotations

from dataclasses import dataclass

from jetstream_assets.errors import QueryError
from jetstream_assets.warehouse.bigquery_names import is_dataset
from jetstream_assets.warehouse.tables import DEFAULT_DATASET

_SIX_HOURS = 6 * 3600.0


@dataclass(frozen=True)
class BigQueryOptions:
    """The options of a `BigQueryWarehouse`.

    Args:
        project: Where results are and jobs run.
        dataset: Where the results of experiments without a dataset of their own are.
        location: Of the datasets, such as ``EU``; None: that of the dataset of results.
        source_project: Where a table is that SQL names without a project; None: ``project``.
        maximum_bytes_billed: Of one query; one that would bill more is refused before it runs.
        timeout_seconds: After this time a job is stopped.
        scratch_hours: Scratch tables that a killed process left behind are gone after this time.
        uses_storage_api: Whether large results are read by the Storage Read API.
        publishes_views: Whether the original's views are made over the tables.
    """

    project: str
    dataset: str = DEFAULT_DATASET
    location: str | None = None
    source_project: str | None = None
    maximum_bytes_billed: int | None = None
    timeout_seconds: float = _SIX_HOURS
    scratch_hours: float = 24.0
    uses_storage_api: bool = True
    publishes_views: bool = False

    def physical(self, dataset: str) -> str:
        """The dataset in the project for one that slices name.

        Raises:
            QueryError: The name cannot be one of a dataset.
        """
        if dataset == DEFAULT_DATASET:
            return self.dataset
        if not is_dataset(dataset):
            raise QueryError(
                f"{dataset!r} is no name of a dataset: up to 1024 letters, digits and _ are. "
                "Mend dataset_id in the experiment's configuration."
            )
        return dataset
