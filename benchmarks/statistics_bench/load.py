"""What is benchmarked: unit rows in Parquet, and the summaries to make of them.

Belongs here: units with the shapes of real metrics (counts, ticks of five seconds, shares of days,
flags), and the weekly load of a desktop experiment. Does not: computing anything of them.
"""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from jetstream_assets.experiments.metrics import CovariateAdjustment, PreTreatment, Scalar, Summary
from jetstream_assets.experiments.windows import AnalysisWindow, DueWindow, Period
from jetstream_assets.warehouse.parquet_slices import slice_file
from jetstream_assets.warehouse.tables import ResultTable, Slice

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

BRANCHES = ("control", "treatment-a", "treatment-b")
SEGMENTS = ("new_profiles", "germany", "heavy_users", "default_browser")
_SHARES = (0.4, 0.3, 0.5, 0.2)
WEEK = DueWindow(Period.WEEK, 1, AnalysisWindow(0, 6))
BEFORE = Period.PREENROLLMENT_WEEK
METRICS_SLICE = Slice(ResultTable.METRICS, "benchmark", date(2024, 1, 14))
BEFORE_SLICE = Slice(ResultTable.PREENROLLMENT_METRICS, "benchmark", date(2024, 1, 8))

COUNTS = ("ad_clicks", "uri_count", "search_count", "searches_with_ads", "tagged_searches")
TICKS = ("active_hours", "session_hours", "audible_hours")
FLOATS = ("page_load_seconds", "memory_gib", "startup_seconds", "idle_share")
DAYS = ("days_of_use", "qualified_days", "dau", "dau_per_1000")
FLAGS = ("retained", "retained_dau", "is_default_browser", "is_pinned")
METRICS = (*COUNTS, *TICKS, *FLOATS, *DAYS, *FLAGS)

_CHUNK = 500_000
_SEED = 20240114


def write_units(root: Path, units: int, metrics: tuple[str, ...] = METRICS) -> None:
    """Write the two slices of a number of units, the same bytes for the same number."""
    for target, earlier in ((METRICS_SLICE, False), (BEFORE_SLICE, True)):
        path = slice_file(root, target)
        path.parent.mkdir(parents=True, exist_ok=True)
        writer = None
        for start in range(0, units, _CHUNK):
            table = _chunk(start, min(_CHUNK, units - start), metrics, earlier=earlier)
            writer = writer or pq.ParquetWriter(path, table.schema, compression="zstd")
            writer.write_table(table, row_group_size=122_880)
        if writer is not None:
            writer.close()


def _chunk(start: int, units: int, metrics: tuple[str, ...], *, earlier: bool) -> pa.Table:
    # The same activity in both windows makes a value before enrollment explain the one after.
    activity = np.random.default_rng([_SEED, start]).gamma(0.7, 1.4, units)
    rng = np.random.default_rng([_SEED, start, 1 + earlier])
    numbers = np.arange(start, start + units)
    due = (BEFORE.value, 1) if earlier else (WEEK.period.value, WEEK.index)
    columns: dict[str, object] = {
        "analysis_id": pa.array([f"unit-{n * 2654435761 % 2**32:08x}-{n}" for n in numbers]),
        "branch": pa.array(np.array(BRANCHES)[numbers % len(BRANCHES)]),
        "period": pa.array([due[0]] * units),
        "window_index": pa.array(np.full(units, due[1])),
        "analysis_basis": pa.array(["enrollments"] * units),
    }
    flags = np.random.default_rng([_SEED, start, 3])
    for segment, share in zip(SEGMENTS, _SHARES, strict=True):
        columns[segment] = pa.array(flags.random(units) < share)
    for position, metric in enumerate(metrics):
        lift = 1 + 0.02 * (numbers % len(BRANCHES)) * (not earlier)
        columns[metric] = pa.array(_values(metric, position, activity * lift, rng))
    return pa.table(columns)


def _values(
    metric: str, position: int, activity: NDArray[np.float64], rng: np.random.Generator
) -> NDArray[np.generic]:
    units = activity.size
    if metric in COUNTS:
        return rng.poisson(activity * 3.0 ** (position % 4))
    if metric in TICKS:
        return np.round(activity * rng.lognormal(1, 0.8, units) * 720) / 720
    if metric in FLOATS:
        return activity * rng.lognormal(0, 0.5, units)
    days = rng.binomial(7, np.minimum(0.2 + activity / 3, 0.95))
    return days >= 1 + position % 3 if metric in FLAGS else days


def _summary(metric: str, statistic: str, **changes: object) -> Summary:
    parameters: dict[str, Scalar] = dict(changes.pop("parameters", {}))  # type: ignore[call-overload]  # a mapping
    return Summary(metric, statistic, tuple(sorted(parameters.items())), **changes)  # type: ignore[arg-type]  # names of fields


def _adjusted(metric: str, statistic: str = "linear_model_mean", **changes: object) -> Summary:
    return _summary(metric, statistic, covariate=CovariateAdjustment(metric, BEFORE), **changes)


_UNCAPPED = {"drop_highest": 0.0}
_PER_DAY = (PreTreatment("normalize_over_analysis_period"),)

# What Mozilla's defaults make of a desktop experiment every week, statistic by statistic.
WEEKLY = (
    _adjusted("active_hours"),
    _adjusted("ad_clicks"),
    _adjusted("days_of_use", parameters=_UNCAPPED),
    _adjusted("uri_count"),
    _adjusted("search_count"),
    _adjusted("qualified_days", parameters=_UNCAPPED),
    _adjusted("dau_per_1000", parameters=_UNCAPPED, pre_treatments=_PER_DAY),
    *(
        _summary(metric, "deciles")
        for metric in (
            "active_hours",
            "ad_clicks",
            "days_of_use",
            "uri_count",
            "search_count",
            "qualified_days",
        )
    ),
    _summary("days_of_use", "empirical_cdf"),
    *(
        _summary(metric, "binomial")
        for metric in ("retained", "retained_dau", "is_default_browser")
    ),
    _summary("dau", "per_client_dau_impact", pre_treatments=_PER_DAY),
)

# The statistics that resample.
RESAMPLING = (
    _summary("ad_clicks", "bootstrap_mean"),
    _summary("active_hours", "bootstrap_mean"),
    _summary(
        "click_rate",
        "population_ratio",
        parameters={"numerator": "ad_clicks", "denominator": "searches_with_ads"},
    ),
)


# Of many units the original takes long, so that its memory is measured with few summaries.
FEW = {
    "without covariate": (
        _summary("active_hours", "linear_model_mean"),
        _summary("active_hours", "deciles"),
        _summary("retained", "binomial"),
    ),
    "with covariate": (_adjusted("active_hours"),),
}


def scale_load(metrics: tuple[str, ...] = METRICS) -> tuple[Summary, ...]:
    """One summary of each metric, and the deciles of one in four."""
    found = [
        _summary(metric, "binomial")
        if metric in FLAGS
        else _summary(metric, ("linear_model_mean", "bootstrap_mean")[i % 2])
        for i, metric in enumerate(metrics)
    ]
    deciles = (*COUNTS[:2], *TICKS[:1], *FLOATS[:1], *DAYS[:1])
    return (*found, *(_summary(metric, "deciles") for metric in deciles if metric in metrics))
