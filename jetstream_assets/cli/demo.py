"""`jetstream demo`: generate telemetry with a known truth and analyse it, in one command.

Belongs here: the demo's order of events and what it prints at the end. Does not: its content
(`simulation`).
"""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from jetstream_assets.cli.console import EXIT_INCOMPLETE, console, progress, readable_errors
from jetstream_assets.cli.run import analyse
from jetstream_assets.config.planning import open_planner
from jetstream_assets.orchestration.request import cells_of_all_dates
from jetstream_assets.orchestration.settings import Executor, Settings, read_settings
from jetstream_assets.simulation.demo import DEMO_LAST_DATE, DEMO_SLUG, write_demo

if TYPE_CHECKING:
    from jetstream_assets.simulation.demo import Demo


def demo(
    *,
    folder: Annotated[
        Path, typer.Option(help="Where the demo's data and results are written.")
    ] = Path(".jetstream/demo"),
    executor: Annotated[
        Executor, typer.Option(help="Run the steps in Dask worker processes, or in this one.")
    ] = Executor.IN_PROCESS,
) -> None:
    """Generate demo telemetry, analyse the demo experiments, and say where the results are."""
    with readable_errors():
        written = _generate(folder)
        settings = read_settings(
            configuration=str(written.configuration),
            experiments=str(written.experiments),
            warehouse=written.warehouse,
            output=str(folder / "output"),
            executor=executor,
        )
        planner = open_planner(settings.experiments, settings.configuration)
        # The demo's telemetry ends on a fixed day; after it there is nothing to analyse.
        request = cells_of_all_dates(planner, [], DEMO_LAST_DATE)
        is_complete = analyse(settings, request)
    _say_where(settings)
    raise typer.Exit(0 if is_complete else EXIT_INCOMPLETE)


def _generate(folder: Path) -> "Demo":
    with progress() as bar:
        task = bar.add_task("generating telemetry", total=None)

        def on_progress(_: str, done: int, total: int) -> None:
            bar.update(task, completed=done, total=total)

        return write_demo(folder, on_progress=on_progress)


def _say_where(settings: Settings) -> None:
    results = f"{sys.argv[0]} results --warehouse {settings.warehouse} --slug {DEMO_SLUG}"
    console.print("[bold]Where the results are[/bold]")
    console.print(f"  pages            {settings.output}/pages/index.html", soft_wrap=True)
    console.print(
        f"  JSON documents   {settings.output}/statistics, metadata, errors, overview",
        soft_wrap=True,
    )
    console.print(
        f"  tables           {settings.warehouse}/jetstream/<table>/ (Parquet)", soft_wrap=True
    )
    console.print(f"  in the terminal  {results} --period overall", soft_wrap=True)
    console.print("  in the browser   make dev, then http://127.0.0.1:3000")
