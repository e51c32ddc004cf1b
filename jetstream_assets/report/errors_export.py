"""What has no result, and why, for programs: one JSON array for each experiment.

Belongs here: which stored failures are told, and the shape of a record. Does not: how a failure
arises or is cleared; a later success replaces the slice that held it (`analysis`).
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from jetstream_assets.experiments.failures import RefusalKind, Stage
from jetstream_assets.report.json_text import array_bytes
from jetstream_assets.report.store import Document

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import date

    Row = dict[str, Any]

# Every experiment is refused with these before and after its time: they are no news.
EXPECTED_REFUSALS = frozenset({RefusalKind.ENDED, RefusalKind.ENROLLMENT_NOT_COMPLETE})
_SOURCE = "jetstream"
_ORDER = (
    "timestamp",
    "func_name",
    "metric",
    "statistic",
    "analysis_basis",
    "segment",
    "exception_type",
    "message",
)


def errors_document(
    experiment_slug: str,
    normalized_slug: str,
    failures: pa.Table,
    statistics: pa.Table | None,
    as_of: date,
) -> Document:
    """The document ``errors/errors_<normalized slug>.json``, oldest records first.

    A record's timestamp is midnight (UTC) after its cell's date: the first moment at which the
    data of that date are complete. It says nothing about when a run happened, so the same rows
    give the same bytes.

    Args:
        experiment_slug: The slug as Experimenter knows it.
        normalized_slug: The slug as documents are named.
        failures: The failures of all stages: `FAILURES_SCHEMA` and ``date``.
        statistics: Statistics rows, `STATISTICS_SCHEMA` and ``date``: those whose status is
            ``failed`` become records, one for each reason. None where there are none.
        as_of: The date of the newest cell that was computed, whether it failed or not.
    """
    told = [row for row in failures.to_pylist() if row["exception_type"] not in EXPECTED_REFUSALS]
    if statistics is not None:
        told += _failed(statistics)
    records = _unique(_record(experiment_slug, row) for row in told)
    return Document(f"errors/errors_{normalized_slug}.json", array_bytes(records), as_of)


def _failed(statistics: pa.Table) -> list[Row]:
    rows = statistics.filter(pc.equal(statistics["status"], "failed")).to_pylist()
    return [{**row, "stage": Stage.STATISTICS.value, "message": row["reason"]} for row in rows]


def _unique(records: Iterable[Row]) -> list[Row]:
    """The records in order, each once: branches of one statistic fail for the same reason."""
    by_key = {tuple(record[key] or "" for key in _ORDER): record for record in records}
    return [by_key[key] for key in sorted(by_key)]


def _record(experiment_slug: str, row: Row) -> Row:
    message = _message(row)
    exception_type = row["exception_type"] or None
    return {
        "analysis_basis": row["analysis_basis"],
        "source": _SOURCE,
        "exception": f"{exception_type}: {message}" if exception_type else None,
        "exception_type": exception_type,
        "experiment": experiment_slug,
        "filename": __package__.partition(".")[0],
        "func_name": row["stage"],
        "log_level": "ERROR",
        "message": message,
        "metric": row["metric"],
        "segment": row["segment"],
        "statistic": row["statistic"],
        "timestamp": _first_moment_after(row["date"]),
    }


def _message(row: Row) -> str:
    text = row["message"] or "no reason was stored"
    if row["period"] is None:
        return text
    # The consumer's record has no field for the window, and one date may have several.
    index = "" if row["window_index"] is None else f" {row['window_index']}"
    return f"{text} ({row['period']}{index})"


def _first_moment_after(day: date) -> str:
    return f"{(day + timedelta(days=1)).isoformat()}T00:00:00+00:00"
