"""What is there in the place of a table or dataset that is not: for the error that says so.

Belongs here: looking around, and the sentence. Does not: any other refusal (`bigquery_errors`).
"""

from __future__ import annotations

import difflib
import re
from contextlib import contextmanager
from typing import TYPE_CHECKING

from jetstream_assets.errors import QueryError
from jetstream_assets.warehouse.bigquery_jobs import REQUEST_SECONDS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from jetstream_assets.warehouse.bigquery_session import BigQuerySession

_TABLE = re.compile(r"Not found: Table (?P<project>\S+):(?P<dataset>\w+)\.(?P<table>[^\s;]+)")
_DATASET = re.compile(r"Not found: Dataset (?P<project>\S+):(?P<dataset>\w+)")
_MOST = 1000
_SHOWN = 12


@contextmanager
def told_of_neighbours(session: BigQuerySession) -> Iterator[None]:
    """Within the block, a refusal for a missing table or dataset says what there is instead."""
    try:
        yield
    except QueryError as refusal:
        problem = _explained(session, refusal.problem)
        if problem is None:
            raise
        raise QueryError(problem, refusal.sql) from refusal


def _explained(session: BigQuerySession, message: str) -> str | None:
    missing = _TABLE.search(message)
    if missing:
        place = f"{missing['project']}.{missing['dataset']}"
        wanted = missing["table"].rstrip(".")
        tables = [f"{missing['dataset']}.{name}" for name in _tables(session, place)]
        close = difflib.get_close_matches(f"{missing['dataset']}.{wanted}", tables, n=3)
        return _sentence(f"Table {place}.{wanted}", close, f"Tables in {place}", tables)
    missing = _DATASET.search(message)
    if missing:
        project, name = missing["project"], missing["dataset"]
        datasets = _datasets(session, project)
        close = difflib.get_close_matches(name, datasets, n=3)
        return _sentence(f"Dataset {project}.{name}", close, f"Datasets in {project}", datasets)
    return None


def _sentence(what: str, close: list[str], place: str, known: list[str]) -> str:
    guess = f" Did you mean {' or '.join(close)}?" if close else ""
    shown = ", ".join(known[:_SHOWN]) + (", ..." if len(known) > _SHOWN else "")
    return (
        f"{what} does not exist, or this account may not see it.{guess} {place}: "
        f"{shown or 'none that it sees'}. Name another one."
    )


def _tables(session: BigQuerySession, place: str) -> list[str]:
    from google.api_core.exceptions import GoogleAPIError  # noqa: PLC0415

    try:
        found = session.client.list_tables(place, max_results=_MOST, timeout=REQUEST_SECONDS)
        return sorted(table.table_id for table in found)
    except GoogleAPIError:
        return []


def _datasets(session: BigQuerySession, project: str) -> list[str]:
    from google.api_core.exceptions import GoogleAPIError  # noqa: PLC0415

    try:
        found = session.client.list_datasets(project, max_results=_MOST, timeout=REQUEST_SECONDS)
        return sorted(dataset.dataset_id for dataset in found)
    except GoogleAPIError:
        return []
