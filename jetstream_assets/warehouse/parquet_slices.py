"""A slice is one Parquet file; it is replaced by a rename, so readers see the old or the new one.

Belongs here: names of folders and files, and writing, listing and describing slices. Does not: SQL
over them (`parquet_relations`), DuckDB (`duckdb_parquet`).

    <root>/<dataset>/<table>/experiment=<slug>/date=<YYYY-MM-DD>/<part>.parquet

Names come from untrusted text, so they are percent-encoded: no name leaves the root.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import uuid
from contextlib import contextmanager
from datetime import date
from typing import TYPE_CHECKING
from urllib.parse import unquote

import pyarrow as pa

from jetstream_assets.warehouse.base import Provenance
from jetstream_assets.warehouse.duckdb_session import SCRATCH_FOLDER, remove_left_overs
from jetstream_assets.warehouse.parquet_footers import read_footer
from jetstream_assets.warehouse.tables import ResultTable, Slice

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

_UNSAFE = re.compile(rb"[^A-Za-z0-9_-]")
# File systems allow names of 255 bytes; "experiment=" and a margin are left out.
_LONGEST_NAME = 200
_KEPT_OF_LONG_NAME = 100
_CUT = "~"
_FIELDS = ("fingerprint", "config_commit", "code_version", "details")
_REQUIRED_FIELDS = 3


def encoded(name: str) -> str:
    """A name of a folder for any text, safe on POSIX file systems and one to one.

    Letters, digits, ``_`` and ``-`` of ASCII stand for themselves, every other byte of the UTF-8
    text is ``%XX``. Longer results are cut and end in ``~`` and a SHA-256 of the text.
    """
    text = name.encode("utf-8", "surrogatepass")
    plain = _UNSAFE.sub(lambda byte: b"%%%02X" % byte.group()[0], text).decode("ascii")
    if len(plain) <= _LONGEST_NAME:
        return plain
    return f"{plain[:_KEPT_OF_LONG_NAME]}{_CUT}{hashlib.sha256(text).hexdigest()}"


def experiment_folder(root: Path, dataset: str, table: str, experiment: str) -> Path:
    """The folder of all slices of an experiment."""
    return root / encoded(dataset) / encoded(table) / f"experiment={encoded(experiment)}"


def slice_file(root: Path, target: Slice) -> Path:
    """The file of a slice, whether it exists or not."""
    folder = experiment_folder(root, target.dataset, target.table, target.experiment)
    return folder / f"date={target.date.isoformat()}" / f"{target.part}.parquet"


def stored_slices(
    root: Path, table: ResultTable, experiment: str, dataset: str
) -> tuple[Slice, ...]:
    """The slices that exist, by date and part."""
    folder = experiment_folder(root, dataset, table, experiment)
    found = (
        Slice(table, experiment, day, dataset, path.stem)
        for path in folder.glob("date=*/[!.]*.parquet")
        if (day := _day(path.parent.name)) is not None
    )
    return tuple(sorted(found))


def stored_experiments(root: Path, table: ResultTable, dataset: str) -> tuple[str, ...]:
    """The slugs that have slices of a table; a name that was cut is not told."""
    folders = (root / encoded(dataset) / encoded(table)).glob("experiment=*")
    names = (folder.name.removeprefix("experiment=") for folder in folders)
    return tuple(
        sorted(unquote(name, errors="surrogatepass") for name in names if _CUT not in name)
    )


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


@contextmanager
def scratch_folder(root: Path) -> Iterator[Path]:
    """A new folder below the root that is gone afterwards; no reader takes its files for data."""
    folder = root / SCRATCH_FOLDER / f"days-{uuid.uuid4().hex}"
    folder.mkdir(parents=True)
    remove_left_overs(folder.parent, "days-*")
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def put_days(folder: Path, empty: Path, targets: Mapping[date, Path]) -> int:
    """Put the files of ``folder/day=<date>/`` into the targets' places, one by one.

    Where there is none, a copy of ``empty`` is put.

    Returns:
        The size of all files in bytes.
    """
    size = 0
    for day, target in sorted(targets.items()):
        (written, *_) = [*folder.glob(f"day={day.isoformat()}/*.parquet"), empty]
        with replacement(target) as beside:
            shutil.copyfile(written, beside) if written == empty else written.replace(beside)
            size += beside.stat().st_size
    return size


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def stored_provenance(path: Path) -> Provenance | None:
    """What the file's footer says of its origin; None when it is absent, damaged or another's."""
    try:
        entries = read_footer(path).entries
    except (OSError, pa.ArrowInvalid):
        return None
    known = [entries[field] for field in _FIELDS if field in entries]
    return Provenance(*known) if len(known) >= _REQUIRED_FIELDS else None


def footer_entries(provenance: Provenance) -> dict[str, str]:
    """The key-value metadata of a slice's footer."""
    return {field: getattr(provenance, field) for field in _FIELDS}
