"""Every process has a DuckDB of its own, in memory: no shared file, so no lock.

Belongs here: settings, limits, the one connection of a process, its cursors. Does not: SQL
(`duckdb_dialect`, `duckdb_macros`), files (`parquet_slices`).
"""

from __future__ import annotations

import contextlib
import glob
import os
import shutil
import threading
import time
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb

from jetstream_assets.warehouse.duckdb_macros import ALL_MACROS, create_macros, macros_of
from jetstream_assets.warehouse.duckdb_own_macros import NO_MACROS, OwnMacros

if TYPE_CHECKING:
    from collections.abc import Iterator

SCRATCH_FOLDER = ".scratch"
LEFT_OVER_AFTER = 24 * 3600.0  # seconds; no statement runs for a day
_LEAST_MEMORY = 512 * 1024**2

# No extension is fetched or loaded at run time: json, parquet and icu are built into the wheel.
_SAFE_CONFIG: dict[str, str | bool | int | float | list[str]] = {
    "autoinstall_known_extensions": False,
    "autoload_known_extensions": False,
    "python_enable_replacements": False,
}
# GLOBAL: a cursor inherits no settings of the connection that it comes from.
_SETTINGS = (
    "SET GLOBAL TimeZone = 'UTC'",
    # With error_on_division_by_zero (the default): dividing by zero is an error, as in BigQuery.
    "SET GLOBAL ieee_floating_point_ops = false",
    # A slice may be replaced within a file system's clock tick: never serve cached bytes of it.
    "SET GLOBAL enable_external_file_cache = false",
    "SET GLOBAL preserve_insertion_order = true",
    # One file a day, however many days one statement writes.
    "SET GLOBAL partitioned_write_max_open_files = 400",
)


class DuckDBSession:
    """Cursors of an in-memory DuckDB that is opened at first use, once per process.

    It pickles as its settings and opens again where it is unpickled or forked. Statements may read
    and write below ``root`` and nowhere else: file functions in a configuration's SQL are refused.

    Args:
        root: The folder of the warehouse.
        threads: DuckDB's threads; None leaves DuckDB's default, the number of cores.
        memory_limit: Such as ``"4GB"``; None is half of the machine's or the container's memory.
            What does not fit spills to ``<root>/.scratch``.
        macros: Macros beyond the shipped ones.
    """

    def __init__(
        self,
        root: Path,
        threads: int | None,
        memory_limit: str | None,
        macros: OwnMacros = NO_MACROS,
    ) -> None:
        self._settings = (root, threads, memory_limit, macros)
        self._lock = threading.Lock()
        self._connection: duckdb.DuckDBPyConnection | None = None
        self._macros: set[str] = set()
        self._process = os.getpid()
        # Connections of a parent process cannot even be closed after a fork; they are kept.
        self._inherited: list[duckdb.DuckDBPyConnection] = []

    def __reduce__(self) -> tuple[type[DuckDBSession], tuple[Any, ...]]:
        return type(self), self._settings

    def cursor(self, statement: str | None = None) -> duckdb.DuckDBPyConnection:
        """A cursor of its own for one call; connections are not thread-safe, cursors are.

        Args:
            statement: What it is to run, so that no more macros are created than are called:
                creating all takes as long as opening. Default: anything.
        """
        with self._lock:
            if self._process != os.getpid():
                self._keep_inherited()
            if self._connection is None:
                self._connection, self._macros = _connect(*self._settings), set()
            self._create_macros(self._connection, statement)
            return self._connection.cursor()

    def discard(self) -> None:
        """Forget the connection: after an internal error DuckDB refuses every statement."""
        with self._lock:
            self._connection = None

    def _create_macros(self, connection: duckdb.DuckDBPyConnection, statement: str | None) -> None:
        """The shipped macros that are called and not there yet; beside own ones all are there."""
        if self._settings[-1].statements:
            return
        called = ALL_MACROS if statement is None else macros_of(statement)
        create_macros(connection, called - self._macros)
        self._macros |= called

    def _keep_inherited(self) -> None:
        if self._connection is not None:
            self._inherited.append(self._connection)
        self._connection, self._process = None, os.getpid()


def half_of_memory() -> str:
    """Half of the machine's memory, or of the container's limit where that is lower."""
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    half = max(min(total, *_container_limits()) // 2, _LEAST_MEMORY)
    return f"{half // 1024**2}MiB"


def _container_limits() -> Iterator[int]:
    for path in ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"):
        try:
            text = Path(path).read_text().strip()
        except OSError:
            continue
        if text.isdigit():  # "max" where there is no limit
            yield int(text)
    yield 2**63 - 1


def _connect(
    root: Path, threads: int | None, memory_limit: str | None, macros: OwnMacros
) -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect(config=_SAFE_CONFIG)
    for statement in _SETTINGS:
        connection.execute(statement)
    # The names of DuckDB's spill files do not tell processes apart, so each has its own folder.
    # DuckDB makes it when it spills and removes it when it closes.
    scratch = root / SCRATCH_FOLDER
    with contextlib.suppress(OSError):  # a folder that may only be read serves small queries
        if root.is_dir():
            scratch.mkdir(exist_ok=True)
    remove_left_overs(scratch, "*")
    _set(connection, "temp_directory", str(scratch / f"spill-{uuid.uuid4().hex}"))
    _set(connection, "memory_limit", memory_limit or half_of_memory())
    if threads is not None:
        _set(connection, "threads", threads)
    # Patterns are compared as text, so the root is allowed as itself and with its *, ? and [
    # escaped.
    folders = sorted({f"{folder}{os.sep}" for folder in (str(root), glob.escape(str(root)))})
    _set(connection, "allowed_directories", folders)
    connection.execute("SET enable_external_access = false")
    if macros.statements:
        # They may call any of the shipped ones, or take their place.
        create_macros(connection)
        macros.create(connection)
    return connection


def _set(connection: duckdb.DuckDBPyConnection, name: str, value: object) -> None:
    connection.execute(f"SET GLOBAL {name} = ?", [value])


def remove_left_overs(folder: Path, pattern: str) -> None:
    """Remove what processes that were killed left behind more than a day ago."""
    for path in folder.glob(pattern):
        try:
            if time.time() - path.stat().st_mtime < LEFT_OVER_AFTER:
                continue
            if path.is_dir():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink(missing_ok=True)
        except FileNotFoundError:
            continue  # another process cleaned up first
