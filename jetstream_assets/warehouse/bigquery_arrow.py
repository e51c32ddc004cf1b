"""Tables from Python as BigQuery takes them.

Belongs here: types that BigQuery has not, as those it has, and Parquet. Does not: loading them.
"""

from __future__ import annotations

import io

import pyarrow as pa
import pyarrow.parquet as pq


def as_parquet(rows: pa.Table) -> bytes:
    """A Parquet file of the rows; equal rows give equal bytes."""
    schema = pa.schema([pa.field(field.name, _stored(field.type)) for field in rows.schema])
    written = io.BytesIO()
    pq.write_table(rows.cast(schema), written, compression="zstd", store_schema=False)
    return written.getvalue()


def _stored(kind: pa.DataType) -> pa.DataType:
    """BigQuery has one integer and one float type, and times with microseconds in UTC."""
    if pa.types.is_integer(kind) or pa.types.is_null(kind):
        return pa.int64()
    if pa.types.is_floating(kind):
        return pa.float64()
    if pa.types.is_timestamp(kind):
        return pa.timestamp("us", tz="UTC" if kind.tz else None)
    if pa.types.is_large_string(kind) or pa.types.is_dictionary(kind):
        return pa.string()
    return kind
