"""A warehouse in BigQuery.

Belongs here: the protocol's methods. Does not: jobs (`bigquery_queries`), tables in statements
(`bigquery_relations`), replacing slices (`bigquery_replacing`), the tables of experiments
(`bigquery_tables`), which slices there are (`bigquery_manifest`).
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pyarrow as pa

from jetstream_assets.warehouse.base import Answer, Estimate, Provenance, SourceDay, Written
from jetstream_assets.warehouse.bigquery_arrow import as_parquet
from jetstream_assets.warehouse.bigquery_columns import kind_of
from jetstream_assets.warehouse.bigquery_cost import cost_of
from jetstream_assets.warehouse.bigquery_expiring import make_expiring, remove_tables
from jetstream_assets.warehouse.bigquery_jobs import readable
from jetstream_assets.warehouse.bigquery_manifest import Manifests, key_of
from jetstream_assets.warehouse.bigquery_options import BigQueryOptions
from jetstream_assets.warehouse.bigquery_queries import Queries
from jetstream_assets.warehouse.bigquery_relations import BigQueryRelations
from jetstream_assets.warehouse.bigquery_replacing import Content, SliceReplacer
from jetstream_assets.warehouse.bigquery_session import BigQuerySession, OpenClient
from jetstream_assets.warehouse.bigquery_source_days import source_days
from jetstream_assets.warehouse.bigquery_tables import ExperimentTables
from jetstream_assets.warehouse.bigquery_views import PublishedViews
from jetstream_assets.warehouse.rendering import render_bigquery
from jetstream_assets.warehouse.tables import Slice

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date

    from sqlglot import exp

    from jetstream_assets.warehouse.tables import ResultTable


@dataclass(frozen=True)
class BigQueryWarehouse:
    """`Warehouse` in BigQuery.

    Cheap to make and to pickle; nothing is asked of Google before the first call. Any number of
    processes and threads may read and write at once. Rows of a slice have no order.

    Args:
        open_client: Opens the library's client; it can be pickled.
        options: Where results go, and the limits.
    """

    open_client: OpenClient
    options: BigQueryOptions
    _queries: Queries = field(init=False, repr=False, compare=False)
    _tables: ExperimentTables = field(init=False, repr=False, compare=False)
    _relations: BigQueryRelations = field(init=False, repr=False, compare=False)
    _replacer: SliceReplacer = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        session = BigQuerySession(self.open_client)
        tables = ExperimentTables(session, self.options)
        object.__setattr__(self, "_tables", tables)
        queries = Queries(session, self.options, tables)
        manifests = Manifests(session, tables, queries)
        relations = BigQueryRelations(manifests, tables)
        views = PublishedViews(queries, tables, manifests) if self.options.publishes_views else None
        object.__setattr__(self, "_queries", queries)
        object.__setattr__(self, "_relations", relations)
        object.__setattr__(self, "_replacer", SliceReplacer(queries, tables, relations, views))

    def __reduce__(self) -> tuple[type[BigQueryWarehouse], tuple[OpenClient, BigQueryOptions]]:
        return type(self), (self.open_client, self.options)

    def answer(self, tree: exp.Expr) -> Answer:
        """The rows of a query with what the service says it read for them."""
        started = time.perf_counter()
        for bound in self._relations.attempts(tree):
            with self._relations.lost_slices_told(bound):
                job, rows = self._queries.read(bound.sql)
            if not self._relations.changed(bound):
                seconds = time.perf_counter() - started
                return Answer(rows, seconds=seconds, sql=bound.sql, **cost_of(job))
        raise self._relations.restless(tree)

    def query(self, tree: exp.Expr) -> pa.Table:
        """The rows of a query, in memory."""
        return self.answer(tree).rows

    def replace(
        self, target: Slice, content: exp.Expr | pa.Table, provenance: Provenance
    ) -> Written:
        """Put the content in the slice's place, whole and atomically.

        The rows of a query never leave BigQuery; a table from Python has no statement.
        """
        is_table = isinstance(content, pa.Table)
        given = Content(None, as_parquet(content)) if is_table else Content(content)
        return self._replacer.replace({target.date: target}, given, provenance)

    def replace_days(
        self, targets: Mapping[date, Slice], content: exp.Query, provenance: Provenance
    ) -> Written:
        """Put the rows of one query into one slice a day, all in one transaction."""
        return self._replacer.replace(targets, Content(content, is_by_day=True), provenance)

    def source_days(
        self, relation: exp.Expr, day: exp.Expr, first: date, last: date
    ) -> dict[date, SourceDay]:
        """What is there of a source on each day: told by its partitions, else counted."""
        return source_days(self, self._queries, self._tables, relation, day, (first, last))

    def provenance(self, target: Slice) -> Provenance | None:
        """From what a slice was computed; None when it does not exist."""
        manifests = self._relations.manifests
        found = manifests.entries(target.dataset, target.experiment).get(key_of(target))
        return found.provenance if found else None

    def slices(self, table: ResultTable, experiment: str, dataset: str) -> tuple[Slice, ...]:
        """The stored slices of a table and experiment, by date."""
        entries = self._relations.manifests.entries(dataset, experiment)
        keys = (key for key in entries if key[0] == str(table))
        return tuple(sorted(Slice(table, experiment, day, dataset, part) for _, day, part in keys))

    def experiments(self, table: ResultTable, dataset: str) -> tuple[str, ...]:
        """The slugs that have slices of a table, by the names of their tables."""
        with readable("", f"Listing the tables of {dataset}"):
            return self._tables.experiments(str(table), dataset)

    def make_expiring(self, dataset: str, days: int) -> None:
        """Make a dataset whose tables BigQuery removes after some days, unless it is there."""
        with readable("", f"Making the dataset {dataset}"):
            make_expiring(self._tables, dataset, days)

    def remove(self, experiment: str, dataset: str) -> None:
        """Remove every table of an experiment from a dataset, where there is any."""
        with readable("", f"Removing tables from the dataset {dataset}"):
            remove_tables(self._tables, experiment, dataset)
        self._relations.manifests.forget(dataset, experiment)

    def dry_run(self, tree: exp.Expr) -> Estimate:
        """Check a query without running it; what it would read is the service's upper bound."""
        sql = self._relations.bound(tree).sql
        job = self._queries.estimate(sql)
        columns = {field.name: kind_of(field) for field in job.schema or ()}
        return Estimate(int(job.total_bytes_processed or 0), sql, columns)

    def sql(self, tree: exp.Expr) -> str:
        """The statement, formatted; slices are named and not yet looked for."""
        return render_bigquery(tree)
