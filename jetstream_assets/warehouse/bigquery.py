"""A warehouse in BigQuery.

Belongs here: the protocol's methods. Does not: jobs (`bigquery_queries`), tables in statements
(`bigquery_relations`), the tables of experiments (`bigquery_tables`), what stands in them
(`bigquery_script`, `bigquery_manifest`).

A replacement is two jobs: the content goes to a scratch table, then one transaction puts it in the
slice's place together with the slice's entry in the experiment's manifest.
"""

from __future__ import annotations

import hashlib
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pyarrow as pa
from sqlglot import exp

from jetstream_assets.errors import QueryError, WarehouseAccessError, WarehouseError
from jetstream_assets.warehouse.base import Answer, Estimate, Provenance, SourceDay, Written
from jetstream_assets.warehouse.bigquery_arrow import as_parquet
from jetstream_assets.warehouse.bigquery_cost import Cost, cost_of
from jetstream_assets.warehouse.bigquery_jobs import readable
from jetstream_assets.warehouse.bigquery_manifest import Manifests, key_of
from jetstream_assets.warehouse.bigquery_names import digest
from jetstream_assets.warehouse.bigquery_options import BigQueryOptions
from jetstream_assets.warehouse.bigquery_queries import Queries
from jetstream_assets.warehouse.bigquery_relations import BigQueryRelations, Bound
from jetstream_assets.warehouse.bigquery_script import Replacement, replacement_script
from jetstream_assets.warehouse.bigquery_session import BigQuerySession, OpenClient
from jetstream_assets.warehouse.bigquery_source_days import source_days
from jetstream_assets.warehouse.bigquery_tables import ExperimentTables
from jetstream_assets.warehouse.purpose import asked_for, current_purpose
from jetstream_assets.warehouse.rendering import render_bigquery
from jetstream_assets.warehouse.tables import Slice

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import date

    from google.cloud.bigquery import TableReference

    from jetstream_assets.warehouse.tables import ResultTable

# How often a query starts over whose slices were replaced while it ran.
_ATTEMPTS = 5


