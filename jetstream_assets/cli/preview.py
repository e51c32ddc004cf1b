"""`jetstream preview`: an experiment's last days in small, before anybody else sees anything of it.

Belongs here: the command's options, where its inputs and results are. Does not: what its inputs are
(`authoring.preview`), running them (`run`).
"""

import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from jetstream_assets.cli import options
from jetstream_assets.cli.console import EXIT_INCOMPLETE, console, readable_errors
from jetstream_assets.cli.request import checked_dates
from jetstream_assets.cli.run import analyse
from jetstream_assets.config.experimenter import records_by_slug
from jetstream_assets.config.planning import open_planner
from jetstream_assets.config.repository import open_configuration
from jetstream_assets.errors import ConfigError, SettingsError
from jetstream_assets.experiments.experiment import normalized
from jetstream_assets.orchestration.request import latest_complete_day, named_cells
from jetstream_assets.orchestration.settings import Executor, Settings, read_settings
from jetstream_assets.orchestration.warehouse_resource import check_warehouse, warehouse_resource
from jetstream_assets.warehouse.bigquery_names import is_dataset

if TYPE_CHECKING:
    from jetstream_assets.authoring.preview import Preview, Wanted
    from jetstream_assets.config.repository import ConfigurationRepository

EPILOG = """[bold]Examples[/bold]

jetstream preview my-experiment --config metric-hub --experiments experiments.json --warehouse data

jetstream preview my-draft --file my-draft.toml --config metric-hub --warehouse
bigquery://project/dataset --sample 1"""

_HOME = Path(".jetstream/preview")
_INPUTS = "inputs"


def preview(
    *,
    slug: Annotated[str, typer.Argument(help="The experiment's slug.")],
    config: options.Config,
    warehouse: options.Warehouse,
    experiments: Annotated[
        str | None,
        typer.Option(help="JSON file or URL with the experiments' records. \\[default: a draft's]"),
    ] = None,
    file: Annotated[
        Path | None,
        typer.Option(help="A file for the experiment that takes the place of the repository's."),
    ] = None,
    days: Annotated[int, typer.Option(help="How many dates.", min=1, max=90)] = 7,
    date: options.OnDate = None,
    sample: Annotated[int, typer.Option(help="Percentage of the units.", min=1, max=100)] = 10,
    population: Annotated[
        bool,
        typer.Option(
            "--population",
            help="Units that were seen instead of enrolled ones, all in one branch. "
            "\\[default: where nobody can have enrolled]",
        ),
    ] = False,
    app: Annotated[
        str | None, typer.Option(help="The application of a draft. \\[default: the likeliest]")
    ] = None,
    dataset: Annotated[
        str, typer.Option(help="Dataset for the tables. It is made, and expires.")
    ] = "jetstream_preview",
    expires: Annotated[
        int, typer.Option(help="Days after which the tables are gone.", min=1, max=365)
    ] = 3,
    output: Annotated[
        Path | None,
        typer.Option(help="Folder for the documents and the page. \\[default: .jetstream/preview]"),
    ] = None,
    ref: options.Ref = None,
    verbose: Annotated[bool, typer.Option("--verbose", help="Show the run's log.")] = False,
) -> None:
    """Analyse an experiment's last days on a sample, also a draft, and write its page.

    Who enrolled is asked as in production; of a draft, units that were seen stand in for them.
    Tables go to a dataset that expires, runs and documents to a folder, in the place of those of
    the experiment's last preview: nothing of production is touched.

    Enrollment is taken to end in time for these days to be complete, and the experiment after them,
    so that there is an overall window. Of one that enrolled long before, only what is due on these
    days is computed, from the sources' rows.
    """
    from jetstream_assets.authoring.preview import Wanted  # noqa: PLC0415  # loads sqlglot

    with readable_errors():
        check_warehouse(warehouse)
        latest = latest_complete_day()
        last = checked_dates(date.date(), date.date(), latest)[-1] if date else latest
        wanted = Wanted(slug, days, last, sample, dataset, population, app)
        found = _found(wanted, open_configuration(config, ref=ref), experiments, file)
        folder = (output or _HOME / normalized(slug)).resolve()
        is_complete = _analysed(found, wanted, warehouse, folder, expires, verbose=verbose)
    console.print(found.note, markup=False)
    console.print(f"{folder}/pages/{normalized(slug)}.html", markup=False, soft_wrap=True)
    raise typer.Exit(0 if is_complete else EXIT_INCOMPLETE)


def _found(
    wanted: "Wanted",
    repository: "ConfigurationRepository",
    experiments: str | None,
    file: Path | None,
) -> "Preview":
    """The inputs of the preview; a mistake in a file that was named is told of that file."""
    from jetstream_assets.authoring.preview import preview_of  # noqa: PLC0415  # loads sqlglot

    draft, records = None if file is None else _draft(file), records_by_slug(experiments)
    try:
        return preview_of(wanted, repository, records, draft)
    except ConfigError as error:
        if file is None or Path(error.path).name != f"{wanted.slug}.toml":
            raise
        raise ConfigError(str(file), error.key, error.problem, error.remedy) from error


def _analysed(
    found: "Preview", wanted: "Wanted", warehouse: str, folder: Path, expires: int, *, verbose: bool
) -> bool:
    """Compute the preview in a place of its own, and say whether each date has results."""
    _check_place(folder, wanted.dataset)
    settings = _settings(warehouse, folder, found)
    tables = warehouse_resource(settings).open()
    tables.make_expiring(wanted.dataset, expires)
    # What an earlier preview stored is of other dates and units.
    tables.remove(wanted.slug, wanted.dataset)
    shutil.rmtree(folder, ignore_errors=True)
    _write(found, settings)
    planner = open_planner(settings.experiments, settings.configuration)
    request = named_cells(planner, [wanted.slug], tuple(found.dates.dates))
    return analyse(settings, request, verbose=verbose, home=folder)


def _settings(warehouse: str, folder: Path, of: "Preview") -> Settings:
    """Those of the environment, but for what would let a preview reach further than it is to."""
    return read_settings(
        warehouse=warehouse,
        output=str(folder),
        configuration=str(folder / _INPUTS / "configuration"),
        configuration_ref=None,
        configuration_url=None,
        experiments=str(folder / _INPUTS / "experiments.json"),
        executor=Executor.IN_PROCESS,
        strict=False,
        full=not of.dates.is_young,
        note=of.note,
        blocking_checks="",
        bigquery_views=False,
    )


def _draft(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        problem = f"The file cannot be read: {error.strerror}."
        raise ConfigError(str(file), "", problem, "Check --file.") from error


def _check_place(folder: Path, dataset: str) -> None:
    """Refuse a folder whose content would be lost, and what is no name of a dataset.

    Raises:
        SettingsError: The folder holds something that no preview left there, or the name is none.
    """
    if not is_dataset(dataset):
        raise SettingsError(
            f"--dataset is {dataset!r}: letters, digits and underscores make the name of a dataset."
        )
    is_preview = not folder.exists() or (folder / _INPUTS).is_dir()
    if not is_preview and (not folder.is_dir() or any(folder.iterdir())):
        raise SettingsError(
            f"{folder} holds something that is no preview. Name another folder by --output."
        )


def _write(of: "Preview", settings: Settings) -> None:
    for name, content in of.files.items():
        path = Path(settings.configuration) / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    Path(settings.experiments).write_text(of.experiments)
