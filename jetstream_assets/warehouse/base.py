"""The warehouse protocol: what the analysis may ask of a place where tables live.

Belongs here: the protocol and the values that cross it. Does not: any adapter, any query.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

import pyarrow as pa

if TYPE_CHECKING:
    from datetime import date

    from sqlglot import exp

    from jetstream_assets.warehouse.tables import ResultTable, Slice


@dataclass(frozen=True)
class Provenance:
    """From what a slice was computed; stored with it, atomically.

    Args:
        fingerprint: Digest of everything that decides the slice's content apart from source rows.
        config_commit: The configuration's commit.
        code_version: The version of this package.
        details: What else the writer wants to know again, as text of its own making.
    """

    fingerprint: str
    config_commit: str
    code_version: str
    details: str = ""


@dataclass(frozen=True)
class SourceDay:
    """One day of a source: ``mark`` differs when its rows do; ``rows`` is their number."""

    mark: str
    rows: int


@dataclass(frozen=True)
class Written:
    """What a replacement did: rows and bytes written, bytes of source read, seconds, statement.

    ``rows_scanned`` are the rows of all tables that were read for it, again for every time that
    they were read; ``source_rows_scanned`` those of them that are no rows of slices. What is paid
    for is noted by `query_costs.note_cost`.
    """

    rows: int
    bytes_written: int
    bytes_read: int
    seconds: float
    sql: str
    rows_scanned: int = 0
    source_rows_scanned: int = 0


@dataclass(frozen=True)
class Answer:
    """The rows of a query, and what they cost: bytes of source read, seconds, statement.

    Rows are counted as in `Written`.
    """

    rows: pa.Table
    bytes_read: int
    seconds: float
    sql: str
    rows_scanned: int = 0
    source_rows_scanned: int = 0


@dataclass(frozen=True)
class Estimate:
    """What a query would read and answer, before it runs.

    ``bytes_read`` are bytes of tables, at most; ``columns`` the answer's, with the types that
    BigQuery's SQL has for them.
    """

    bytes_read: int
    sql: str
    columns: Mapping[str, str] = field(default_factory=dict)


class Warehouse(Protocol):
    """A place where telemetry is read and result slices are replaced whole.

    Trees are in BigQuery's dialect and may refer to slices (`Slice.reference`, `all_slices`).
    Every method raises `QueryError` when the warehouse refuses what a query says, and
    `WarehouseError` when the warehouse itself is in trouble.
    """

    def answer(self, tree: exp.Expr) -> Answer:
        """The rows of a query with what they cost."""
        ...

    def query(self, tree: exp.Expr) -> pa.Table:
        """The rows of a query."""
        ...

    def replace(
        self, target: Slice, content: exp.Expr | pa.Table, provenance: Provenance
    ) -> Written:
        """Put the content in the slice's place, whole and atomically; readers see old or new."""
        ...

    def replace_days(
        self, targets: Mapping[date, Slice], content: exp.Query, provenance: Provenance
    ) -> Written:
        """Put the rows of one query into one slice a day, each whole and atomically.

        The query has a DATE column ``day``, which stays in the slices. Every target is replaced, by
        nothing where the query has no rows of its day; rows of other days are an error of the
        caller and are dropped.
        """
        ...

    def source_days(
        self, relation: exp.Expr, day: exp.Expr, first: date, last: date
    ) -> dict[date, SourceDay]:
        """What is there of a source on each day from first to last; days without rows are absent.

        Args:
            relation: A table or a query in parentheses, with the alias that ``day`` names.
            day: The DATE of a row.
            first: First day, inclusive.
            last: Last day, inclusive.
        """
        ...

    def provenance(self, target: Slice) -> Provenance | None:
        """From what a slice was computed; None when it does not exist."""
        ...

    def slices(self, table: ResultTable, experiment: str, dataset: str) -> tuple[Slice, ...]:
        """The stored slices of a table and experiment, by date."""
        ...

    def experiments(self, table: ResultTable, dataset: str) -> tuple[str, ...]:
        """The slugs of the experiments that have slices of a table, as far as they can be told."""
        ...

    def dry_run(self, tree: exp.Expr) -> Estimate:
        """Check a query without running it."""
        ...

    def sql(self, tree: exp.Expr) -> str:
        """The statement in the warehouse's dialect, formatted for a person to read."""
        ...


class DatasetWarehouse(Warehouse, Protocol):
    """A warehouse in which datasets can be made, too."""

    def make_expiring(self, dataset: str, days: int) -> None:
        """Make a dataset for tables that are gone some days after they were written.

        One that is there is kept as it is; of a folder, what is older is removed now.

        Args:
            dataset: As slices name it; not that of results.
            days: How long (>= 1).

        Raises:
            WarehouseAccessError: A dataset of this name is there and does not expire, so that it
                may hold what somebody needs.
        """
        ...

    def remove(self, experiment: str, dataset: str) -> None:
        """Remove every table of an experiment from a dataset, where there is any.

        Args:
            experiment: The slug.
            dataset: One that was made by `make_expiring`.
        """
        ...
