"""A query over stored tables, run by DuckDB as the embedded warehouse would run it.

Belongs here: running, the rows in BigQuery's types, the limit of what is billed. Does not: names of
tables (`binding`), statements that write (`statements`), jobs.

The translation is the product's own, so that both warehouses compute the same; where it is wrong,
this server is wrong with it. What DuckDB accepts and BigQuery refuses (an implicit cast, a missing
GROUP BY of a functional dependency) is accepted.
"""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from jetstream_assets.warehouse.duckdb_dialect import to_duckdb
from jetstream_assets.warehouse.duckdb_session import DuckDBSession
from jetstream_assets_tests.bigquery.binding import (
    Scope,
    bound,
    expanded,
    name_columns,
    relation_name,
    tables,
)
from jetstream_assets_tests.bigquery.fields import conformed, fields_of
from jetstream_assets_tests.bigquery.pruning import Scan, scans
from jetstream_assets_tests.bigquery.refusals import Json, Refusal
from jetstream_assets_tests.bigquery.sizes import billed
from jetstream_assets_tests.bigquery.stopping import Stop
from jetstream_assets_tests.bigquery.wording import as_bigquery_says

if TYPE_CHECKING:
    from pathlib import Path

    from sqlglot import exp


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
        name_columns(tree)
        with as_bigquery_says():
            # Views are read as the tables below them.
            whole = expanded(tree, scope)
            read = scans(whole, tables(whole), lambda table: scope.table(scope.key(table)))
            _check_bill(read, scope.most_billed)
            sql = bound(to_duckdb(whole), scope).sql(dialect="duckdb")
            with closing(self._session.cursor()) as cursor, stop.watching(cursor):
                for key, stored in scope.read.items():
                    if not stored.is_view:
                        cursor.register(relation_name(key), stored.rows)
                text = f"FROM ({sql}) LIMIT 0" if is_dry else sql
                found = cursor.sql(text).to_arrow_table()
            fields = fields_of(found.schema)
            fields = [{**one, "mode": _relaxed(one["mode"])} for one in fields]
            rows = conformed(found, fields)
        if self.is_shuffled and not tree.args.get("order"):
            rows = rows.take(np.random.default_rng(rows.num_rows).permutation(rows.num_rows))
        return Rows(fields, rows, read)


def _check_bill(read: list[Scan], limit: int | None) -> None:
    cost = billed([scan.size for scan in read])
    if limit is not None and cost > limit:
        raise Refusal(
            "bytesBilledLimitExceeded",
            f"Query exceeded limit for bytes billed: {limit}. {cost} or higher required.",
        )


def _relaxed(mode: str) -> str:
    return "REPEATED" if mode == "REPEATED" else "NULLABLE"
