"""One warehouse under test, with the ways of a test to fill it.

Belongs here: what differs between implementations when a test puts source tables into place, and
small builders of trees and values. Does not: assertions.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any, Protocol

import pyarrow as pa
import pyarrow.parquet as pq
import sqlglot
from sqlglot import exp

from jetstream_assets.warehouse.base import Provenance, Warehouse
from jetstream_assets.warehouse.tables import DEFAULT_DATASET, ResultTable, Slice

if TYPE_CHECKING:
    from pathlib import Path


SLUG = "pocket-sponsored-tiles"
PROVENANCE = Provenance(fingerprint="f1", config_commit="c1", code_version="0.1.0")


class Put(Protocol):
    """Puts a source table into its place; where there are no projects, it is in all of them."""

    def __call__(
        self, dataset: str, table: str, rows: pa.Table, *, project: str | None = None
    ) -> None:
        """Put it into a project, else into that of the results."""
        ...


@dataclass(frozen=True)
class Laboratory:
    """A warehouse and how a source table is put into it.

    ``make_empty(dataset, table)`` makes a table that exists and holds nothing at all. ``rounds`` is
    how often a slice is replaced where many write at once.
    """

    warehouse: Warehouse
    put: Put
    make_empty: Callable[[str, str], None]
    rounds: int = 60

    def rows(self, sql: str) -> list[dict[str, Any]]:
        """The rows of a query in BigQuery's dialect."""
        return list(self.warehouse.query(query(sql)).to_pylist())

    def value(self, expression: str) -> Any:  # noqa: ANN401  any SQL value
        """The value of an expression without a table."""
        return self.rows(f"SELECT {expression} AS value")[0]["value"]

    def read(self, target: Slice) -> pa.Table:
        """All rows of a slice, in the stored order."""
        return self.warehouse.query(exp.select("*").from_(target.reference))


def query(sql: str) -> exp.Expr:
    """A tree from SQL in BigQuery's dialect."""
    return sqlglot.parse_one(sql, dialect="bigquery")


def a_slice(
    day: int = 1,
    experiment: str = SLUG,
    *,
    table: ResultTable = ResultTable.METRICS,
    dataset: str = DEFAULT_DATASET,
) -> Slice:
    """A slice of a day of January 2024."""
    return Slice(table, experiment, date(2024, 1, day), dataset)


def write_parquet(folder: Path, rows: pa.Table, name: str = "part-0.parquet") -> Path:
    """A Parquet file below a folder that is made."""
    folder.mkdir(parents=True, exist_ok=True)
    pq.write_table(rows, folder / name)
    return folder / name
