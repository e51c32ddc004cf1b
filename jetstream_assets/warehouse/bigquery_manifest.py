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

from jetstream_assets.warehouse.base import Provenance
from jetstream_assets.warehouse.bigquery_columns import StoredColumn, decoded
from jetstream_assets.warehouse.bigquery_errors import no_access
from jetstream_assets.warehouse.bigquery_jobs import REQUEST_SECONDS, readable, retry_of_requests
from jetstream_assets.warehouse.bigquery_names import MANIFEST, table_name

if TYPE_CHECKING:
    from google.cloud.bigquery import TableReference

    from jetstream_assets.warehouse.bigquery_options import BigQueryOptions
    from jetstream_assets.warehouse.bigquery_session import BigQuerySession
    from jetstream_assets.warehouse.tables import Slice

# Within so many seconds a manifest is not looked at twice: one step asks for hundreds of slices in
# a row. Steps of other processes take longer to follow on one of this.
_FRESH_SECONDS = 0.2

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

    def __init__(self, session: BigQuerySession, options: BigQueryOptions) -> None:
        self._session = session
        self._options = options
        self._seen: dict[tuple[str, str], _Seen] = {}

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
            etag = self._etag(dataset, experiment)
            if seen is not None and seen.etag == etag:
                return _Seen(etag, seen.entries, at)
            return _Seen(etag, self._read(dataset, experiment), at)
        except NotFound as missing:
            # A dataset that is not there is a fault of the set-up, and told by what writes to it.
            if "Not found: Table" in str(missing) or "Not found: Dataset" in str(missing):
                return _Seen(None, {}, at)
            raise
        except Forbidden as denied:
            place = f"{self._options.project}.{self._options.physical(dataset)}"
            raise no_access(denied, place, "roles/bigquery.dataEditor") from denied

    def _etag(self, dataset: str, experiment: str) -> str:
        table = self._session.client.get_table(
            self.table(dataset, experiment), retry=retry_of_requests(), timeout=REQUEST_SECONDS
        )
        return str(table.etag)

    def _read(self, dataset: str, experiment: str) -> dict[Key, Entry]:
        """The rows, by a request that costs nothing and starts no job."""
        rows = self._session.client.list_rows(
            self.table(dataset, experiment), retry=retry_of_requests(), timeout=REQUEST_SECONDS
        )
        return dict(_entry(dict(row.items())) for row in rows)

    def table(self, dataset: str, experiment: str) -> TableReference:
        """The manifest's table."""
        from google.cloud.bigquery import DatasetReference

        place = DatasetReference(self._options.project, self._options.physical(dataset))
        return place.table(table_name(MANIFEST, experiment))


def _entry(row: dict[str, Any]) -> tuple[Key, Entry]:
    origin = Provenance(
        row["fingerprint"], row["config_commit"], row["code_version"], row["details"]
    )
    key = (row["result_table"], row["date"], row["part"])
    return key, Entry(row["version"], origin, decoded(row["columns"]))
