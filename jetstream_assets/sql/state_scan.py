"""Reading a source once: the states of every unit and day, whatever windows they will serve.

Belongs here: the scan of a source's days, and the one of the days before enrollment. Does not:
which states and days are wanted (`analysis.daily_aggregates`), merging them (`rollup`).

Columns: analysis_id STRING, day DATE, and one column a state. Units without rows on a day have no
row there. Excluded units have rows, for whether a unit is excluded may change while units enroll.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlglot import exp

from jetstream_assets.sql import fragments, sources

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import date

    from jetstream_assets.experiments.configuration import AnalysisConfiguration
    from jetstream_assets.experiments.metrics import DataSource
    from jetstream_assets.experiments.windows import AnalysisWindow
    from jetstream_assets.sql.source_states import NamedState


def state_scan(
    configuration: AnalysisConfiguration,
    source: DataSource,
    states: Iterable[NamedState],
    units: exp.Expr,
    days: Sequence[date],
) -> exp.Select:
    """The states of a source on some days, one row a unit and day.

    Rows count from the unit's enrollment date on; on that date only those that the guard lets pass.

    Args:
        configuration: Whose units.
        source: Whose rows.
        states: What to compute.
        units: A relation with one row a unit: analysis_id, branch, enrollment_date.
        days: At least one, ascending.
    """
    day = sources.day(source)
    is_enrolled = exp.GTE(this=day.copy(), expression=sources.unit_column("enrollment_date"))
    columns = {named.name: _of_one_day(named.state.daily) for named in states}
    query = _joined(configuration, source, columns, units, [is_enrolled])
    own_day = exp.cast(day, exp.DType.DATE)
    conditions = [fragments.between_dates(day.copy(), days[0], days[-1])]
    if len(days) <= (days[-1] - days[0]).days:
        listed = [fragments.date_literal(one) for one in days]
        conditions.append(exp.In(this=own_day.copy(), expressions=listed))
    return (
        query.select(exp.alias_(own_day, "day"))
        .where(*conditions)
        .group_by(sources.unit_column("analysis_id"), own_day.copy())
    )


def earlier_scan(
    configuration: AnalysisConfiguration,
    source: DataSource,
    states: Iterable[NamedState],
    units: exp.Expr,
    windows: Sequence[tuple[str, AnalysisWindow]],
) -> exp.Select:
    """The states of the days before enrollment, one row a unit and set of windows.

    Days that lie in the same windows are one row, whose ``day`` is the first of them: merging rows
    by that day gives every window what merging its days would.

    Args:
        configuration: Whose units.
        source: Whose rows.
        states: What to compute.
        units: A relation with one row a unit; its columns include the anchors'.
        windows: Each with the unit's column of the date from which its days are counted.
    """
    day, timeline = sources.day(source), configuration.experiment.timeline
    within = [
        fragments.between_days(day.copy(), sources.unit_column(anchor), window.start, window.end)
        for anchor, window in windows
    ]
    ranges = [timeline.data_range(window) for _, window in windows]
    columns = {named.name: named.state.daily.copy() for named in states}
    query = _joined(configuration, source, columns, units, [exp.paren(exp.or_(*within))])
    return (
        query.select(exp.alias_(exp.Min(this=exp.cast(day, exp.DType.DATE)), "day"))
        .where(
            fragments.between_dates(
                day.copy(), min(first for first, _ in ranges), max(last for _, last in ranges)
            )
        )
        .group_by(sources.unit_column("analysis_id"), *(condition.copy() for condition in within))
    )


def _of_one_day(aggregate: exp.Expr) -> exp.Expr:
    """The aggregate over rows of one day; distinct days are one there, which needs no set.

    What is counted as distinct is the row's day, or NULL, or else the unit (`splitting`).
    """
    if not isinstance(aggregate, exp.Count) or not isinstance(aggregate.this, exp.Distinct):
        return aggregate.copy()
    (value,) = aggregate.this.expressions
    is_there = exp.Count(this=value.copy(), big_int=True) > exp.convert(0)
    return exp.If(this=is_there, true=exp.convert(1), false=exp.convert(0))


def _joined(
    configuration: AnalysisConfiguration,
    source: DataSource,
    states: Mapping[str, exp.Expr],
    units: exp.Expr,
    conditions: Iterable[exp.Expr],
) -> exp.Select:
    experiment = configuration.experiment
    identifier = fragments.string(sources.id_column(source, experiment.analysis_unit))
    guard = sources.enrollment_day_guard(source, experiment.slug)
    conditions = [
        identifier.eq(sources.unit_column("analysis_id")),
        *conditions,
        *([] if guard is None else [guard]),
    ]
    columns = (exp.alias_(aggregate, name) for name, aggregate in states.items())
    aliased = exp.alias_(units.copy(), sources.UNIT_ALIAS, table=True)
    return (
        exp.select(sources.unit_column("analysis_id"), *columns)
        .from_(sources.relation(source))
        .join(aliased, on=exp.and_(*conditions))
    )
