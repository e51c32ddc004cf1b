"""`jetstream init`: a first file for an experiment.

Belongs here: the command, and writing the file. Does not: its text (`authoring.starter`).
"""

from pathlib import Path
from typing import Annotated

import typer

from jetstream_assets.cli.console import console, readable_errors
from jetstream_assets.config.layout import DIRECTORIES
from jetstream_assets.config.repository import open_configuration

EPILOG = """[bold]Example[/bold]

jetstream init my-experiment --config metric-hub --app firefox_desktop"""


def init(
    *,
    slug: Annotated[str, typer.Argument(help="The experiment's slug.")],
    config: Annotated[
        Path, typer.Option(help="The configuration's directory.", exists=True, file_okay=False)
    ] = Path(),
    app: Annotated[
        str | None,
        typer.Option(help="The application. \\[default: the only one configured]"),
    ] = None,
) -> None:
    """Write a commented file to start from, with the metrics and segments that there are.

    It has nothing in it that `jetstream check` finds wrong, and is never written over another.
    """
    from jetstream_assets.authoring.starter import starter  # noqa: PLC0415

    with readable_errors():
        text = starter(slug, app, open_configuration(str(config)))
    folder = config / DIRECTORIES[-1]
    path = (folder if folder.is_dir() else config) / f"{slug}.toml"
    with path.open("x", encoding="utf-8") as file:
        file.write(text)
    console.print(str(path), markup=False, soft_wrap=True)
    console.print(f"Next: jetstream check {path}", markup=False, soft_wrap=True)
