"""`jetstream cost`: what the queries of experiments have cost.

Belongs here: the command's options and its output. Does not: the sums (`analysis.query_costs`),
what a run would cost (`plan`).
"""

import json
from dataclasses import asdict
from typing import Annotated

import typer

from jetstream_assets.cli import options
from jetstream_assets.cli.console import EXIT_USAGE, console, errors, readable_errors
from jetstream_assets.orchestration.settings import read_settings
from jetstream_assets.orchestration.warehouse_resource import warehouse_resource
from jetstream_assets.report.cost_table import cost_table
from jetstream_assets.warehouse.tables import DEFAULT_DATASET, ResultTable

EPILOG = """[bold]Examples[/bold]

jetstream cost --warehouse bigquery://my-project/experiments --from 2026-03-01

jetstream cost --warehouse data --slug my-experiment --json"""


def cost(
    *,
    slug: options.Slugs = None,
    warehouse: options.WarehouseOfResults = None,
    from_: options.FromDate = None,
    to: options.ToDate = None,
    dataset: Annotated[str, typer.Option(help="Dataset of the results.")] = DEFAULT_DATASET,
    as_json: Annotated[
        bool, typer.Option("--json", help="One JSON array of sums instead of a table.")
    ] = False,
) -> None:
    """Sum what queries have cost, by experiment, asset and analysis period.

    Dates are those that were analysed, not those on which the queries ran. Every run counts, also
    one that was repeated.
    """
    from jetstream_assets.analysis.query_costs import stored_sums  # noqa: PLC0415  # loads sqlglot

    first, last = (day.date() if day else None for day in (from_, to))
    with readable_errors():
        settings = read_settings(**{"warehouse": warehouse} if warehouse else {})
        tables = warehouse_resource(settings).open()
        slugs = slug or tables.experiments(ResultTable.QUERY_COSTS, dataset)
        sums = [one for s in slugs for one in stored_sums(tables, s, dataset, first, last)]
    if as_json:
        typer.echo(json.dumps([asdict(one) for one in sums]))
        return
    if not sums:
        errors.print(
            f"No costs are stored in {settings.warehouse} for that.", markup=False, highlight=False
        )
        raise typer.Exit(EXIT_USAGE)
    console.print(cost_table(sums))
