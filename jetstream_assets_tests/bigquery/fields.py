"""BigQuery's schemas and Arrow's, one for the other.

Belongs here: types in both directions, and rows brought to a schema. Does not: values in JSON
(`values`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from jetstream_assets_tests.bigquery.refusals import Json, Refusal, invalid

if TYPE_CHECKING:
    from collections.abc import Iterable

_ARROW: dict[str, pa.DataType] = {
    "INTEGER": pa.int64(),
    "FLOAT": pa.float64(),
    "BOOLEAN": pa.bool_(),
    "STRING": pa.string(),
    "BYTES": pa.binary(),
    "DATE": pa.date32(),
    "TIME": pa.time64("us"),
    "DATETIME": pa.timestamp("us"),
    "TIMESTAMP": pa.timestamp("us", tz="UTC"),
    "NUMERIC": pa.decimal128(38, 9),
    "JSON": pa.string(),
}
_LEGACY = {"INT64": "INTEGER", "FLOAT64": "FLOAT", "BOOL": "BOOLEAN", "STRUCT": "RECORD"}


def legacy_name(kind: str) -> str:
    """The name of a type in the API, whose names are older than SQL's."""
    return _LEGACY.get(kind.upper(), kind.upper())


def standard_fields(fields: Iterable[Json]) -> list[Json]:
    """Fields with the API's names of types and a mode each."""
    standard = []
    for field in fields:
        kind = legacy_name(field["type"])
        one = {**field, "type": kind, "mode": field.get("mode", "NULLABLE").upper()}
        if kind == "RECORD":
            one["fields"] = standard_fields(field["fields"])
        elif kind not in _ARROW:
            raise invalid(f"Invalid value for type: {field['type']} is not a valid value")
        standard.append(one)
    return standard


def arrow_schema(fields: Iterable[Json]) -> pa.Schema:
    """The Arrow schema of standard fields."""
    return pa.schema([_arrow_field(field) for field in fields])


def _arrow_field(field: Json) -> pa.Field:
    kind = field["type"]
    inner = pa.struct(list(arrow_schema(field["fields"]))) if kind == "RECORD" else _ARROW[kind]
    is_array = field["mode"] == "REPEATED"
    return pa.field(field["name"], pa.list_(inner) if is_array else inner)


def fields_of(schema: pa.Schema) -> list[Json]:
    """The standard fields of an Arrow schema; a column that may not be null is REQUIRED."""
    return [_field(one.name, one.type, is_nullable=one.nullable) for one in schema]


def _field(name: str, kind: pa.DataType, *, is_nullable: bool) -> Json:
    mode = "NULLABLE" if is_nullable else "REQUIRED"
    if pa.types.is_map(kind):
        kind = pa.list_(pa.struct([("key", kind.key_type), ("value", kind.item_type)]))
    if pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind):
        mode, kind = "REPEATED", kind.value_type
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    if pa.types.is_list(kind):
        message = "Cannot construct array with element type ARRAY; array of arrays is not supported"
        raise Refusal("invalidQuery", message, location="query")
    if not pa.types.is_struct(kind):
        return {"name": name, "type": _kind(kind), "mode": mode}
    inner = [_field(one.name, one.type, is_nullable=one.nullable) for one in kind]
    return {"name": name, "type": "RECORD", "mode": mode, "fields": inner}


def _kind(kind: pa.DataType) -> str:  # noqa: PLR0911  a table of types
    is_whole = pa.types.is_decimal(kind) and kind.scale == 0  # DuckDB's sums of integers
    if pa.types.is_integer(kind) or pa.types.is_null(kind) or is_whole:
        return "INTEGER"
    if pa.types.is_floating(kind):
        return "FLOAT"
    if pa.types.is_timestamp(kind):
        return "TIMESTAMP" if kind.tz else "DATETIME"
    if pa.types.is_decimal(kind):
        return "NUMERIC"
    if pa.types.is_date(kind):
        return "DATE"
    if pa.types.is_time(kind):
        return "TIME"
    if pa.types.is_boolean(kind):
        return "BOOLEAN"
    is_bytes = pa.types.is_binary(kind) or pa.types.is_large_binary(kind)
    return "BYTES" if is_bytes or pa.types.is_fixed_size_binary(kind) else "STRING"


def conformed(rows: pa.Table, fields: list[Json]) -> pa.Table:
    """The rows with exactly these fields, by name; columns that are not there are NULL.

    As in BigQuery a stored array is never NULL, and never holds a NULL.
    """
    schema = arrow_schema(fields)
    places = {name.lower(): place for place, name in enumerate(rows.schema.names)}
    columns = []
    for field, wanted in zip(fields, schema, strict=True):
        place = places.get(wanted.name.lower())
        column = pa.nulls(rows.num_rows, wanted.type) if place is None else rows.column(place)
        array = _whole(column)
        array = array.cast(wanted.type) if array.type != wanted.type else array
        if field["mode"] == "REQUIRED" and array.null_count:
            raise invalid(f"Required field {wanted.name} cannot be null")
        columns.append(_without_null_arrays(array, wanted.name))
    return pa.Table.from_arrays(columns, schema=schema)


def _whole(column: pa.ChunkedArray | pa.Array) -> pa.Array:
    if isinstance(column, pa.Array):
        return column
    return column.combine_chunks() if column.num_chunks != 1 else column.chunk(0)


def _without_null_arrays(array: pa.Array, name: str) -> pa.Array:
    if pa.types.is_struct(array.type):
        inner = [
            _without_null_arrays(array.field(place), f"{name}.{one.name}")
            for place, one in enumerate(array.type)
        ]
        fields = list(array.type)
        return pa.StructArray.from_arrays(inner, fields=fields, mask=pc.is_null(array))
    if not pa.types.is_list(array.type):
        return array
    values = array.flatten()
    if values.null_count:
        raise Refusal(
            "invalidQuery",
            f"Array cannot have a null element; error in writing field {name}",
            location="query",
        )
    lengths = pc.fill_null(pc.list_value_length(array), 0)
    ends = pc.cumulative_sum(lengths)
    offsets = pa.concat_arrays([pa.array([0], pa.int32()), ends.cast(pa.int32())])
    return pa.ListArray.from_arrays(offsets, _without_null_arrays(values, name), type=array.type)
