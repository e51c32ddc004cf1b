"""`jetstream coverage`: how much of an organisation's configuration is understood.

Belongs here: the command's options and its output. Does not: counting (`authoring.coverage`), the
layout of its tables (`report.coverage_table`).
"""

import json
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import typer

from jetstream_assets.cli import options
from jetstream_assets.cli.console import console, progress, readable_errors
from jetstream_assets.config.repository import open_configuration
from jetstream_assets.report.coverage_table import CoverageRow, coverage_table, reasons_table

EPILOG = """[bold]Example[/bold]

jetstream coverage --config metric-hub"""

_SHOWN = 30


def coverage(
    *,
    config: options.Config,
    ref: options.Ref = None,
    macros: options.Macros = None,
    format_: Annotated[
        options.Format, typer.Option("--format", help="Tables, or everything as JSON.")
    ] = options.Format.TEXT,
    every: Annotated[
        bool, typer.Option("--all", help=f"Every reason, not only the {_SHOWN} most frequent.")
    ] = False,
) -> None:
    """Say how much of a configuration can be read, resolved, written as SQL and bound.

    Experiments are resolved with invented records. SQL counts once where it is equal. DuckDB binds
    it to a table with the columns that it uses, of the types that it uses them as; no table of the
    organisation is needed, and nothing is computed.
    """
    from jetstream_assets.authoring.binding import Binder  # noqa: PLC0415  # loads sqlglot
    from jetstream_assets.authoring.coverage import coverage as covered  # noqa: PLC0415
    from jetstream_assets.warehouse.duckdb_own_macros import read_macros  # noqa: PLC0415

    with readable_errors(), TemporaryDirectory() as folder, progress() as bar:
        repository = open_configuration(config, ref=ref)
        task = bar.add_task("experiments", total=None)
        found = covered(
            repository,
            Binder(Path(folder), read_macros(macros)),
            lambda done, total: bar.update(task, completed=done, total=total),
        )
    if format_ is options.Format.JSON:
        typer.echo(json.dumps(asdict(found), indent=2))
        return
    console.print(coverage_table(CoverageRow(**asdict(row)) for row in found.rows))
    if found.reasons:
        console.print(reasons_table(found.reasons if every else found.reasons[:_SHOWN]))
        if not every and len(found.reasons) > _SHOWN:
            console.print(f"{len(found.reasons) - _SHOWN} more reasons: --all shows them.")
