"""Whether a day of a source is what it was: told by its files, or counted.

Belongs here: finding the files of each day, and their marks. Does not: tables in statements
(`parquet_relations`), when a day is read again (`analysis.daily_aggregates`).

A file belongs to a day where a folder on its path is named ``<key>=<YYYY-MM-DD>``. Its name, size,
time of change and number of rows are its part of the day's mark, so that looking costs no scan.
Where any file has no such folder, the rows of each day are counted, and a change that keeps their
number is not seen.
"""

from __future__ import annotations

import hashlib
import os
from collections import defaultdict
from typing import TYPE_CHECKING

import pyarrow as pa

from jetstream_assets.warehouse.base import SourceDay
from jetstream_assets.warehouse.parquet_files import day_of_folders, state_of
from jetstream_assets.warehouse.parquet_footers import read_footer

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import date

    from jetstream_assets.warehouse.parquet_files import Days


def days_of_files(files: Iterable[str], root: str, days: Days) -> dict[date, SourceDay] | None:
    """What the files hold of each of the days; None where they do not tell.

    A file that cannot be read counts with 0 rows; the scan that reads it will name it.
    """
    by_day: dict[date, list[str]] = defaultdict(list)
    for file in sorted(files):
        day = _day_of(file, root)
        if day is None:
            return None
        if days.first <= day <= days.last:
            by_day[day].append(file)
    return {day: _source_day(of_day, root) for day, of_day in by_day.items()}


def counted(rows: pa.Table) -> dict[date, SourceDay]:
    """What a count of rows (columns ``day``, ``rows``) tells of each day."""
    return {
        row["day"]: SourceDay(f"rows={row['rows']}", row["rows"])
        for row in rows.to_pylist()
        if row["day"] is not None
    }


def _day_of(file: str, root: str) -> date | None:
    return day_of_folders(file[len(root) :].rpartition(os.sep)[0])


def _source_day(files: list[str], root: str) -> SourceDay:
    digest, rows = hashlib.sha256(), 0
    for file in files:
        state, own = state_of(file), _rows(file)
        name = file[len(root) + len(os.sep) :]
        digest.update(f"{name}|{state.st_size}|{state.st_mtime_ns}|{own}\n".encode())
        rows += own
    return SourceDay(digest.hexdigest()[:16], rows)


def _rows(file: str) -> int:
    try:
        return read_footer(file).rows
    except (OSError, pa.ArrowInvalid):
        return 0
