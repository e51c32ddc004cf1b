"""A table name in a statement is a folder of Parquet files.

Belongs here: where the files of a statement's tables are, and errors for those that are not there.
Does not: which tables a statement names (`named_tables`), the dialect (`duckdb_dialect`), running
anything (`duckdb_parquet`).

    project.dataset.table, dataset.table   <root>/<dataset>/<table>/**/*.parquet
    table                                  <root>/<table>/*.parquet and its key=value folders
"""

from __future__ import annotations

import difflib
import glob
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq
from sqlglot import exp

from jetstream_assets.errors import QueryError
from jetstream_assets.warehouse.named_tables import (
    is_slice,
    missing_slice,
    named_tables,
    slices_named,
)
from jetstream_assets.warehouse.parquet_files import Days, files_below
from jetstream_assets.warehouse.parquet_pruning import asked_range, needed_folders
from jetstream_assets.warehouse.parquet_slices import encoded, experiment_folder

if TYPE_CHECKING:
    from collections.abc import Iterator

# Hidden files are never data.
_FILES = "[!.]*.parquet"
_SHOWN = 12
_MOST_PARTS = 3


@dataclass(frozen=True)
class Relations:
    """The tables below a root folder."""

    root: Path

    def bound(self, tree: exp.Expr) -> exp.Expr:
        """The tree with every table replaced by a read of its files; the tree is changed.

        Raises:
            QueryError: A table or slice does not exist or has no files.
        """
        for table in list(named_tables(tree)):
            table.replace(self._relation(table))
        return tree

    def files(self, tree: exp.Expr, days: Days | None = None) -> frozenset[str]:
        """The files of all tables that the tree names, whole, whatever columns it needs.

        Args:
            tree: The statement.
            days: Leave out folders of other days, but for slices.
        """
        found: set[str] = set()
        for table in named_tables(tree):
            folder, patterns = self._place(table)
            if is_slice(table):
                found.update(str(file) for pattern in patterns for file in folder.glob(pattern))
            else:
                found.update(files_below(str(folder), days))
        return frozenset(found)

    def _place(self, table: exp.Table) -> tuple[Path, tuple[str, ...]]:
        """The folder of a table and the patterns of its files in it."""
        if is_slice(table):
            named = slices_named(table)
            folder = experiment_folder(self.root, named.dataset, named.table, named.experiment)
            days = ("*",) if named.days is None else named.days
            return folder, tuple(f"date={day}/{named.part}.parquet" for day in days)
        parts = [part.name for part in table.parts]
        if not all(parts) or len(parts) > _MOST_PARTS:
            raise QueryError(f"{'.'.join(parts)} is no name of a table: project.dataset.table is.")
        return self.root.joinpath(*map(encoded, parts[-2:])), (f"**/{_FILES}",)

    def _relation(self, table: exp.Table) -> exp.Expr:
        folder, patterns = self._place(table)
        if is_slice(table):
            paths = [f"{glob.escape(str(folder))}/{pattern}" for pattern in patterns]
            relation = self._slice_relation(table, folder, patterns, paths)
        else:
            relation = self._table_relation(table, folder)
        alias = table.args.get("alias") or exp.TableAlias(this=table.this.copy())
        if isinstance(relation, exp.Select):
            return exp.Subquery(this=relation, alias=alias.copy())
        return exp.Table(this=relation, alias=alias.copy())

    def _slice_relation(
        self, table: exp.Table, folder: Path, patterns: tuple[str, ...], paths: list[str]
    ) -> exp.Expr:
        named = slices_named(table)
        for day, pattern in zip(named.days or (None,), patterns, strict=True):
            if next(folder.glob(pattern), None) is None:
                raise QueryError(missing_slice(named, day, str(folder)))
        if named.days is not None:
            return _read(*paths, hive_partitioning=exp.false())
        # The folder may hold only a digest of a long slug, so its text comes from the reference.
        slug = exp.alias_(exp.Literal.string(named.experiment), "experiment")
        types = "{'experiment': VARCHAR, 'date': DATE}"
        read = _read(*paths, hive_partitioning=exp.true(), hive_types=exp.var(types))
        everything = exp.Star(replace=[slug])
        return exp.select(everything).from_(exp.Table(this=read))

    def _table_relation(self, table: exp.Table, folder: Path) -> exp.Expr:
        files = list(_data_files(folder, is_one_part=len(table.parts) == 1))
        if not files:
            raise QueryError(self._no_table(table, folder))
        path = f"{glob.escape(str(folder))}/**/{_FILES}"
        keys = _partition_keys(folder, files[0])
        clashing = {key for key in keys if key.lower() in _columns(files[0])}
        if clashing:
            return _without_clashes(path, [key for key in keys if key not in clashing])
        asked = asked_range(table) if keys else None
        needed = needed_folders(str(folder), files, asked) if asked else ()
        paths = [f"{glob.escape(str(folder / name))}/**/{_FILES}" for name in needed] or [path]
        return _read(*paths, hive_partitioning=exp.true())

    def _no_table(self, table: exp.Table, folder: Path) -> str:
        name = ".".join(part.name for part in table.parts)
        if folder.is_dir():
            return (
                f"Table {name} holds no Parquet files: looked for *.parquet in {folder}. "
                "Put the table's files there."
            )
        known = sorted(self._known_tables())
        wanted = ".".join(part.name for part in list(table.parts)[-2:])
        close = difflib.get_close_matches(wanted, known, n=3)
        guess = f" Did you mean {' or '.join(close)}?" if close else ""
        shown = ", ".join(known[:_SHOWN]) + (", ..." if len(known) > _SHOWN else "")
        return (
            f"Table {name} does not exist: there is no folder {folder}.{guess} "
            f"Tables here: {shown or 'none'}. Put its Parquet files into that folder, or name "
            "another table."
        )

    def _known_tables(self) -> Iterator[str]:
        datasets = (path for path in self.root.glob("[!.]*") if path.is_dir())
        for dataset in datasets:
            yield from (f"{dataset.name}.{t.name}" for t in dataset.glob("[!.]*") if t.is_dir())


