"""Which partition a row belongs to.

Belongs here: the ids of partitions by day, month, year, hour and range of integers, and rows split
by them. Does not: what is stored (`tables`). Partitions by the time of ingestion are not served.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from jetstream_assets_tests.bigquery.refusals import Json, invalid, not_served

if TYPE_CHECKING:
    from datetime import date

NULL_PARTITION = "__NULL__"
OUT_OF_RANGE = "__UNPARTITIONED__"
WHOLE = ""
MOST_PARTITIONS = 10_000
MOST_OF_A_JOB = 4_000
_FORMATS = {"DAY": "%Y%m%d", "MONTH": "%Y%m", "YEAR": "%Y", "HOUR": "%Y%m%d%H"}


def partition_column(resource: Json) -> str | None:
    """The column that a table is partitioned by; None where it has no partitions."""
    by_time, by_range = resource.get("timePartitioning"), resource.get("rangePartitioning")
    if by_time is not None and not by_time.get("field"):
        raise not_served("partitions by the time of ingestion")
    chosen = by_time or by_range
    return None if chosen is None else str(chosen["field"])


def check_partitioning(resource: Json, fields: list[Json]) -> None:
    """Refuse a partition or cluster column that cannot be one."""
    kinds = {field["name"]: field for field in fields}
    column = partition_column(resource)
    if column is not None:
        allowed = {"INTEGER"} if resource.get("rangePartitioning") else _kinds_of_time(resource)
        field = kinds.get(column)
        if field is None or field["type"] not in allowed or field["mode"] == "REPEATED":
            raise invalid(
                f"The field specified for partitioning cannot be found in the schema or has a type "
                f"that is not one of {sorted(allowed)}: {column}."
            )
    clusters = (resource.get("clustering") or {}).get("fields", [])
    if len(clusters) > 4:
        raise invalid("At most 4 clustering columns are allowed.")
    for name in clusters:
        field = kinds.get(name)
        if field is None or field["type"] in {"RECORD", "FLOAT"} or field["mode"] == "REPEATED":
            raise invalid(f"The field specified for clustering cannot be used: {name}.")


def _kinds_of_time(resource: Json) -> set[str]:
    kinds = {"TIMESTAMP", "DATETIME"}
    return kinds if resource["timePartitioning"].get("type") == "HOUR" else kinds | {"DATE"}


def split(resource: Json, rows: pa.Table) -> dict[str, pa.Table]:
    """The rows of each partition, in their order; all under `WHOLE` without partitions."""
    column = partition_column(resource)
    if column is None:
        return {WHOLE: rows}
    if rows.num_rows == 0:
        return {}
    encoded = pc.dictionary_encode(rows.column(column), null_encoding="encode").combine_chunks()
    encoded = encoded.chunk(0) if isinstance(encoded, pa.ChunkedArray) else encoded
    ids = [partition_id(resource, value) for value in encoded.dictionary.to_pylist()]
    known = {name: place for place, name in enumerate(dict.fromkeys(ids))}
    codes = np.array([known[name] for name in ids])[encoded.indices.to_numpy()]
    order = np.argsort(codes, kind="stable")
    sorted_rows = rows.take(pa.array(order))
    starts = np.searchsorted(codes[order], np.arange(len(known) + 1))
    return {
        name: sorted_rows.slice(starts[place], starts[place + 1] - starts[place])
        for name, place in known.items()
    }


def partition_id(resource: Json, value: date | int | None) -> str:
    """The id of the partition of a value."""
    if value is None:
        return NULL_PARTITION
    by_range = resource.get("rangePartitioning")
    if by_range is None:
        return format(value, _FORMATS[resource["timePartitioning"].get("type", "DAY")])
    start, end, step = (int(by_range["range"][part]) for part in ("start", "end", "interval"))
    number: Any = value
    if not start <= number < end:
        return OUT_OF_RANGE
    return str(start + (number - start) // step * step)
