"""What a statement read, told by the profile that DuckDB made while it ran.

Belongs here: bytes and rows of a profile, and rows of sources apart from rows of slices. Does not:
running statements (`duckdb_parquet`).

DuckDB counts rows after the filters that a scan applies by itself, some of which it makes of joins:
units that do not take part would not be counted although they were read. So rows are those of the
row groups that were scanned. DuckDB names five files of a scan and the number of its row groups;
the rows of a group are the mean of the named files, which is exact where files are alike and where
all are named and none of their groups is skipped.
"""

from __future__ import annotations

import glob
import json
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from jetstream_assets.warehouse.parquet_footers import read_footer
from jetstream_assets.warehouse.tables import ResultTable

if TYPE_CHECKING:
    from collections.abc import Iterator

_MOST_FILES = 5  # what DuckDB names of a scan; a pattern may stand for more
_MORE = "..."


@dataclass(frozen=True)
class Readings:
    """What a statement read; ``bytes_read`` is None where DuckDB has made no account of it."""

    bytes_read: int | None
    rows_scanned: int
    source_rows_scanned: int


def readings(profile: str, root: Path) -> Readings:
    """What the profile tells about a statement over the tables below a root folder."""
    told = json.loads(profile)
    scans = list(_scans(told, root))
    return Readings(
        int(told["io"]["total_bytes_read"]) if "io" in told else None,
        sum(rows for rows, _ in scans),
        sum(rows for rows, is_source in scans if is_source),
    )


def _scans(told: dict[str, Any], root: Path) -> Iterator[tuple[int, bool]]:
    """For each scan of files its rows, and whether they are rows of a source."""
    for operator in told.get("operator", ()):
        yield from _scans_below(operator, root)


def _scans_below(operator: dict[str, Any], root: Path) -> Iterator[tuple[int, bool]]:
    names = operator["extra_info"].get("Filename(s)")
    if names is not None and "row_groups_scanned" in operator:
        files = list(islice(_named_files(names), _MOST_FILES))
        is_source = not any(_is_slice(file, root) for file in files)
        yield _rows(operator, files), is_source
    for below in operator.get("children", ()):
        yield from _scans_below(below, root)


def _rows(operator: dict[str, Any], files: list[str]) -> int:
    counts = [count for file in files if (count := _footer(file)) is not None]
    rows, groups = sum(rows for rows, _ in counts), sum(groups for _, groups in counts)
    if not groups:  # the files are gone: what is left is the count after the scan's own filters
        return int(operator["rows_scanned"])
    scanned: int = operator["row_groups_scanned"]
    return round(scanned * rows / groups)


def _named_files(names: str) -> Iterator[str]:
    for name in names.split(", "):
        if name != _MORE:
            yield from glob.iglob(name, recursive=True)  # noqa: PTH207  from the root of the disk


def _is_slice(file: str, root: Path) -> bool:
    """Whether it is ``<root>/<dataset>/<result table>/experiment=.../...``."""
    path = Path(file)
    parts = path.relative_to(root).parts if path.is_relative_to(root) else ()
    match parts:
        case (_, table, experiment, _, _):
            return table in set(ResultTable) and experiment.startswith("experiment=")
    return False


def _footer(file: str) -> tuple[int, int] | None:
    """Rows and row groups of a file that is still there."""
    try:
        found = read_footer(file)
    except (OSError, pa.ArrowInvalid):
        return None
    return found.rows, found.row_groups
