"""`jetstream check`: what is wrong in configuration files, before they are merged.

Belongs here: the command's options, which files are meant, exit codes. Does not: checking
(`authoring`).
"""

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from jetstream_assets.cli import options
from jetstream_assets.cli.console import console, errors, progress, readable_errors
from jetstream_assets.config.experimenter import records_by_slug
from jetstream_assets.config.layout import place_of
from jetstream_assets.config.repository import open_configuration
from jetstream_assets.errors import ConfigError
from jetstream_assets.orchestration.settings import read_settings
from jetstream_assets.orchestration.warehouse_resource import check_warehouse, warehouse_resource

if TYPE_CHECKING:
    from jetstream_assets.authoring.dry_run import DryRun
    from jetstream_assets.authoring.findings import Checked

EPILOG = """[bold]Examples[/bold]

jetstream check metric-hub

jetstream check metric-hub/jetstream/my-experiment.toml --warehouse bigquery://project/dataset

jetstream check . --format github

[bold]Exit codes[/bold]: 0 fine, 1 errors, 2 moderate cost, 3 high cost."""

_ERRORS, _MODERATE, _HIGH = 1, 2, 3
_GIGABYTE = 10**9


class Format(StrEnum):
    """How findings are printed."""

    TEXT = "text"
    JSON = "json"
    GITHUB = "github"


def check(
    *,
    paths: Annotated[
        list[Path],
        typer.Argument(help="A repository's directory, or files in one.", metavar="PATH..."),
    ],
    experiments: Annotated[
        str | None,
        typer.Option(
            help="JSON file or URL with the experiments' records. \\[default: invented ones]"
        ),
    ] = None,
    warehouse: Annotated[
        str | None,
        typer.Option(
            help="Also ask this warehouse: a folder of tables, or bigquery://project/dataset."
        ),
    ] = None,
    macros: options.Macros = None,
    format_: Annotated[
        Format, typer.Option("--format", help="Lines, JSON, or annotations of a pull request.")
    ] = Format.TEXT,
    strict: Annotated[bool, typer.Option("--strict", help="Warnings are errors.")] = False,
    moderate: Annotated[
        float, typer.Option(help="Gigabytes of one experiment from which on its cost is moderate.")
    ] = 1_000,
    high: Annotated[
        float, typer.Option(help="Gigabytes of one experiment from which on its cost is high.")
    ] = 10_000,
) -> None:
    """Check configuration files as a compiler would: each mistake with file, line and column.

    Files are read, what they refer to is looked up, and their SQL is written for BigQuery and for
    DuckDB. With --warehouse it is also asked whether it takes the statements of every period and
    both analysis bases, and how much they would read. Nothing is computed or written.
    """
    from jetstream_assets.authoring.checking import check as checked_files  # noqa: PLC0415
    from jetstream_assets.warehouse.duckdb_own_macros import read_macros  # noqa: PLC0415

    with readable_errors(), progress() as bar:
        root = _root(paths)
        task = bar.add_task("checking", total=None)
        found = checked_files(
            open_configuration(str(root)),
            records_by_slug(experiments),
            paths=_wanted(paths, root),
            dry_run=_dry_run(warehouse, macros),
            own_macros=read_macros(macros).names,
            on_progress=lambda done, total: bar.update(task, completed=done, total=total),
        )
    _print(found, format_, root)
    raise typer.Exit(_exit_code(found, moderate, high, strict=strict))


def _root(paths: list[Path]) -> Path:
    """The repository that all paths lie in.

    Raises:
        ConfigError: A path is not there, or they lie in several repositories.
    """
    roots = {_root_of(path) for path in paths}
    if len(roots) > 1:
        told = ", ".join(sorted(map(str, roots)))
        raise ConfigError(
            told, "", "The paths lie in several repositories.", "Check one at a time."
        )
    return roots.pop()


def _root_of(path: Path) -> Path:
    if not path.exists():
        raise ConfigError(str(path), "", "There is no such file or directory.", "Check the path.")
    if path.is_dir():
        return path.resolve()
    above = path.resolve().parents
    # The highest folder below which the file is at a place that is read: files of both belong
    # together.
    fitting = [folder for folder in above if place_of(_within(path, folder)) is not None]
    return fitting[-1] if fitting else above[0]


def _within(path: Path, folder: Path) -> str:
    return path.resolve().relative_to(folder).as_posix()


def _wanted(paths: list[Path], root: Path) -> set[str] | None:
    """The files to check, as the repository names them; None for all."""
    if any(path.resolve() == root for path in paths):
        return None
    return {_within(path, root) for path in paths}


def _dry_run(warehouse: str | None, macros: str | None) -> "DryRun | None":
    if warehouse is None:
        return None
    from jetstream_assets.authoring.dry_run import DryRun  # noqa: PLC0415  # loads sqlglot

    check_warehouse(warehouse)
    return DryRun(
        warehouse_resource(read_settings(warehouse=warehouse, duckdb_macros=macros)).open()
    )


def _print(found: "Checked", format_: Format, root: Path) -> None:
    from jetstream_assets.authoring.formats import (  # noqa: PLC0415
        github_lines,
        json_text,
        text_lines,
    )

    if format_ is Format.JSON:
        typer.echo(json_text(found))
        return
    here = Path.cwd().resolve()
    folder = root.relative_to(here).as_posix() if root.is_relative_to(here) else ""
    lines = github_lines(found, "" if folder == "." else folder)
    for line in lines if format_ is Format.GITHUB else text_lines(found):
        typer.echo(line)
    counted = [one.severity.value for one in found.findings]
    told = f"{counted.count('error')} errors, {counted.count('warning')} warnings"
    (errors if format_ is Format.GITHUB else console).print(f"{len(found.paths)} files: {told}")


def _exit_code(found: "Checked", moderate: float, high: float, *, strict: bool) -> int:
    if found.has_errors or (strict and found.findings):
        return _ERRORS
    gigabytes = found.most_bytes / _GIGABYTE
    if gigabytes >= high:
        return _HIGH
    return _MODERATE if gigabytes >= moderate else 0
