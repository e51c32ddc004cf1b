"""A reference to slices in a tree is a sub-query over the table that holds them.

Belongs here: trees as BigQuery runs them, and which versions of slices they read. Does not: running
them (`bigquery_queries`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlglot import exp

from jetstream_assets.errors import QueryError, WarehouseAccessError, WarehouseError
from jetstream_assets.warehouse.bigquery_columns import DATE, EXPERIMENT, selected, united
from jetstream_assets.warehouse.bigquery_manifest import Entry, Key, Manifests
from jetstream_assets.warehouse.bigquery_names import is_table_path, table_name
from jetstream_assets.warehouse.bigquery_script import in_slices, table_of
from jetstream_assets.warehouse.bigquery_tables import ExperimentTables
from jetstream_assets.warehouse.named_tables import (
    SlicesNamed,
    is_slice,
    missing_slice,
    named_tables,
    slices_named,
)
from jetstream_assets.warehouse.tables import EVERY_PART

if TYPE_CHECKING:
    from collections.abc import Iterable

_DATASET_AND_TABLE = 2
# How often a query starts over whose slices were replaced while it ran.
_ATTEMPTS = 5


@dataclass(frozen=True)
class Bound:
    """A statement, and the versions of the slices that it reads.

    ``versions`` is by dataset, experiment and slice.
    """

    sql: str
    versions: Mapping[tuple[str, str, Key], str]


@dataclass(frozen=True)
class BigQueryRelations:
    """The tables that trees name, in BigQuery."""

    manifests: Manifests
    tables: ExperimentTables

    def bound(self, tree: exp.Expr) -> Bound:
        """The statement of a tree, with what it reads.

        Raises:
            QueryError: It is no query, or a slice is not there.
        """
        if not isinstance(tree, exp.Query):
            raise QueryError(
                f"A query is expected, not a {type(tree).__name__}: the warehouse runs SELECT only."
            )
        holder = exp.Paren(this=tree.copy())
        tables = list(named_tables(holder))
        seen = self._seen(slices_named(table) for table in tables if is_slice(table))
        versions: dict[tuple[str, str, Key], str] = {}
        for table in tables:
            if is_slice(table):
                named = slices_named(table)
                relation, read = self._slices(named, seen[named.dataset, named.experiment])
                alias = table.args.get("alias") or exp.TableAlias(this=table.this.copy())
                table.replace(exp.Subquery(this=relation, alias=alias.copy()))
                versions |= read
            else:
                self._qualify(table)
        return Bound(holder.this.sql(dialect="bigquery", pretty=True), versions)

    def attempts(self, tree: exp.Expr) -> Iterator[Bound]:
        """The statement of a tree, again and again for a while, each with what it reads then."""
        for _ in range(_ATTEMPTS):
            yield self.bound(tree)

    def restless(self, tree: exp.Expr) -> WarehouseError:
        """The error for slices that are always replaced while they are read."""
        read = {slug for _, slug, _ in self.bound(tree).versions}
        return WarehouseError(
            f"Slices of {', '.join(sorted(read))} were replaced {_ATTEMPTS} times while they were "
            "read. Let the runs that write them end first."
        )

    def changed(self, bound: Bound) -> bool:
        """Whether a slice was replaced since the statement was bound."""
        manifests = {(dataset, slug) for dataset, slug, _ in bound.versions}
        now = {place: self.manifests.entries(*place, anew=True) for place in manifests}
        found = ((now[place[:2]].get(place[2]), v) for place, v in bound.versions.items())
        return any(entry is None or entry.version != version for entry, version in found)

    @contextmanager
    def lost_slices_told(self, bound: Bound) -> Iterator[None]:
        """Where a statement is refused since a table of slices is not what it was, say so.

        Raises:
            WarehouseAccessError: Somebody has changed the table.
        """
        try:
            yield
        except QueryError as refusal:
            lost = self._lost(bound)
            if lost:
                raise WarehouseAccessError(lost) from refusal
            raise

    def _lost(self, bound: Bound) -> str:
        """A sentence on what a statement reads and is no longer in its table; empty if all is."""
        for dataset, slug, key in bound.versions:
            entry = self.manifests.entries(dataset, slug).get(key)
            reference = self.tables.reference(dataset, table_name(key[0], slug))
            kinds = self.tables.kinds(reference)
            for stored in entry.columns if entry else ():
                if kinds.get(stored.column.lower()) != stored.kind:
                    return (
                        f"Table {reference.dataset_id}.{reference.table_id} has no column "
                        f"{stored.column} of type {stored.kind} any more, and the slice of "
                        f"{key[1]} has it: somebody has changed the table. Restore it, or remove "
                        "the slice from the manifest and run its cell again."
                    )
        return ""

    def _seen(self, named: Iterable[SlicesNamed]) -> dict[tuple[str, str], Mapping[Key, Entry]]:
        """The manifests of all slices that a statement names, each looked at once."""
        places = {(one.dataset, one.experiment) for one in named}
        return {place: self.manifests.entries(*place, anew=True) for place in places}

    def _slices(
        self, named: SlicesNamed, entries: Mapping[Key, Entry]
    ) -> tuple[exp.Select, dict[tuple[str, str, Key], str]]:
        keys = list(self._keys(named, entries))
        columns = united(entries[key].columns for key in keys)
        chosen = [selected(name, stored) for name, stored in columns.items()]
        if named.days is None:
            chosen += [exp.column(name, quoted=True) for name in (EXPERIMENT, DATE)]
        name = table_name(named.table, named.experiment)
        table = table_of(self.tables.reference(named.dataset, name))
        days = tuple(dict.fromkeys(day for _, day, _ in keys))
        part = None if named.part == EVERY_PART else named.part
        query = exp.select(*chosen).from_(table).where(in_slices(days, part))
        found = {(named.dataset, named.experiment, key): entries[key].version for key in keys}
        return query, found

    def _keys(self, named: SlicesNamed, entries: Mapping[Key, Entry]) -> Iterator[Key]:
        place = f"{self.tables.options.project}.{self.tables.options.physical(named.dataset)}"
        if named.days is None:
            parts = {part for _, _, part in entries}
            wanted = parts if named.part == EVERY_PART else {named.part}
            found = sorted(k for k in entries if k[0] == named.table and k[2] in wanted)
            if not found:
                raise QueryError(missing_slice(named, None, place))
            yield from found
        for day in named.days or ():
            if (named.table, day, named.part) not in entries:
                raise QueryError(missing_slice(named, day, place))
            yield named.table, day, named.part

    def _qualify(self, table: exp.Table) -> None:
        """Name the project of a source that is named without one."""
        if _is_array(table):
            return
        parts = [part.name for part in table.parts]
        if not is_table_path(parts):
            raise QueryError(f"{'.'.join(parts)} is no name of a table: project.dataset.table is.")
        project = self.tables.options.source_project
        if project and len(parts) == _DATASET_AND_TABLE:
            table.set("catalog", exp.to_identifier(project, quoted=True))


def _is_array(table: exp.Table) -> bool:
    """Whether ``FROM ds.events`` names an array of a row of the query around, and no table."""
    first, *more = (part.name.lower() for part in table.parts)
    select = table.find_ancestor(exp.Select)
    while more and select is not None:
        clauses = [select.args.get("from_"), *select.args.get("joins", ())]
        sources = [clause.this for clause in clauses if clause is not None]
        if any(s is not table and s.alias_or_name.lower() == first for s in sources):
            return True
        select = select.find_ancestor(exp.Select)
    return False
