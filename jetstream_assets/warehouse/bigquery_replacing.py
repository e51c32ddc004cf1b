"""New content takes the place of slices: first in a scratch table, then in one transaction.

Belongs here: the order of these steps, and finding again what a dead run had done of them. Does
not: each step (`bigquery_queries`, `bigquery_tables`, `bigquery_script`, `bigquery_views`).
"""

from __future__ import annotations

import hashlib
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlglot import exp

from jetstream_assets.errors import QueryError, WarehouseError
from jetstream_assets.warehouse.base import Provenance, Written
from jetstream_assets.warehouse.bigquery_cost import Cost, cost_of
from jetstream_assets.warehouse.bigquery_jobs import readable
from jetstream_assets.warehouse.bigquery_manifest import Entry, key_of
from jetstream_assets.warehouse.bigquery_names import digest
from jetstream_assets.warehouse.bigquery_queries import Queries
from jetstream_assets.warehouse.bigquery_relations import BigQueryRelations
from jetstream_assets.warehouse.bigquery_script import Replacement, replacement_script
from jetstream_assets.warehouse.bigquery_tables import ExperimentTables
from jetstream_assets.warehouse.bigquery_views import PublishedViews
from jetstream_assets.warehouse.purpose import asked_for, current_purpose

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date

    from google.cloud.bigquery import QueryJob, TableReference

    from jetstream_assets.warehouse.tables import Slice


@dataclass(frozen=True)
class Content:
    """New content of slices: a query, or the rows of a Parquet file.

    ``is_by_day`` is whether its column ``day`` says which of several slices a row belongs to.
    """

    query: exp.Expr | None
    rows: bytes = b""
    is_by_day: bool = False

    @property
    def identity(self) -> str:
        """A digest of the rows; a query is identified by its statement."""
        return hashlib.sha256(self.rows).hexdigest()


@dataclass(frozen=True)
class SliceReplacer:
    """Puts content in the place of slices of one table and experiment that differ in their date."""

    queries: Queries
    tables: ExperimentTables
    relations: BigQueryRelations
    views: PublishedViews | None

    def replace(
        self, targets: Mapping[date, Slice], content: Content, provenance: Provenance
    ) -> Written:
        """Replace all slices together; what fails leaves all as they were."""
        started = time.perf_counter()
        like = next(iter(targets.values()))
        with asked_for(**_purpose_of(like, provenance)):
            version, sql, cost = self._stored(targets, content, provenance)
            scratch = self.tables.scratch(like, version)
            with readable("", f"Replacing slices of {like.table} of {like.experiment!r}"):
                found = self.tables.find(scratch)
                if found is None:
                    raise WarehouseError(
                        f"A slice of {like.table} of {like.experiment!r} is replaced by the same "
                        "content in another run at this moment. Let that run end first."
                    )
                columns = self.tables.fit(like, found.schema)
                if not self.relations.manifests.is_there(like.dataset, like.experiment):
                    self.tables.make_manifest(like)
                days = tuple(sorted(targets))
                replacement = Replacement(
                    like, days, version, provenance, columns, content.is_by_day
                )
                if self.views is not None:
                    # Before the slices: a run that cannot publish them is tried again.
                    self.views.publish(replacement, scratch)
                self._commit(replacement, scratch)
                self.tables.remove(scratch)
        return Written(
            rows=int(found.num_rows or 0),
            bytes_written=int(found.num_bytes or 0),
            seconds=time.perf_counter() - started,
            sql=sql,
            **cost,
        )

    def _stored(
        self, targets: Mapping[date, Slice], content: Content, provenance: Provenance
    ) -> tuple[str, str, Cost]:
        """The version of new content that stands in its scratch table, its statement and cost.

        The version is made of all that decides the content, and of what it replaces: asked again
        after a crash it is the same, asked again after it was stored it is another.
        """
        like = next(iter(targets.values()))

        def version_of(*decisive: str) -> str:
            entries = self.relations.manifests.entries(like.dataset, like.experiment, anew=True)
            before = [entries.get(key_of(target)) for _, target in sorted(targets.items())]
            replaced = [entry.version if entry else "" for entry in before]
            return digest(repr(sorted(targets.items())), repr(provenance), *decisive, *replaced)

        if content.query is None:
            version = version_of(content.identity)
            self.queries.load(content.rows, self.tables.scratch(like, version), version)
            return version, "", cost_of(None)
        query = _unordered(content.query)
        for bound in self.relations.attempts(query):
            version = version_of(bound.sql, repr(sorted(bound.versions.items())))
            with self.relations.lost_slices_told(bound):
                job = self._in_scratch(bound.sql, self.tables.scratch(like, version), version)
            if not self.relations.changed(bound):
                return version, bound.sql, cost_of(job)
        raise self.relations.restless(query)

    def _in_scratch(self, sql: str, scratch: TableReference, version: str) -> QueryJob:
        """Store the rows of a query; of one that is refused nothing is left."""
        from google.api_core.exceptions import GoogleAPIError  # noqa: PLC0415

        try:
            return self.queries.store(sql, scratch, version)
        except QueryError:
            with suppress(GoogleAPIError):
                self.tables.remove(scratch)
            raise

    def _commit(self, replacement: Replacement, scratch: TableReference) -> None:
        like = replacement.like
        manifests = self.relations.manifests
        manifest = manifests.table(like.dataset, like.experiment)
        script = replacement_script(replacement, self.tables.of(like), manifest, scratch)

        def is_done() -> bool:
            entries = manifests.entries(like.dataset, like.experiment, anew=True)
            return any(entry.version == replacement.version for entry in entries.values())

        try:
            self.queries.transact(script, replacement.version, is_done)
        except QueryError as refusal:
            raise WarehouseError(
                f"A slice of {like.table} of {like.experiment!r} was not replaced, since its table "
                f"is not what it was a moment ago: {refusal.problem}"
            ) from refusal
        entry = Entry(replacement.version, replacement.provenance, replacement.columns)
        manifests.remember(entry)
        manifests.entries(like.dataset, like.experiment, anew=True)


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
