"""What queries cost, kept for whoever asked for them.

Belongs here: the cost of a query and of several, and the list in which costs are kept while
somebody listens. Does not: storing and summing them (`analysis.query_costs`), how an adapter knows
them.
"""

from __future__ import annotations

from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from jetstream_assets.warehouse.purpose import Purpose

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass(frozen=True)
class QueryCost:
    """What one query cost, and for whom it was asked.

    Args:
        purpose: For whom.
        kind: ``read`` for one whose rows were read, ``store`` for one whose rows were stored,
            ``replace`` for putting stored rows in their place.
        job: The warehouse's name of it; empty where it has none.
        started_at: When it began, in UTC.
        seconds: How long it took.
        bytes_read: Bytes of tables that it read.
        bytes_billed: Bytes that are paid for; 0 where nothing is.
        slot_seconds: Seconds of computing, over all that computed at the same time.
    """

    purpose: Purpose
    kind: str
    job: str
    started_at: datetime
    seconds: float
    bytes_read: int
    bytes_billed: int
    slot_seconds: float


@dataclass(frozen=True)
class CostSum:
    """What the queries of one asset and period of an experiment cost together.

    ``period`` has several, separated by commas, where one query was about several; it is empty for
    queries that are about none.
    """

    experiment: str
    asset: str
    period: str
    queries: int
    seconds: float
    bytes_read: int
    bytes_billed: int
    slot_seconds: float


_KEPT: ContextVar[list[QueryCost] | None] = ContextVar("query_costs", default=None)


def note_cost(cost: QueryCost) -> None:
    """Keep a cost, if anybody listens."""
    kept = _KEPT.get()
    if kept is not None:
        kept.append(cost)


@contextmanager
def costs_kept() -> Iterator[list[QueryCost]]:
    """The costs of all queries of the block, as they end; nobody around it hears of them."""
    kept: list[QueryCost] = []
    token = _KEPT.set(kept)
    try:
        yield kept
    finally:
        _KEPT.reset(token)
