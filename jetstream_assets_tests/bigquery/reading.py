"""A query over stored tables, run by DuckDB as the embedded warehouse would run it.

Belongs here: binding names of tables to a snapshot, running, the rows in BigQuery's types, and the
bytes that are read. Does not: statements that write (`statements`), jobs.

The translation is the product's own, so that both warehouses compute the same; where it is wrong,
this server is wrong with it. What DuckDB accepts and BigQuery refuses (an implicit cast, a missing
GROUP BY of a functional dependency) is accepted.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import duckdb
import numpy as np
import pyarrow as pa
import sqlglot
from sqlglot import exp

from jetstream_assets.warehouse.duckdb_dialect import to_duckdb
from jetstream_assets.warehouse.duckdb_session import DuckDBSession
from jetstream_assets.warehouse.named_tables import named_tables
from jetstream_assets_tests.bigquery.fields import conformed, fields_of
from jetstream_assets_tests.bigquery.names import TableKey
from jetstream_assets_tests.bigquery.pruning import Scan, scans
from jetstream_assets_tests.bigquery.refusals import Json, Refusal, invalid_query, not_found
from jetstream_assets_tests.bigquery.sizes import billed
from jetstream_assets_tests.bigquery.tables import Stored
from jetstream_assets_tests.bigquery.wording import as_bigquery_says

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@dataclass
class Scope:
    """Where a query looks for names: a snapshot, and the defaults of names that leave parts out.

    A query that would bill more than ``most_billed`` is refused before it runs.
    """

    project: str
    dataset: str | None
    find: Callable[[TableKey], Stored | None]
    most_billed: int | None = None
    read: dict[TableKey, Stored] = field(default_factory=dict)

    def key(self, table: exp.Table) -> TableKey:
        """The full name of a table in a statement."""
        parts = [part.name for part in table.parts]
        if len(parts) == 1 and self.dataset is not None:
            parts.insert(0, self.dataset)
        if not 2 <= len(parts) <= 3 or not all(parts):
            raise invalid_query(
                f'Table "{".".join(parts)}" must be qualified with a dataset (e.g. dataset.table).'
            )
        return TableKey(*parts) if len(parts) == 3 else TableKey(self.project, *parts)

    def table(self, key: TableKey) -> Stored:
        """A table that must be there; it counts as read."""
        if key not in self.read:
            stored = self.find(key)
            if stored is None:
                raise not_found("Table", str(key), "US")
            self.read[key] = stored
        return self.read[key]


@dataclass(frozen=True)
class Rows:
    """The rows of a query with their fields, and what it reads of each table."""

    fields: list[Json]
    rows: pa.Table
    scans: list[Scan]


class Engine:
    """DuckDB.

    ``is_shuffled`` gives rows without ORDER BY in an order that nobody expects, as the real service
    may.
    """

    def __init__(self, folder: Path, threads: int = 2, memory_limit: str = "1GB") -> None:
        self._session = DuckDBSession(folder, threads, memory_limit)
        self.is_shuffled = False

    def rows(self, tree: exp.Expr, scope: Scope, stop: Stop) -> Rows:
        """Run a query."""
        return self._run(tree, scope, stop, is_dry=False)

    def plan(self, tree: exp.Expr, scope: Scope) -> Rows:
        """The fields and sizes of a query that does not run."""
        return self._run(tree, scope, Stop(), is_dry=True)

    def _run(self, tree: exp.Expr, scope: Scope, stop: Stop, *, is_dry: bool) -> Rows:
        _name_columns(tree)
        with as_bigquery_says(tree):
            # Views are read as the tables below them.
            whole = _expanded(tree, scope)
            read = scans(whole, tables(whole), lambda table: scope.table(scope.key(table)))
            _check_bill(read, scope.most_billed)
            bound = _bound(to_duckdb(whole), scope)
            sql = bound.sql(dialect="duckdb")
            with closing(self._session.cursor()) as cursor, stop.watching(cursor):
                for key, stored in scope.read.items():
                    if not stored.is_view:
                        cursor.register(_name(key), stored.rows)
                text = f"FROM ({sql}) LIMIT 0" if is_dry else sql
                found = cursor.sql(text).to_arrow_table()
        if self.is_shuffled and not tree.args.get("order"):
            found = found.take(np.random.default_rng(found.num_rows).permutation(found.num_rows))
        fields = fields_of(found.schema)
        fields = [{**one, "mode": _relaxed(one["mode"])} for one in fields]
        return Rows(fields, conformed(found, fields), read)


class Stop:
    """A job's wish to end early: it interrupts what runs, and what would run next."""

    def __init__(self) -> None:
        self.wished = threading.Event()
        self._lock = threading.Lock()
        self._running: duckdb.DuckDBPyConnection | None = None

    def wish(self) -> None:
        """Stop."""
        with self._lock:
            self.wished.set()
            if self._running is not None:
                self._running.interrupt()

    def watching(self, cursor: duckdb.DuckDBPyConnection) -> _Watch:
        """While the body runs, a wish interrupts the cursor."""
        return _Watch(self, cursor)

    def check(self) -> None:
        """Raise where a stop was wished."""
        if self.wished.is_set():
            raise duckdb.InterruptException("stopped")

    def set_running(self, cursor: duckdb.DuckDBPyConnection | None) -> None:
        """What a wish interrupts."""
        with self._lock:
            self._running = cursor


