"""A warehouse on a laptop: a folder of Parquet files, read and written by DuckDB in this process.

Belongs here: the protocol's methods over DuckDB. Does not: the dialect (`duckdb_dialect`), tables
in statements (`parquet_relations`), files of slices (`parquet_slices`), settings
(`duckdb_session`), types of columns (`duckdb_types`).
"""

from __future__ import annotations

import os
import shutil
import time
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict

import pyarrow as pa
from sqlglot import exp

from jetstream_assets.errors import QueryError, WarehouseError
from jetstream_assets.warehouse.base import Answer, Estimate, Provenance, SourceDay, Written
from jetstream_assets.warehouse.duckdb_dialect import to_duckdb
from jetstream_assets.warehouse.duckdb_errors import BROKEN, as_warehouse_errors
from jetstream_assets.warehouse.duckdb_own_macros import NO_MACROS, OwnMacros
from jetstream_assets.warehouse.duckdb_profile import readings
from jetstream_assets.warehouse.duckdb_rows import rows_of
from jetstream_assets.warehouse.duckdb_session import DuckDBSession
from jetstream_assets.warehouse.duckdb_types import bigquery_type, stored_type, with_stored_types
from jetstream_assets.warehouse.parquet_expiring import make_expiring
from jetstream_assets.warehouse.parquet_files import Days, state_of
from jetstream_assets.warehouse.parquet_relations import Relations
from jetstream_assets.warehouse.parquet_slices import (
    experiment_folder,
    footer_entries,
    put_days,
    replacement,
    scratch_folder,
    slice_file,
    stored_experiments,
    stored_provenance,
    stored_slices,
)
from jetstream_assets.warehouse.parquet_source_days import counted, days_of_files
from jetstream_assets.warehouse.purpose import current_purpose
from jetstream_assets.warehouse.query_costs import QueryCost, note_cost
from jetstream_assets.warehouse.tables import ResultTable

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import date

    import duckdb

    from jetstream_assets.warehouse.tables import Slice

_ROW_GROUP = 122_880  # DuckDB's default, written down: it decides the bytes
# Level 1 of metrics is as small as the default level, 3, and takes a quarter less time to write.
_COMPRESSION = "COMPRESSION zstd, COMPRESSION_LEVEL 1"
_BY_DAY = ", PARTITION_BY (day), WRITE_PARTITION_COLUMNS true, FILENAME_PATTERN 'part-{i}'"
_CONTENT = "content"
_PROFILED = "SET enable_profiling = 'no_output'"
_ALL_CONTENT = f"SELECT * FROM {_CONTENT}"  # noqa: S608  a constant


class _Cost(TypedDict):
    bytes_read: int
    rows_scanned: int
    source_rows_scanned: int


