"""The tables of an experiment: made when they are first written to, widened when columns come.

Belongs here: their schemas, partitions, clusters, descriptions and labels; scratch tables. Does
not: their rows (`bigquery_script`).
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from jetstream_assets.errors import WarehouseAccessError
from jetstream_assets.warehouse.bigquery_columns import (
    DATE,
    EXPERIMENT,
    PART,
    StoredColumn,
    added,
    kind_of,
    placed,
)
from jetstream_assets.warehouse.bigquery_errors import no_access
from jetstream_assets.warehouse.bigquery_jobs import REQUEST_SECONDS, retry_of_requests
from jetstream_assets.warehouse.bigquery_names import (
    MANIFEST,
    SCRATCH,
    SEPARATOR,
    label_value,
    table_name,
)
from jetstream_assets.warehouse.bigquery_options import BigQueryOptions
from jetstream_assets.warehouse.bigquery_session import BigQuerySession
from jetstream_assets.warehouse.tables import DEFAULT_DATASET

if TYPE_CHECKING:
    from collections.abc import Sequence

    from google.cloud.bigquery import SchemaField, Table, TableReference

    from jetstream_assets.warehouse.tables import Slice

# What people and later steps filter by; at most four of them order a table.
_CLUSTERED = (PART, "period", "analysis_basis", "segment", "window_index", "analysis_id")
_MOST_CLUSTERED = 4
_CLUSTER_KINDS = frozenset({"STRING", "INTEGER", "INT64", "DATE", "BOOLEAN", "BOOL"})
_MANIFEST_COLUMNS = (
    *((name, "STRING") for name in (EXPERIMENT, "result_table")),
    (DATE, "DATE"),
    *((name, "STRING") for name in (PART, "version", "fingerprint", "config_commit")),
    *((name, "STRING") for name in ("code_version", "details", "columns")),
    ("written_at", "TIMESTAMP"),
)
_ATTEMPTS = 5
# A list of tables tells their friendly names and not their descriptions.
_NAMED = "{kind} of {slug}"


@dataclass(frozen=True)
class ExperimentTables:
    """The tables of experiments in BigQuery, as far as they are tables and not rows."""

    session: BigQuerySession
    options: BigQueryOptions
    _known_locations: dict[str, str] = field(default_factory=dict, init=False, repr=False)

    def location(self) -> str | None:
        """Where jobs run: as the options say, else where the dataset of results is."""
        if self.options.location is None and not self._known_locations:
            place = self.reference(DEFAULT_DATASET, "any")
            with suppress(Exception):  # what is not there or denied is told by what needs it
                found = self.session.client.get_dataset(
                    f"{place.project}.{place.dataset_id}",
                    retry=retry_of_requests(),
                    timeout=REQUEST_SECONDS,
                )
                self._known_locations[place.dataset_id] = found.location
        return self.options.location or next(iter(self._known_locations.values()), None)

    def reference(self, dataset: str, name: str) -> TableReference:
        """A table of a dataset that slices name."""
        from google.cloud.bigquery import DatasetReference

        return DatasetReference(self.options.project, self.options.physical(dataset)).table(name)

    def of(self, target: Slice) -> TableReference:
        """The table that holds a slice."""
        return self.reference(target.dataset, table_name(target.table, target.experiment))

    def scratch(self, target: Slice, version: str) -> TableReference:
        """The table for new content of a slice: in its own dataset, since it may be private."""
        return self.reference(target.dataset, f"{SCRATCH}{SEPARATOR}{version}")

    def make_scratch(self, reference: TableReference) -> None:
        """A table without columns that is gone after some hours, unless it is there.

        Raises:
            WarehouseAccessError: The dataset is not there, or this account may not write to it.
        """
        from google.cloud.bigquery import Table

        table = Table(reference)
        table.expires = datetime.now(UTC) + timedelta(hours=self.options.scratch_hours)
        table.description = "Scratch of an analysis; nothing reads it when the analysis is over."
        self._make(table)

    def remove(self, reference: TableReference) -> None:
        """Remove a table, if it is there."""
        self.session.client.delete_table(
            reference, not_found_ok=True, retry=retry_of_requests(), timeout=REQUEST_SECONDS
        )

    def get(self, reference: TableReference) -> Table:
        """What is known of a table that is there."""
        return self.session.client.get_table(
            reference, retry=retry_of_requests(), timeout=REQUEST_SECONDS
        )

    def find(self, reference: TableReference) -> Table | None:
        """What is known of a table, if it is there."""
        from google.api_core.exceptions import NotFound  # noqa: PLC0415

        try:
            return self.get(reference)
        except NotFound:
            return None

    def kinds(self, reference: TableReference) -> dict[str, str]:
        """The types of a table's columns, by their names in small letters; empty without one."""
        found = self.find(reference)
        return {field.name.lower(): kind_of(field) for field in found.schema} if found else {}

    def experiments(self, table: str, dataset: str) -> tuple[str, ...]:
        """The slugs that have a table of this kind; none where the dataset is not there."""
        from google.api_core.exceptions import NotFound  # noqa: PLC0415

        place = self.reference(dataset, "any")
        try:
            listed = list(
                self.session.client.list_tables(
                    f"{place.project}.{place.dataset_id}",
                    retry=retry_of_requests(),
                    timeout=REQUEST_SECONDS,
                )
            )
        except NotFound:
            return ()
        told = _NAMED.format(kind=table, slug="")
        names = (one.friendly_name or "" for one in listed if one.table_type == "TABLE")
        return tuple(sorted(n.removeprefix(told) for n in names if n.startswith(told)))

    def fit(self, target: Slice, content: Sequence[SchemaField]) -> tuple[StoredColumn, ...]:
        """Make sure that the table of a slice is there and has a place for each column."""
        from google.api_core.exceptions import NotFound, PreconditionFailed  # noqa: PLC0415

        for _ in range(_ATTEMPTS):
            try:
                return self._fitted(self.get(self.of(target)), content)
            except NotFound:
                self._make(self._slice_table(target, content))
            except PreconditionFailed:
                continue  # another writer has added columns in between
        return self._fitted(self.get(self.of(target)), content)

    def _fitted(self, table: Table, content: Sequence[SchemaField]) -> tuple[StoredColumn, ...]:
        columns = placed(content, table.schema)
        more = added(content, columns, table.schema)
        if more:
            table.schema = [*table.schema, *more]
            # The table's etag goes with it: a change in between is refused.
            self.session.client.update_table(
                table, ["schema"], retry=retry_of_requests(), timeout=REQUEST_SECONDS
            )
        return columns

    def _slice_table(self, target: Slice, content: Sequence[SchemaField]) -> Table:
        from google.cloud.bigquery import SchemaField, Table, TimePartitioning

        own = [
            SchemaField(EXPERIMENT, "STRING", description="The experiment slug."),
            SchemaField(DATE, "DATE", description="The date that the rows were computed for."),
            SchemaField(PART, "STRING", description="Tells slices of one date apart."),
        ]
        schema = [*own, *added(content, placed(content, own), own)]
        table = Table(self.of(target), schema=schema)
        table.time_partitioning = TimePartitioning(field=DATE)
        scalars = {f.name for f in schema if f.field_type in _CLUSTER_KINDS and not f.fields}
        clustered = [name for name in _CLUSTERED if name in scalars]
        table.clustering_fields = clustered[:_MOST_CLUSTERED]
        return self._described(table, target, str(target.table))

    def make_manifest(self, target: Slice) -> None:
        """Make the manifest of a slice's experiment, unless it is there."""
        self._make(self._manifest_table(target))

    def _manifest_table(self, target: Slice) -> Table:
        from google.cloud.bigquery import SchemaField, Table

        name = table_name(MANIFEST, target.experiment)
        schema = [SchemaField(column, kind) for column, kind in _MANIFEST_COLUMNS]
        table = Table(self.reference(target.dataset, name), schema=schema)
        return self._described(table, target, MANIFEST)

    @staticmethod
    def _described(table: Table, target: Slice, kind: str) -> Table:
        """The slug as the description, by which the original's users find tables."""
        table.description = target.experiment
        table.friendly_name = _NAMED.format(kind=kind, slug=target.experiment)
        table.labels = {"experiment": label_value(target.experiment), "result_table": kind}
        return table

    def _make(self, table: Table) -> None:
        from google.api_core.exceptions import Forbidden, NotFound  # noqa: PLC0415

        try:
            self.session.client.create_table(
                table, exists_ok=True, retry=retry_of_requests(), timeout=REQUEST_SECONDS
            )
        except NotFound as error:
            place = f"{table.project}.{table.dataset_id}"
            raise WarehouseAccessError(
                f"There is no dataset {place}, and results are to be written there. Create it "
                "(`bq mk --dataset`) in the location of the sources, or set another one."
            ) from error
        except Forbidden as error:
            place = f"{table.project}.{table.dataset_id}"
            raise no_access(error, place, "roles/bigquery.dataEditor") from error
