"""The manifest: one table an experiment that says which slices there are and what they are made of.

Belongs here: reading manifests, and remembering them as long as they do not change. Does not:
changing them (`bigquery_script`), which happens in one transaction with the slices' rows.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any

from sqlglot import exp

from jetstream_assets.errors import WarehouseError
from jetstream_assets.warehouse.base import Provenance
from jetstream_assets.warehouse.bigquery_columns import StoredColumn, decoded
from jetstream_assets.warehouse.bigquery_errors import no_access
from jetstream_assets.warehouse.bigquery_jobs import REQUEST_SECONDS, readable, retry_of_requests
from jetstream_assets.warehouse.bigquery_names import MANIFEST, table_name
from jetstream_assets.warehouse.bigquery_script import table_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from google.cloud.bigquery import Table, TableReference

    from jetstream_assets.warehouse.bigquery_queries import Queries
    from jetstream_assets.warehouse.bigquery_session import BigQuerySession
    from jetstream_assets.warehouse.bigquery_tables import ExperimentTables
    from jetstream_assets.warehouse.tables import Slice

# Within so many seconds a manifest is not looked at twice: one step asks for hundreds of slices in
# a row. Steps of other processes take longer to follow on one of this.
_FRESH_SECONDS = 0.2

# Up to so many bytes a manifest is read whole.
_SMALL = 1_000_000
_LIGHT = ("result_table", "date", "part", "version")
_TOLD = ("fingerprint", "config_commit", "code_version", "details", "columns")
_ATTEMPTS = 5

Key = tuple[str, date, str]


@dataclass(frozen=True)
class Entry:
    """One slice of the manifest; ``version`` is another one after every replacement."""

    version: str
    provenance: Provenance
    columns: tuple[StoredColumn, ...]


@dataclass(frozen=True)
class _Seen:
    etag: str | None
    entries: Mapping[Key, Entry]
    at: float


def key_of(target: Slice) -> Key:
    """How a slice is found among those of its experiment and dataset."""
    return str(target.table), target.date, target.part


class Manifests:
    """The manifests of a warehouse, each read again when it has changed."""

    def __init__(
        self, session: BigQuerySession, tables: ExperimentTables, queries: Queries
    ) -> None:
        self._session = session
        self._tables = tables
        self._queries = queries
        self._seen: dict[tuple[str, str], _Seen] = {}
        # What a version stands for never changes.
        self._known: dict[str, Entry] = {}

    def entries(self, dataset: str, experiment: str, *, anew: bool = False) -> Mapping[Key, Entry]:
        """The slices of an experiment; empty where it has none.

        Args:
            dataset: As slices name it.
            experiment: The experiment slug.
            anew: Look whether it has changed, however short ago that was done.
        """
        seen = self._seen.get((dataset, experiment))
        is_fresh = seen is not None and time.monotonic() - seen.at < _FRESH_SECONDS
        if seen is None or anew or not is_fresh:
            with readable("", f"Reading which slices of {experiment!r} there are"):
                seen = self._looked(dataset, experiment, seen)
            self._seen[dataset, experiment] = seen
        return seen.entries

    def _looked(self, dataset: str, experiment: str, seen: _Seen | None) -> _Seen:
        from google.api_core.exceptions import Forbidden, NotFound  # noqa: PLC0415

        at = time.monotonic()
        try:
            found = self._tables.get(self.table(dataset, experiment))
            etag = str(found.etag)
            if seen is not None and seen.etag == etag:
                return _Seen(etag, seen.entries, at)
            return _Seen(etag, self._read(found), at)
        except NotFound as missing:
            # A dataset that is not there is a fault of the set-up, and told by what writes to it.
            if "Not found: Table" in str(missing) or "Not found: Dataset" in str(missing):
                return _Seen(None, {}, at)
            raise
        except Forbidden as denied:
            table = self.table(dataset, experiment)
            place = f"{table.project}.{table.dataset_id}"
            raise no_access(denied, place, "roles/bigquery.dataEditor") from denied

    def is_there(self, dataset: str, experiment: str) -> bool:
        """Whether there was a manifest when it was looked for last."""
        seen = self._seen.get((dataset, experiment))
        return seen is not None and seen.etag is not None

    def forget(self, dataset: str, experiment: str) -> None:
        """Look again at what an experiment has, however short ago that was done."""
        self._seen.pop((dataset, experiment), None)

    def remember(self, entry: Entry) -> None:
        """Know what this process itself has written."""
        self._known[entry.version] = entry

    def _read(self, table: Table) -> dict[Key, Entry]:
        """The rows, by requests that cost nothing and start no job.

        Of a large manifest only the versions are read so; what those stand for that are not known
        yet is asked by a query, since thousands of slices may have few long texts between them.
        """
        if int(table.num_bytes or 0) <= _SMALL:
            return dict(_entry(row) for row in self._listed(table, None))
        for _ in range(_ATTEMPTS):
            listed = [(_key(row), row["version"]) for row in self._listed(table, _LIGHT)]
            self._learn(table, {version for _, version in listed} - self._known.keys())
            if all(version in self._known for _, version in listed):
                return {key: self._known[version] for key, version in listed}
        raise WarehouseError(
            f"{table.dataset_id}.{table.table_id} changed {_ATTEMPTS} times while it was read. Let "
            "the runs that write it end first."
        )

    def _listed(self, table: Table, names: tuple[str, ...] | None) -> Iterator[dict[str, Any]]:
        chosen = None if names is None else [f for f in table.schema if f.name in names]
        rows = self._session.client.list_rows(
            table, selected_fields=chosen, retry=retry_of_requests(), timeout=REQUEST_SECONDS
        )
        return (dict(row.items()) for row in rows)

    def _learn(self, table: Table, versions: set[str]) -> None:
        """Ask what versions stand for."""
        if not versions:
            return
        told = [exp.alias_(exp.AnyValue(this=exp.column(name)), name) for name in _TOLD]
        wanted = exp.column("version").isin(*map(exp.Literal.string, sorted(versions)))
        query = exp.select("version", *told).from_(table_of(table.reference)).where(wanted)
        _, rows = self._queries.read(query.group_by("version").sql(dialect="bigquery"))
        for row in rows.to_pylist():
            self.remember(_told(row))

    def table(self, dataset: str, experiment: str) -> TableReference:
        """The manifest's table."""
        return self._tables.reference(dataset, table_name(MANIFEST, experiment))


def _entry(row: dict[str, Any]) -> tuple[Key, Entry]:
    return _key(row), _told(row)


def _key(row: dict[str, Any]) -> Key:
    return row["result_table"], row["date"], row["part"]


def _told(row: dict[str, Any]) -> Entry:
    origin = Provenance(
        row["fingerprint"], row["config_commit"], row["code_version"], row["details"]
    )
    return Entry(row["version"], origin, decoded(row["columns"]))
