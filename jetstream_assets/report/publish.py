"""Everything that is published about an experiment after a cell: statistics, metadata, errors.

Belongs here: which stored rows go into which documents. Does not: the shape of a document (the
exports), where it goes (`store`).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

import pyarrow as pa
from sqlglot import exp

from jetstream_assets.experiments.experiment import normalized
from jetstream_assets.experiments.failures import Interruption, Stage
from jetstream_assets.report.current_rows import current_failures, current_statistics
from jetstream_assets.report.errors_export import errors_document
from jetstream_assets.report.metadata_export import metadata_document
from jetstream_assets.report.statistics_export import statistics_documents
from jetstream_assets.warehouse.tables import (
    DEFAULT_DATASET,
    FAILURES_SCHEMA,
    STATISTICS_SCHEMA,
    ResultTable,
    all_slices,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from datetime import datetime

    from jetstream_assets.experiments.plan import AnalysisPlan
    from jetstream_assets.report.store import Document, DocumentStore, Published
    from jetstream_assets.warehouse.base import Warehouse

_FAILURES = (
    ResultTable.PLAN_FAILURES,
    ResultTable.ENROLLMENTS_FAILURES,
    ResultTable.PREENROLLMENT_METRICS_FAILURES,
    ResultTable.METRICS_FAILURES,
)
_CELL = pa.schema([pa.field("experiment", pa.string()), pa.field("date", pa.date32())])


@dataclass(frozen=True)
class StoredRows:
    """What is stored of an experiment over its dates, as far as it is its results today.

    Args:
        statistics: The columns of `STATISTICS_SCHEMA`, ``experiment`` and ``date``.
        failures: The columns of `FAILURES_SCHEMA`, ``experiment`` and ``date``.
        as_of: The newest date of any, or that of the plan.
    """

    statistics: pa.Table
    failures: pa.Table
    as_of: date


def is_published(plan: AnalysisPlan) -> bool:
    """Whether there are documents of an experiment: of a private one there is none.

    Its results are in its own dataset alone.
    """
    return plan.configuration is None or not plan.configuration.is_private


def results_documents(
    plan: AnalysisPlan,
    stored: StoredRows,
    started: datetime,
    repository_url: str | None = None,
) -> tuple[Document, ...]:
    """The documents of what is stored about the plan's experiment, over all its dates.

    A document's date is the newest date whose rows it holds, so running an old date again adds to
    the documents and never takes newer rows away.

    Args:
        plan: The plan of the cell that was just computed.
        stored: What is stored of its experiment.
        started: When the analysis started, for the metadata.
        repository_url: The web address of the configuration's files, for the metadata.
    """
    return tuple(_documents(plan, stored, started, repository_url))


def publish_errors(
    plan: AnalysisPlan, warehouse: Warehouse, store: DocumentStore
) -> tuple[Published, ...]:
    """Publish what has no result and why, and leave all other documents as they are.

    For runs that ended before they came to publishing; see `analysis.result_status`.
    """
    if not is_published(plan):
        return ()
    return publish([_errors(plan, stored_rows(plan, warehouse))], store)


def publish(documents: Iterable[Document], store: DocumentStore) -> tuple[Published, ...]:
    """Put each document in its place, unless one of a newer date is there."""
    return tuple(
        store.publish(document.name, document.body, document.as_of, document.content_type)
        for document in documents
    )


def stored_rows(plan: AnalysisPlan, warehouse: Warehouse) -> StoredRows:
    """The current statistics and failures of the plan's experiment."""
    statistics = _rows(plan, warehouse, ResultTable.STATISTICS, STATISTICS_SCHEMA)
    tables = [_rows(plan, warehouse, table, FAILURES_SCHEMA) for table in _FAILURES]
    failures = pa.concat_tables([*tables, _interruptions(plan, warehouse)])
    dates = [*statistics["date"].to_pylist(), *failures["date"].to_pylist()]
    as_of = max([plan.date, *dates])
    if plan.configuration is not None:
        statistics, failures = _current(plan, statistics, failures, as_of)
    return StoredRows(statistics, failures, as_of)


def _documents(
    plan: AnalysisPlan, stored: StoredRows, started: datetime, repository_url: str | None
) -> Iterator[Document]:
    if plan.configuration is not None:
        yield from statistics_documents(plan.experiment, stored.statistics)
        metadata = metadata_document(plan.configuration, stored.as_of, started, repository_url)
        yield from [metadata] if metadata else []
    yield _errors(plan, stored)


def _errors(plan: AnalysisPlan, stored: StoredRows) -> Document:
    return errors_document(
        plan.slug, normalized(plan.slug), stored.failures, stored.statistics, stored.as_of
    )


def _interruptions(plan: AnalysisPlan, warehouse: Warehouse) -> pa.Table:
    """Of each cell what kept it from its results without a step having stored a failure."""
    wanted = pa.unify_schemas([FAILURES_SCHEMA, _CELL])
    dataset = _dataset(plan)
    if not warehouse.slices(ResultTable.RESULT_STATUS, plan.slug, dataset):
        return wanted.empty_table()
    keys = ("experiment", "date", "status", "reason", "exception_type", "run_id")
    query = (
        exp.select(*keys, exp.alias_(exp.Count(this=exp.Star(), big_int=True), "results"))
        .from_(all_slices(ResultTable.RESULT_STATUS, plan.slug, dataset))
        .where(exp.column("exception_type").isin(*(kind.value for kind in Interruption)))
        .group_by(*keys)
        .order_by(*keys)
    )
    rows = [
        {
            "experiment": row["experiment"],
            "date": row["date"],
            "stage": Stage.RUN.value,
            "exception_type": row["exception_type"],
            "message": f"{row['reason']} ({row['results']} results of {row['date']} are "
            f"{row['status']}; run {row['run_id']})",
        }
        for row in warehouse.query(query).to_pylist()
    ]
    return pa.Table.from_pylist(rows, schema=wanted)


def _dataset(plan: AnalysisPlan) -> str:
    return (plan.configuration and plan.configuration.dataset_id) or DEFAULT_DATASET


def _current(
    plan: AnalysisPlan, statistics: pa.Table, failures: pa.Table, as_of: date
) -> tuple[pa.Table, pa.Table]:
    experiment = plan.declared.experiment
    if experiment.start_date is None:
        return statistics.schema.empty_table(), failures
    timeline = experiment.timeline
    return current_statistics(timeline, statistics), current_failures(timeline, failures, as_of)


def _rows(
    plan: AnalysisPlan, warehouse: Warehouse, table: ResultTable, schema: pa.Schema
) -> pa.Table:
    """All stored rows of the experiment with their date; empty when none were stored."""
    wanted = pa.unify_schemas([schema, _CELL])
    dataset = _dataset(plan)
    if not warehouse.slices(table, plan.slug, dataset):
        return wanted.empty_table()
    columns = [exp.column(name) for name in wanted.names]
    rows = warehouse.query(exp.select(*columns).from_(all_slices(table, plan.slug, dataset)))
    return rows.cast(wanted)
