"""The statistics of one window: every summary, basis and segment has at least one row.

Belongs here: what is asked of which statistic. Does not: why something cannot be asked
(`obstacles`), collecting (`collection`), the numbers (`statistics`), storing them.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING

from jetstream_assets.analysis.collection import Collection, collect
from jetstream_assets.analysis.obstacles import Obstacle, Obstacles
from jetstream_assets.analysis.statistics_table import statistics_table
from jetstream_assets.analysis.unit_columns import UnitColumns, columns_of
from jetstream_assets.analysis.unit_counts import count_rows, uncounted
from jetstream_assets.experiments.configuration import AnalysisConfiguration
from jetstream_assets.experiments.metrics import AnalysisBasis
from jetstream_assets.experiments.plan import PlannedWindow
from jetstream_assets.sql.unit_values import UnitRows
from jetstream_assets.statistics.base import Question, StatisticRow
from jetstream_assets.statistics.registry import REGISTRY

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    import pyarrow as pa
    from sqlglot import exp

    from jetstream_assets.experiments.failures import Failure
    from jetstream_assets.experiments.metrics import Summary
    from jetstream_assets.experiments.windows import Period
    from jetstream_assets.warehouse.base import Warehouse

ALL_UNITS = "all"


def statistics_rows(
    window: PlannedWindow,
    configuration: AnalysisConfiguration,
    warehouse: Warehouse,
    metrics: exp.Table,
    preenrollment: exp.Table | None,
    failures: Sequence[Failure],
    summaries: Sequence[Summary],
    *,
    include_counts: bool,
) -> pa.Table:
    """The rows of some summaries of a window (STATISTICS_SCHEMA), sorted.

    A failure of the metric, the covariate, the configuration or the query is a row with the
    reason; each summary has at least one row per analysis basis of its metric and segment.

    Args:
        window: The window.
        configuration: The experiment's whole configuration, also of a provisional window.
        warehouse: Where the relations are read.
        metrics: One row per unit, window and analysis basis: ``analysis_id``, ``branch``,
            ``period``, ``window_index``, ``analysis_basis``, a BOOL column per segment and a
            column per metric.
        preenrollment: The same for pre-enrollment windows, for covariates; None when there is
            none.
        failures: What the metrics stage could not compute.
        summaries: Those to compute, a subset of the window's.
        include_counts: Whether to count the units per branch, too.
    """
    columns = columns_of(warehouse, metrics)
    has_covariates = any(summary.covariate for summary in summaries)
    asked = preenrollment if has_covariates else None
    before = columns_of(warehouse, asked) if asked is not None else None
    obstacles = Obstacles(failures, columns, before, _awaited(window, configuration))
    due = window.due
    unknown = obstacles.to_bases(due.period, due.index)
    segments = tuple(segment.name for segment in configuration.segments)
    units = UnitRows(
        metrics,
        period=due.period,
        window_index=due.index,
        window_length=due.window.length,
        bases=tuple(basis for basis in AnalysisBasis if basis not in unknown),
        segments=tuple(name for name in segments if name in columns.types),
        integers=_known(UnitColumns.is_integer, columns, before, summaries),
        preenrollment=preenrollment,
        flags=_known(UnitColumns.is_flag, columns, before, summaries),
    )
    estimated = _Estimation(window, configuration, obstacles, units).rows(warehouse, summaries)
    rows: list[StatisticRow] = []
    if include_counts:
        branches = [branch.slug for branch in configuration.experiment.branches]
        rows += count_rows(warehouse, units, ALL_UNITS, branches)
        rows += [
            uncounted(basis, segment, obstacle)
            for basis, obstacle in unknown.items()
            for segment in (ALL_UNITS, *segments)
        ]
        rows += [
            uncounted(basis, segment, obstacle)
            for segment in (segments if obstacles.awaited else ())
            for basis in units.bases
            if (obstacle := obstacles.of_segment(segment)) is not None
        ]
    return statistics_table(window, chain(estimated, rows))


def _awaited(window: PlannedWindow, configuration: AnalysisConfiguration) -> str:
    """Why segments and covariates are still to come; empty when they are there."""
    if not window.is_provisional:
        return ""
    last = configuration.experiment.timeline.last_enrollment_date
    return f"units enroll until {last}, and what they did before is read when enrollment closes"


@dataclass(frozen=True)
class _Estimation:
    """What is fixed for all summaries of the window."""

    window: PlannedWindow
    configuration: AnalysisConfiguration
    obstacles: Obstacles
    units: UnitRows

    def rows(self, warehouse: Warehouse, summaries: Sequence[Summary]) -> Iterator[StatisticRow]:
        """The rows of all summaries, collected together; made as they are taken."""
        questions = {summary: list(self._questions(summary)) for summary in summaries}
        wanted = {
            summary: REGISTRY[summary.statistic].needs(asked[0])
            for summary, asked in questions.items()
            if asked and self.units.bases and self._obstacle_to_all(summary) is None
        }
        collection = collect(warehouse, self.units, wanted) if wanted else Collection()
        for asked in questions.values():
            for question in asked:
                yield from self._answer(question, collection)

    def _questions(self, summary: Summary) -> Iterator[Question]:
        branches = tuple(branch.slug for branch in self.configuration.experiment.branches)
        segments = (ALL_UNITS, *(segment.name for segment in self.configuration.segments))
        is_before = self.window.due.period.is_preenrollment
        reason = "" if is_before else self.obstacles.of_covariate(summary)
        for basis in self.configuration.metric(summary.metric).analysis_bases:
            for segment in segments:
                yield Question(
                    summary,
                    basis,
                    segment,
                    branches,
                    is_before,
                    reason,
                    bool(self.obstacles.awaited),
                )

    def _answer(self, question: Question, collection: Collection) -> list[StatisticRow]:
        obstacle = self._obstacle(question, collection)
        if obstacle is not None:
            name = _output(question.summary)
            return [question.failed(name, obstacle.reason, obstacle.exception_type, obstacle.sql)]
        segments = (ALL_UNITS, *self.units.segments)
        scope = (segments.index(question.segment), question.analysis_basis.value)
        return REGISTRY[question.summary.statistic].rows(question, collection.of(scope))

    def _obstacle(self, question: Question, collection: Collection) -> Obstacle | None:
        summary = question.summary
        found = self._obstacle_of_metrics(summary, question.analysis_basis)
        found = found or self._obstacle_to_all(summary)
        if found is None and question.segment != ALL_UNITS:
            found = self.obstacles.of_segment(question.segment)
        error = collection.errors.get(summary)
        if found is None and error is not None:
            found = Obstacle(error.problem, type(error).__name__, error.sql or None)
        return found

    def _obstacle_of_metrics(self, summary: Summary, basis: AnalysisBasis) -> Obstacle | None:
        due = self.window.due
        for name in dict.fromkeys((summary.metric, *summary.measured)):
            found = self.obstacles.of_metric(name, due.period, due.index, basis)
            if found is None and name != summary.metric:
                found = self.obstacles.of_basis(self.configuration.metric(name), basis)
            if found is not None:
                return found
        return None

    def _obstacle_to_all(self, summary: Summary) -> Obstacle | None:
        metric = self.configuration.metric(summary.metric)
        found = self.obstacles.of_definition(summary, metric)
        if found is not None:
            return found
        obstacles = map(self.obstacles.of_column, summary.measured)
        return next((obstacle for obstacle in obstacles if obstacle is not None), None)


def _output(summary: Summary) -> str:
    """The name in the column ``statistic`` for a summary without any number."""
    statistic = REGISTRY.get(summary.statistic)
    return statistic.outputs[0] if statistic else summary.statistic


def _known(
    is_kind: Callable[[UnitColumns, str], bool],
    columns: UnitColumns,
    before: UnitColumns | None,
    summaries: Sequence[Summary],
) -> frozenset[tuple[Period | None, str]]:
    """The metrics and covariates whose columns are of a kind."""
    found: set[tuple[Period | None, str]] = set()
    for summary in summaries:
        found.update((None, name) for name in summary.measured if is_kind(columns, name))
        if summary.covariate and before:
            period = summary.covariate.period
            found.update((period, n) for n in summary.covariates if is_kind(before, n))
    return frozenset(found)
