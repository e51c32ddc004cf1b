"""The command's entry point and its sub-commands.

Belongs here: the list of commands. Does not: what each does (`run`, `plan`, `classify`, ...).
"""

from __future__ import annotations

from importlib.metadata import version
from typing import Annotated

import typer

from jetstream_assets.cli import (
    check,
    classify,
    cost,
    coverage,
    demo,
    diff,
    docs,
    init,
    plan,
    preview,
    results,
    run,
    schema,
    status,
)

app = typer.Typer(
    name="jetstream",
    help="Analyse A/B experiments: from their definition and TOML to statistics and JSON.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)
app.command(no_args_is_help=True, epilog=run.EPILOG)(run.run)
app.command(no_args_is_help=True, epilog=plan.EPILOG)(plan.plan)
app.command(no_args_is_help=True, epilog=check.EPILOG)(check.check)
app.command(no_args_is_help=True, epilog=classify.EPILOG)(classify.classify)
app.command(no_args_is_help=True, epilog=coverage.EPILOG)(coverage.coverage)
app.command(no_args_is_help=True, epilog=diff.EPILOG)(diff.diff)
app.command(no_args_is_help=True, epilog=docs.EPILOG)(docs.docs)
app.command(no_args_is_help=True, epilog=init.EPILOG)(init.init)
app.command(no_args_is_help=True, epilog=schema.EPILOG)(schema.schema)
app.command(no_args_is_help=True, epilog=preview.EPILOG)(preview.preview)
app.command(no_args_is_help=True, epilog=results.EPILOG)(results.results)
app.command(no_args_is_help=True, epilog=status.EPILOG)(status.status)
app.command(epilog=cost.EPILOG)(cost.cost)
app.command()(demo.demo)


def _print_version(value: bool) -> None:  # noqa: FBT001  # typer calls it so
    if value:
        typer.echo(f"jetstream {version('jetstream-assets')}")
        raise typer.Exit


@app.callback()
def _options(
    *,
    _version: Annotated[
        bool,
        typer.Option(
            "--version", help="Print the version and exit.", is_eager=True, callback=_print_version
        ),
    ] = False,
) -> None:
    pass


def main() -> None:
    """Run the command line."""
    app()
