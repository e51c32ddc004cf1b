"""Whether the SQL of a configuration can be written for both warehouses.

Belongs here: building and rendering every statement of an experiment. Does not: asking a warehouse
(`dry_run`), what a statement is (`sql`).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from functools import partial
from typing import TYPE_CHECKING

from sqlglot import exp

from jetstream_assets.errors import ConfigError, QueryError
from jetstream_assets.experiments.plan import make_plan
from jetstream_assets.experiments.windows import Period
from jetstream_assets.sql.enrollments import enrollments_query
from jetstream_assets.sql.metrics import metric_probe
from jetstream_assets.warehouse.rendering import render_bigquery, render_duckdb

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from jetstream_assets.experiments.configuration import AnalysisConfiguration
    from jetstream_assets.experiments.metrics import AnalysisBasis
    from jetstream_assets.experiments.plan import PlannedWindow

ENROLLMENTS = exp.to_table("enrollments")


@dataclass
class Compiler:
    """Compiles each distinct metric and enrollment query once, whoever uses it."""

    _known: dict[object, str | None] = field(default_factory=dict)

    def problems(self, configuration: AnalysisConfiguration, path: str) -> Iterator[ConfigError]:
        """What of a configuration cannot be written as SQL, each with where it is written.

        Args:
            configuration: The experiment's.
            path: Its file, for what is written nowhere else.
        """
        enrollments = (
            configuration.enrollment_query,
            configuration.exposure_signal,
            configuration.segments,
            configuration.enrollments_query_type,
        )
        if reason := self._once(enrollments, partial(_enrollments, configuration)):
            at = configuration.enrollment_query_origin or path
            yield _error(at, f"Enrollments cannot be asked for: {reason}")
        for window in planned_windows(configuration):
            for name in window.metrics:
                yield from self._metric_problems(configuration, window, name, path)

    def _metric_problems(
        self, configuration: AnalysisConfiguration, window: PlannedWindow, name: str, path: str
    ) -> Iterator[ConfigError]:
        """A metric's SQL is the same for each basis; another basis asks its source otherwise."""
        metric = configuration.metric(name)
        for index, basis in enumerate(metric.analysis_bases):
            known = (metric,) if index == 0 else (metric.data_source, basis)
            reason = self._once(known, partial(_metric, configuration, window, basis, name))
            if reason:
                yield _error(metric.origin or path, f"It cannot be computed: {reason}")

    def _once(self, key: object, compile_: Callable[[], None]) -> str | None:
        if key not in self._known:
            self._known[key] = None
            try:
                compile_()
            except QueryError as error:
                self._known[key] = error.problem
        return self._known[key]


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


def _enrollments(configuration: AnalysisConfiguration) -> None:
    query = enrollments_query(configuration)
    render_bigquery(query)
    render_duckdb(query)


def _metric(
    configuration: AnalysisConfiguration, window: PlannedWindow, basis: AnalysisBasis, name: str
) -> None:
    query = metric_probe(configuration, window, basis, name, ENROLLMENTS)
    render_bigquery(query)
    render_duckdb(query)


def _error(origin: str, problem: str) -> ConfigError:
    path, _, key = origin.partition(": ")
    return ConfigError(path, key, problem)