@dataclass(frozen=True)
class _Watch:
    stop: Stop
    cursor: duckdb.DuckDBPyConnection

    def __enter__(self) -> None:
        self.stop.set_running(self.cursor)
        self.stop.check()

    def __exit__(self, *_: object) -> None:
        self.stop.set_running(None)


def parsed(sql: str) -> list[exp.Expr]:
    """The statements of a script."""
    try:
        trees = [tree for tree in sqlglot.parse(sql, dialect="bigquery") if tree is not None]
    except sqlglot.ParseError as error:
        first = error.errors[0] if error.errors else {}
        where = f" at [{first.get('line', 1)}:{first.get('col', 1)}]"
        raise invalid_query(f"Syntax error: {first.get('description', error)}{where}") from error
    except sqlglot.TokenError as error:
        raise invalid_query(f"Syntax error: {error}") from error
    if not trees:
        raise invalid_query("Syntax error: Unexpected end of statement at [1:1]")
    return trees


def _check_bill(read: list[Scan], limit: int | None) -> None:
    cost = billed([scan.size for scan in read])
    if limit is not None and cost > limit:
        raise Refusal(
            "bytesBilledLimitExceeded",
            f"Query exceeded limit for bytes billed: {limit}. {cost} or higher required.",
        )


def _expanded(tree: exp.Expr, scope: Scope) -> exp.Expr:
    tree = tree.copy()
    for table in tables(tree):
        key = scope.key(table)
        stored = scope.table(key)
        if not stored.fields and not stored.is_view:
            name = f"{key.project}.{key.dataset}.{key.table}"
            raise invalid_query(f"Table {name} does not have a schema.")
        if stored.is_view:
            (inner,) = parsed(stored.resource["view"]["query"])
            _name_columns(inner)
            inner_scope = Scope(key.project, key.dataset, scope.find, read=scope.read)
            alias = table.args.get("alias") or exp.TableAlias(this=table.this.copy())
            body = _expanded(_qualified(inner, inner_scope), scope)
            table.replace(exp.Subquery(this=body, alias=alias.copy()))
    return tree


def _qualified(tree: exp.Expr, scope: Scope) -> exp.Expr:
    for table in tables(tree):
        key = scope.key(table)
        if not table.alias:
            table.set("alias", exp.TableAlias(this=table.this.copy()))
        for part, name in zip(("catalog", "db", "this"), key, strict=True):
            table.set(part, exp.to_identifier(name, quoted=True))
    return tree


def _bound(tree: exp.Expr, scope: Scope) -> exp.Expr:
    for table in tables(tree):
        alias = table.args.get("alias") or exp.TableAlias(this=table.this.copy())
        name = exp.to_identifier(_name(scope.key(table)), quoted=True)
        table.replace(exp.Table(this=name, alias=alias.copy()))
    return tree


def tables(tree: exp.Expr) -> list[exp.Table]:
    """Tables that a statement reads; no names of WITH and no arrays of a row."""
    found = []
    for table in named_tables(tree):
        parts = [part.name for part in table.parts]
        if len(parts) == 1 or not _is_alias(parts[0], table):
            found.append(table)
    return found


def _is_alias(name: str, table: exp.Table) -> bool:
    """Whether a path starts at another source of the same query or of one around it."""
    select = table.find_ancestor(exp.Select)
    while select is not None:
        if name.lower() in set(_aliases(select, table)):
            return True
        select = select.find_ancestor(exp.Select)
    return False


def _aliases(select: exp.Select, table: exp.Table) -> Iterator[str]:
    for clause in (select.args.get("from_"), *select.args.get("joins", ())):
        if clause is not None and clause.this is not table:
            yield clause.this.alias_or_name.lower()


def _name(key: TableKey) -> str:
    return f"stored {key}"


def _name_columns(tree: exp.Expr) -> None:
    """Columns without a name are ``f0_``, ``f1_``; two of one name are refused."""
    if not isinstance(tree, exp.Query):
        return
    nameless, seen = 0, set()
    for column in list(tree.selects):
        name = column.alias_or_name
        if isinstance(column, exp.Star) or (isinstance(column, exp.Column) and column.is_star):
            continue
        if not name or not isinstance(column, exp.Alias | exp.Column | exp.Dot):
            name = f"f{nameless}_"
            nameless += 1
            column.replace(exp.alias_(column.copy(), name, quoted=True))
        if name.lower() in seen:
            raise invalid_query(
                "Duplicate column names in the result are not supported. "
                f"Found duplicate(s): {name}"
            )
        seen.add(name.lower())


def _relaxed(mode: str) -> str:
    return "REPEATED" if mode == "REPEATED" else "NULLABLE"