@dataclass(frozen=True)
class _Content:
    """New content of slices: a query or rows, with what identifies it."""

    query: exp.Expr | None
    rows: bytes = b""

    @property
    def identity(self) -> str:
        """A digest of the rows; a query is identified by its statement."""
        return hashlib.sha256(self.rows).hexdigest()


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

    def __post_init__(self) -> None:
        session = BigQuerySession(self.open_client)
        tables = ExperimentTables(session, self.options)
        manifests = Manifests(session, self.options)
        object.__setattr__(self, "_tables", tables)
        object.__setattr__(self, "_queries", Queries(session, self.options, tables))
        object.__setattr__(self, "_relations", BigQueryRelations(manifests, tables))

    def __reduce__(self) -> tuple[type[BigQueryWarehouse], tuple[OpenClient, BigQueryOptions]]:
        return type(self), (self.open_client, self.options)

    def answer(self, tree: exp.Expr) -> Answer:
        """The rows of a query with what the service says it read for them."""
        started = time.perf_counter()
        for _ in range(_ATTEMPTS):
            bound = self._relations.bound(tree)
            with self._lost_slices_told(bound):
                job, rows = self._queries.read(bound.sql)
            if not self._relations.changed(bound):
                seconds = time.perf_counter() - started
                return Answer(rows, seconds=seconds, sql=bound.sql, **cost_of(job))
        raise _restless(bound)

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
        given = _Content(None, as_parquet(content)) if is_table else _Content(content)
        return self._replace({target.date: target}, given, provenance, is_by_day=False)

    def replace_days(
        self, targets: Mapping[date, Slice], content: exp.Query, provenance: Provenance
    ) -> Written:
        """Put the rows of one query into one slice a day, all in one transaction."""
        return self._replace(targets, _Content(content), provenance, is_by_day=True)

    def source_days(
        self, relation: exp.Expr, day: exp.Expr, first: date, last: date
    ) -> dict[date, SourceDay]:
        """What is there of a source on each day: told by its partitions, else counted."""
        return source_days(self, self._tables, relation, day, (first, last))

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

    def dry_run(self, tree: exp.Expr) -> Estimate:
        """Check a query without running it; what it would read is the service's upper bound."""
        sql = self._relations.bound(tree).sql
        return Estimate(int(self._queries.estimate(sql).total_bytes_processed or 0), sql)

    def sql(self, tree: exp.Expr) -> str:
        """The statement, formatted; slices are named and not yet looked for."""
        return render_bigquery(tree)

    def _replace(
        self,
        targets: Mapping[date, Slice],
        content: _Content,
        provenance: Provenance,
        *,
        is_by_day: bool,
    ) -> Written:
        started = time.perf_counter()
        like = next(iter(targets.values()))
        with asked_for(**_purpose_of(like, provenance)):
            version, sql, cost = self._stored(targets, content, provenance)
            scratch = self._tables.scratch(like, version)
            with readable("", f"Replacing slices of {like.table} of {like.experiment!r}"):
                found = self._tables.get(scratch)
                columns = self._tables.fit(like, found.schema)
                days = tuple(sorted(targets))
                self._commit(
                    Replacement(like, days, version, provenance, columns, is_by_day), scratch
                )
                self._tables.remove(scratch)
        return Written(
            rows=int(found.num_rows or 0),
            bytes_written=int(found.num_bytes or 0),
            seconds=time.perf_counter() - started,
            sql=sql,
            **cost,
        )

    def _stored(
        self, targets: Mapping[date, Slice], content: _Content, provenance: Provenance
    ) -> tuple[str, str, Cost]:
        """The version of new content that stands in its scratch table, its statement and cost.

        The version is made of all that decides the content, and of what it replaces: asked again
        after a crash it is the same, asked again after it was stored it is another.
        """
        like = next(iter(targets.values()))
        manifests = self._relations.manifests
        for _ in range(_ATTEMPTS):
            entries = manifests.entries(like.dataset, like.experiment, anew=True)
            before = [entries.get(key_of(target)) for _, target in sorted(targets.items())]
            decisive = [repr(sorted(targets.items())), repr(provenance), content.identity]
            decisive += [entry.version if entry else "" for entry in before]
            if content.query is None:
                version = digest(*decisive)
                self._queries.load(content.rows, self._tables.scratch(like, version), version)
                return version, "", cost_of(None)
            bound = self._relations.bound(_unordered(content.query))
            version = digest(*decisive, bound.sql, repr(sorted(bound.versions.items())))
            scratch = self._tables.scratch(like, version)
            with self._lost_slices_told(bound):
                job = self._queries.store(bound.sql, scratch, version)
            if not self._relations.changed(bound):
                return version, bound.sql, cost_of(job)
        raise _restless(bound)

    @contextmanager
    def _lost_slices_told(self, bound: Bound) -> Iterator[None]:
        """Where a query is refused since a table of slices is not what it was, say so."""
        try:
            yield
        except QueryError as refusal:
            lost = self._relations.lost(bound)
            if lost:
                raise WarehouseAccessError(lost) from refusal
            raise

    def _commit(self, replacement: Replacement, scratch: TableReference) -> None:
        like = replacement.like
        manifest = self._relations.manifests.table(like.dataset, like.experiment)
        script = replacement_script(replacement, self._tables.of(like), manifest, scratch)
        try:
            self._queries.transact(script, replacement.version)
        except QueryError as refusal:
            raise WarehouseError(
                f"A slice of {like.table} of {like.experiment!r} was not replaced, since its table "
                f"is not what it was a moment ago: {refusal.problem}"
            ) from refusal
        self._relations.manifests.entries(like.dataset, like.experiment, anew=True)


def _purpose_of(like: Slice, provenance: Provenance) -> dict[str, str]:
    """What is known of the purpose of a replacement by itself, where nobody has told it."""
    now = current_purpose()
    return {
        "experiment": now.experiment or like.experiment,
        "asset": now.asset or str(like.table),
        "commit": now.commit or provenance.config_commit,
    }


def _unordered(tree: exp.Expr) -> exp.Expr:
    """A query without the order of its rows, which a table does not keep and one worker makes."""
    if not isinstance(tree, exp.Select) or tree.args.get("limit") or not tree.args.get("order"):
        return tree
    free = tree.copy()
    free.set("order", None)
    return free


def _restless(bound: Bound) -> WarehouseError:
    listed = ", ".join(sorted({slug for _, slug, _ in bound.versions}))
    return WarehouseError(
        f"Slices of {listed} were replaced {_ATTEMPTS} times while they were read. Let the runs "
        "that write them end first."
    )
