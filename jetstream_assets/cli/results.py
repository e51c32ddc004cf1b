"""`jetstream results`: the statistics of an experiment as a table in the terminal.

Belongs here: filters and printing. Does not: number formatting (`report.terminal`).
"""

from typing import Annotated

import typer
from sqlglot import exp

from jetstream_assets.cli import options
from jetstream_assets.cli.console import EXIT_USAGE, console, errors, readable_errors
from jetstream_assets.experiments.windows import Period
from jetstream_assets.orchestration.settings import read_settings
from jetstream_assets.orchestration.warehouse_resource import warehouse_resource
from jetstream_assets.report.terminal import statistics_table
from jetstream_assets.warehouse.tables import DEFAULT_DATASET, ResultTable, all_slices

EPILOG = """[bold]Examples[/bold]

jetstream results --warehouse data --slug my-experiment

jetstream results --warehouse data --slug my-experiment --period weekly --metric search_count"""

PERIOD_NAMES = {period.suffix: period for period in Period} | {p.value: p for p in Period}


def results(
    *,
    slug: Annotated[str, typer.Option(help="The experiment slug.")],
    period: Annotated[
        str | None, typer.Option(help=f"One of: {', '.join(p.suffix for p in Period)}.")
    ] = None,
    metric: Annotated[str | None, typer.Option(help="Only this metric.")] = None,
    segment: Annotated[str, typer.Option(help="Segment of the units.")] = "all",
    warehouse: options.WarehouseOfResults = None,
    dataset: Annotated[str, typer.Option(help="Dataset of the results.")] = DEFAULT_DATASET,
) -> None:
    """Show the statistics of an experiment: the newest window of each period."""
    wanted = _period(period)
    with readable_errors():
        settings = read_settings(**{"warehouse": warehouse} if warehouse else {})
        tables = warehouse_resource(settings).open()
        if not tables.slices(ResultTable.STATISTICS, slug, dataset):
            errors.print(
                f"There are no statistics of {slug!r} in {settings.warehouse}. Run it first."
            )
            raise typer.Exit(EXIT_USAGE)
        query = _query(slug, dataset, wanted, metric, segment)
        rows = tables.query(query)
    if not rows.num_rows:
        errors.print("No rows match. Leave out --period, --metric or --segment to see all.")
        raise typer.Exit(EXIT_USAGE)
    console.print(statistics_table(rows))


def _period(name: str | None) -> Period | None:
    if name is None:
        return None
    if name not in PERIOD_NAMES:
        allowed = ", ".join(period.suffix for period in Period)
        raise typer.BadParameter(f"{name!r} is not a period. Allowed: {allowed}.")
    return PERIOD_NAMES[name]


def _query(
    slug: str, dataset: str, period: Period | None, metric: str | None, segment: str
) -> exp.Select:
    """The rows of the last window of each period's newest date that pass the filters.

    While units enroll, a date has many windows of a period, and the next date has them again.
    """
    order = [exp.Ordered(this=exp.column(name), desc=True) for name in ("date", "window_index")]
    place = exp.Window(
        this=exp.Rank(), partition_by=[exp.column("period")], order=exp.Order(expressions=order)
    )
    query = (
        exp.select("*")
        .from_(all_slices(ResultTable.STATISTICS, slug, dataset))
        .where(exp.column("segment").eq(segment))
        .qualify(place.eq(1))
    )
    for column, value in (("period", period), ("metric", metric)):
        if value is not None:
            query = query.where(exp.column(column).eq(str(value)))
    return query
