"""`jetstream diff`: what a pull request of a configuration would compute again.

Belongs here: the command's options. Does not: comparing (`config.change`), costs and Markdown
(`authoring.difference`).
"""

from typing import TYPE_CHECKING, Annotated

import typer

from jetstream_assets.cli import options
from jetstream_assets.cli.console import errors, progress, readable_errors
from jetstream_assets.config.planning import open_planner
from jetstream_assets.orchestration.request import cells_of_all_dates, latest_complete_day
from jetstream_assets.orchestration.settings import read_settings
from jetstream_assets.orchestration.warehouse_resource import check_warehouse, warehouse_resource

if TYPE_CHECKING:
    from jetstream_assets.authoring.difference import Difference
    from jetstream_assets.config.change import ConfigurationChange
    from jetstream_assets.config.planning import Planner

EPILOG = """[bold]Examples[/bold]

jetstream diff main my-branch --config metric-hub --experiments experiments.json

jetstream diff main my-branch --config metric-hub --experiments experiments.json
--warehouse bigquery://project/dataset > comment.md"""


def diff(
    *,
    base: Annotated[str, typer.Argument(help="Branch, tag or commit to compare with.")],
    head: Annotated[str, typer.Argument(help="Branch, tag or commit with the change.")],
    config: options.Config,
    experiments: options.Experiments,
    warehouse: Annotated[
        str | None,
        typer.Option(help="Where sources and results are, to be asked what would be read."),
    ] = None,
    slug: options.Slugs = None,
    lookback: options.Lookback = 3,
) -> None:
    """Say which experiments a change of the configuration computes again, why and at what cost.

    Writes Markdown for a comment on a pull request. Nothing is computed or written.
    """
    from jetstream_assets.authoring.difference import difference_markdown  # noqa: PLC0415
    from jetstream_assets.config.change import changed_experiments, changed_files  # noqa: PLC0415

    with readable_errors():
        if warehouse is not None:
            check_warehouse(warehouse)
        old = open_planner(experiments, config, ref=base)
        new = open_planner(experiments, config, ref=head)
        for problem in new.repository.problems:
            errors.print(f"left out: {problem}", markup=False)
        slugs = slug or [record.slug for record in new.records.records]
        files = changed_files(old.repository, new.repository)
        changes = changed_experiments(old, new, slugs)
        with progress() as bar:
            told = bar.track(changes, description="asking", total=len(changes))
            found = [_asked(change, new, warehouse, lookback) for change in told]
        typer.echo(difference_markdown(files, found, base, head), nl=False)


def _asked(
    change: "ConfigurationChange", new: "Planner", warehouse: str | None, lookback: int
) -> "Difference":
    from jetstream_assets.analysis.options import AnalysisOptions  # noqa: PLC0415
    from jetstream_assets.authoring.difference import Difference, recomputed  # noqa: PLC0415

    if warehouse is None:
        return Difference(change)
    request = cells_of_all_dates(new, [change.slug], latest_complete_day()).runnable()
    plans = [new.plan(cell.slug, cell.date) for cell in request.cells]
    tables = warehouse_resource(read_settings(warehouse=warehouse)).open()
    return Difference(change, recomputed(plans, tables, AnalysisOptions(lookback=lookback)))
