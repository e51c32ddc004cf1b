"""A slice is one Parquet file; it is replaced by a rename, so readers see the old or the new one.

Belongs here: names of folders and files, and writing, listing and describing slices. Does not: SQL
over them (`parquet_relations`), DuckDB (`duckdb_parquet`).

    <root>/<dataset>/<table>/experiment=<slug>/date=<YYYY-MM-DD>/part-0.parquet

Names come from untrusted text, so they are percent-encoded: no name leaves the root.
"""

from __future__ import annotations

import hashlib
import os
import re
import uuid
from contextlib import contextmanager
from datetime import date
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq

from jetstream_assets.warehouse.base import Provenance
from jetstream_assets.warehouse.duckdb_session import remove_left_overs
from jetstream_assets.warehouse.tables import ResultTable, Slice

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PART = "part-0.parquet"
_UNSAFE = re.compile(rb"[^A-Za-z0-9_-]")
# File systems allow names of 255 bytes; "experiment=" and a margin are left out.
_LONGEST_NAME = 200
_KEPT_OF_LONG_NAME = 100
_FIELDS = ("fingerprint", "config_commit", "code_version")


def encoded(name: str) -> str:
    """A name of a folder for any text, safe on POSIX file systems and one to one.

    Letters, digits, ``_`` and ``-`` of ASCII stand for themselves, every other byte of the UTF-8
    text is ``%XX``. Longer results are cut and end in ``~`` and a SHA-256 of the text.
    """
    text = name.encode("utf-8", "surrogatepass")
    plain = _UNSAFE.sub(lambda byte: b"%%%02X" % byte.group()[0], text).decode("ascii")
    if len(plain) <= _LONGEST_NAME:
        return plain
    return f"{plain[:_KEPT_OF_LONG_NAME]}~{hashlib.sha256(text).hexdigest()}"


def experiment_folder(root: Path, dataset: str, table: str, experiment: str) -> Path:
    """The folder of all slices of an experiment."""
    return root / encoded(dataset) / encoded(table) / f"experiment={encoded(experiment)}"


def slice_file(root: Path, target: Slice) -> Path:
    """The file of a slice, whether it exists or not."""
    folder = experiment_folder(root, target.dataset, target.table, target.experiment)
    return folder / f"date={target.date.isoformat()}" / PART


def stored_slices(
    root: Path, table: ResultTable, experiment: str, dataset: str
) -> tuple[Slice, ...]:
    """The slices that exist, by date."""
    folder = experiment_folder(root, dataset, table, experiment)
    days = sorted(
        day for path in folder.glob(f"date=*/{PART}") if (day := _day(path.parent.name)) is not None
    )
    return tuple(Slice(table, experiment, day, dataset) for day in days)


def _day(folder: str) -> date | None:
    try:
        return date.fromisoformat(folder.removeprefix("date="))
    except ValueError:
        return None


@contextmanager
def replacement(path: Path) -> Iterator[Path]:
    """A new file beside ``path`` that takes its place when the block ends well.

    Its name is hidden and ends in ``.tmp``, so no reader takes it for data. What killed processes
    left is removed after a day.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    remove_left_overs(path.parent, f".{path.name}.*.tmp")
    beside = path.parent / f".{path.name}.{uuid.uuid4().hex}.tmp"
    try:
        yield beside
        _sync(beside)
        beside.replace(path)
        _sync(path.parent)
    finally:
        beside.unlink(missing_ok=True)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def stored_provenance(path: Path) -> Provenance | None:
    """What the file's footer says of its origin; None when it is absent, damaged or another's."""
    try:
        metadata = pq.read_metadata(path).metadata or {}
    except (OSError, pa.ArrowInvalid):
        return None
    values = [metadata.get(field.encode()) for field in _FIELDS]
    known = [value.decode() for value in values if value is not None]
    return Provenance(*known) if len(known) == len(_FIELDS) else None


def footer_entries(provenance: Provenance) -> dict[str, str]:
    """The key-value metadata of a slice's footer."""
    return {field: getattr(provenance, field) for field in _FIELDS}
