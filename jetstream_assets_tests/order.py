"""The order in which the files of tests are begun.

Belongs here: which files are begun when. Does not: which tests there are.

Some files start services and mostly wait for them, others compute all the time. Side by side they
take little more than the longer of both; one kind after the other, processors first idle and are
then asked for twice as much as they have.
"""

from __future__ import annotations

from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import pytest

# Rooms whose tests mostly wait, those that wait longest first.
_WAITING = ("processes", "k8s", "ui")
# Files that wait are begun within this part of the whole, so that none is left alone at the end.
_BEGUN_WITHIN = 0.7


def begun_in_order(items: Sequence[pytest.Item]) -> list[pytest.Item]:
    """The same tests; those that wait are spread among the others, the files whole."""
    files = [list(of) for _, of in groupby(items, key=lambda item: item.path)]
    waiting = [file for room in _WAITING for file in files if _room(file) == room]
    computing = [file for file in files if _room(file) not in _WAITING]
    placed = [*_spread(waiting, _BEGUN_WITHIN), *_spread(computing, 1.0)]
    ordered = sorted(placed, key=lambda place: place[0])
    return [item for _, file in ordered for item in file]


def _spread(
    files: Sequence[list[pytest.Item]], part: float
) -> Iterable[tuple[float, list[pytest.Item]]]:
    for number, file in enumerate(files):
        yield part * number / len(files), file


def _room(file: Sequence[pytest.Item]) -> str:
    return file[0].path.relative_to(Path(__file__).parent).parts[0]
