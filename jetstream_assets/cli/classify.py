"""`jetstream classify`: which metrics of a repository follow from daily states, and why not others.

Belongs here: the command's options and its output. Does not: classifying (`config.classification`),
the layout of its tables (`report.classification_table`).
"""

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from jetstream_assets.cli import options
from jetstream_assets.cli.console import console, errors, readable_errors
from jetstream_assets.config.repository import open_configuration
from jetstream_assets.report.classification_table import (
    KindRow,
    ReasonRow,
    counts_table,
    reasons_table,
)

if TYPE_CHECKING:
    from jetstream_assets.config.classification import Classified

EPILOG = """[bold]Examples[/bold]

jetstream classify --config metric-hub

jetstream classify --config metric-hub --format json > classification.json"""

_SHOWN = 20


def classify(
    *,
    config: Annotated[
        str, typer.Option(help="Directory or git repository (path or URL) with the TOML files.")
    ],
    ref: Annotated[
        str | None, typer.Option(help="Branch, tag or commit of a configuration repository.")
    ] = None,
    format_: Annotated[
        options.Format, typer.Option("--format", help="A table, or every metric as JSON.")
    ] = options.Format.TEXT,
    every: Annotated[
        bool, typer.Option("--all", help=f"Every reason, not only the {_SHOWN} most frequent.")
    ] = False,
) -> None:
    """Say how each metric with SQL is computed. Nothing is read from a warehouse.

    [bold]exact[/bold]: each row of its source is read once, and all windows are rolled up from
    states per unit and day, with the same result as one query over the window.
    [bold]windowed[/bold]: its expression does not follow from days, or the rows of its source
    cannot be taken day by day, so the source is read for every window.
    [bold]unusable[/bold]: it cannot be computed at all.

    A metric counts once for every list that names it, a shared definition once.
    """
    from jetstream_assets.config.classification import classify as classified  # noqa: PLC0415

    with readable_errors():
        repository = open_configuration(config, ref=ref)
        found = classified(repository)
    for problem in repository.problems:
        errors.print(f"left out: {problem}", markup=False)
    if format_ is options.Format.JSON:
        typer.echo(json.dumps(_document(found), indent=2))
    else:
        _print(found, None if every else _SHOWN)


def _document(found: "tuple[Classified, ...]") -> dict[str, object]:
    from jetstream_assets.config.classification import counts  # noqa: PLC0415  # loads sqlglot

    return {
        "counts": {kind: asdict(counted) for kind, counted in counts(found).items()},
        "metrics": [asdict(one) for one in found],
    }


def _print(found: "tuple[Classified, ...]", most: int | None) -> None:
    from jetstream_assets.config.classification import counts  # noqa: PLC0415  # loads sqlglot

    counted = counts(found)
    console.print(counts_table(KindRow(str(kind), **asdict(counted[kind])) for kind in counted))
    reasons = [
        ReasonRow(one.treatment, one.reason, one.path, one.metric) for one in found if one.reason
    ]
    if reasons:
        console.print(reasons_table(reasons, most))
