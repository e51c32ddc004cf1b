"""Changes that are seen together or not at all.

Belongs here: a snapshot of all tables, changes to it, and their commit. Does not: statements.

As in BigQuery a transaction that deletes or updates rows of a table is aborted when another changed
the table meanwhile; one that only inserts never is. The real service aborts the later of two while
both run; here the one that commits last is.
"""

from __future__ import annotations

from collections import defaultdict
from functools import partial
from typing import TYPE_CHECKING

from jetstream_assets_tests.bigquery.information import information, is_information
from jetstream_assets_tests.bigquery.refusals import invalid_query

if TYPE_CHECKING:
    import pyarrow as pa

    from jetstream_assets_tests.bigquery.catalog import Catalog
    from jetstream_assets_tests.bigquery.names import TableKey
    from jetstream_assets_tests.bigquery.tables import Stored


class Conflict(Exception):  # noqa: N818  a statement alone is just run again
    """Another changed the table first."""

    def __init__(self, key: TableKey) -> None:
        super().__init__(str(key))
        self.refusal = invalid_query(
            f"Transaction is aborted due to concurrent update against table {key}."
        )


class Transaction:
    """A snapshot and what is changed in it, of datasets in one location where one is given."""

    def __init__(self, catalog: Catalog, location: str | None = None) -> None:
        self._catalog = catalog
        self._location = location
        self._base = catalog.snapshot()
        self._own: dict[TableKey, Stored] = {}
        self._appended: dict[TableKey, list[pa.Table]] = defaultdict(list)
        self._mutated: set[TableKey] = set()

    def find(self, key: TableKey) -> Stored | None:
        """The table as this transaction sees it."""
        self._catalog.dataset_in((key.project, key.dataset), self._location)
        if is_information(key):
            return information(key, self._base)
        found = self._own.get(key) or self._base.get(key)
        return None if found is None or found.is_expired else found

    def append(self, stored: Stored, rows: pa.Table) -> None:
        """Add rows."""
        self._own[stored.key] = stored.appended(rows)
        self._appended[stored.key].append(rows)

    def put(self, changed: Stored) -> None:
        """Put other rows in the place of those that this transaction sees."""
        self._own[changed.key] = changed
        self._mutated.add(changed.key)

    def commit(self) -> None:
        """Make all changes seen by others.

        Raises:
            Conflict: A table of which rows were changed is no longer what it was.
        """
        with self._catalog.lock:
            for key in self._mutated:
                now = self._catalog.find(key)
                base = self._base.get(key)
                if now is None or base is None or now.version != base.version:
                    raise Conflict(key)
            for key, changed in self._own.items():
                if key in self._mutated:
                    self._catalog.replace(key, partial(_taken, changed))
                    continue
                for rows in self._appended[key]:
                    self._catalog.replace(key, partial(_appended, rows))


def _taken(made: Stored, _: Stored | None) -> Stored:
    return made


def _appended(rows: pa.Table, now: Stored | None) -> Stored | None:
    return None if now is None else now.appended(rows)
