"""Who takes part: one row per analysis unit, decided by data up to the last enrollment date.

Belongs here: folding enrollment events to units, units in several branches, and putting segments
and exposures beside them. Does not: the events themselves (`enrollment_events`, `exposures`).

Nothing after the last enrollment date L is read, so the table is the same whenever it is computed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlglot import exp
from sqlglot.optimizer.scope import Scope, build_scope

from jetstream_assets.errors import QueryError
from jetstream_assets.experiments.configuration import SeveralBranches
from jetstream_assets.experiments.experiment import AnalysisUnit
from jetstream_assets.experiments.windows import AnalysisWindow
from jetstream_assets.sql import fragments
from jetstream_assets.sql.enrollment_events import enrollment_event_range, enrollment_events
from jetstream_assets.sql.exposures import event_exposures, signal_exposures
from jetstream_assets.sql.segments import segments_by_source, segments_query

if TYPE_CHECKING:
    from jetstream_assets.experiments.configuration import AnalysisConfiguration

UNIT_COLUMNS = ("analysis_id", "branch", "enrollment_date", "num_enrollment_events")
BRANCH_COLUMNS = ("num_branches", "is_excluded")
EXPOSURE_COLUMNS = ("exposure_date", "num_exposure_events")

# Common table expressions share a namespace with plainly named tables that snippets may read.
_RAW = "jetstream_raw_enrollments"
_BRANCHES = "jetstream_unit_branches"
_ENROLLED = "jetstream_enrolled"

# Analysis windows that signals refer to begin with the first day when units are enrolled.
FIRST_DAY = AnalysisWindow(0, 0)


@dataclass(frozen=True)
class StoredEvents:
    """Events that were folded day by day, as relations that a query may read.

    Args:
        enrollments: All days that decide who enrolled (`event_days.enrollment_days`); None to read
            the source.
        exposures: All days that decide who was exposed (`event_days.exposure_days`); None to read
            the source.
    """

    enrollments: exp.Expr | None = None
    exposures: exp.Expr | None = None


_NOTHING_STORED = StoredEvents()


def enrollments_query(
    configuration: AnalysisConfiguration,
    stored: StoredEvents = _NOTHING_STORED,
    *,
    with_exposures: bool = True,
) -> exp.Select:
    """One row per unit that enrolled on dates F to L, ordered by analysis_id.

    Columns: analysis_id STRING, branch STRING, enrollment_date DATE (first event),
    num_enrollment_events INT64, num_branches INT64, is_excluded BOOL, one BOOL per segment (never
    NULL), exposure_date DATE (NULL: not exposed), num_exposure_events INT64 (not exposed: NULL
    with built-in events, 0 with a signal).

    A unit that enrolled in several branches has one row, that of its first branch (earliest date,
    then name); it is excluded or kept as the configuration says. Rows without id or branch are
    dropped, and so are rows of a custom query dated outside F to L, whose windows would not be
    complete when they are due. A custom query's repeats of (unit, branch) are folded: earliest
    date, sum of events.

    Args:
        configuration: Whose enrollments.
        stored: Events that need not be read from their sources.
        with_exposures: Whether to ask who was exposed; otherwise both columns are NULL.

    Raises:
        QueryError: A snippet of the configuration cannot be part of a query.
    """
    names = [segment.name for segment in configuration.segments]
    fragments.check_distinct(
        [*UNIT_COLUMNS, *BRANCH_COLUMNS, *names, *EXPOSURE_COLUMNS], "enrollments"
    )
    query = (
        exp.select(*_unit_columns(configuration))
        .from_(exp.alias_(exp.to_table(_ENROLLED), "e", table=True))
        .with_(_RAW, as_=_raw_enrollments(configuration, stored.enrollments))
        .with_(_BRANCHES, as_=_unit_branches(configuration))
        .with_(_ENROLLED, as_=_first_branches())
    )
    query = _with_segments(query, configuration)
    if with_exposures:
        query = _with_exposures(query, configuration, stored.exposures)
    else:
        query = _unexposed(query)
    return query.order_by(_enrolled("analysis_id"))


def _unit_columns(configuration: AnalysisConfiguration) -> list[exp.Expr]:
    is_excluded = (
        _enrolled("num_branches") > 1
        if configuration.several_branches == SeveralBranches.EXCLUDE
        else exp.false()
    )
    columns: list[exp.Expr] = [_enrolled(column) for column in (*UNIT_COLUMNS, "num_branches")]
    return [*columns, exp.alias_(is_excluded, "is_excluded")]


def _raw_enrollments(configuration: AnalysisConfiguration, stored: exp.Expr | None) -> exp.Query:
    text = configuration.enrollment_query
    if text is None and stored is not None:
        return _stored_enrollments(configuration, stored)
    if text is None:
        return enrollment_events(configuration, *enrollment_event_range(configuration))
    return custom_enrollments(text, configuration.experiment.analysis_unit)


def custom_enrollments(text: str, unit: AnalysisUnit) -> exp.Query:
    """A configuration's own enrollment query, with the columns `UNIT_COLUMNS`.

    Raises:
        QueryError: It is no single query, names another unit, or lacks a column.
    """
    (other,) = set(AnalysisUnit) - {unit}
    if other in text:
        raise QueryError(
            f"enrollment_query mentions {other}, but the analysis unit is {unit}; "
            "change one of the two",
            text,
        )
    return _with_analysis_id(fragments.parse_query(text, "enrollment_query"), unit)


def _with_analysis_id(query: exp.Query, unit: AnalysisUnit) -> exp.Query:
    """A custom query that names its unit's own column, as was done when all units were clients.

    Raises:
        QueryError: A column is missing; of a ``*`` of a table only the warehouse can tell.
    """
    names = _column_names(build_scope(query))
    if "*" in names:
        return query
    is_own = UNIT_COLUMNS[0] not in names and unit in names
    missing = [name for name in UNIT_COLUMNS[is_own:] if name not in names]
    if missing:
        raise QueryError(
            f"enrollment_query has no column {', '.join(missing)}; it has {', '.join(names)}, and "
            f"has to have {', '.join(UNIT_COLUMNS)}",
            query.sql(dialect="bigquery"),
        )
    if not is_own:
        return query
    renamed = exp.alias_(exp.column(unit.value), UNIT_COLUMNS[0])
    return exp.select(renamed, *UNIT_COLUMNS[1:]).from_(query.subquery("own"))


def _column_names(scope: Scope | None) -> list[str]:
    """The columns of a query, through ``SELECT * FROM`` a part of it; ``*`` where it is a table."""
    if scope is None or not isinstance(scope.expression, exp.Query):
        return ["*"]
    names = [name.lower() for name in scope.expression.named_selects]
    if names == ["*"]:
        first = scope.set_operation_scopes[0] if scope.set_operation_scopes else scope
        sources = [source for _, source in first.selected_sources.values()]
        if len(sources) == 1 and isinstance(sources[0], Scope):
            return _column_names(sources[0])
    return names


def _stored_enrollments(configuration: AnalysisConfiguration, stored: exp.Expr) -> exp.Select:
    day = exp.column("day")
    return (
        exp.select(
            "analysis_id", "branch", exp.alias_(day, "enrollment_date"), "num_enrollment_events"
        )
        .from_(stored.copy())
        .where(fragments.between_dates(day.copy(), *enrollment_event_range(configuration)))
    )


def _unit_branches(configuration: AnalysisConfiguration) -> exp.Select:
    """One row per unit and branch, whose first event lies on F to L."""
    timeline = configuration.experiment.timeline
    day = exp.cast(_raw("enrollment_date"), exp.DType.DATE)
    events = fragments.int64(exp.Sum(this=_raw("num_enrollment_events")))
    unit, branch = (fragments.string(_raw(column)) for column in ("analysis_id", "branch"))
    query = (
        exp.select(
            exp.alias_(unit, "analysis_id"),
            exp.alias_(branch, "branch"),
            exp.alias_(exp.Min(this=day), "enrollment_date"),
            exp.alias_(events, "num_enrollment_events"),
        )
        .from_(exp.alias_(exp.to_table(_RAW), "raw", table=True))
        .where(
            exp.not_(_raw("analysis_id").is_(exp.null())),
            exp.not_(_raw("branch").is_(exp.null())),
        )
        .group_by(unit.copy(), branch.copy())
    )
    days = timeline.first_enrollment_date, timeline.last_enrollment_date
    if configuration.enrollment_query is None:
        return query.having(fragments.between_dates(exp.Min(this=day.copy()), *days))
    return query.where(fragments.between_dates(day.copy(), *days))


def _first_branches() -> exp.Select:
    """One row per unit: its first branch, and in how many it was."""
    unit = exp.column("analysis_id")
    order = exp.Order(expressions=[exp.column("enrollment_date"), exp.column("branch")])
    place = exp.Window(this=exp.RowNumber(), partition_by=[unit], order=order)
    branches = exp.Window(this=exp.Count(this=exp.Star(), big_int=True), partition_by=[unit.copy()])
    ranked = exp.select(
        *UNIT_COLUMNS, exp.alias_(branches, "num_branches"), exp.alias_(place, "branch_order")
    ).from_(_BRANCHES)
    return (
        exp.select(*UNIT_COLUMNS, "num_branches")
        .from_(ranked.subquery("ranked"))
        .where(exp.column("branch_order").eq(1))
    )


def _with_segments(query: exp.Select, configuration: AnalysisConfiguration) -> exp.Select:
    values: dict[str, exp.Expr] = {}
    for number, (source, segments) in enumerate(segments_by_source(configuration.segments).items()):
        alias = f"segments_{number}"
        decided = segments_query(
            configuration.experiment, source, segments, _ENROLLED, UNIT_COLUMNS
        )
        query = query.join(decided.subquery(alias), on=_same_unit(alias), join_type="left")
        for segment in segments:
            column = exp.column(fragments.name(segment.name), table=alias)
            value = exp.Coalesce(this=column, expressions=[exp.false()])
            values[segment.name] = exp.alias_(value, fragments.name(segment.name))
    return query.select(*(values[segment.name] for segment in configuration.segments))


def _with_exposures(
    query: exp.Select, configuration: AnalysisConfiguration, stored: exp.Expr | None
) -> exp.Select:
    signal = configuration.exposure_signal
    events: exp.Expr = exp.column("num_exposure_events", table="exposures")
    if signal is None:
        exposed = event_exposures(configuration, _ENROLLED, stored)
    else:
        last = configuration.experiment.timeline.last_enrollment_date
        exposed = signal_exposures(configuration, signal, _ENROLLED, FIRST_DAY, last, stored)
        events = exp.Coalesce(this=events, expressions=[exp.convert(0)])
    return query.join(
        exposed.subquery("exposures"), on=_same_unit("exposures"), join_type="left"
    ).select(
        exp.column("exposure_date", table="exposures"), exp.alias_(events, "num_exposure_events")
    )


def _unexposed(query: exp.Select) -> exp.Select:
    day, events = (exp.cast(exp.null(), kind) for kind in (exp.DType.DATE, exp.DType.BIGINT))
    return query.select(exp.alias_(day, "exposure_date"), exp.alias_(events, "num_exposure_events"))


def _same_unit(alias: str) -> exp.Expr:
    return exp.column("analysis_id", table=alias).eq(_enrolled("analysis_id"))


def _enrolled(column: str) -> exp.Column:
    return exp.column(column, table="e")


def _raw(column: str) -> exp.Column:
    return exp.column(column, table="raw")
