"""The SQL of an experiment's metrics, for people who want to see what was asked.

Belongs here: one statement for each due period and source, in the dialect of the configuration.
Does not: the queries that are run, which roll windows up from stored days (`metrics`) in the
warehouse's dialect.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from sqlglot import exp

from jetstream_assets.analysis.slices import result_dataset
from jetstream_assets.errors import QueryError
from jetstream_assets.experiments.appraisal import Statement
from jetstream_assets.experiments.metrics import AnalysisBasis
from jetstream_assets.sql.metrics import metrics_query
from jetstream_assets.warehouse.rendering import render_bigquery
from jetstream_assets.warehouse.tables import ResultTable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from jetstream_assets.experiments.plan import AnalysisPlan, PlannedWindow


def metric_statements(plan: AnalysisPlan, most: int, longest: int) -> tuple[Statement, ...]:
    """What the metrics of the plan's windows mean, computed from the sources' rows.

    Of each period the newest due window, on the enrollments basis; what is rolled up from stored
    days gives the same numbers. Tables are named as the configuration and the results name them.
    Metrics that cannot be part of a query are left out.

    Args:
        plan: The cell.
        most: The largest number of statements.
        longest: The largest number of characters of one; what is longer is cut and says so.
    """
    found: list[Statement] = []
    for window in _newest_windows(plan):
        for source, names in _by_source(plan, window).items():
            if len(found) < most:
                title = f"{window.due.period.suffix}, metrics of {source}"
                found += _statement(plan, replace(window, metrics=names), title, longest)
    return tuple(found)


def _newest_windows(plan: AnalysisPlan) -> Iterator[PlannedWindow]:
    newest = {window.due.period: window for window in (*plan.preenrollment, *plan.windows)}
    yield from newest.values()


def _by_source(plan: AnalysisPlan, window: PlannedWindow) -> dict[str, tuple[str, ...]]:
    found: dict[str, tuple[str, ...]] = {}
    for name in window.metrics:
        metric = plan.settled.metric(name)
        if metric.data_source is not None and AnalysisBasis.ENROLLMENTS in metric.analysis_bases:
            found[metric.data_source.name] = (*found.get(metric.data_source.name, ()), name)
    return dict(sorted(found.items()))


def _statement(
    plan: AnalysisPlan, window: PlannedWindow, title: str, longest: int
) -> list[Statement]:
    enrollments = exp.table_(ResultTable.ENROLLMENTS, db=result_dataset(plan))
    bases = (AnalysisBasis.ENROLLMENTS,)
    try:
        sql = render_bigquery(metrics_query(plan.settled, [window], enrollments, bases=bases))
    except QueryError:
        # The metric's failure is stored with its own statement.
        return []
    if len(sql) > longest:
        sql = f"{sql[:longest]}\n-- cut: {len(sql) - longest} more characters"
    return [Statement(title, sql)]
