"""Invented result rows, for the tests of what is made of them."""

from __future__ import annotations

from datetime import date
from typing import Any

import pyarrow as pa

from jetstream_assets.warehouse.tables import FAILURES_SCHEMA, STATISTICS_SCHEMA

_CELL = [pa.field("experiment", pa.string()), pa.field("date", pa.date32())]
_STATISTIC = {
    "experiment": "my-exp",
    "date": date(2024, 1, 14),
    "period": "week",
    "window_index": 1,
    "window_start": 0,
    "window_end": 6,
    "is_provisional": False,
    "analysis_basis": "enrollments",
    "segment": "all",
    "metric": "active_hours",
    "statistic": "mean",
    "status": "ok",
}
_FAILURE = {
    "experiment": "my-exp",
    "date": date(2024, 1, 14),
    "stage": "metrics",
    "message": "column spend is missing",
    "exception_type": "QueryError",
}


def statistics_rows(*rows: dict[str, Any]) -> pa.Table:
    """All slices of the statistics of ``my-exp``; what a row leaves out is week 1 of a mean."""
    return _table(STATISTICS_SCHEMA, _STATISTIC, rows)


def failure_rows(*rows: dict[str, Any]) -> pa.Table:
    """All slices of the failures of ``my-exp``; what a row leaves out is a metric's query."""
    return _table(FAILURES_SCHEMA, _FAILURE, rows)


def _table(schema: pa.Schema, usual: dict[str, Any], rows: tuple[dict[str, Any], ...]) -> pa.Table:
    whole = pa.schema([*schema, *_CELL])
    return pa.Table.from_pylist([{**usual, **row} for row in rows], schema=whole)
