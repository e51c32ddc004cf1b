"""Where each kind of configuration file lies.

Belongs here: the layout of a configuration repository. Does not: what the files say (`schema`).

A repository has the layout at its root, or in its ``jetstream`` directory, or in both; then the
``jetstream`` directory is merged over the root.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from pathlib import PurePosixPath

DIRECTORIES = ("", "jetstream/")
PATTERNS = ("*.toml", "outcomes/*/*.toml", "defaults/*.toml", "definitions/*.toml")


class Kind(StrEnum):
    """A kind of configuration file."""

    EXPERIMENT = "experiment"
    OUTCOME = "outcome"
    DEFAULTS = "defaults"
    DEFINITIONS = "definitions"
    FUNCTIONS = "functions"


@dataclass(frozen=True, order=True)
class Place:
    """What a file is about.

    ``name`` is the slug of an experiment or outcome, or the application of defaults and
    definitions; ``app_name`` is the application of an outcome, else empty. ``directory`` is the
    position in `DIRECTORIES`: later ones are merged over earlier ones.
    """

    kind: Kind
    name: str
    app_name: str = ""
    directory: int = 0


def place_of(path: str) -> Place | None:
    """What the file at a path relative to the repository is about; None when it is not read."""
    for directory, prefix in reversed(tuple(enumerate(DIRECTORIES))):
        if path.startswith(prefix):
            return _place_in(PurePosixPath(path.removeprefix(prefix)), directory)
    return None


def _place_in(path: PurePosixPath, directory: int) -> Place | None:
    if path.suffix != ".toml":
        return None
    match path.parent.parts:
        case ():
            kind, app_name = Kind.EXPERIMENT, ""
        case ("outcomes", app_name):
            kind = Kind.OUTCOME
        case ("defaults",):
            kind, app_name = Kind.DEFAULTS, ""
        case ("definitions",):
            is_functions = path.name == "functions.toml"
            kind, app_name = (Kind.FUNCTIONS if is_functions else Kind.DEFINITIONS), ""
        case _:
            return None
    return Place(kind, path.stem, app_name, directory)
