"""A data source is rows per unit and day; a question joins units with the rows that count.

Belongs here: a data source as a relation, its columns, its annotation with experiments, and the
join of units with its rows. Does not: which rows count for which question (`metrics`,
`segments`, `exposures`).

Two aliases are a public contract, since snippets use them: ``e`` is the unit (one row each), and
``ds`` the data source. A unit without rows meets one row of ``ds`` that is all NULL, so ``SUM(x)``
is NULL, ``COUNT(x)`` 0 and ``COUNT(*)`` 1 for it.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from sqlglot import exp

from jetstream_assets.experiments.experiment import AnalysisUnit
from jetstream_assets.experiments.metrics import DataSource, ExperimentsColumn, SegmentDataSource
from jetstream_assets.sql import fragments

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

RowSource = DataSource | SegmentDataSource

UNIT_ALIAS = "e"
SOURCE_ALIAS = "ds"

CONTRADICTORY_BRANCH = "_has_contradictory_branch"
NON_ENROLLED_DATA = "_has_non_enrolled_data"

_EVENT_BRANCH = """
SELECT IF(
  JSON_VALUE(ds.event_extra, '$.experiment') = :slug, JSON_VALUE(ds.event_extra, '$.branch'), NULL
)
"""


def relation(source: RowSource) -> exp.Expr:
    """The rows of a source, as ``ds``."""
    found = fragments.parse_relation(source.from_expression, f"data source {source.name!r}")
    found.set("alias", exp.TableAlias(this=exp.to_identifier(SOURCE_ALIAS)))
    return found


def id_column(source: RowSource, unit: AnalysisUnit) -> exp.Expr:
    """The id, of whatever type, of the unit that a row of ``ds`` belongs to."""
    by_unit = {
        AnalysisUnit.CLIENT: source.client_id_column,
        AnalysisUnit.PROFILE_GROUP: source.group_id_column,
    }
    what = f"data source {source.name!r}, column of the {unit}"
    return fragments.parse_column_path(by_unit[unit], SOURCE_ALIAS, what)


def day(source: RowSource) -> exp.Expr:
    """The DATE of a row of ``ds``."""
    what = f"data source {source.name!r}, submission_date_column"
    return fragments.parse_column_path(source.submission_date_column, SOURCE_ALIAS, what)


def unit_column(column: str) -> exp.Column:
    """A column of the unit ``e``."""
    return exp.column(column, table=UNIT_ALIAS)


def annotation(source: DataSource, slug: str) -> exp.Expr | None:
    """The branch that a row of ``ds`` says its unit was in; NULL where it does not say.

    None for sources whose rows are not annotated with experiments at all.
    """
    kind = source.experiments_column
    if kind == ExperimentsColumn.NONE:
        return None
    if kind == ExperimentsColumn.EVENTS_STREAM:
        return _event_branch(slug)
    path = "ping_info.experiments" if kind == ExperimentsColumn.GLEAN else "experiments"
    experiments = fragments.parse_column_path(path, SOURCE_ALIAS, "the experiments' column")
    value = fragments.map_value(experiments, slug)
    if kind == ExperimentsColumn.SIMPLE:
        return value
    return exp.Dot(this=value, expression=exp.to_identifier("branch"))


def enrollment_day_guard(source: DataSource, slug: str) -> exp.Expr | None:
    """Drops rows of the enrollment day that were recorded before the unit enrolled.

    Such rows carry no annotation. None where the source has none to tell them by.
    """
    branch = annotation(source, slug)
    if branch is None:
        return None
    another_day = day(source).neq(unit_column("enrollment_date"))
    return exp.paren(exp.or_(another_day, _is_not_null(branch)), copy=False)


def sanity_columns(source: DataSource, slug: str, unit: AnalysisUnit) -> dict[str, exp.Expr]:
    """BOOL aggregates that tell when annotations disagree with the enrollment, by column name.

    FALSE for units without rows. Empty for sources without annotation.
    """
    branch = annotation(source, slug)
    if branch is None:
        return {}
    contradicts = branch.copy().neq(unit_column("branch"))
    has_row = _is_not_null(id_column(source, unit))
    unmarked = exp.and_(has_row, branch.copy().is_(exp.null()))
    return {
        source.name + CONTRADICTORY_BRANCH: any_row(contradicts),
        source.name + NON_ENROLLED_DATA: any_row(unmarked),
    }


@lru_cache(maxsize=1000)
def sanity_names(source: DataSource, slug: str, unit: AnalysisUnit) -> tuple[str, ...]:
    """The names of `sanity_columns`; building those takes longer than remembering these."""
    return tuple(sanity_columns(source, slug, unit))


def any_row(condition: exp.Expr) -> exp.Expr:
    """Whether the condition holds for any row; FALSE, never NULL, where none says so."""
    return exp.Coalesce(this=exp.LogicalOr(this=condition), expressions=[exp.false()])


def per_unit(
    units: str,
    source: RowSource,
    unit: AnalysisUnit,
    conditions: Iterable[exp.Expr],
    columns: dict[str, exp.Expr],
    unit_columns: Iterable[str],
) -> exp.Select:
    """One row per unit: analysis_id and aggregates over the unit's rows of one source.

    Args:
        units: Name of the relation with one row per unit; it is ``e`` to the aggregates.
        source: Whose rows; they are ``ds`` to the aggregates.
        unit: Which id the rows are joined by.
        conditions: Which rows count, besides the unit's id.
        columns: Aggregates by name.
        unit_columns: The columns that ``units`` has. Those that an expression names outside its
            aggregates become grouping keys; that changes no group, for a unit has one row.
    """
    is_unit = fragments.string(id_column(source, unit)).eq(unit_column("analysis_id"))
    bare = {column.name for tree in columns.values() for column in _outside_aggregates(tree)}
    keys = [column for column in unit_columns if column in bare and column != "analysis_id"]
    aggregates = [exp.alias_(tree, fragments.name(alias)) for alias, tree in columns.items()]
    return (
        exp.select(unit_column("analysis_id"), *aggregates)
        .from_(exp.alias_(exp.to_table(units), UNIT_ALIAS, table=True))
        .join(relation(source), on=exp.and_(is_unit, *conditions), join_type="left")
        .group_by(*(unit_column(column) for column in ["analysis_id", *keys]))
    )


def _outside_aggregates(tree: exp.Expr) -> Iterator[exp.Column]:
    return (column for column in tree.find_all(exp.Column) if not _is_aggregated(column))


def _is_aggregated(column: exp.Column) -> bool:
    """Whether an aggregate of the expression itself, not of a sub-query in it, holds the column."""
    aggregate = column.find_ancestor(exp.AggFunc)
    while aggregate is not None:
        if aggregate.find_ancestor(exp.Select) is None:
            return True
        aggregate = aggregate.find_ancestor(exp.AggFunc)
    return False


def _event_branch(slug: str) -> exp.Expr:
    branch = fragments.template(_EVENT_BRANCH, slug=fragments.text_literal(slug))
    return branch.selects[0]


def _is_not_null(value: exp.Expr) -> exp.Expr:
    return exp.not_(value.copy().is_(exp.null()))
