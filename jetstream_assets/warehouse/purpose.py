"""For whom a query is asked: the experiment, asset, period and commit that its cost belongs to.

Belongs here: the purpose of what is asked now. Does not: what an adapter makes of it (labels of a
job, rows of costs).

It is a variable of the context and no argument: a query is built far below the asset that pays for
it, and nothing in between needs to know.
"""

from __future__ import annotations

from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass(frozen=True)
class Purpose:
    """What a query is asked for; empty where it is not known.

    Args:
        experiment: The experiment slug.
        asset: The asset that asks.
        period: The analysis periods that it is about, separated by commas.
        commit: The configuration's commit.
    """

    experiment: str = ""
    asset: str = ""
    period: str = ""
    commit: str = ""


_CURRENT: ContextVar[Purpose] = ContextVar("purpose", default=Purpose())  # noqa: B039  frozen


def current_purpose() -> Purpose:
    """What is asked for now."""
    return _CURRENT.get()


@contextmanager
def asked_for(**parts: str) -> Iterator[Purpose]:
    """Within the block these parts of the purpose hold; the others stay as they are around it."""
    token = _CURRENT.set(replace(_CURRENT.get(), **parts))
    try:
        yield _CURRENT.get()
    finally:
        _CURRENT.reset(token)
