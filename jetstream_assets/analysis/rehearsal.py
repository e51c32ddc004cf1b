"""A warehouse in which nothing is written: what would be is only noted.

Belongs here: the stand-in for a warehouse that lets an analysis say what it would do. Does not:
making something of the notes (`forecast`).
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

import pyarrow as pa
from sqlglot import exp

from jetstream_assets.errors import QueryError
from jetstream_assets.warehouse.base import (
    Provenance,
    Written,
)
from jetstream_assets.warehouse.named_tables import is_slice, named_tables, slices_named
from jetstream_assets.warehouse.tables import ResultTable, Slice, slices_table

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date

    from jetstream_assets.warehouse.base import (
        Answer,
        Estimate,
        SourceDay,
        Warehouse,
    )

_NOTHING = Written(rows=0, bytes_written=0, bytes_read=0, seconds=0.0, sql="")
_KINDS = {
    "string": "STRING",
    "int64": "INT64",
    "double": "FLOAT64",
    "bool": "BOOL",
    "date32[day]": "DATE",
    "timestamp[us, tz=UTC]": "TIMESTAMP",
}


@dataclass(frozen=True)
class Replacement:
    """A slice that would be replaced, what it holds now and what it would hold, by provenance.

    ``bytes_read`` is an estimate of what would be read for it, 0 without one.
    """

    target: Slice
    before: Provenance | None
    after: Provenance
    bytes_read: int = 0


class RehearsalWarehouse:
    """Reads as the warehouse inside; slices that would be replaced count as replaced.

    Rows of such slices cannot be read.

    Args:
        inside: The warehouse.
        with_estimates: Whether it is asked what each replacement would read. A slice that another
            would read, and is not there yet, then stands for no rows of the same columns.

    Attributes:
        replacements: What would be replaced.
        unknown: How many replacements could not be estimated.
    """

    def __init__(self, inside: Warehouse, *, with_estimates: bool = False) -> None:
        self._inside = inside
        self._with_estimates = with_estimates
        self._columns: dict[Slice, Mapping[str, str]] = {}
        self.replacements: dict[Slice, Replacement] = {}
        self.unknown = 0

    def replace(
        self, target: Slice, content: exp.Expr | pa.Table, provenance: Provenance
    ) -> Written:
        """Note the replacement; its bytes are those that the content would read."""
        return self._noted((target,), content, provenance)

    def replace_days(
        self, targets: Mapping[date, Slice], content: exp.Query, provenance: Provenance
    ) -> Written:
        """Note the replacements; their bytes are those that the content would read."""
        return self._noted(tuple(targets.values()), content, provenance)

    def _noted(
        self, targets: tuple[Slice, ...], content: exp.Expr | pa.Table, provenance: Provenance
    ) -> Written:
        size, columns = self._estimated(content) if self._with_estimates else (0, {})
        for number, target in enumerate(targets):
            before = self._inside.provenance(target)
            # What is read for all of them is read once.
            share = size if number == 0 else 0
            self.replacements[target] = Replacement(target, before, provenance, share)
            self._columns[target] = columns
        return dataclasses.replace(_NOTHING, bytes_read=size)

    def _estimated(self, content: exp.Expr | pa.Table) -> tuple[int, Mapping[str, str]]:
        """The bytes that content would read, and its columns; neither where it is refused."""
        if isinstance(content, pa.Table):
            kinds = ((field.name, _KINDS.get(str(field.type))) for field in content.schema)
            return 0, {name: kind for name, kind in kinds if kind is not None}
        try:
            found = self._inside.dry_run(self._with_stand_ins(content))
        except QueryError:
            self.unknown += 1
            return 0, {}
        return found.bytes_read, found.columns

    def _with_stand_ins(self, tree: exp.Expr) -> exp.Expr:
        """The tree without slices that are not there yet, or with no rows in their place."""
        holder = exp.Paren(this=tree.copy())
        for table in list(named_tables(holder)):
            if is_slice(table):
                self._stand_in(table)
        return cast("exp.Expr", holder.this)

    def _stand_in(self, table: exp.Table) -> None:
        named = slices_named(table)
        slices = [
            Slice(ResultTable(named.table), named.experiment, day, named.dataset, named.part)
            for day in named.days or ()
        ]
        absent = [s for s in slices if s in self.replacements]
        if not absent:
            return
        stored = [s for s in slices if s not in self.replacements]
        if stored:
            relation: exp.Expr = slices_table([s.date for s in stored], stored[0])
        else:
            relation = _no_rows(self._columns[absent[0]])
        alias = table.args.get("alias") or exp.TableAlias(this=table.this.copy())
        relation.set("alias", alias.copy())
        table.replace(relation)

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


def _no_rows(columns: Mapping[str, str]) -> exp.Subquery:
    """No rows of these columns."""
    selected = [
        exp.alias_(exp.cast(exp.Null(), kind, dialect="bigquery"), name, quoted=True)
        for name, kind in columns.items()
    ]
    return exp.select(*selected).limit(0).subquery()
