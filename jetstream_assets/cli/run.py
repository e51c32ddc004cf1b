"""`jetstream run`: analyse experiments on dates, and say what was computed and what was not.

Belongs here: the command's options, its progress and its table. Does not: which cells are selected
(`request`), running them (`orchestration.launch`).
"""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from dagster import DagsterInstance

from jetstream_assets.cli import options
from jetstream_assets.cli.console import EXIT_INCOMPLETE, console, errors, progress, readable_errors
from jetstream_assets.cli.request import asked_cells
from jetstream_assets.config.planning import open_planner
from jetstream_assets.orchestration.launch import RunOutcome, open_instance, run_cells
from jetstream_assets.orchestration.plan_store import find_plan
from jetstream_assets.orchestration.request import Request
from jetstream_assets.orchestration.resources import DocumentsResource
from jetstream_assets.orchestration.settings import Executor, Settings, read_settings
from jetstream_assets.orchestration.warehouse_resource import check_warehouse, warehouse_resource
from jetstream_assets.report.cells import CellOutcome
from jetstream_assets.report.gcs_store import is_bucket
from jetstream_assets.report.outcomes import cell_outcome
from jetstream_assets.report.terminal import outcome_table

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from jetstream_assets.orchestration.partitions import Cell

EPILOG = """[bold]Examples[/bold]

jetstream run --config metric-hub --experiments experiments.json --warehouse data --output results
--date 2026-03-14

jetstream run --config https://example.org/metric-hub.git --experiments
https://experimenter.example.org/api/v8/experiments/ --warehouse data --output results
--slug my-experiment --all-dates"""


def run(
    *,
    config: options.Config,
    experiments: options.Experiments,
    warehouse: options.Warehouse,
    output: Annotated[
        str, typer.Option(help="Folder, or gs://bucket/prefix, for the JSON documents and pages.")
    ],
    slug: options.Slugs = None,
    date: options.OnDate = None,
    from_: options.FromDate = None,
    to: options.ToDate = None,
    all_dates: options.AllDates = False,
    executor: Annotated[
        Executor, typer.Option(help="Run the steps in Dask worker processes, or in this one.")
    ] = Executor.IN_PROCESS,
    ref: options.Ref = None,
    strict: Annotated[
        bool, typer.Option("--strict", help="Refuse unknown configuration keys.")
    ] = False,
    lookback: options.Lookback = 3,
    full: Annotated[
        bool,
        typer.Option(
            "--full", help="Compute every window from the sources' rows, and reuse nothing."
        ),
    ] = False,
    verbose: Annotated[bool, typer.Option("--verbose", help="Show the runs' log.")] = False,
) -> None:
    """Analyse experiments: enrollments, metrics, statistics, JSON documents and pages.

    Without --slug the experiments that a daily run would pick for the date are analysed.
    Exits with 0 when every asked cell has results or a stored reason, with 1 when one has neither,
    and with 2 when the request itself is wrong.
    """
    with readable_errors():
        settings = read_settings(
            configuration=config,
            configuration_ref=ref,
            experiments=experiments,
            warehouse=warehouse,
            output=output,
            strict=strict,
            executor=executor,
            lookback=lookback,
            full=full,
        )
        check_warehouse(warehouse)
        planner = open_planner(experiments, config, ref=ref, strict=strict)
        request = asked_cells(planner, slug or [], date, from_, to, all_dates=all_dates)
        is_complete = analyse(settings, request, verbose=verbose)
    raise typer.Exit(0 if is_complete else EXIT_INCOMPLETE)


def analyse(
    settings: Settings, request: Request, *, verbose: bool = False, home: Path | None = None
) -> bool:
    """Run the cells, print what became of them, and say whether each has results or a reason.

    Args:
        settings: Those of the runs.
        request: What is asked for.
        verbose: Whether the runs' log is shown.
        home: Where the runs are stored; None for the instance of DAGSTER_HOME, or for one beside
            the documents.
    """
    request = request.runnable()
    for left_out in request.excluded:
        errors.print(f"left out: {left_out.slug}: {left_out.reason}", markup=False)
    if not request.cells:
        errors.print("Nothing to analyse.")
        return True
    settings = _including(settings.absolute(), request.cells)
    runs = _run(settings, request.cells, home, verbose=verbose)
    outcomes = list(_outcomes(settings, request.cells, runs))
    console.print(outcome_table(outcomes))
    for failed in (run for run in runs if not run.succeeded):
        for sentence in failed.errors or ("The run failed; --verbose shows its log.",):
            errors.print(f"{failed.slug}: {sentence}", markup=False, style="red")
    return all(outcome.state != "failed" for outcome in outcomes) and all(r.succeeded for r in runs)


def _including(settings: Settings, cells: "Sequence[Cell]") -> Settings:
    """The settings with a first date that includes every cell."""
    first = min(settings.first_date, *(cell.date for cell in cells))
    return settings.model_copy(update={"first_date": first})


def _run(
    settings: Settings, cells: "Sequence[Cell]", home: Path | None, *, verbose: bool
) -> list[RunOutcome]:
    # Plan, enrollments, daily aggregates, metrics, the shards, their storing, status, export, page.
    steps = 8 + settings.shards
    with _instance(settings, home) as instance, progress() as bar:
        total = steps * len({cell.slug for cell in cells})
        task = bar.add_task("starting", total=total)

        def on_step(slug: str, step: str) -> None:
            bar.update(task, advance=1, description=f"{slug}: {step.rpartition('.')[2]}")

        level = "INFO" if verbose else "CRITICAL"
        return list(run_cells(settings, instance, cells, on_step=on_step, log_level=level))


def _instance(settings: Settings, home: Path | None) -> DagsterInstance:
    """The instance of DAGSTER_HOME, where the UI shows the runs, or one beside the documents.

    Its database needs a folder; where documents go to a bucket, that is one of this machine.
    """
    if home is None and os.environ.get("DAGSTER_HOME"):
        return DagsterInstance.get()
    beside = Path(".jetstream/runs") if is_bucket(settings.output) else Path(settings.output)
    return open_instance(((home or beside) / ".dagster").resolve())


def _outcomes(
    settings: Settings, cells: "Sequence[Cell]", runs: "Sequence[RunOutcome]"
) -> "Iterator[CellOutcome]":
    store = DocumentsResource(root=settings.output).open()
    warehouse = warehouse_resource(settings).open()
    planned = {run.slug for run in runs if run.plan_is_fresh}
    for cell in cells:
        plan = find_plan(store, cell) if cell.slug in planned else None
        if plan is None:
            reason = "It has no plan: the run stopped before it was made."
            yield CellOutcome(cell.slug, cell.date, 0, "", (), "failed", reason)
        else:
            yield cell_outcome(plan, warehouse)
