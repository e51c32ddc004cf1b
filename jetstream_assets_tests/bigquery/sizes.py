"""How many bytes BigQuery says a column holds: by its type, not by how it is stored.

Belongs here: logical sizes. Does not: which columns a query reads (`reading`).
"""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

MEGABYTE = 2**20
_LEAST_BILLED = 10 * MEGABYTE


def size_of(rows: pa.Table) -> int:
    """The bytes of all columns."""
    return sum(column_size(column) for column in rows.columns)


def column_size(column: pa.ChunkedArray | pa.Array) -> int:
    """The bytes of a column: NULL is none, a text 2 and its UTF-8, other values as documented."""
    kind, present = column.type, int(len(column) - column.null_count)
    if pa.types.is_list(kind):
        return column_size(pc.list_flatten(column))
    if pa.types.is_struct(kind):
        return sum(column_size(pc.struct_field(column, place)) for place in range(len(kind)))
    if pa.types.is_string(kind) or pa.types.is_binary(kind):
        return 2 * present + int(pc.sum(pc.binary_length(column)).as_py() or 0)
    if pa.types.is_boolean(kind):
        return present
    return present * (16 if pa.types.is_decimal(kind) else 8)


def billed(sizes: list[int]) -> int:
    """What is billed for reading tables: whole megabytes of each, and at least ten."""
    return sum(max(-(-size // MEGABYTE) * MEGABYTE, _LEAST_BILLED) for size in sizes)
