"""Rows of a job into its destination table.

Belongs here: dispositions, `$partition` destinations and changes of the schema. Does not: where the
rows come from.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from jetstream_assets_tests.bigquery.changes import check_growth
from jetstream_assets_tests.bigquery.names import TableKey, table_key
from jetstream_assets_tests.bigquery.partitions import partition_column
from jetstream_assets_tests.bigquery.refusals import Json, already_exists, invalid, not_found
from jetstream_assets_tests.bigquery.tables import Stored, new_table

if TYPE_CHECKING:
    import pyarrow as pa

    from jetstream_assets_tests.bigquery.catalog import Catalog

_LAYOUT = ("timePartitioning", "rangePartitioning", "clustering", "requirePartitionFilter")


@dataclass(frozen=True)
class Destination:
    """Where a job writes and how, from its configuration."""

    key: TableKey
    partition: str | None
    write: str
    may_create: bool
    may_add: bool
    may_relax: bool
    layout: Json

    @classmethod
    def of(cls, config: Json, default_write: str) -> Destination:
        """The destination of a query, load or copy configuration."""
        key, partition = table_key(config["destinationTable"])
        options = config.get("schemaUpdateOptions") or []
        layout = {name: config[name] for name in _LAYOUT if config.get(name)}
        return cls(
            key,
            partition,
            config.get("writeDisposition", default_write),
            config.get("createDisposition", "CREATE_IF_NEEDED") == "CREATE_IF_NEEDED",
            "ALLOW_FIELD_ADDITION" in options,
            "ALLOW_FIELD_RELAXATION" in options,
            {**layout, **config.get("destinationTableProperties", {})},
        )


def write(
    catalog: Catalog, target: Destination, fields: list[Json], rows: pa.Table, location: str
) -> None:
    """Put the rows of a job in a location into the destination, all or none."""
    key = target.key
    with catalog.lock:
        catalog.dataset_in((key.project, key.dataset), location)
        stored = catalog.find(key)
        if stored is None:
            if not target.may_create:
                raise not_found("Table", str(key))
            dataset = catalog.dataset((key.project, key.dataset))
            expiration = dataset.get("defaultTableExpirationMs")
            made = {"schema": {"fields": fields}, **target.layout}
            stored = new_table(key, made, int(expiration) if expiration else None)
        if stored.is_view:
            raise invalid(f"Cannot write to view {key}")
        changed = _changed(stored, target, fields, rows)
        catalog.replace(key, lambda _: changed)


def _changed(stored: Stored, target: Destination, fields: list[Json], rows: pa.Table) -> Stored:
    _check_layout(stored, target)
    is_truncated = target.write == "WRITE_TRUNCATE"
    if target.partition is None and is_truncated:
        made = {**stored.resource, "schema": {"fields": fields}}
        return Stored(stored.key, made).with_rows(rows)
    if target.write == "WRITE_EMPTY" and _has_rows(stored, target.partition):
        raise already_exists("Table", str(stored.key))
    grown = _grown(stored, target, fields)
    stored = stored if grown == stored.fields else stored.with_fields(grown)
    if target.partition is None:
        return stored.appended(rows)
    if partition_column(stored.resource) is None:
        raise invalid(f"Cannot write to a partition of {stored.key}, which is not partitioned")
    return stored.with_partition(target.partition, rows, is_append=not is_truncated)


def _has_rows(stored: Stored, partition: str | None) -> bool:
    parts = stored.partitions
    chosen = parts.values() if partition is None else [parts[p] for p in parts if p == partition]
    return any(part.num_rows for part in chosen)


def _check_layout(stored: Stored, target: Destination) -> None:
    for name in ("timePartitioning", "rangePartitioning"):
        asked, there = target.layout.get(name), stored.resource.get(name)
        if asked is not None and _essence(asked) != _essence(there or {}):
            raise invalid(
                f"Incompatible table partitioning specification. Destination table {stored.key} "
                f"exists with partitioning specification {_essence(there or {})}, but transfer "
                f"target partitioning specification is {_essence(asked)}."
            )


def _essence(layout: Json) -> list[str]:
    kept = {"type": "DAY", **layout} if "field" in layout and "range" not in layout else layout
    return [f"{name}={kept[name]}" for name in ("type", "field", "range") if name in kept]


def _grown(stored: Stored, target: Destination, fields: list[Json]) -> list[Json]:
    """The table's fields after the job; refused where they may not change so."""
    told = {one["name"].lower(): one for one in fields}
    merged = []
    for field in stored.fields:
        new = told.pop(field["name"].lower(), None)
        is_relaxed = new is not None and new["mode"] == "NULLABLE" and field["mode"] == "REQUIRED"
        merged.append({**field, "mode": "NULLABLE"} if is_relaxed and target.may_relax else field)
        if new is None:
            continue
        if is_relaxed and not target.may_relax:
            raise invalid(
                f"Provided Schema does not match Table {stored.key}. Field {field['name']} has "
                "changed mode from REQUIRED to NULLABLE"
            )
        if new["type"] != field["type"] or (new["mode"] == "REPEATED") != (
            field["mode"] == "REPEATED"
        ):
            raise invalid(
                f"Provided Schema does not match Table {stored.key}. Field {field['name']} has "
                f"changed type from {field['type']} to {new['type']}"
            )
    if told and not target.may_add:
        name = next(iter(told.values()))["name"]
        raise invalid(
            f"Provided Schema does not match Table {stored.key}. Cannot add fields (field: {name})"
        )
    merged += [{**one, "mode": _nullable(one["mode"])} for one in told.values()]
    check_growth(stored.key, stored.fields, merged)
    return merged


def _nullable(mode: str) -> str:
    return "NULLABLE" if mode == "REQUIRED" else mode
