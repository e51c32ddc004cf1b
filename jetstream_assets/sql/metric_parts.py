"""One window on one basis: its units, and for each of them the aggregates of every data source.

Belongs here: the units of a part, the rows that count for them, the part's columns. Does not:
stacking parts to one relation (`metrics`).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from sqlglot import exp

from jetstream_assets.errors import QueryError
from jetstream_assets.experiments.configuration import AnalysisConfiguration
from jetstream_assets.experiments.metrics import AnalysisBasis, Metric
from jetstream_assets.experiments.plan import PlannedWindow
from jetstream_assets.sql import fragments, sources
from jetstream_assets.sql.enrollments import EXPOSURE_COLUMNS, UNIT_COLUMNS
from jetstream_assets.sql.exposures import signal_exposures

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import date

    from jetstream_assets.experiments.metrics import DataSource, ExposureSignal

# Units that are analysed. The name is unlike that of any table that a snippet may read.
ENROLLED = "jetstream_enrolled"


@dataclass(frozen=True)
class MetricPart:
    """The metrics of one window on one analysis basis.

    ``metrics`` have SQL of their own and belong to the basis.
    """

    configuration: AnalysisConfiguration
    planned: PlannedWindow
    basis: AnalysisBasis
    metrics: tuple[Metric, ...]

    @property
    def metric_names(self) -> tuple[str, ...]:
        """The columns of values."""
        return tuple(metric.name for metric in self.metrics)

    @property
    def sanity_names(self) -> tuple[str, ...]:
        """The columns that tell when annotations disagree with enrollments."""
        return tuple(name for source in self._by_source for name in self._sanity(source))

    @property
    def units_name(self) -> str:
        """The name of the relation of the part's units."""
        due = self.planned.due
        return f"jetstream_{due.period}_{due.index}_{self.basis}"

    @property
    def unit_columns(self) -> tuple[str, ...]:
        """The columns of a unit, which are ``e``'s in a metric's snippet."""
        segments = (segment.name for segment in self.configuration.segments)
        return (*UNIT_COLUMNS, *segments, *EXPOSURE_COLUMNS)

    def units(self) -> exp.Select:
        """The units of the basis, one row each.

        With an exposure signal the exposures basis looks for exposures anew, in the range that the
        signal has for this window.
        """
        signal = self.configuration.exposure_signal
        if self.basis == AnalysisBasis.EXPOSURES and signal is not None:
            return self._units_by_signal(signal)
        units = exp.select(*map(_column, self.unit_columns)).from_(ENROLLED)
        if self.basis == AnalysisBasis.ENROLLMENTS:
            return units
        return units.where(exp.not_(exp.column("exposure_date").is_(exp.null())))

    def rows(self, value_columns: Iterable[str]) -> exp.Select:
        """One row per unit: its columns, the window's, and the values in the order given."""
        joined = {
            f"source_{number}": values
            for number, values in enumerate(self.source_queries(with_sanity=True))
        }
        tables = {
            column: table for table, values in joined.items() for column in values.named_selects[1:]
        }
        units = exp.alias_(exp.to_table(self.units_name), "units", table=True)
        query = exp.select(
            *(_column(column, "units") for column in self.unit_columns),
            *self._window_columns(),
            *(_value(column, tables.get(column)) for column in value_columns),
        ).from_(units)
        for table, values in joined.items():
            is_unit = _column("analysis_id", table).eq(_column("analysis_id", "units"))
            query = query.join(values.subquery(table), on=is_unit, join_type="left")
        return query

    def source_queries(self, *, with_sanity: bool) -> list[exp.Select]:
        """For each data source one row per unit: analysis_id, its metrics, its sanity columns."""
        return [
            self._source_query(source, metrics, with_sanity=with_sanity)
            for source, metrics in self._by_source.items()
        ]

    @property
    def _by_source(self) -> dict[DataSource, tuple[Metric, ...]]:
        found: dict[DataSource, tuple[Metric, ...]] = {}
        for metric in self.metrics:
            if metric.data_source is None:
                raise QueryError(f"metric {metric.name!r} has no data source; name one")
            found[metric.data_source] = (*found.get(metric.data_source, ()), metric)
        return dict(sorted(found.items(), key=lambda item: item[0].name))

    @property
    def _anchor(self) -> str:
        """The column of the date from which the window's days are counted."""
        is_exposures = self.basis == AnalysisBasis.EXPOSURES
        if is_exposures and self.configuration.exposure_signal is None:
            return "exposure_date"
        return "enrollment_date"

    @property
    def _last_known(self) -> date:
        """The last date whose data may be read: what is complete when the window is due."""
        last = self.configuration.experiment.timeline.last_enrollment_date
        return last + timedelta(days=max(self.planned.due.window.end, 0))

    def _units_by_signal(self, signal: ExposureSignal) -> exp.Select:
        own = [column for column in self.unit_columns if column not in EXPOSURE_COLUMNS]
        exposed = signal_exposures(
            self.configuration, signal, ENROLLED, self.planned.due.window, self._last_known
        )
        is_unit = _column("analysis_id", "exposures").eq(_column("analysis_id", "units"))
        return (
            exp.select(
                *(_column(column, "units") for column in own),
                *(_column(column, "exposures") for column in EXPOSURE_COLUMNS),
            )
            .from_(exp.alias_(exp.to_table(ENROLLED), "units", table=True))
            .join(exposed.subquery("exposures"), on=is_unit)
        )

    def _source_query(
        self, source: DataSource, metrics: Iterable[Metric], *, with_sanity: bool
    ) -> exp.Select:
        columns = {
            metric.name: fragments.parse_expression(
                metric.select_expression or "", f"metric {metric.name!r}"
            )
            for metric in metrics
        }
        sanity = self._sanity(source) if with_sanity else {}
        return sources.per_unit(
            self.units_name,
            source,
            self.configuration.experiment.analysis_unit,
            self._conditions(source),
            sanity | columns,
            self.unit_columns,
        )

    def _conditions(self, source: DataSource) -> list[exp.Expr]:
        """Which rows count: constant bounds to prune scans, the unit's window, the guard.

        Enrollment and exposure dates both lie between the first and last enrollment date, so the
        constant bounds cut no unit's window.
        """
        window = self.planned.due.window
        experiment = self.configuration.experiment
        day = sources.day(source)
        first, last = experiment.timeline.data_range(window)
        anchor = sources.unit_column(self._anchor)
        guard = sources.enrollment_day_guard(source, experiment.slug)
        return [
            fragments.between_dates(day, first, last),
            fragments.between_days(day.copy(), anchor, window.start, window.end),
            *([] if guard is None else [guard]),
        ]

    def _sanity(self, source: DataSource) -> dict[str, exp.Expr]:
        experiment = self.configuration.experiment
        return sources.sanity_columns(source, experiment.slug, experiment.analysis_unit)

    def _window_columns(self) -> list[exp.Expr]:
        due = self.planned.due
        values = {
            "period": fragments.text_literal(due.period),
            "window_index": fragments.int64(due.index),
            "window_start": fragments.int64(due.window.start),
            "window_end": fragments.int64(due.window.end),
            "analysis_basis": fragments.text_literal(self.basis),
        }
        return [exp.alias_(value, column) for column, value in values.items()]


def _value(column: str, table: str | None) -> exp.Expr:
    # A bare NULL takes the type that the other parts of the union give the column.
    return (
        exp.alias_(exp.null(), fragments.name(column)) if table is None else _column(column, table)
    )


def _column(column: str, table: str | None = None) -> exp.Column:
    return exp.column(fragments.name(column), table=table)
