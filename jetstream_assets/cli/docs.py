"""`jetstream docs`: the catalogue of an organisation's metrics.

Belongs here: the command's options. Does not: the catalogue (`authoring.catalogue`).
"""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from jetstream_assets.cli import options
from jetstream_assets.cli.console import errors, readable_errors
from jetstream_assets.config.repository import open_configuration

EPILOG = """[bold]Examples[/bold]

jetstream docs --config metric-hub > metrics.md

jetstream docs --config metric-hub --format html --output metrics.html"""


class Format(StrEnum):
    """How the catalogue is written."""

    MARKDOWN = "markdown"
    HTML = "html"


def docs(
    *,
    config: options.Config,
    ref: options.Ref = None,
    format_: Annotated[Format, typer.Option("--format", help="Markdown or one HTML page.")] = (
        Format.MARKDOWN
    ),
    output: Annotated[
        Path | None, typer.Option(help="The file to write. \\[default: printed]", dir_okay=False)
    ] = None,
) -> None:
    """Write the catalogue of shared metrics: what each is, its SQL and source, and who uses it."""
    from jetstream_assets.authoring.catalogue import (  # noqa: PLC0415
        catalogue,
        catalogue_html,
        catalogue_markdown,
    )

    with readable_errors():
        repository = open_configuration(config, ref=ref)
        entries = catalogue(repository)
    for problem in repository.problems:
        errors.print(f"left out: {problem}", markup=False)
    text = catalogue_html(entries) if format_ is Format.HTML else catalogue_markdown(entries)
    if output is None:
        typer.echo(text, nl=False)
    else:
        output.write_text(text, encoding="utf-8")
        errors.print(f"{len(entries)} metrics in {output}", markup=False, soft_wrap=True)
