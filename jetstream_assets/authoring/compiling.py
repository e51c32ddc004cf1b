"""Whether the SQL of a configuration can be written for both warehouses.

Belongs here: building and rendering every statement of an experiment. Does not: asking a warehouse
(`dry_run`), what a statement is (`sql`).
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import date
from functools import partial
from typing import TYPE_CHECKING

from sqlglot import exp

from jetstream_assets.authoring.findings import Severity
from jetstream_assets.errors import QueryError, error_at
from jetstream_assets.experiments.plan import make_plan
from jetstream_assets.experiments.windows import Period
from jetstream_assets.sql.enrollments import enrollments_query
from jetstream_assets.sql.metrics import metric_probe, metrics_columns
from jetstream_assets.warehouse.rendering import render_bigquery, render_duckdb

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from jetstream_assets.errors import ConfigError
    from jetstream_assets.experiments.configuration import AnalysisConfiguration
    from jetstream_assets.experiments.metrics import Metric
    from jetstream_assets.experiments.plan import PlannedWindow

_ENROLLMENTS = exp.to_table("enrollments")


@dataclass(frozen=True)
class Uncompiled:
    """SQL that cannot be written, and whether that holds for DuckDB alone."""

    reason: str
    is_of_duckdb: bool


@dataclass
class Compiler:
    """Compiles each distinct metric and enrollment query once, whoever uses it.

    A metric's SQL is the same in each window but for the days, and for each analysis basis but for
    how its source is asked.

    Args:
        own_macros: Names of macros of the embedded warehouse beyond the shipped ones.
    """

    own_macros: Collection[str] = ()
    _known: dict[object, Uncompiled | None] = field(default_factory=dict)

    def problems(
        self, configuration: AnalysisConfiguration, path: str
    ) -> Iterator[tuple[Severity, ConfigError]]:
        """What of a configuration cannot be written as SQL, each with where it is written.

        A warning where it can be written for BigQuery and not for DuckDB.

        Args:
            configuration: The experiment's.
            path: Its file, for what is written nowhere else.
        """
        enrollments = (
            configuration.experiment.analysis_unit,
            configuration.enrollment_query,
            configuration.exposure_signal,
            configuration.segments,
            configuration.enrollments_query_type,
        )
        found = self._once(enrollments, partial(enrollments_query, configuration))
        if found is not None:
            yield _told(found, configuration.enrollment_query_origin or path, "Enrollments")
        for window in planned_windows(configuration):
            try:
                metrics_columns(configuration, window.metrics)
            except QueryError as error:
                yield Severity.ERROR, error_at(path, error.problem)
            for name in window.metrics:
                yield from self._of_metric(configuration, window, configuration.metric(name))

    def _of_metric(
        self, configuration: AnalysisConfiguration, window: PlannedWindow, metric: Metric
    ) -> Iterator[tuple[Severity, ConfigError]]:
        unit = configuration.experiment.analysis_unit
        for index, basis in enumerate(metric.analysis_bases):
            known = (unit, metric) if index == 0 else (unit, metric.data_source, basis)
            probe = partial(metric_probe, configuration, window, basis, metric.name, _ENROLLMENTS)
            found = self._once(known, probe)
            if found is not None:
                yield _told(found, metric.origin, f"The metric {metric.name!r}")

    def _once(self, key: object, build: Callable[[], exp.Select]) -> Uncompiled | None:
        if key not in self._known:
            self._known[key] = _compiled(build, self.own_macros)
        return self._known[key]


def _compiled(build: Callable[[], exp.Select], own_macros: Collection[str]) -> Uncompiled | None:
    try:
        query = build()
        render_bigquery(query)
    except QueryError as error:
        return Uncompiled(error.problem, is_of_duckdb=False)
    try:
        render_duckdb(query, own_macros)
    except QueryError as error:
        return Uncompiled(error.problem, is_of_duckdb=True)
    return None


def _told(found: Uncompiled, origin: str, what: str) -> tuple[Severity, ConfigError]:
    if found.is_of_duckdb:
        problem = f"{what} can be computed in BigQuery only: {found.reason}"
        return Severity.WARNING, error_at(origin, problem)
    return Severity.ERROR, error_at(origin, f"{what} cannot be computed: {found.reason}")


def planned_windows(configuration: AnalysisConfiguration) -> tuple[PlannedWindow, ...]:
    """The first window of every period that the configuration has metrics for."""
    timeline = configuration.experiment.timeline
    dates = {timeline.next_due(period, date.min) for period in Period}
    found: dict[Period, PlannedWindow] = {}
    for on in sorted(day for day in dates if day is not None):
        plan = make_plan(configuration, on)
        for window in (*plan.preenrollment, *plan.windows):
            found.setdefault(window.due.period, window)
    return tuple(found.values())
