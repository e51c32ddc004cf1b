"""A warehouse in which nothing is written: what would be is only noted.

Belongs here: the stand-in for a warehouse that lets an analysis say what it would do. Does not:
making something of the notes (`forecast`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from jetstream_assets.warehouse.base import (
    Provenance,
    Written,
)
from jetstream_assets.warehouse.tables import Slice

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date

    import pyarrow as pa
    from sqlglot import exp

    from jetstream_assets.warehouse.base import (
        Answer,
        Estimate,
        SourceDay,
        Warehouse,
    )
    from jetstream_assets.warehouse.tables import ResultTable

_NOTHING = Written(rows=0, bytes_written=0, bytes_read=0, seconds=0.0, sql="")


@dataclass(frozen=True)
class Replacement:
    """A slice that would be replaced, what it holds now and what it would hold, by provenance."""

    target: Slice
    before: Provenance | None
    after: Provenance


class RehearsalWarehouse:
    """Reads as the warehouse inside; slices that would be replaced count as replaced.

    Rows of such slices cannot be read.
    """

    def __init__(self, inside: Warehouse) -> None:
        self._inside = inside
        self.replacements: dict[Slice, Replacement] = {}

    def replace(
        self, target: Slice, content: exp.Expr | pa.Table, provenance: Provenance
    ) -> Written:
        """Note the replacement."""
        del content
        before = self._inside.provenance(target)
        self.replacements[target] = Replacement(target, before, provenance)
        return _NOTHING

    def replace_days(
        self, targets: Mapping[date, Slice], content: exp.Query, provenance: Provenance
    ) -> Written:
        """Note the replacements."""
        for target in targets.values():
            self.replace(target, content, provenance)
        return _NOTHING

    def provenance(self, target: Slice) -> Provenance | None:
        """That of the replacement, if there would be one."""
        noted = self.replacements.get(target)
        return noted.after if noted else self._inside.provenance(target)

    def slices(self, table: ResultTable, experiment: str, dataset: str) -> tuple[Slice, ...]:
        """Those that are there and those that would be, by date and part."""
        wanted = (table, experiment, dataset)
        noted = {s for s in self.replacements if (s.table, s.experiment, s.dataset) == wanted}
        return tuple(sorted(noted | set(self._inside.slices(table, experiment, dataset))))

    def source_days(
        self, relation: exp.Expr, day: exp.Expr, first: date, last: date
    ) -> dict[date, SourceDay]:
        """As the warehouse inside."""
        return self._inside.source_days(relation, day, first, last)

    def answer(self, tree: exp.Expr) -> Answer:
        """As the warehouse inside."""
        return self._inside.answer(tree)

    def query(self, tree: exp.Expr) -> pa.Table:
        """As the warehouse inside."""
        return self._inside.query(tree)

    def experiments(self, table: ResultTable, dataset: str) -> tuple[str, ...]:
        """As the warehouse inside."""
        return self._inside.experiments(table, dataset)

    def dry_run(self, tree: exp.Expr) -> Estimate:
        """As the warehouse inside."""
        return self._inside.dry_run(tree)

    def sql(self, tree: exp.Expr) -> str:
        """As the warehouse inside."""
        return self._inside.sql(tree)
