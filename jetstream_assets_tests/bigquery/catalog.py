"""The datasets and tables of the server, changed one at a time and whole.

Belongs here: finding, adding, changing and removing them, by one lock. Does not: rows of one table
(`tables`), statements (`statements`).
"""

from __future__ import annotations

import threading
import uuid
from dataclasses import replace
from typing import TYPE_CHECKING

from jetstream_assets_tests.bigquery.changes import check_growth, patched
from jetstream_assets_tests.bigquery.fields import standard_fields
from jetstream_assets_tests.bigquery.names import TableKey, check_dataset, check_labels
from jetstream_assets_tests.bigquery.partitions import check_partitioning
from jetstream_assets_tests.bigquery.refusals import (
    Json,
    Refusal,
    already_exists,
    not_found,
)
from jetstream_assets_tests.bigquery.tables import Stored, new_table, now_ms

if TYPE_CHECKING:
    from collections.abc import Callable

    import pyarrow as pa

DatasetKey = tuple[str, str]
_DEFAULT_LOCATION = "US"


class Catalog:
    """What is stored. ``denied`` are datasets that nobody may read or write."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.denied: set[str] = set()
        self._datasets: dict[DatasetKey, Json] = {}
        self._tables: dict[TableKey, Stored] = {}

    def add_dataset(self, project: str, resource: Json) -> Json:
        """A dataset from what a request says of it."""
        name = resource["datasetReference"]["datasetId"]
        check_dataset(name)
        check_labels(resource.get("labels"))
        made = {
            "location": _DEFAULT_LOCATION,
            **resource,
            "kind": "bigquery#dataset",
            "id": f"{project}:{name}",
            "etag": uuid.uuid4().hex,
            "datasetReference": {"projectId": project, "datasetId": name},
            "creationTime": str(now_ms()),
        }
        with self.lock:
            if (project, name) in self._datasets:
                raise already_exists("Dataset", f"{project}:{name}")
            self._datasets[project, name] = made
        return made

    def dataset(self, key: DatasetKey) -> Json:
        """A dataset that must be there."""
        self._check_access(key)
        with self.lock:
            if key not in self._datasets:
                raise not_found("Dataset", ":".join(key))
            return self._datasets[key]

    def dataset_in(self, key: DatasetKey, location: str | None) -> Json:
        """A dataset that must be there and, where one is given, in a location."""
        found = self.dataset(key)
        place = str(found.get("location", location))
        if location is not None and place.upper() != location.upper():
            raise not_found("Dataset", ":".join(key), location)
        return found

    def datasets(self, project: str) -> list[Json]:
        """The datasets of a project."""
        with self.lock:
            found = sorted(self._datasets.items())
            return [made for (p, _), made in found if p == project and "isHidden" not in made]

    def change_dataset(self, key: DatasetKey, change: Json) -> Json:
        """The dataset with what a request changes of it."""
        check_labels(change.get("labels"))
        with self.lock:
            self._datasets[key] = patched(self.dataset(key), change)
            return self._datasets[key]

    def remove_dataset(self, key: DatasetKey, *, with_contents: bool) -> None:
        """Remove a dataset; one with tables only when told so."""
        with self.lock:
            self.dataset(key)
            inside = self.tables(key)
            if inside and not with_contents:
                name = ":".join(key)
                raise Refusal("resourceInUse", f"Dataset {name} is still in use")
            for stored in inside:
                del self._tables[stored.key]
            del self._datasets[key]

    def add_table(self, key: TableKey, resource: Json) -> Stored:
        """A new table or view."""
        with self.lock:
            dataset = self.dataset((key.project, key.dataset))
            if self.find(key) is not None:
                raise already_exists("Table", str(key))
            expiration = dataset.get("defaultTableExpirationMs")
            made = new_table(key, resource, int(expiration) if expiration else None)
            self._tables[key] = made
        return made

    def find(self, key: TableKey) -> Stored | None:
        """A table of a dataset that must be there."""
        with self.lock:
            self.dataset((key.project, key.dataset))
            stored = self._tables.get(key)
            if stored is not None and stored.is_expired:
                del self._tables[key]
                return None
            return stored

    def table(self, key: TableKey) -> Stored:
        """A table that must be there."""
        stored = self.find(key)
        if stored is None:
            raise not_found("Table", str(key))
        return stored

    def tables(self, key: DatasetKey) -> list[Stored]:
        """The tables of a dataset, by name."""
        with self.lock:
            self.dataset(key)
            found = [name for name in self._tables if (name.project, name.dataset) == key]
            return [one for name in sorted(found) if (one := self.find(name)) is not None]

    def remove_table(self, key: TableKey) -> None:
        """Remove a table that must be there."""
        with self.lock:
            self.table(key)
            del self._tables[key]

    def remove_partition(self, key: TableKey, partition: str) -> None:
        """Remove a partition that must be there."""
        with self.lock:
            stored = self.table(key)
            if partition not in stored.partitions:
                raise not_found("Table", f"{key}${partition}")
            kept = {name: rows for name, rows in stored.partitions.items() if name != partition}
            self._tables[key] = stored.with_partitions(kept)

    def change_table(self, key: TableKey, change: Json, etag: str | None) -> Stored:
        """The table with what a request changes of its resource."""
        check_labels(change.get("labels"))
        with self.lock:
            stored = self.table(key)
            if etag is not None and etag != stored.resource["etag"]:
                raise Refusal("conditionNotMet", "Precondition Failed")
            fields = stored.fields
            if "fields" in (change.get("schema") or {}):
                fields = standard_fields(change["schema"]["fields"])
                if not stored.is_view:
                    check_growth(key, stored.fields, fields)
            resource = patched({**stored.resource, "lastModifiedTime": str(now_ms())}, change)
            check_partitioning(resource, fields)
            changed = replace(stored, resource=resource, version=uuid.uuid4().hex)
            self._tables[key] = changed if stored.is_view else changed.with_fields(fields)
            return self._tables[key]

    def replace(self, key: TableKey, change: Callable[[Stored | None], Stored | None]) -> None:
        """Put what ``change`` makes of the table in its place, with nobody in between."""
        with self.lock:
            made = change(self.find(key))
            if made is None:
                self._tables.pop(key, None)
            else:
                self._tables[key] = made

    def add_anonymous(
        self, key: TableKey, fields: list[Json], rows: pa.Table, expires_after: int
    ) -> None:
        """A table of a dataset that no list shows, for the result of a query."""
        resource = {"schema": {"fields": fields}, "expirationTime": str(now_ms() + expires_after)}
        made = new_table(key, resource).with_rows(rows)
        with self.lock:
            self._datasets.setdefault((key.project, key.dataset), {"isHidden": True})
            self._tables[key] = made

    def snapshot(self) -> dict[TableKey, Stored]:
        """All tables as they are now."""
        with self.lock:
            return dict(self._tables)

    def _check_access(self, key: DatasetKey) -> None:
        project, dataset = key
        if dataset in self.denied:
            raise Refusal(
                "accessDenied",
                f"Access Denied: Dataset {project}:{dataset}: User does not have permission to "
                f"access dataset {project}:{dataset}, or perhaps it does not exist.",
            )
