"""What a step asked of the warehouse: statements, seconds and bytes, for people to look at.

Belongs here: a warehouse that remembers what it was asked. Does not: showing it (`report`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date

    import pyarrow as pa
    from sqlglot import exp

    from jetstream_assets.warehouse.base import (
        Answer,
        Estimate,
        Provenance,
        SourceDay,
        Warehouse,
        Written,
    )
    from jetstream_assets.warehouse.tables import ResultTable, Slice


@dataclass(frozen=True)
class Asked:
    """One query: its statement, its seconds, and the bytes of source that it read."""

    sql: str
    seconds: float
    bytes_read: int


class ObservedWarehouse:
    """A warehouse that remembers its queries until they are taken; else as the one inside."""

    def __init__(self, inside: Warehouse) -> None:
        self._inside = inside
        self._asked: list[Asked] = []

    def taken(self) -> tuple[Asked, ...]:
        """The queries since the last call, in order."""
        asked, self._asked = tuple(self._asked), []
        return asked

    def answer(self, tree: exp.Expr) -> Answer:
        """The rows of a query with what they cost; it is remembered when it succeeds."""
        answer = self._inside.answer(tree)
        self._asked.append(Asked(answer.sql, answer.seconds, answer.bytes_read))
        return answer

    def query(self, tree: exp.Expr) -> pa.Table:
        """The rows of a query, which is remembered when it succeeds."""
        return self.answer(tree).rows

    def replace(
        self, target: Slice, content: exp.Expr | pa.Table, provenance: Provenance
    ) -> Written:
        """As the warehouse inside."""
        return self._inside.replace(target, content, provenance)

    def replace_days(
        self, targets: Mapping[date, Slice], content: exp.Query, provenance: Provenance
    ) -> Written:
        """As the warehouse inside."""
        return self._inside.replace_days(targets, content, provenance)

    def source_days(
        self, relation: exp.Expr, day: exp.Expr, first: date, last: date
    ) -> dict[date, SourceDay]:
        """As the warehouse inside."""
        return self._inside.source_days(relation, day, first, last)

    def provenance(self, target: Slice) -> Provenance | None:
        """As the warehouse inside."""
        return self._inside.provenance(target)

    def slices(self, table: ResultTable, experiment: str, dataset: str) -> tuple[Slice, ...]:
        """As the warehouse inside."""
        return self._inside.slices(table, experiment, dataset)

    def experiments(self, table: ResultTable, dataset: str) -> tuple[str, ...]:
        """As the warehouse inside."""
        return self._inside.experiments(table, dataset)

    def dry_run(self, tree: exp.Expr) -> Estimate:
        """As the warehouse inside."""
        return self._inside.dry_run(tree)

    def sql(self, tree: exp.Expr) -> str:
        """As the warehouse inside."""
        return self._inside.sql(tree)
