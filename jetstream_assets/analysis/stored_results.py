"""What is stored of the results of a cell: one line each, whatever number of rows they have.

Belongs here: the query over the statistics of a cell, and reading the status of earlier runs. Does
not: judging (`result_status`).
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from datetime import date
from enum import StrEnum
from typing import TYPE_CHECKING

import pyarrow as pa
from sqlglot import exp

from jetstream_assets.analysis.declared_results import ResultKey
from jetstream_assets.statistics.base import Status
from jetstream_assets.warehouse.tables import RESULT_STATUS_SCHEMA

if TYPE_CHECKING:
    from collections.abc import Iterable

    from jetstream_assets.warehouse.base import Warehouse
    from jetstream_assets.warehouse.tables import Slice

KEY = tuple(field.name for field in fields(ResultKey))


class ResultState(StrEnum):
    """What became of a result.

    ``STALE``: there is one, and it is not that of the present plan. ``INSUFFICIENT_DATA`` and
    ``FAILED`` are those of the statistics, or nothing is there that should be.
    """

    OK = "ok"
    PROVISIONAL = "provisional"
    NOT_DUE = "not_due"
    INSUFFICIENT_DATA = "insufficient_data"
    STALE = "stale"
    FAILED = "failed"


@dataclass(frozen=True)
class ResultStatus:
    """The status of one result; the columns of `RESULT_STATUS_SCHEMA` have the meanings."""

    key: ResultKey
    status: ResultState
    reason: str | None = None
    exception_type: str | None = None
    sql: str | None = None
    run_id: str | None = None
    due_on: date | None = None


@dataclass(frozen=True)
class StoredResult:
    """The rows of one result together.

    Args:
        key: Which result.
        is_provisional: Whether units still enroll.
        rows: Their number.
        failed: How many of them failed.
        insufficient: How many have too few data.
        whole: How many of these say it of the whole statistic, and not of a branch.
        failure: A reason of one that failed; the first in the alphabet.
        exception_type: Likewise.
        sql: Likewise, of those whose own statement was refused.
        shortage: A reason of one with too few data, likewise.
    """

    key: ResultKey
    is_provisional: bool
    rows: int
    failed: int
    insufficient: int
    whole: int
    failure: str | None
    exception_type: str | None
    sql: str | None
    shortage: str | None

    @property
    def is_awaited(self) -> bool:
        """Whether nothing is wrong and the whole result is to come."""
        return self.is_provisional and self.rows == self.whole


def stored_results(warehouse: Warehouse, statistics: Slice) -> dict[ResultKey, StoredResult]:
    """The results in a slice of statistics; empty when there is no such slice."""
    if warehouse.provenance(statistics) is None:
        return {}
    rows = warehouse.query(_results_query(statistics.reference)).to_pylist()
    found: dict[ResultKey, StoredResult] = {}
    for row in rows:
        key = ResultKey(**{name: row.pop(name) for name in KEY})
        found[key] = StoredResult(key, **row)
    return found


def stored_statuses(warehouse: Warehouse, target: Slice) -> tuple[ResultStatus, ...]:
    """The statuses of a cell as they are stored; empty when there are none."""
    if warehouse.provenance(target) is None:
        return ()
    columns = [exp.column(name) for name in RESULT_STATUS_SCHEMA.names]
    return statuses_of(warehouse.query(exp.select(*columns).from_(target.reference)))


def statuses_of(rows: pa.Table) -> tuple[ResultStatus, ...]:
    """The statuses of rows of `RESULT_STATUS_SCHEMA`; other columns are ignored."""
    return tuple(
        ResultStatus(
            ResultKey(**{name: row[name] for name in KEY}),
            ResultState(row["status"]),
            **{name: row[name] for name in _SAID},
        )
        for row in rows.to_pylist()
    )


def statuses_table(statuses: Iterable[ResultStatus]) -> pa.Table:
    """The statuses as `RESULT_STATUS_SCHEMA`, by key, null first."""
    rows = [
        {name: getattr(found.key, name) for name in KEY}
        | {"status": found.status.value}
        | {name: getattr(found, name) for name in _SAID}
        for found in sorted(statuses, key=_order)
    ]
    return pa.Table.from_pylist(rows, schema=RESULT_STATUS_SCHEMA)


def _order(found: ResultStatus) -> tuple[tuple[bool, object], ...]:
    values = (getattr(found.key, name) for name in KEY)
    return tuple((value is not None, value) for value in values)


_SAID = tuple(field.name for field in fields(ResultStatus) if field.name not in {"key", "status"})


def _results_query(statistics: exp.Table) -> exp.Select:
    is_failed, is_insufficient = (
        exp.column("status").eq(status.value)
        for status in (Status.FAILED, Status.INSUFFICIENT_DATA)
    )
    is_whole = exp.and_(is_insufficient, exp.column("branch").is_(exp.null()))
    columns = {
        "is_provisional": exp.LogicalOr(this=exp.column("is_provisional")),
        "rows": exp.Count(this=exp.Star(), big_int=True),
        "failed": exp.CountIf(this=is_failed),
        "insufficient": exp.CountIf(this=is_insufficient.copy()),
        "whole": exp.CountIf(this=is_whole),
        "failure": _first("reason", is_failed),
        "exception_type": _first("exception_type", is_failed),
        "sql": _first("sql", is_failed),
        "shortage": _first("reason", is_insufficient),
    }
    said = [exp.alias_(tree, name, quoted=True) for name, tree in columns.items()]
    return exp.select(*KEY, *said).from_(statistics.copy()).group_by(*KEY)


def _first(column: str, condition: exp.Expr) -> exp.Expr:
    """The smallest value where the condition holds."""
    return exp.Min(this=exp.case().when(condition.copy(), exp.column(column)))
