"""`jetstream status`: what became of an experiment's results, over all its dates.

Belongs here: the query and the printing. Does not: judging (`analysis.result_judgement`).
"""

from typing import TYPE_CHECKING, Annotated

import typer
from rich import box
from rich.table import Table
from rich.text import Text
from sqlglot import exp

from jetstream_assets.cli import options
from jetstream_assets.cli.console import EXIT_USAGE, console, errors, readable_errors
from jetstream_assets.orchestration.settings import read_settings
from jetstream_assets.orchestration.warehouse_resource import warehouse_resource
from jetstream_assets.report.readable import printable
from jetstream_assets.warehouse.tables import DEFAULT_DATASET, ResultTable, all_slices

if TYPE_CHECKING:
    import pyarrow as pa

EPILOG = """[bold]Examples[/bold]

jetstream status --warehouse data --slug my-experiment"""

_RESULT = ("period", "window_index", "analysis_basis", "segment", "metric", "statistic")
_STYLES = {"ok": "green", "failed": "bold red", "stale": "yellow", "not_due": "dim"}


def status(
    *,
    slug: Annotated[str, typer.Option(help="The experiment slug.")],
    warehouse: options.WarehouseOfResults = None,
    dataset: Annotated[str, typer.Option(help="Dataset of the results.")] = DEFAULT_DATASET,
) -> None:
    """Show how many results of an experiment are there, and why the others are not.

    Of each result the newest date counts.
    """
    with readable_errors():
        settings = read_settings(**{"warehouse": warehouse} if warehouse else {})
        tables = warehouse_resource(settings).open()
        if not tables.slices(ResultTable.RESULT_STATUS, slug, dataset):
            errors.print(
                f"There is no status of {slug!r} in {settings.warehouse}. Run it first.",
                markup=False,
                highlight=False,
            )
            raise typer.Exit(EXIT_USAGE)
        rows = tables.query(_query(slug, dataset))
    console.print(_table(rows))


def _query(slug: str, dataset: str) -> exp.Select:
    """Results by status and reason; what is not due is that of the newest date."""
    newest_first = exp.Order(expressions=[exp.Ordered(this=exp.column("date"), desc=True)])
    keys = [exp.column(name) for name in _RESULT]
    place = exp.Window(this=exp.RowNumber(), partition_by=keys, order=newest_first)
    newest = exp.Window(this=exp.Max(this=exp.column("date")))
    current = (
        exp.select("status", "reason", "date", exp.alias_(newest, "newest"))
        .from_(all_slices(ResultTable.RESULT_STATUS, slug, dataset))
        .qualify(place.eq(1))
    )
    is_told = exp.or_(
        exp.column("status").neq("not_due"), exp.column("date").eq(exp.column("newest"))
    )
    return (
        exp.select(
            "status",
            "reason",
            exp.alias_(exp.Count(this=exp.Star(), big_int=True), "results"),
            exp.alias_(exp.Min(this=exp.column("date")), "first"),
            exp.alias_(exp.Max(this=exp.column("date")), "last"),
        )
        .from_(current.subquery("current_results"))
        .where(is_told)
        .group_by("status", "reason")
        .order_by("status", exp.Ordered(this=exp.column("results"), desc=True), "reason")
    )


def _table(rows: "pa.Table") -> Table:
    table = Table("status", "results", "dates", "reason", box=box.SIMPLE)
    for row in rows.to_pylist():
        first, last = row["first"], row["last"]
        dates = str(first) if first == last else f"{first} to {last}"
        table.add_row(
            Text(row["status"], style=_STYLES.get(row["status"], "")),
            f"{row['results']:,}",
            dates,
            Text(printable(row["reason"] or "")),
        )
    return table
