"""Our side: the rows of a window by the engine, from the Parquet files of unit rows.

Belongs here: calling it as the statistics stage does. Does not: the load (`load`).
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

# pyarrow, sqlglot and the engine import these late; the clock starts after imports, on both sides.
import numpy.polynomial  # noqa: F401 - as above
import pandas as pd  # noqa: F401 - as above
import pyarrow.compute
import pyarrow.pandas_compat  # noqa: F401 - as above
import scipy.optimize
import scipy.special  # noqa: F401 - as above
import sqlglot.dialects.duckdb  # noqa: F401 - as above

from jetstream_assets.analysis.estimation import statistics_rows
from jetstream_assets.experiments.configuration import AnalysisConfiguration
from jetstream_assets.experiments.experiment import Branch, Experiment
from jetstream_assets.experiments.metrics import (
    AnalysisBasis,
    DataSource,
    Metric,
    Segment,
    SegmentDataSource,
)
from jetstream_assets.experiments.plan import PlannedWindow
from jetstream_assets.warehouse.duckdb_parquet import DuckDBParquetWarehouse
from statistics_bench.load import BEFORE_SLICE, BRANCHES, METRICS, METRICS_SLICE, WEEK

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from jetstream_assets.experiments.metrics import Summary


def rows(
    root: Path,
    summaries: Sequence[Summary],
    segments: Sequence[str],
    references: int | None,
    memory_limit: str | None,
) -> list[dict[str, Any]]:
    """The rows of the summaries, for all units and each segment; of all references."""
    del references
    warehouse = DuckDBParquetWarehouse(root, threads=1, memory_limit=memory_limit)
    found: list[dict[str, Any]] = statistics_rows(
        PlannedWindow(WEEK, (), tuple(summaries)),
        _configuration(segments),
        warehouse,
        METRICS_SLICE.reference,
        BEFORE_SLICE.reference,
        (),
        summaries,
        include_counts=False,
    ).to_pylist()
    return found


def _configuration(segments: Sequence[str]) -> AnalysisConfiguration:
    source, profiles = DataSource("units", "units"), SegmentDataSource("units", "units")
    metric = Metric("", source, "COUNT(*)", analysis_bases=(AnalysisBasis.ENROLLMENTS,))
    rate = replace(
        metric,
        name="click_rate",
        data_source=None,
        select_expression=None,
        depends_on=("ad_clicks", "searches_with_ads"),
    )
    return AnalysisConfiguration(
        Experiment("benchmark", tuple(map(Branch, BRANCHES)), None, None, 7),
        metrics=(*(replace(metric, name=name) for name in METRICS), rate),
        segments=tuple(Segment(name, profiles, "TRUE") for name in segments),
    )
