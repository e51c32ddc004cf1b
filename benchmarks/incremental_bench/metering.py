"""A warehouse that adds up what its statements read of sources, and a record of every day.

Belongs here: counting, and the series by day. Does not: what is asked of the warehouse (the sides).
"""

from __future__ import annotations

import resource
from collections import Counter, defaultdict
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jetstream_assets.warehouse.duckdb_parquet import DuckDBParquetWarehouse
from jetstream_assets.warehouse.tables import ResultTable

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import date

    import pyarrow as pa
    from sqlglot import exp

    from jetstream_assets.warehouse.base import Answer, Provenance, Written
    from jetstream_assets.warehouse.tables import Slice

Json = dict[str, Any]

_ENROLLMENT_TABLES = {
    ResultTable.ENROLLMENT_EVENTS,
    ResultTable.EXPOSURE_EVENTS,
    ResultTable.ENROLLMENTS,
}


@dataclass(frozen=True)
class MeteredWarehouse(DuckDBParquetWarehouse):
    """The product's warehouse, counting the rows of sources that it reads.

    ``source_rows`` has them by purpose: ``enrollments``, ``preenrollment`` and ``observed``, which
    is everything else; ``result_rows`` are rows of slices that were read again.
    """

    source_rows: Counter[str] = field(default_factory=Counter, compare=False)
    result_rows: Counter[str] = field(default_factory=Counter, compare=False)

    def answer(self, tree: exp.Expr) -> Answer:
        """As in the product."""
        found = super().answer(tree)
        self._count("observed", found)
        return found

    def replace(
        self, target: Slice, content: exp.Expr | pa.Table, provenance: Provenance
    ) -> Written:
        """As in the product."""
        written = super().replace(target, content, provenance)
        self._count(_purpose(target), written)
        return written

    def replace_days(
        self, targets: Mapping[date, Slice], content: exp.Query, provenance: Provenance
    ) -> Written:
        """As in the product."""
        written = super().replace_days(targets, content, provenance)
        self._count(_purpose(next(iter(targets.values()))), written)
        return written

    def _count(self, purpose: str, cost: Answer | Written) -> None:
        self.source_rows[purpose] += cost.source_rows_scanned
        self.result_rows[purpose] += cost.rows_scanned - cost.source_rows_scanned


def _purpose(target: Slice) -> str:
    if target.table in _ENROLLMENT_TABLES:
        return "enrollments"
    # States of the days before enrollment have parts of their own.
    is_before = target.table == ResultTable.PREENROLLMENT_METRICS or "-before" in target.part
    return "preenrollment" if is_before else "observed"


def cpu_seconds() -> float:
    """User and system, of this process."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def _peak_mib() -> float:
    """The peak of this process; ``ru_maxrss`` begins with what the process that started it held."""
    status = Path("/proc/self/status").read_text()
    (kib,) = (line.split()[1] for line in status.splitlines() if line.startswith("VmHWM:"))
    return int(kib) / 1024


@dataclass(frozen=True)
class Record:
    """What was used so far, after each day."""

    warehouse: MeteredWarehouse
    began: float = field(default_factory=cpu_seconds)
    days: list[Json] = field(default_factory=list)
    stages: defaultdict[str, float] = field(default_factory=lambda: defaultdict(float))

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Add the CPU seconds of the block to a stage's."""
        began = cpu_seconds()
        yield
        self.stages[name] += cpu_seconds() - began

    def note(self, day: date) -> None:
        """Add a day: everything is cumulative."""
        rows = self.warehouse.source_rows
        entry: Json = {
            "date": day.isoformat(),
            "cpu_seconds": round(cpu_seconds() - self.began, 3),
            "source_rows": rows["observed"],
            "preenrollment_rows": rows["preenrollment"],
            "enrollment_rows": rows["enrollments"],
            "result_rows": self.warehouse.result_rows.total(),
            "peak_mib": round(_peak_mib()),
        }
        if self.stages:
            entry["stages"] = {name: round(used, 3) for name, used in self.stages.items()}
        self.days.append(entry)
