"""Which columns a relation of unit rows has, and which of them a statistic can use.

Belongs here: looking at the columns and saying why one cannot be used. Does not: reading rows.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pyarrow as pa
from sqlglot import exp

from jetstream_assets.errors import QueryError

if TYPE_CHECKING:
    from jetstream_assets.warehouse.base import Warehouse


@dataclass(frozen=True)
class UnitColumns:
    """The columns of a relation by name; none where it could not be read, and then why."""

    types: Mapping[str, pa.DataType] = field(default_factory=dict)
    error: QueryError | None = None

    def unusable(self, metric: str) -> str:
        """Why a metric's column cannot be used; empty when it can."""
        if self.error is not None:
            return self.error.problem
        if metric not in self.types:
            return f"the metric {metric!r} was not computed: its table has no such column"
        kind = self.types[metric]
        if self.is_integer(metric) or pa.types.is_floating(kind) or pa.types.is_decimal(kind):
            return ""
        return f"the values of {metric!r} are of type {kind}; a number or BOOL is needed"

    def is_integer(self, metric: str) -> bool:
        """Whether the values are integers, or TRUE and FALSE, which count as 1 and 0."""
        kind = self.types.get(metric, pa.null())
        return bool(
            pa.types.is_integer(kind) or pa.types.is_boolean(kind) or pa.types.is_null(kind)
        )

    def is_flag(self, metric: str) -> bool:
        """Whether the values are TRUE and FALSE."""
        return bool(pa.types.is_boolean(self.types.get(metric, pa.null())))


def columns_of(warehouse: Warehouse, relation: exp.Table) -> UnitColumns:
    """The columns of a relation."""
    nothing = exp.select("*").from_(relation.copy()).limit(0)
    try:
        schema = warehouse.query(nothing).schema
    except QueryError as error:
        return UnitColumns(error=error)
    return UnitColumns(dict(zip(schema.names, schema.types, strict=True)))
