"""The result tables: their names, columns and types, and how a tree refers to a slice of one.

Belongs here: the contract that data scientists query. Does not: where a slice's bytes are
(adapters).

A *slice* is (table, experiment, date): what one cell of the asset graph wrote, replaced whole. Some
tables have several slices a date, told apart by their *part*. A tree refers to a slice by a table
in the catalog ``slices``; the adapter puts its own physical relation in that place when it renders.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import TYPE_CHECKING

import pyarrow as pa
from sqlglot import exp

if TYPE_CHECKING:
    from collections.abc import Sequence

SLICES_CATALOG = "slices"
DEFAULT_DATASET = "jetstream"
ONLY_PART = "part-0"
EVERY_PART = "*"


class ResultTable(StrEnum):
    """A table of results. Failures have a table per stage, so that each stage replaces its own."""

    ENROLLMENT_EVENTS = "enrollment_events"
    EXPOSURE_EVENTS = "exposure_events"
    ENROLLMENTS = "enrollments"
    DAILY_AGGREGATES = "daily_aggregates"
    PREENROLLMENT_METRICS = "preenrollment_metrics"
    METRICS = "metrics"
    STATISTICS = "statistics"
    RESULT_STATUS = "result_status"
    PLAN_FAILURES = "plan_failures"
    ENROLLMENTS_FAILURES = "enrollments_failures"
    PREENROLLMENT_METRICS_FAILURES = "preenrollment_metrics_failures"
    METRICS_FAILURES = "metrics_failures"
    QUERY_COSTS = "query_costs"


@dataclass(frozen=True, order=True)
class Slice:
    """What one cell wrote to one table, or one part of it.

    ``dataset`` is the result dataset; private experiments have their own. ``part`` is made of
    letters, digits, ``_`` and ``-``.
    """

    table: ResultTable
    experiment: str
    date: date
    dataset: str = DEFAULT_DATASET
    part: str = ONLY_PART

    @property
    def reference(self) -> exp.Table:
        """The slice as a table in a tree: its rows, without partition columns."""
        return slices_table((self.date,), self)


def slices_table(days: Sequence[date], like: Slice) -> exp.Table:
    """The slices of these dates as one table in a tree, else like the one given.

    Columns are matched by name; the rows come without partition columns and in no order that every
    warehouse keeps.
    """
    listed = ",".join(day.isoformat() for day in sorted(days))
    part = "" if like.part == ONLY_PART else f"+{like.part}"
    return slice_table(like.dataset, like.table, f"{like.experiment}@{listed}{part}")


def all_slices(table: ResultTable, experiment: str, dataset: str = DEFAULT_DATASET) -> exp.Table:
    """All slices of an experiment as one table in a tree, columns matched by name.

    The rows carry two more columns: ``experiment`` STRING and ``date`` DATE.
    """
    return slice_table(dataset, table, f"{experiment}@*")


def all_parts(table: ResultTable, experiment: str, dataset: str = DEFAULT_DATASET) -> exp.Table:
    """As `all_slices`, of a table that has several parts of a date."""
    return slice_table(dataset, table, f"{experiment}@*+{EVERY_PART}")


def slice_table(dataset: str, table: ResultTable, key: str) -> exp.Table:
    """A reference ``slices.<dataset>.<table>/<experiment>@<dates or *>``, each part quoted.

    A part of a date other than the only one is named behind it, ``+<part>``.
    """
    return exp.Table(
        this=exp.to_identifier(f"{table}/{key}", quoted=True),
        db=exp.to_identifier(dataset, quoted=True),
        catalog=exp.to_identifier(SLICES_CATALOG, quoted=True),
    )


STATISTICS_SCHEMA = pa.schema(
    [
        pa.field("period", pa.string(), nullable=False),
        pa.field("window_index", pa.int64(), nullable=False),
        pa.field("window_start", pa.int64(), nullable=False),
        pa.field("window_end", pa.int64(), nullable=False),
        # Computed while units enroll, of those who had lived through the window.
        pa.field("is_provisional", pa.bool_(), nullable=False),
        pa.field("analysis_basis", pa.string(), nullable=False),
        pa.field("segment", pa.string(), nullable=False),
        pa.field("metric", pa.string(), nullable=False),
        pa.field("statistic", pa.string(), nullable=False),
        # What distinguishes rows of one statistic: the decile (0.1 .. 0.9), the grid point.
        pa.field("parameter", pa.float64()),
        # Null in a row that says why a whole statistic has no result.
        pa.field("branch", pa.string()),
        # Null for one branch alone, else "difference" or "relative_uplift".
        pa.field("comparison", pa.string()),
        pa.field("comparison_to_branch", pa.string()),
        pa.field("ci_width", pa.float64()),
        pa.field("point", pa.float64()),
        pa.field("lower", pa.float64()),
        pa.field("upper", pa.float64()),
        # Two-sided, of no difference; at differences of means and shares only. The adjusted one is
        # that of a declared family of metrics.
        pa.field("p_value", pa.float64()),
        pa.field("p_value_adjusted", pa.float64()),
        # Units that entered the number: of the branch, or of both branches of a comparison.
        pa.field("units", pa.int64()),
        # "<period>.<metric>" of the covariate that the number is adjusted for; null: unadjusted.
        pa.field("covariate", pa.string()),
        # "ok", "insufficient_data" or "failed"; the reason is null exactly when ok without remark.
        pa.field("status", pa.string(), nullable=False),
        pa.field("reason", pa.string()),
        pa.field("exception_type", pa.string()),
        # The statement that the warehouse refused when it was asked for this statistic alone; those
        # of metrics stand in the failures of metrics.
        pa.field("sql", pa.string()),
    ]
)

# What became of each result that the configuration declares. The first six columns name it; all are
# null in the one row of a cell whose configuration is not known.
RESULT_STATUS_SCHEMA = pa.schema(
    [
        pa.field("period", pa.string()),
        # Null where no window of the period is due.
        pa.field("window_index", pa.int64()),
        pa.field("analysis_basis", pa.string()),
        pa.field("segment", pa.string()),
        pa.field("metric", pa.string()),
        pa.field("statistic", pa.string()),
        # "ok", "provisional", "not_due", "insufficient_data", "stale" or "failed".
        pa.field("status", pa.string(), nullable=False),
        # Null exactly when ok.
        pa.field("reason", pa.string()),
        pa.field("exception_type", pa.string()),
        # The statement that failed, where one did and is known.
        pa.field("sql", pa.string()),
        # The run that found the status.
        pa.field("run_id", pa.string()),
        # When a result that is not due is due; null where that is not known or will not be.
        pa.field("due_on", pa.date32()),
    ]
)

FAILURES_SCHEMA = pa.schema(
    [
        pa.field("stage", pa.string(), nullable=False),
        pa.field("message", pa.string(), nullable=False),
        pa.field("exception_type", pa.string(), nullable=False),
        pa.field("period", pa.string()),
        pa.field("window_index", pa.int64()),
        pa.field("analysis_basis", pa.string()),
        pa.field("segment", pa.string()),
        pa.field("metric", pa.string()),
        pa.field("statistic", pa.string()),
        pa.field("sql", pa.string()),
    ]
)

# What each query cost; a part for each step of a run, so that no run forgets what another cost.
QUERY_COSTS_SCHEMA = pa.schema(
    [
        pa.field("asset", pa.string(), nullable=False),
        # The periods that the query was about, separated by commas; empty where it was about none.
        pa.field("period", pa.string(), nullable=False),
        # "read", "store" or "replace".
        pa.field("kind", pa.string(), nullable=False),
        pa.field("run_id", pa.string(), nullable=False),
        # The warehouse's name of the query; empty where it has none.
        pa.field("job", pa.string(), nullable=False),
        pa.field("config_commit", pa.string(), nullable=False),
        pa.field("started_at", pa.timestamp("us", tz="UTC"), nullable=False),
        pa.field("seconds", pa.float64(), nullable=False),
        pa.field("bytes_read", pa.int64(), nullable=False),
        pa.field("bytes_billed", pa.int64(), nullable=False),
        pa.field("slot_seconds", pa.float64(), nullable=False),
    ]
)
