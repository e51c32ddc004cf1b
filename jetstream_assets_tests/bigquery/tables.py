"""A table as it is stored: its resource and its rows, never changed, only replaced.

Belongs here: making, describing and changing one table. Does not: which tables there are
(`catalog`).
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property

import pyarrow as pa

from jetstream_assets_tests.bigquery.fields import arrow_schema, conformed, standard_fields
from jetstream_assets_tests.bigquery.names import (
    TableKey,
    check_columns,
    check_labels,
    check_table,
)
from jetstream_assets_tests.bigquery.partitions import (
    MOST_OF_A_JOB,
    MOST_PARTITIONS,
    check_partitioning,
    split,
)
from jetstream_assets_tests.bigquery.refusals import Json, invalid
from jetstream_assets_tests.bigquery.sizes import size_of

MOST_COLUMNS = 10_000


@dataclass(frozen=True)
class Stored:
    """A table or view. ``version`` is another after every change.

    ``changed_at`` tells of each partition when its rows were changed, in milliseconds since 1970.
    """

    key: TableKey
    resource: Json
    partitions: Mapping[str, pa.Table] = field(default_factory=dict)
    changed_at: Mapping[str, int] = field(default_factory=dict)
    version: str = field(default_factory=lambda: uuid.uuid4().hex)

    @property
    def fields(self) -> list[Json]:
        return list(self.resource["schema"]["fields"])

    @property
    def is_view(self) -> bool:
        return "view" in self.resource

    @cached_property
    def rows(self) -> pa.Table:
        """All rows, partitions in the order of their ids."""
        schema = arrow_schema(self.fields)
        parts = [part for _, part in sorted(self.partitions.items())]
        return pa.concat_tables([schema.empty_table(), *parts])

    @property
    def is_expired(self) -> bool:
        expires = self.resource.get("expirationTime")
        return expires is not None and int(expires) <= now_ms()

    def with_partitions(self, partitions: Mapping[str, pa.Table]) -> Stored:
        """The table with other rows."""
        if len(partitions) > MOST_PARTITIONS:
            raise invalid(
                f"Too many partitions in table {self.key}: {len(partitions)}, allowed "
                f"{MOST_PARTITIONS}."
            )
        kept = {name: rows for name, rows in partitions.items() if rows.num_rows or not name}
        now = now_ms()
        times = {
            name: self.changed_at.get(name, now) if rows is self.partitions.get(name) else now
            for name, rows in kept.items()
        }
        resource = {**self.resource, "lastModifiedTime": str(now), "etag": uuid.uuid4().hex}
        return Stored(self.key, resource, kept, times)

    def part(self, names: list[str]) -> Stored:
        """The table as if it had these partitions only."""
        kept = {name: rows for name, rows in self.partitions.items() if name in names}
        return replace(self, partitions=kept)

    def with_rows(self, rows: pa.Table) -> Stored:
        """The table with these rows alone."""
        return self.with_partitions(self._split(rows))

    def appended(self, rows: pa.Table) -> Stored:
        """The table with more rows."""
        added, kept = self._split(rows), dict(self.partitions)
        for name, more in added.items():
            kept[name] = pa.concat_tables([kept[name], more]) if name in kept else more
        return self.with_partitions(kept)

    def with_partition(self, partition: str, rows: pa.Table, *, is_append: bool) -> Stored:
        """The table with these rows in a partition; all must belong there."""
        added = self._split(rows)
        if set(added) - {partition}:
            raise invalid(
                "Some rows belong to different partitions rather than destination partition "
                f"{self.key}${partition}"
            )
        if is_append:
            return self.appended(rows)
        kept = {name: part for name, part in self.partitions.items() if name != partition}
        return self.with_partitions({**kept, **added})

    def with_fields(self, fields: list[Json]) -> Stored:
        """The table with more columns, which are NULL in its rows."""
        check_columns([one["name"] for one in fields])
        resource = {**self.resource, "schema": {"fields": fields}, "etag": uuid.uuid4().hex}
        parts = {name: conformed(part, fields) for name, part in self.partitions.items()}
        return replace(self, resource=resource, partitions=parts, version=uuid.uuid4().hex)

    def _split(self, rows: pa.Table) -> dict[str, pa.Table]:
        parts = split(self.resource, conformed(rows, self.fields))
        if len(parts) > MOST_OF_A_JOB:
            raise invalid(
                f"Too many partitions produced by query, allowed {MOST_OF_A_JOB}, query produces "
                f"at least {len(parts)} partitions"
            )
        return parts

    def described(self) -> Json:
        """The resource as an answer has it."""
        told = {**self.resource, "type": "VIEW" if self.is_view else "TABLE"}
        if not self.is_view:
            size = sum(size_of(part) for part in self.partitions.values())
            count = sum(part.num_rows for part in self.partitions.values())
            told |= {"numRows": str(count), "numBytes": str(size)}
        return told


def new_table(key: TableKey, resource: Json, default_expiration: int | None = None) -> Stored:
    """A table without rows, or a view, from what a request says of it."""
    check_table(key.table)
    check_labels(resource.get("labels"))
    moment = now_ms()
    made = {
        **resource,
        "kind": "bigquery#table",
        "id": str(key),
        "etag": uuid.uuid4().hex,
        "tableReference": key.resource,
        "creationTime": str(moment),
        "lastModifiedTime": str(moment),
    }
    fields = standard_fields(resource.get("schema", {}).get("fields", []))
    check_columns([one["name"] for one in fields])
    if len(fields) > MOST_COLUMNS:
        raise invalid(f"Too many columns: {len(fields)}, at most {MOST_COLUMNS} are allowed.")
    made["schema"] = {"fields": fields}
    if "view" in resource:
        return Stored(key, made)
    if default_expiration is not None:
        made.setdefault("expirationTime", str(moment + default_expiration))
    check_partitioning(made, fields)
    stored = Stored(key, made)
    return stored.with_rows(arrow_schema(fields).empty_table())


def now_ms() -> int:
    """Milliseconds since 1970."""
    return int(time.time() * 1000)
