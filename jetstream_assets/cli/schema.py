"""`jetstream schema`: JSON Schemas of the configuration files, for editors.

Belongs here: the command. Does not: the schemas (`authoring.json_schema`).
"""

from pathlib import Path
from typing import Annotated

import typer

from jetstream_assets.cli.console import console
from jetstream_assets.config.layout import Kind

EPILOG = """[bold]Examples[/bold]

jetstream schema experiment > experiment.schema.json

jetstream schema --output .schemas"""


def schema(
    *,
    kind: Annotated[Kind | None, typer.Argument(help="The kind of file.")] = None,
    output: Annotated[
        Path | None, typer.Option(help="Write the schemas of all kinds into this folder.")
    ] = None,
) -> None:
    """Print the JSON Schema of a kind of file, or write those of all kinds.

    Editors that know TOML (Taplo, Even Better TOML) complete and check with it.
    """
    from jetstream_assets.authoring.json_schema import schema_text  # noqa: PLC0415

    if output is None:
        if kind is None:
            raise typer.BadParameter("Name a kind of file, or say --output FOLDER for all.")
        typer.echo(schema_text(kind), nl=False)
        return
    output.mkdir(parents=True, exist_ok=True)
    for one in [kind] if kind else list(Kind):
        path = output / f"{one}.schema.json"
        path.write_text(schema_text(one), encoding="utf-8")
        console.print(str(path), markup=False, soft_wrap=True)
