"""Whether a warehouse takes the statements of a configuration, and what they would read.

Belongs here: asking for every period and basis without running anything. Does not: whether SQL can
be written at all (`compiling`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlglot import exp

from jetstream_assets.authoring.compiling import planned_windows
from jetstream_assets.authoring.findings import Cost
from jetstream_assets.errors import QueryError, error_at
from jetstream_assets.experiments.metrics import AnalysisBasis
from jetstream_assets.sql.enrollments import enrollments_query
from jetstream_assets.sql.metrics import metric_probe, metrics_query
from jetstream_assets.warehouse.base import Warehouse

if TYPE_CHECKING:
    from collections.abc import Iterator

    from jetstream_assets.errors import ConfigError
    from jetstream_assets.experiments.configuration import AnalysisConfiguration
    from jetstream_assets.experiments.plan import PlannedWindow

_ENROLLMENTS = "checked_enrollments"


@dataclass(frozen=True)
class DryRun:
    """Asks a warehouse about configurations that can be compiled."""

    warehouse: Warehouse

    def ask(
        self, configuration: AnalysisConfiguration, path: str
    ) -> tuple[tuple[ConfigError, ...], Cost]:
        """What the warehouse refuses, with where it is written, and what the rest would read.

        Each statement reads its enrollments anew, so the bytes are more than a run's, not less.

        Args:
            configuration: The experiment's.
            path: Its file.
        """
        try:
            read = self.warehouse.dry_run(enrollments_query(configuration)).bytes_read
        except QueryError as error:
            at = configuration.enrollment_query_origin or path
            problem = f"The warehouse refuses the query of enrollments: {error.problem}"
            return (error_at(at, problem),), Cost(path, statements=1, bytes_read=0, refused=1)
        asked = [
            self._window(configuration, window, basis, path)
            for window in planned_windows(configuration)
            for basis in AnalysisBasis
        ]
        cost = Cost(
            path,
            statements=1 + len(asked),
            bytes_read=read + sum(size for _, size in asked),
            refused=sum(bool(errors) for errors, _ in asked),
        )
        return tuple(error for errors, _ in asked for error in errors), cost

    def _window(
        self,
        configuration: AnalysisConfiguration,
        window: PlannedWindow,
        basis: AnalysisBasis,
        path: str,
    ) -> tuple[tuple[ConfigError, ...], int]:
        table = exp.to_table(_ENROLLMENTS)
        try:
            query = metrics_query(configuration, [window], table, bases=(basis,))
            return (), self.warehouse.dry_run(_with_enrollments(query, configuration)).bytes_read
        except QueryError as error:
            culprits = tuple(self._culprits(configuration, window, basis))
            whole = f"The warehouse refuses {window.due.period.config_key} metrics, basis {basis}"
            return culprits or (error_at(path, f"{whole}: {error.problem}"),), 0

    def _culprits(
        self, configuration: AnalysisConfiguration, window: PlannedWindow, basis: AnalysisBasis
    ) -> Iterator[ConfigError]:
        """The metrics that are refused by themselves."""
        table = exp.to_table(_ENROLLMENTS)
        for name in window.metrics:
            metric = configuration.metric(name)
            if basis not in metric.analysis_bases:
                continue
            try:
                probe = metric_probe(configuration, window, basis, name, table)
                self.warehouse.dry_run(_with_enrollments(probe, configuration))
            except QueryError as error:
                yield error_at(metric.origin, f"The warehouse refuses it: {error.problem}")


def _with_enrollments(query: exp.Select, configuration: AnalysisConfiguration) -> exp.Select:
    """The query with its enrollments as the first of its named parts, before those that use it."""
    found = query.with_(_ENROLLMENTS, as_=enrollments_query(configuration))
    parts = found.args["with_"].expressions
    found.args["with_"].set("expressions", [parts[-1], *parts[:-1]])
    return found
