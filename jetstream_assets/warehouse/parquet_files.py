"""The Parquet files below a folder, and the day that each of them belongs to.

Belongs here: walking folders. Does not: which table a folder is (`parquet_relations`), what is in a
file (`parquet_footers`).

A table is listed for every statement over it, and has a folder a day: paths are texts, for making
objects of them took several times as long as asking the disk.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_REMEMBERED = 100_000


@dataclass(frozen=True)
class Days:
    """From first to last, inclusive."""

    first: date
    last: date


def files_below(folder: str, days: Days | None = None) -> Iterator[str]:
    """What ``**/[!.]*.parquet`` matches: no hidden file, and nothing where there is no folder.

    Args:
        folder: The folder.
        days: Leave out folders of other days, which a source may have many of. As in
            `day_of_folders`, only the first folder on a path that has a day is of that day.
    """
    below: list[tuple[str, Days | None]] = []
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.is_dir():
                    # As by a pattern, links to folders are not followed.
                    if not entry.is_symlink():
                        below += _asked(entry, days)
                elif entry.name.endswith(".parquet") and not entry.name.startswith("."):
                    yield entry.path
    except OSError:  # not there, no folder, or not to be read
        return
    for found, left in below:
        yield from files_below(found, left)


def _asked(entry: os.DirEntry[str], days: Days | None) -> list[tuple[str, Days | None]]:
    """The folder and the days that are asked of it; nothing where it is of another day."""
    day = day_of_name(entry.name) if days else None
    if days is None or day is None:
        return [(entry.path, days)]
    return [(entry.path, None)] if days.first <= day <= days.last else []


def state_of(file: Path | str) -> os.stat_result:
    """Size, time of change and the like of a file; an OSError where it is not there."""
    return os.stat(file)  # noqa: PTH116  see above


@lru_cache(maxsize=_REMEMBERED)
def day_of_folders(names: str) -> date | None:
    """The day of the first of nested folders that has one."""
    return next(filter(None, map(day_of_name, names.split(os.sep))), None)  # noqa: PTH206


@lru_cache(maxsize=_REMEMBERED)
def day_of_name(name: str) -> date | None:
    """The day of a folder ``<key>=<YYYY-MM-DD>``."""
    _, _, value = name.partition("=")
    try:
        return date.fromisoformat(value)
    except ValueError:
        return None