def _read(*paths: str, **options: exp.Expr) -> exp.Anonymous:
    arguments = [exp.EQ(this=exp.to_identifier(name), expression=v) for name, v in options.items()]
    union = exp.EQ(this=exp.to_identifier("union_by_name"), expression=exp.true())
    return exp.Anonymous(
        this="READ_PARQUET", expressions=[_path_argument(paths), union, *arguments]
    )


def _path_argument(paths: tuple[str, ...]) -> exp.Expr:
    literals = [exp.Literal.string(path) for path in paths]
    return literals[0] if len(literals) == 1 else exp.Array(expressions=literals)


def _data_files(folder: Path, *, is_one_part: bool) -> Iterator[str]:
    if not is_one_part or any(folder.glob(_FILES)) or any(folder.glob("*=*")):
        yield from files_below(str(folder))


def _partition_keys(folder: Path, file: str) -> list[str]:
    parts = Path(file).relative_to(folder).parts[:-1]
    return [part.partition("=")[0] for part in parts if "=" in part]


def _columns(file: str) -> set[str]:
    try:
        return {name.lower() for name in pq.read_schema(file).names}
    except (OSError, pa.ArrowInvalid):
        return set()  # DuckDB names the damaged file


def _without_clashes(path: str, keys: list[str]) -> exp.Expr:
    """The files' own columns win over folders of the same name; DuckDB alone does the reverse."""
    read = _read(path, hive_partitioning=exp.false(), filename=exp.true())
    pattern = "/{}=([^/]*)/"
    columns = [
        exp.alias_(
            exp.Anonymous(
                this="REGEXP_EXTRACT",
                expressions=[
                    exp.column("filename"),
                    exp.Literal.string(pattern.format(key)),
                    exp.Literal.number(1),
                ],
            ),
            key,
            quoted=True,
        )
        for key in keys
    ]
    everything = exp.Star(except_=[exp.to_identifier("filename")])
    return exp.select(everything, *columns).from_(exp.Table(this=read))
