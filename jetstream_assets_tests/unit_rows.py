"""Unit rows in a folder of Parquet files, as the metrics stage leaves them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from jetstream_assets.analysis.estimation import statistics_rows
from jetstream_assets.experiments.experiment import Branch
from jetstream_assets.experiments.metrics import AnalysisBasis, Metric, Segment, SegmentDataSource
from jetstream_assets.experiments.plan import PlannedWindow
from jetstream_assets.experiments.windows import AnalysisWindow, DueWindow, Period
from jetstream_assets.sql.unit_values import UnitRows
from jetstream_assets.warehouse.base import Provenance
from jetstream_assets.warehouse.duckdb_parquet import DuckDBParquetWarehouse
from jetstream_assets.warehouse.tables import ResultTable, Slice
from jetstream_assets_tests.builders import make_configuration, make_experiment, make_metric

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from jetstream_assets.experiments.configuration import AnalysisConfiguration
    from jetstream_assets.experiments.failures import Failure
    from jetstream_assets.experiments.metrics import Summary

WEEK = DueWindow(Period.WEEK, 1, AnalysisWindow(0, 6))
_METRICS = Slice(ResultTable.METRICS, "my-experiment", date(2024, 1, 14))
_BEFORE = Slice(ResultTable.PREENROLLMENT_METRICS, "my-experiment", date(2024, 1, 8))
_ORIGIN = Provenance("fingerprint", "commit", "version")
_SEGMENT_SOURCE = SegmentDataSource("profiles", "telemetry.profiles")

Row = dict[str, Any]


def unit_table(
    branches: Sequence[str],
    columns: Mapping[str, Sequence[Any] | NDArray[Any]],
    due: DueWindow = WEEK,
    basis: AnalysisBasis = AnalysisBasis.ENROLLMENTS,
) -> pa.Table:
    """One row per unit; units are numbered."""
    count = len(branches)
    return pa.table(
        {
            "analysis_id": [f"unit-{number}" for number in range(count)],
            "branch": list(branches),
            "period": [due.period.value] * count,
            "window_index": [due.index] * count,
            "analysis_basis": [basis.value] * count,
            **{name: pa.array(values) for name, values in columns.items()},
        }
    )


@dataclass(frozen=True)
class Laboratory:
    """A warehouse with unit rows of one experiment, and questions to it."""

    warehouse: DuckDBParquetWarehouse
    has_preenrollment: bool

    @classmethod
    def of(cls, root: Path, metrics: pa.Table, before: pa.Table | None = None) -> Laboratory:
        """A new warehouse with these rows."""
        warehouse = DuckDBParquetWarehouse(root, threads=1)
        warehouse.replace(_METRICS, metrics, _ORIGIN)
        if before is not None:
            warehouse.replace(_BEFORE, before, _ORIGIN)
        return cls(warehouse, before is not None)

    def rows(self, **changes: object) -> UnitRows:
        """The unit rows of the first week, on basis enrollments."""
        rows = UnitRows(
            _METRICS.reference,
            WEEK.period,
            WEEK.index,
            WEEK.window.length,
            (AnalysisBasis.ENROLLMENTS,),
            preenrollment=_BEFORE.reference if self.has_preenrollment else None,
        )
        return replace(rows, **changes)  # type: ignore[arg-type]  # the caller names fields

    def estimate(
        self,
        summaries: Sequence[Summary],
        configuration: AnalysisConfiguration,
        *,
        due: DueWindow = WEEK,
        failures: Sequence[Failure] = (),
        include_counts: bool = False,
    ) -> list[Row]:
        """The statistics of a window as dictionaries."""
        metrics = _BEFORE if due.period.is_preenrollment else _METRICS
        table = statistics_rows(
            PlannedWindow(due, (), tuple(summaries)),
            configuration,
            self.warehouse,
            metrics.reference,
            _BEFORE.reference if self.has_preenrollment else None,
            failures,
            summaries,
            include_counts=include_counts,
        )
        found: list[Row] = table.to_pylist()
        return found


def configured(
    *metrics: str | Metric,
    segments: Sequence[str] = (),
    branches: Sequence[str] = ("control", "new"),
) -> AnalysisConfiguration:
    """A configuration with these metrics, segments and branches."""
    return make_configuration(
        {},
        tuple(make_metric(m) if isinstance(m, str) else m for m in metrics),
        experiment=make_experiment(branches=tuple(Branch(slug) for slug in branches)),
        segments=tuple(Segment(name, _SEGMENT_SOURCE, "TRUE") for name in segments),
    )


def only(rows: Sequence[Row], **wanted: object) -> Row:
    """The one row with these values."""
    (found,) = (row for row in rows if all(row[key] == value for key, value in wanted.items()))
    return found
