"""Everything that is published about an experiment after a cell: statistics, metadata, errors.

Belongs here: which stored rows go into which documents. Does not: the shape of a document (the
exports), where it goes (`store`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa
from sqlglot import exp

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
    from collections.abc import Iterator
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


def publish_results(
    plan: AnalysisPlan, warehouse: Warehouse, store: DocumentStore, started: datetime
) -> tuple[Published, ...]:
    """Publish what is stored about the plan's experiment, over all its dates.

    A document's date is the newest date whose rows it holds, so running an old date again adds to
    the documents and never takes newer rows away.

    Args:
        plan: The plan of the cell that was just computed.
        warehouse: Where the rows are.
        store: Where the documents go.
        started: When the analysis started, for the metadata.
    """
    documents = _documents(plan, warehouse, started)
    return tuple(
        store.publish(document.name, document.body, document.as_of, document.content_type)
        for document in documents
    )


def _documents(plan: AnalysisPlan, warehouse: Warehouse, started: datetime) -> Iterator[Document]:
    statistics = _rows(plan, warehouse, ResultTable.STATISTICS, STATISTICS_SCHEMA)
    failures = pa.concat_tables(
        [_rows(plan, warehouse, table, FAILURES_SCHEMA) for table in _FAILURES]
    )
    if plan.configuration is not None:
        yield from statistics_documents(plan.experiment, statistics)
        if metadata := metadata_document(plan.configuration, plan.date, started, None):
            yield metadata
        normalized = plan.experiment.normalized_slug
        yield errors_document(plan.slug, normalized, failures, statistics, plan.date)


def _rows(
    plan: AnalysisPlan, warehouse: Warehouse, table: ResultTable, schema: pa.Schema
) -> pa.Table:
    """All stored rows of the experiment with their date; empty when none were stored."""
    wanted = pa.unify_schemas([schema, _CELL])
    configured = plan.configuration.dataset_id if plan.configuration else None
    dataset = configured or DEFAULT_DATASET
    if not warehouse.slices(table, plan.slug, dataset):
        return wanted.empty_table()
    columns = [exp.column(name) for name in wanted.names]
    rows = warehouse.query(exp.select(*columns).from_(all_slices(table, plan.slug, dataset)))
    return rows.cast(wanted)
