"""What one step of a cell did, and how its failures are stored beside its results.

Belongs here: the result of a step and the storing of failures. Does not: the steps themselves.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING, Any

import pyarrow as pa
from sqlglot import exp

from jetstream_assets.experiments.failures import Failure, Stage
from jetstream_assets.experiments.metrics import AnalysisBasis
from jetstream_assets.experiments.windows import Period
from jetstream_assets.warehouse.base import Written
from jetstream_assets.warehouse.tables import FAILURES_SCHEMA, Slice

if TYPE_CHECKING:
    from collections.abc import Sequence

    from jetstream_assets.warehouse.base import Provenance, Warehouse


@dataclass(frozen=True)
class StageResult:
    """What one step of a cell did.

    Args:
        written: One entry a slice that was written, with rows, bytes, seconds and the statement.
        reused: Slices that were there already, computed from the same plan.
        failures: What has no result and why; stored, too.
        note: A sentence where there was nothing to do.
        warnings: Sentences on what a person should know although everything has a result.
    """

    written: tuple[Written, ...] = ()
    reused: tuple[Slice, ...] = ()
    failures: tuple[Failure, ...] = ()
    note: str = ""
    warnings: tuple[str, ...] = ()

    @property
    def rows(self) -> int:
        """Rows written, over all slices."""
        return sum(written.rows for written in self.written)


def store_failures(
    warehouse: Warehouse, target: Slice, failures: Sequence[Failure], provenance: Provenance
) -> None:
    """Replace the failures of a step; a step that had none before and has none now writes nothing.

    So a later success clears what an earlier attempt stored.
    """
    if not failures and warehouse.provenance(target) is None:
        return
    rows = [asdict(failure) for failure in failures]
    warehouse.replace(target, pa.Table.from_pylist(rows, schema=FAILURES_SCHEMA), provenance)


def stored_failures(warehouse: Warehouse, target: Slice) -> tuple[Failure, ...]:
    """The stored failures of a step; empty when it had none."""
    if warehouse.provenance(target) is None:
        return ()
    columns = [exp.column(field.name) for field in fields(Failure)]
    rows = warehouse.query(exp.select(*columns).from_(target.reference)).to_pylist()
    return tuple(_failure(row) for row in rows)


def _failure(row: dict[str, Any]) -> Failure:
    """A failure from its stored row; closed sets become their enums again."""
    enums = {"stage": Stage, "period": Period, "analysis_basis": AnalysisBasis}
    parsed = {key: enums[key](row[key]) for key in enums if row[key] is not None}
    return Failure(**(row | parsed))
