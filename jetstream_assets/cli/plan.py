"""`jetstream plan`: what a run would compute, reuse and scan, and why, before anything runs.

Belongs here: the command's options and its table. Does not: finding it out (`analysis.forecast`),
which cells are selected (`request`).
"""

from dataclasses import asdict
from typing import Annotated

import typer

from jetstream_assets.cli import options
from jetstream_assets.cli.console import console, errors, readable_errors
from jetstream_assets.cli.request import asked_cells
from jetstream_assets.config.planning import open_planner
from jetstream_assets.orchestration.settings import read_settings
from jetstream_assets.orchestration.warehouse_resource import check_warehouse, warehouse_resource
from jetstream_assets.report.forecast_table import ForecastRow, forecast_table

EPILOG = """[bold]Example[/bold]

jetstream plan --config metric-hub --experiments experiments.json --warehouse data
--slug my-experiment --all-dates"""


def plan(
    *,
    config: options.Config,
    experiments: options.Experiments,
    warehouse: options.Warehouse,
    slug: options.Slugs = None,
    date: options.OnDate = None,
    from_: options.FromDate = None,
    to: options.ToDate = None,
    all_dates: options.AllDates = False,
    ref: options.Ref = None,
    lookback: options.Lookback = 3,
    reused: Annotated[
        bool, typer.Option("--reused", help="Also list what would be reused.")
    ] = False,
    estimate: Annotated[
        bool,
        typer.Option("--estimate", help="Also ask the warehouse how many bytes it would read."),
    ] = False,
) -> None:
    """Say what a run would compute, what it would reuse, and why. Nothing is computed or written.

    Days and rows are what the sources would be scanned for.
    """
    from jetstream_assets.analysis.forecast import forecast  # noqa: PLC0415  # loads sqlglot
    from jetstream_assets.analysis.options import AnalysisOptions  # noqa: PLC0415

    with readable_errors():
        check_warehouse(warehouse)
        planner = open_planner(experiments, config, ref=ref)
        request = asked_cells(planner, slug or [], date, from_, to, all_dates=all_dates).runnable()
        for left_out in request.excluded:
            errors.print(f"left out: {left_out.slug}: {left_out.reason}", markup=False)
        plans = [planner.plan(cell.slug, cell.date) for cell in request.cells]
        tables = warehouse_resource(read_settings(warehouse=warehouse)).open()
        followed = AnalysisOptions(lookback=lookback)
        found = forecast(plans, tables, followed, with_estimates=estimate)
        told = [ForecastRow(**asdict(one)) for one in found]
        console.print(forecast_table(told, with_reused=reused, with_bytes=estimate))
