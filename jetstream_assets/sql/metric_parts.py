"""One window on one basis: its units, and for each of them the values of every data source.

Belongs here: the units of a part, the rows that count for them, the part's columns. Does not:
stacking parts to one relation (`metrics`), values that follow from stored days (`rolled_metrics`).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from sqlglot import exp

from jetstream_assets.errors import QueryError
from jetstream_assets.experiments.configuration import AnalysisConfiguration
from jetstream_assets.experiments.metrics import AnalysisBasis, DataSource, Metric
from jetstream_assets.experiments.plan import PlannedWindow
from jetstream_assets.sql import fragments, sources
from jetstream_assets.sql.enrollments import EXPOSURE_COLUMNS, UNIT_COLUMNS
from jetstream_assets.sql.exposures import signal_exposures

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable
    from datetime import date

    from jetstream_assets.experiments.metrics import ExposureSignal

# Units that are analysed. The name is unlike that of any table that a snippet may read.
ENROLLED = "jetstream_enrolled"


@dataclass(frozen=True)
class MetricPart:
    """The metrics of one window on one analysis basis.

    ``metrics`` have SQL of their own and belong to the basis. ``exposures`` holds the stored rows
    of an exposure signal; None to read its source.
    """

    configuration: AnalysisConfiguration
    planned: PlannedWindow
    basis: AnalysisBasis
    metrics: tuple[Metric, ...]
    exposures: exp.Expr | None = None

    @property
    def metric_names(self) -> tuple[str, ...]:
        """The columns of values."""
        return tuple(metric.name for metric in self.metrics)

    @property
    def sanity_names(self) -> tuple[str, ...]:
        """The columns that tell when annotations disagree with enrollments."""
        return tuple(name for source in self._by_source for name in self._sanity_names(source))

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
        """The units of the basis, one row each; in a provisional window those who lived through it.

        With an exposure signal the exposures basis looks for exposures anew, in the range that the
        signal has for this window.
        """
        units, complete_by = self._units_of_basis(), self.planned.complete_by
        if complete_by is None:
            return units
        last = complete_by - timedelta(days=self.planned.due.window.end)
        anchor = exp.column(self.anchor)
        return units.where(exp.LTE(this=anchor, expression=fragments.date_literal(last)))

    def _units_of_basis(self) -> exp.Select:
        signal = self.configuration.exposure_signal
        if self.basis == AnalysisBasis.EXPOSURES and signal is not None:
            return self._units_by_signal(signal)
        units = exp.select(*map(_column, self.unit_columns)).from_(ENROLLED)
        if self.basis == AnalysisBasis.ENROLLMENTS:
            return units
        return units.where(exp.not_(exp.column("exposure_date").is_(exp.null())))

    def rows(self, value_columns: Iterable[str]) -> exp.Select:
        """One row per unit: its columns, the window's, and the values in the order given.

        The values are computed from the sources' rows.
        """
        relations = {
            f"source_{number}": self.source_query(source)
            for number, source in enumerate(self.sources)
        }
        values = {
            name: _column(name, alias)
            for alias, query in relations.items()
            for name in query.named_selects[1:]
        }
        query = exp.select(
            *(_column(column, sources.UNIT_ALIAS) for column in self.unit_columns),
            *self.window_columns(),
            *(value_column(column, values.get(column)) for column in value_columns),
        ).from_(exp.alias_(exp.to_table(self.units_name), sources.UNIT_ALIAS, table=True))
        for alias, relation in relations.items():
            is_unit = _column("analysis_id", alias).eq(sources.unit_column("analysis_id"))
            joined = relation.subquery(alias, copy=False)
            query = query.join(joined, on=is_unit, join_type="left", copy=False)
        return query

    @property
    def sources(self) -> tuple[DataSource, ...]:
        """The sources of the part's metrics, by name."""
        return tuple(self._by_source)

    def source_columns(self, source: DataSource) -> tuple[str, ...]:
        """The metrics and sanity columns of a source."""
        metrics = (metric.name for metric in self._by_source.get(source, ()))
        return (*metrics, *(self._sanity_names(source) if source in self._by_source else ()))

    def source_query(self, source: DataSource, without: Collection[str] = ()) -> exp.Select:
        """One row per unit: analysis_id, sanity columns and metrics, from the source's rows.

        ``without`` are columns that are left out.
        """
        metrics = [m for m in self._by_source[source] if m.name not in without]
        sanity = {n: tree for n, tree in self._sanity(source).items() if n not in without}
        return self._source_query(source, metrics, sanity)

    def source_queries(self) -> list[exp.Select]:
        """For each data source one row per unit: analysis_id and its metrics, from its rows."""
        return [
            self._source_query(source, metrics, {}) for source, metrics in self._by_source.items()
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
    def anchor(self) -> str:
        """The unit's column of the date from which the window's days are counted."""
        return anchor_column(self.configuration, self.basis)

    @property
    def _last_known(self) -> date:
        """The last date whose data may be read: what is complete when the window is due."""
        last = self.configuration.experiment.timeline.last_enrollment_date
        due = last + timedelta(days=max(self.planned.due.window.end, 0))
        return min(due, self.planned.complete_by or due)

    def _units_by_signal(self, signal: ExposureSignal) -> exp.Select:
        own = [column for column in self.unit_columns if column not in EXPOSURE_COLUMNS]
        exposed = signal_exposures(
            self.configuration,
            signal,
            ENROLLED,
            self.planned.due.window,
            self._last_known,
            self.exposures,
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
        self, source: DataSource, metrics: Iterable[Metric], sanity: dict[str, exp.Expr]
    ) -> exp.Select:
        columns = {
            metric.name: fragments.parse_expression(
                metric.select_expression or "", f"metric {metric.name!r}"
            )
            for metric in metrics
        }
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
        anchor = sources.unit_column(self.anchor)
        guard = sources.enrollment_day_guard(source, experiment.slug)
        return [
            fragments.between_dates(day, first, last),
            fragments.between_days(day.copy(), anchor, window.start, window.end),
            *([] if guard is None else [guard]),
        ]

    def _sanity(self, source: DataSource) -> dict[str, exp.Expr]:
        experiment = self.configuration.experiment
        return sources.sanity_columns(source, experiment.slug, experiment.analysis_unit)

    def _sanity_names(self, source: DataSource) -> tuple[str, ...]:
        experiment = self.configuration.experiment
        return sources.sanity_names(source, experiment.slug, experiment.analysis_unit)

    def window_columns(self) -> list[exp.Expr]:
        """The window, the basis, and whether units may still come."""
        due = self.planned.due
        values = {
            "period": fragments.text_literal(due.period),
            "window_index": fragments.int64(due.index),
            "window_start": fragments.int64(due.window.start),
            "window_end": fragments.int64(due.window.end),
            "analysis_basis": fragments.text_literal(self.basis),
            "is_provisional": exp.convert(self.planned.complete_by is not None),
        }
        return [exp.alias_(value, column) for column, value in values.items()]


def anchor_column(configuration: AnalysisConfiguration, basis: AnalysisBasis) -> str:
    """The unit's column of the date from which the days of a window are counted."""
    if basis == AnalysisBasis.EXPOSURES and configuration.exposure_signal is None:
        return "exposure_date"
    return "enrollment_date"


def value_column(column: str, value: exp.Expr | None) -> exp.Expr:
    """A value under its name; NULL where there is none."""
    # A bare NULL takes the type that the other parts of the union give the column.
    return exp.alias_(exp.null() if value is None else value, fragments.name(column))


def _column(column: str, table: str | None = None) -> exp.Column:
    return exp.column(fragments.name(column), table=table)
