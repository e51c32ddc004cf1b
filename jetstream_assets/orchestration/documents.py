"""The documents of an experiment: what is stored, and what is found when that is looked at.

Belongs here: joining `analysis`, which judges, and `report`, which tells. Does not: either, nor
publishing.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime

    from jetstream_assets.analysis.options import AnalysisOptions
    from jetstream_assets.experiments.checks import Limits
    from jetstream_assets.experiments.plan import AnalysisPlan
    from jetstream_assets.report.store import Document
    from jetstream_assets.warehouse.base import Warehouse


def documents_of(
    plan: "AnalysisPlan",
    tables: "Warehouse",
    started: "datetime",
    repository_url: str | None,
    limits: "Limits",
    options: "AnalysisOptions",
    note: str | None,
) -> "tuple[Document, ...]":
    """Every document of a plan's experiment, the overview last; none of a private one."""
    from jetstream_assets.analysis.appraisal import appraise  # noqa: PLC0415
    from jetstream_assets.report.overview import Known, overview_document  # noqa: PLC0415
    from jetstream_assets.report.publish import (  # noqa: PLC0415
        is_published,
        results_documents,
        stored_rows,
    )

    if not is_published(plan):
        return ()
    stored = stored_rows(plan, tables)
    documents = results_documents(plan, stored, started, repository_url)
    appraisal = appraise(plan, tables, stored.statistics, stored.as_of, limits, options)
    folder = f"{repository_url.rstrip('/')}/jetstream" if repository_url else None
    names = tuple(document.name for document in documents)
    known = Known(plan, stored.statistics, appraisal, stored.as_of, names, folder, note)
    return (*documents, overview_document(known))
