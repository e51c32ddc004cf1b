"""What is measured: data sources, metrics, segments, exposure signals, summaries.

Belongs here: resolved definitions, all templates rendered; SQL snippets are text in BigQuery's
dialect. Does not: how they are written in TOML (`config`), how they become queries (`sql`).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from jetstream_assets.experiments.windows import Period

Scalar = str | int | float | bool | None


def written_in() -> str:
    """A field that says where a definition is written: file and key, for people alone.

    Two definitions that say the same are equal wherever they are written.
    """
    origin: str = field(default="", compare=False)
    return origin


class AnalysisBasis(StrEnum):
    """Which units count, and from when: all enrolled, or those exposed."""

    ENROLLMENTS = "enrollments"
    EXPOSURES = "exposures"


class ExperimentsColumn(StrEnum):
    """How the rows of a data source are annotated with the experiments a unit is in."""

    SIMPLE = "simple"
    NATIVE = "native"
    GLEAN = "glean"
    EVENTS_STREAM = "events_stream"
    NONE = "none"


@dataclass(frozen=True)
class DataSource:
    """A table or sub-query of rows per analysis unit and day.

    ``from_expression`` is a table name or a parenthesised query; the three columns are column
    paths (dots allowed) that exist in it. ``submission_date_column`` is a DATE.
    """

    name: str
    from_expression: str
    experiments_column: ExperimentsColumn = ExperimentsColumn.SIMPLE
    client_id_column: str = "client_id"
    group_id_column: str = "profile_group_id"
    submission_date_column: str = "submission_date"
    origin: str = written_in()


@dataclass(frozen=True)
class Metric:
    """One number per unit and window.

    ``select_expression`` aggregates the rows of ``data_source``; both are None for a metric that
    is computed from others (``depends_on``), such as a ratio.
    """

    name: str
    data_source: DataSource | None = None
    select_expression: str | None = None
    friendly_name: str = ""
    description: str = ""
    bigger_is_better: bool = True
    analysis_bases: tuple[AnalysisBasis, ...] = tuple(AnalysisBasis)
    depends_on: tuple[str, ...] = ()
    origin: str = written_in()


@dataclass(frozen=True)
class SegmentDataSource:
    """Rows from which segments are decided.

    ``window_start`` and ``window_end`` are days relative to each unit's enrollment date, both
    inclusive.
    """

    name: str
    from_expression: str
    window_start: int = 0
    window_end: int = 0
    client_id_column: str = "client_id"
    group_id_column: str = "profile_group_id"
    submission_date_column: str = "submission_date"


@dataclass(frozen=True)
class Segment:
    """A share of the units: those for which the boolean aggregate is TRUE."""

    name: str
    data_source: SegmentDataSource
    select_expression: str
    friendly_name: str = ""
    description: str = ""
    origin: str = written_in()


class WindowBound(StrEnum):
    """A bound of an exposure signal's window that follows the experiment's own dates."""

    ENROLLMENT_START = "enrollment_start"
    ENROLLMENT_END = "enrollment_end"
    ANALYSIS_WINDOW_START = "analysis_window_start"
    ANALYSIS_WINDOW_END = "analysis_window_end"


@dataclass(frozen=True)
class ExposureSignal:
    """Which rows show that a unit met what was tested; replaces the built-in exposure events.

    ``select_expression`` is a boolean filter on rows. Bounds are days since the first enrollment
    date, or a `WindowBound`; None is the default (first enrollment date, last enrollment date).
    """

    name: str
    data_source: DataSource
    select_expression: str
    friendly_name: str = ""
    description: str = ""
    window_start: int | WindowBound | None = None
    window_end: int | WindowBound | None = None
    origin: str = written_in()


@dataclass(frozen=True)
class PreTreatment:
    """A change to the metric's values before a statistic, by name, with its arguments."""

    name: str
    arguments: tuple[tuple[str, Scalar], ...] = ()


@dataclass(frozen=True)
class CovariateAdjustment:
    """Which pre-enrollment value explains part of a metric's spread."""

    metric: str
    period: Period


@dataclass(frozen=True)
class Summary:
    """One (metric, statistic, pre-treatments) triple: the unit of statistical work.

    ``parameters`` holds every parameter of the statistic with defaults filled in, sorted by name,
    except ``covariate_adjustment``, which has its own field.
    """

    metric: str
    statistic: str
    parameters: tuple[tuple[str, Scalar], ...] = ()
    pre_treatments: tuple[PreTreatment, ...] = ()
    covariate: CovariateAdjustment | None = None

    @property
    def measured(self) -> tuple[str, ...]:
        """The metrics whose values it takes: the two parts of a ratio, or the metric itself."""
        given = dict(self.parameters)
        parts = [given[part] for part in ("numerator", "denominator") if part in given]
        return tuple(str(part) for part in parts) or (self.metric,)

    @property
    def covariates(self) -> tuple[str, ...]:
        """The metrics whose values before enrollment explain its spread; none without covariate.

        A ratio that is adjusted for itself is adjusted for both of its parts.
        """
        if self.covariate is None:
            return ()
        own = self.covariate.metric == self.metric
        return self.measured if own else (self.covariate.metric,)

    def parameter(self, name: str) -> Scalar:
        """The value of a parameter; KeyError when the statistic has none of that name."""
        return dict(self.parameters)[name]
