"""What a job cost, as far as the service tells.

Belongs here: reading a job's statistics. Does not: keeping them (`query_costs`).
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, TypedDict

from jetstream_assets.warehouse.bigquery_names import SEPARATOR
from jetstream_assets.warehouse.purpose import current_purpose
from jetstream_assets.warehouse.query_costs import QueryCost
from jetstream_assets.warehouse.tables import ResultTable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from google.cloud.bigquery import QueryJob

_READ, _FROM = "READ", "FROM "
_OF_STAGES = "__stage"


class Cost(TypedDict):
    """The cost of a job, as `Written` and `Answer` have it."""

    bytes_read: int
    rows_scanned: int
    source_rows_scanned: int


def cost_of(job: QueryJob | None) -> Cost:
    """Bytes and rows that a job read; rows are those that its plan's first stages took."""
    if job is None:
        return {"bytes_read": 0, "rows_scanned": 0, "source_rows_scanned": 0}
    scans = list(_scans(job))
    return {
        "bytes_read": int(job.total_bytes_processed or 0),
        "rows_scanned": sum(rows for _, rows in scans),
        "source_rows_scanned": sum(rows for table, rows in scans if not _holds_slices(table)),
    }


def query_cost(job: QueryJob, kind: str) -> QueryCost:
    """What a query that has ended cost, for whom it is asked now."""
    began, ended = job.started or job.created, job.ended
    is_told = began is not None and ended is not None
    return QueryCost(
        purpose=current_purpose(),
        kind=kind,
        job=job.job_id or "",
        started_at=began or datetime.now(UTC),
        seconds=(ended - began).total_seconds() if is_told else 0.0,
        bytes_read=int(job.total_bytes_processed or 0),
        bytes_billed=int(job.total_bytes_billed or 0),
        slot_seconds=int(job.slot_millis or 0) / 1000,
    )


def _scans(job: QueryJob) -> Iterator[tuple[str, int]]:
    """The table and the rows of each stage that reads a table."""
    for stage in job.query_plan:
        read = [sub for step in stage.steps if step.kind == _READ for sub in step.substeps]
        tables = [sub.removeprefix(_FROM) for sub in read if sub.startswith(_FROM)]
        named = [table for table in tables if not table.startswith(_OF_STAGES)]
        if named:
            yield named[0], int(stage.records_read or 0)


def _holds_slices(table: str) -> bool:
    name = table.rpartition(".")[2]
    return name.partition(SEPARATOR)[0] in set(ResultTable) and SEPARATOR in name
