"""What the commands share on the terminal: the console, one-line errors, exit codes.

Belongs here: printing. Does not: what is printed.
"""

from __future__ import annotations

import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from jetstream_assets.errors import JetstreamError

if TYPE_CHECKING:
    from collections.abc import Iterator

# A pipe has no width of its own; 100 columns keep tables readable in a log.
console = Console(width=None if sys.stdout.isatty() else 100)
errors = Console(stderr=True, width=None if sys.stderr.isatty() else 100)

EXIT_INCOMPLETE = 1
EXIT_USAGE = 2


@contextmanager
def readable_errors() -> Iterator[None]:
    """Turn an error that a user can mend into its sentence and exit code 2, without stack trace."""
    try:
        yield
    except JetstreamError as error:
        errors.print("error:", style="bold red", end=" ")
        errors.print(str(error), markup=False, highlight=False)
        raise SystemExit(EXIT_USAGE) from error


def progress() -> Progress:
    """A progress bar on stderr, so that stdout stays clean for pipes."""
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=errors,
        transient=True,
    )