@dataclass(frozen=True)
class DuckDBParquetWarehouse:
    """`Warehouse` over ``<root>/<dataset>/<table>/**/*.parquet``.

    Cheap to make and to pickle; DuckDB opens at first use, once per process, in memory. Any number
    of processes and threads may read and write at once. Integers come out as INT64, floats as
    FLOAT64, times in UTC.

    Args:
        root: The folder; it is made when something is written.
        threads: DuckDB's threads; None is the number of cores.
        memory_limit: Such as ``"4GB"``; None is half of the machine's or container's memory.
        macros: The organisation's functions beyond those that are shipped. What was computed with
            others is told apart by the ``code_version`` of its provenance.
    """

    root: Path
    threads: int | None = None
    memory_limit: str | None = None
    macros: OwnMacros = NO_MACROS
    _session: DuckDBSession = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        root = self.root.expanduser().absolute()
        object.__setattr__(self, "root", root)
        session = DuckDBSession(root, self.threads, self.memory_limit, self.macros)
        object.__setattr__(self, "_session", session)

    def answer(self, tree: exp.Expr) -> Answer:
        """The rows of a query, in memory, and what DuckDB's profile says it read for them."""
        started = time.perf_counter()
        sql = self._statement(tree)
        with self._cursor(sql, tree) as cursor:
            cursor.execute(_PROFILED)
            rows = rows_of(cursor, sql)
            cost = self._cost(cursor, tree)
        seconds = time.perf_counter() - started
        self._note("read", seconds, cost)
        return Answer(rows, seconds=seconds, sql=sql, **cost)

    def query(self, tree: exp.Expr) -> pa.Table:
        """The rows of a query, in memory."""
        return self.answer(tree).rows

    def replace(
        self, target: Slice, content: exp.Expr | pa.Table, provenance: Provenance
    ) -> Written:
        """Put the content in the slice's place, whole and atomically.

        The rows go from DuckDB to the file without passing through Python. Equal rows in equal
        order give equal bytes. ``bytes_read`` counts the needed columns of the needed row groups.
        A table from Python has no statement.
        """
        started = time.perf_counter()
        tree = None if isinstance(content, pa.Table) else content
        sql = _ALL_CONTENT if tree is None else self._statement(tree)
        path = slice_file(self.root, target)
        with _disk_trouble(path), replacement(path) as beside, self._cursor(sql, tree) as cursor:
            if tree is None:
                cursor.register(_CONTENT, content)
            cursor.execute(_PROFILED)
            typed = with_stored_types(cursor.sql(sql), sql)
            copy = _copy(typed, beside, self._marked(provenance))
            rows = cursor.execute(copy).fetchall()[0][0]
            cost = self._cost(cursor, tree)
            size = beside.stat().st_size
        seconds, sql = time.perf_counter() - started, "" if tree is None else sql
        if tree is not None:
            self._note("store", seconds, cost)
        return Written(rows=rows, bytes_written=size, seconds=seconds, sql=sql, **cost)

    def replace_days(
        self, targets: Mapping[date, Slice], content: exp.Query, provenance: Provenance
    ) -> Written:
        """Put the rows of one query into one slice a day, each whole and atomically.

        One statement reads the sources once, whatever the number of days.
        """
        started = time.perf_counter()
        sql, provenance = self._statement(content), self._marked(provenance)
        with (
            _disk_trouble(self.root),
            scratch_folder(self.root) as folder,
            self._cursor(sql, content) as cursor,
        ):
            cursor.execute(_PROFILED)
            typed = with_stored_types(cursor.sql(sql), sql)
            rows = cursor.execute(_copy(typed, folder, provenance, _BY_DAY)).fetchall()[0][0]
            cost = self._cost(cursor, content)
            empty = folder / "empty.parquet"
            cursor.execute(_copy(f"FROM (\n{typed}\n) LIMIT 0", empty, provenance))
            size = put_days(
                folder, empty, {d: slice_file(self.root, t) for d, t in targets.items()}
            )
        seconds = time.perf_counter() - started
        self._note("store", seconds, cost)
        return Written(rows=rows, bytes_written=size, seconds=seconds, sql=sql, **cost)

    def source_days(
        self, relation: exp.Expr, day: exp.Expr, first: date, last: date
    ) -> dict[date, SourceDay]:
        """What is there of a source on each day: told by its files, else counted."""
        days = Days(first, last)
        files = self._files(exp.select("*").from_(relation.copy()), days)
        told = days_of_files(files, str(self.root), days) if files else None
        if told is not None:
            return told
        is_asked = exp.Between(this=day.copy(), low=_date(first), high=_date(last))
        count = exp.alias_(exp.Count(this=exp.Star(), big_int=True), "rows", quoted=True)
        query = exp.select(exp.alias_(day.copy(), "day"), count).from_(relation.copy())
        return counted(self.query(query.where(is_asked).group_by(day.copy())))

    def provenance(self, target: Slice) -> Provenance | None:
        """From what a slice was computed; None when it does not exist or its file is damaged."""
        stored = stored_provenance(slice_file(self.root, target))
        if stored is None:
            return None
        return replace(stored, code_version=self.macros.unmarked(stored.code_version))

    def slices(self, table: ResultTable, experiment: str, dataset: str) -> tuple[Slice, ...]:
        """The stored slices of a table and experiment, by date."""
        return stored_slices(self.root, table, experiment, dataset)

    def experiments(self, table: ResultTable, dataset: str) -> tuple[str, ...]:
        """The slugs that have slices of a table; not those whose folder has a digest for a name."""
        return stored_experiments(self.root, table, dataset)

    def make_expiring(self, dataset: str, days: int) -> None:
        """Make a folder from which what is older than some days is removed, now and later."""
        make_expiring(self.root, dataset, days)

    def remove(self, experiment: str, dataset: str) -> None:
        """Remove every table of an experiment from a dataset, where there is any."""
        for table in ResultTable:
            shutil.rmtree(
                experiment_folder(self.root, dataset, table, experiment), ignore_errors=True
            )

    def dry_run(self, tree: exp.Expr) -> Estimate:
        """Check a query without running it.

        ``bytes_read`` is the size of all files of all tables that it names: an upper bound.
        """
        sql = self._statement(tree)
        with self._cursor(sql, tree) as cursor:
            relation = cursor.sql(sql)
            types = zip(relation.columns, relation.types, strict=True)
            columns = {name: bigquery_type(stored_type(kind)) for name, kind in types}
        size = sum(state_of(file).st_size for file in self._files(tree))
        return Estimate(size, sql, columns)

    def sql(self, tree: exp.Expr) -> str:
        """The statement as DuckDB runs it, formatted; tables are reads of their files."""
        return self._statement(tree)

    def _statement(self, tree: exp.Expr) -> str:
        if not isinstance(tree, exp.Query):
            raise QueryError(
                f"A query is expected, not a {type(tree).__name__}: the warehouse runs SELECT only."
            )
        bound = Relations(self.root).bound(self._translated(tree))
        return bound.sql(dialect="duckdb", pretty=True, copy=False)

    def _files(self, tree: exp.Expr | None, days: Days | None = None) -> frozenset[str]:
        if tree is None:
            return frozenset()
        return Relations(self.root).files(self._translated(tree), days)

    def _translated(self, tree: exp.Expr) -> exp.Expr:
        return to_duckdb(tree, self.macros.names)

    def _marked(self, provenance: Provenance) -> Provenance:
        return replace(provenance, code_version=self.macros.marked(provenance.code_version))

    def _cost(self, cursor: duckdb.DuckDBPyConnection, tree: exp.Expr | None) -> _Cost:
        """What the last statement read from files, by DuckDB's profile.

        DuckDB counts no bytes of a statement that it answers from the files' statistics, such as a
        count of all rows; then it is the size of the files, an upper bound.
        """
        found = readings(cursor.get_profiling_information(), self.root)
        size = found.bytes_read
        if size is None:
            size = sum(state_of(file).st_size for file in self._files(tree))
        return {
            "bytes_read": size,
            "rows_scanned": found.rows_scanned,
            "source_rows_scanned": found.source_rows_scanned,
        }

    def _note(self, kind: str, seconds: float, cost: _Cost) -> None:
        """Keep what a query cost; nothing is billed, and each thread counts as a slot."""
        slots = (self.threads or os.cpu_count() or 1) * seconds
        began = datetime.now(UTC) - timedelta(seconds=seconds)
        found = cost["bytes_read"]
        note_cost(QueryCost(current_purpose(), kind, "", began, seconds, found, 0, slots))

    @contextmanager
    def _cursor(self, sql: str, tree: exp.Expr | None) -> Iterator[duckdb.DuckDBPyConnection]:
        with as_warehouse_errors(sql, lambda: self._files(tree)):
            try:
                with closing(self._session.cursor(sql)) as cursor:
                    yield cursor
            except BROKEN:
                self._session.discard()
                raise


def _date(day: date) -> exp.Expr:
    return exp.cast(exp.Literal.string(day.isoformat()), exp.DType.DATE)


def _copy(sql: str, path: Path, provenance: Provenance, options: str = "") -> str:
    entries = ", ".join(
        f"{key}: {exp.Literal.string(value).sql(dialect='duckdb')}"
        for key, value in footer_entries(provenance).items()
    )
    target = exp.Literal.string(str(path)).sql(dialect="duckdb")
    return (
        f"COPY (\n{sql}\n) TO {target} (FORMAT parquet, {_COMPRESSION}, "
        f"ROW_GROUP_SIZE {_ROW_GROUP}, KV_METADATA {{{entries}}}{options})"
    )


@contextmanager
def _disk_trouble(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise WarehouseError(f"{path} cannot be written: {error}") from error
