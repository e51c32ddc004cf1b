"""The views by which the original published results, over the tables of today.

Belongs here: which views there are, their statements, keeping them in step with the tables. Does
not: the tables (`bigquery_tables`).

    <experiment>_<basis>_<period>       rows of units: metrics of every window of a period
    statistics_<experiment>_<period>    statistics of every window of a period

A window that several dates have, since units enroll, is that of the newest date.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlglot import exp

from jetstream_assets.errors import WarehouseAccessError
from jetstream_assets.experiments.windows import Period
from jetstream_assets.warehouse.bigquery_columns import DATE, StoredColumn, selected, united
from jetstream_assets.warehouse.bigquery_jobs import REQUEST_SECONDS, retry_of_requests
from jetstream_assets.warehouse.bigquery_manifest import Manifests
from jetstream_assets.warehouse.bigquery_names import experiment_name, label_value
from jetstream_assets.warehouse.bigquery_queries import Queries
from jetstream_assets.warehouse.bigquery_script import Replacement, table_of
from jetstream_assets.warehouse.bigquery_tables import ExperimentTables
from jetstream_assets.warehouse.tables import ResultTable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from google.cloud.bigquery import Table, TableReference

_OF_UNITS = (ResultTable.METRICS, ResultTable.PREENROLLMENT_METRICS)
_LEFT_OUT = ("period", "analysis_basis", "is_provisional")
_RENAMED = {"window_start": "analysis_window_start", "window_end": "analysis_window_end"}
_STATISTIC = (
    *("metric", "statistic", "parameter", "branch", "comparison", "comparison_to_branch"),
    *("ci_width", "point", "lower", "upper", "segment", "analysis_basis", "window_index"),
)


@dataclass(frozen=True)
class _View:
    """A view: its name, and the rows of the table that it shows."""

    name: str
    period: str
    basis: str | None


@dataclass(frozen=True)
class PublishedViews:
    """The published views of a warehouse."""

    queries: Queries
    tables: ExperimentTables
    manifests: Manifests

    def publish(self, replacement: Replacement, scratch: TableReference) -> None:
        """Make or change the views that show slices.

        Args:
            replacement: The slices that are about to be replaced.
            scratch: Their new content, which says which periods and bases there are.

        Raises:
            WarehouseAccessError: There is a table, or another experiment's view, of that name.
        """
        like = replacement.like
        if like.table not in (*_OF_UNITS, ResultTable.STATISTICS):
            return
        rows = self.tables.of(like)
        entries = self.manifests.entries(like.dataset, like.experiment)
        stored = [entry.columns for key, entry in sorted(entries.items()) if key[0] == like.table]
        columns = united([*stored, replacement.columns])
        for view in self._views(replacement, scratch):
            query = _statement(view, rows, columns).sql(dialect="bigquery", pretty=True)
            self._put(self.tables.reference(like.dataset, view.name), query, like.experiment)

    def _views(self, replacement: Replacement, scratch: TableReference) -> Iterator[_View]:
        like = replacement.like
        name = experiment_name(like.experiment)
        is_of_units = like.table in _OF_UNITS
        keys = ("period", "analysis_basis") if is_of_units else ("period",)
        asked = exp.select(*keys).distinct().from_(table_of(scratch)).order_by(*keys)
        _, found = self.queries.read(asked.sql(dialect="bigquery"))
        for row in found.to_pylist():
            suffix = Period(row["period"]).suffix
            basis = row.get("analysis_basis")
            view = f"{name}_{basis}_{suffix}" if is_of_units else f"statistics_{name}_{suffix}"
            yield _View(view, row["period"], basis)

    def _put(self, reference: TableReference, query: str, slug: str) -> None:
        from google.cloud.bigquery import Table

        view = Table(reference)
        view.view_query = query
        view.description = slug
        view.labels = {"experiment": label_value(slug)}
        found = self.tables.find(reference)
        if found is None:
            self.tables.session.client.create_table(
                view, exists_ok=True, retry=retry_of_requests(), timeout=REQUEST_SECONDS
            )
        elif not _shows(found, view):
            _check_is_free(found, slug)
            self.tables.session.client.update_table(
                view,
                ["view_query", "description", "labels"],
                retry=retry_of_requests(),
                timeout=REQUEST_SECONDS,
            )


def _shows(found: Table, wanted: Table) -> bool:
    return (found.view_query, found.labels) == (wanted.view_query, wanted.labels)


def _check_is_free(found: Table, slug: str) -> None:
    owner = found.labels.get("experiment", label_value(slug))
    if found.table_type == "VIEW" and owner == label_value(slug):
        return
    what = f"a view of experiment {owner}" if found.table_type == "VIEW" else "a table"
    raise WarehouseAccessError(
        f"{found.dataset_id}.{found.table_id} is to show results of {slug!r}, and there is {what} "
        "of that name. Rename it, or set JETSTREAM_BIGQUERY_VIEWS to false."
    )


def _statement(
    view: _View, rows: TableReference, columns: dict[str, tuple[StoredColumn, ...]]
) -> exp.Select:
    keys = ["window_index"]
    conditions: list[exp.Condition] = [_column("period").eq(exp.Literal.string(view.period))]
    if view.basis is None:
        chosen = list(_statistic_columns())
        conditions.append(_is_result())
        keys.append("analysis_basis")
    else:
        chosen = list(_unit_columns(columns))
        conditions.append(_column("analysis_basis").eq(exp.Literal.string(view.basis)))
    newest = exp.Window(
        this=exp.Max(this=_column(DATE)), partition_by=[_column(key) for key in keys]
    )
    query = exp.select(*chosen).from_(table_of(rows)).where(exp.and_(*conditions))
    return query.qualify(_column(DATE).eq(newest))


def _unit_columns(columns: dict[str, tuple[StoredColumn, ...]]) -> Iterator[exp.Expr]:
    """All columns of a unit, by the names of the original."""
    for name, places in columns.items():
        if name not in _LEFT_OUT:
            yield selected(_RENAMED.get(name, name), places)


def _statistic_columns() -> Iterator[exp.Expr]:
    for name in _STATISTIC:
        column: exp.Expr = _column(name)
        if name == "parameter":
            column = exp.cast(column, "NUMERIC", dialect="bigquery")
        yield exp.alias_(column, name, quoted=True)


def _is_result() -> exp.Condition:
    """Whether a row has a number; others say why there is none."""
    status = _column("status")
    has_number = exp.and_(status.eq("insufficient_data"), _is_there("point"))
    return exp.and_(_is_there("branch"), exp.or_(status.copy().eq("ok"), has_number))


def _is_there(name: str) -> exp.Expr:
    return exp.Not(this=exp.Is(this=_column(name), expression=exp.Null()))


def _column(name: str) -> exp.Column:
    return exp.column(name, quoted=True)
