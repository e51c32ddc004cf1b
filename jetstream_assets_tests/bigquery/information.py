"""What BigQuery tells of itself as tables: `INFORMATION_SCHEMA.PARTITIONS`.

Belongs here: such tables, made of what is stored. Does not: their use in a query (`reading`). The
real service has dozens; of the columns of this one, those that tell what our server knows are here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa

from jetstream_assets_tests.bigquery.fields import fields_of
from jetstream_assets_tests.bigquery.refusals import not_served
from jetstream_assets_tests.bigquery.sizes import size_of
from jetstream_assets_tests.bigquery.tables import Stored

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from jetstream_assets_tests.bigquery.names import TableKey
    from jetstream_assets_tests.bigquery.refusals import Json

_PREFIX = "INFORMATION_SCHEMA."
_PARTITIONS = pa.schema(
    [
        ("table_catalog", pa.string()),
        ("table_schema", pa.string()),
        ("table_name", pa.string()),
        ("partition_id", pa.string()),
        ("total_rows", pa.int64()),
        ("total_logical_bytes", pa.int64()),
        ("last_modified_time", pa.timestamp("us", tz="UTC")),
    ]
)


def is_information(key: TableKey) -> bool:
    """Whether a name is of such a table."""
    return key.table.upper().startswith(_PREFIX)


def information(key: TableKey, tables: Mapping[TableKey, Stored]) -> Stored:
    """The table of a dataset, of what is stored in it."""
    if key.table.upper() != f"{_PREFIX}PARTITIONS":
        raise not_served(key.table)
    inside = [one for name, one in tables.items() if name[:2] == key[:2] and not one.is_view]
    rows = [row for one in inside for row in _partitions(one)]
    content = pa.Table.from_pylist(rows, schema=_PARTITIONS)
    return Stored(key, {"schema": {"fields": fields_of(_PARTITIONS)}}, {"": content})


def _partitions(stored: Stored) -> Iterator[Json]:
    for name, rows in stored.partitions.items():
        yield {
            "table_catalog": stored.key.project,
            "table_schema": stored.key.dataset,
            "table_name": stored.key.table,
            "partition_id": name or None,
            "total_rows": rows.num_rows,
            "total_logical_bytes": size_of(rows),
            "last_modified_time": stored.changed_at[name] * 1000,
        }
