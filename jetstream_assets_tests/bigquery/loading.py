"""Loads of Parquet and newline-delimited JSON, and copies of tables.

Belongs here: files into tables. Does not: how files arrive (`uploads`).
"""

from __future__ import annotations

import io
import json
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq

from jetstream_assets_tests.bigquery.fields import conformed, fields_of, standard_fields
from jetstream_assets_tests.bigquery.names import check_columns, table_key
from jetstream_assets_tests.bigquery.refusals import Json, invalid, not_served
from jetstream_assets_tests.bigquery.values import rows_of_json
from jetstream_assets_tests.bigquery.writing import Destination, write

if TYPE_CHECKING:
    from jetstream_assets_tests.bigquery.catalog import Catalog
    from jetstream_assets_tests.bigquery.jobs import Job


def load(catalog: Catalog, job: Job) -> None:
    """Load the bytes that came with the job."""
    config = job.configuration["load"]
    content = job.content
    if content is None:
        raise not_served("loads from a bucket")
    fields, rows = _rows(catalog, config, content)
    check_columns([one["name"] for one in fields])
    write(catalog, Destination.of(config, "WRITE_APPEND"), fields, rows, job.location)
    job.details |= {
        "inputFiles": "1",
        "inputFileBytes": str(len(content)),
        "outputRows": str(rows.num_rows),
        "outputBytes": str(rows.nbytes),
    }


def _rows(catalog: Catalog, config: Json, content: bytes) -> tuple[list[Json], pa.Table]:
    told = (config.get("schema") or {}).get("fields")
    fields = standard_fields(told) if told else None
    kind = config.get("sourceFormat", "CSV")
    if kind == "PARQUET":
        found = _parquet(content, config.get("parquetOptions") or {})
        own = fields_of(found.schema)
        fields = _merged(fields, own) if fields else own
        try:
            return fields, conformed(found, fields)
        except pa.ArrowException as error:
            raise invalid(f"Error while reading data, error message: {error}") from error
    if kind == "NEWLINE_DELIMITED_JSON":
        stored = catalog.find(table_key(config["destinationTable"])[0])
        if fields is None and stored is not None and not config.get("autodetect"):
            fields = stored.fields
        fields = fields or _detected(content)
        return fields, rows_of_json(content, fields)
    raise not_served(f"loads of {kind}")


def _parquet(content: bytes, options: Json) -> pa.Table:
    try:
        found = pq.read_table(io.BytesIO(content))
    except (pa.ArrowInvalid, OSError) as error:
        raise invalid(
            "Error while reading data, error message: Input file is not in Parquet format."
        ) from error
    if options.get("enableListInference"):
        return found
    return (
        pa.table([_three_levels(one) for one in found.columns], names=found.schema.names)
        if any(pa.types.is_list(one) for one in found.schema.types)
        else found
    )


def _three_levels(column: pa.ChunkedArray) -> pa.ChunkedArray | pa.Array:
    """A list as the service reads it without list inference: ``list`` of ``element``."""
    if not pa.types.is_list(column.type):
        return column
    array = column.combine_chunks()
    array = pa.concat_arrays(array.chunks) if isinstance(array, pa.ChunkedArray) else array
    element = pa.StructArray.from_arrays([array.values], names=["element"])
    listed = pa.ListArray.from_arrays(array.offsets, element)
    return pa.StructArray.from_arrays([listed], names=["list"], mask=array.is_null())


def _merged(told: list[Json], own: list[Json]) -> list[Json]:
    names = {one["name"].lower() for one in told}
    for field in own:
        if field["name"].lower() not in names:
            raise invalid(f"Provided schema is missing column {field['name']} of the file.")
    return told


def _detected(content: bytes) -> list[Json]:
    kinds: dict[str, Json] = {}
    for line in content.splitlines():
        for name, value in json.loads(line).items():
            if value is not None:
                kinds.setdefault(name, {"type": _kind(value)})
    return standard_fields([{"name": name, **kind} for name, kind in kinds.items()])


def _kind(value: Any) -> str:  # noqa: ANN401  any JSON value
    for kind, name in ((bool, "BOOLEAN"), (int, "INTEGER"), (float, "FLOAT"), (str, "STRING")):
        if isinstance(value, kind):
            return name
    raise not_served("detecting the type of arrays and objects")


def copy(catalog: Catalog, job: Job) -> None:
    """Copy one table to another, whole."""
    config = job.configuration["copy"]
    sources = config.get("sourceTables") or [config["sourceTable"]]
    found = [catalog.table(table_key(source)[0]) for source in sources]
    layout: Json = {
        name: found[0].resource[name]
        for name in ("timePartitioning", "rangePartitioning", "clustering")
        if name in found[0].resource
    }
    rows = pa.concat_tables([one.rows for one in found])
    target = Destination.of({**layout, **config}, "WRITE_EMPTY")
    write(catalog, target, found[0].fields, rows, job.location)
    job.details |= {"copiedRows": str(rows.num_rows)}
