"""Invented experiments as documents, for the pages that are made of them.

Belongs here: small overviews and records, from the plain to the hostile. Does not: pages.
"""

from __future__ import annotations

import json
from datetime import date
from typing import TYPE_CHECKING, Any

from jetstream_assets.report.folder_store import FolderDocumentStore
from jetstream_assets.report.overview import overview_name
from jetstream_assets.report.overview_schema import (
    BranchRecord,
    MetricRecord,
    Overview,
    SegmentRecord,
    WindowRecord,
)
from jetstream_assets.report.page.publishing import page_name, publish_page

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

SLUG = "invented"
AS_OF = date(2026, 3, 31)
Record = dict[str, Any]


def branches(*slugs: str) -> list[BranchRecord]:
    """Branches of equal shares, the first the reference."""
    share = 1 / len(slugs)
    return [
        BranchRecord(slug=slug, ratio=1, share=share, is_reference=not index)
        for index, slug in enumerate(slugs)
    ]


def metric(name: str, **fields: Any) -> MetricRecord:  # noqa: ANN401  # any field
    """A metric of the overall period that its plain mean speaks for."""
    usual = {"bigger_is_better": True, "statistic": "mean", "periods": ["overall"]}
    return MetricRecord(name=name, **{**usual, **fields})


def overview(**fields: Any) -> Overview:  # noqa: ANN401  # any field
    """An experiment of two branches with one overall window of one metric."""
    usual = {
        "slug": SLUG,
        "normalized_slug": SLUG,
        "data_through": AS_OF,
        "is_provisional": False,
        "reference_branch": "control",
        "branches": branches("control", "treatment"),
        "analysis_bases": ["enrollments"],
        "segments": [SegmentRecord(name="all", friendly_name="All units")],
        "metrics": [metric("searches")],
        "windows": [
            WindowRecord(period="overall", window_index=1, start=0, end=27, is_provisional=False)
        ],
        "facts": ["This is invented."],
        "trust": [],
        "missing": [],
        "runs": [],
        "queries": [],
        "documents": {"statistics_overall": f"statistics/statistics_{SLUG}_overall.json"},
    }
    return Overview.model_validate({**usual, **fields})


def record(name: str, branch: str, **fields: Any) -> Record:  # noqa: ANN401  # any field
    """A record of the overall window, of all units."""
    usual = {
        "metric": name,
        "statistic": "mean",
        "branch": branch,
        "ci_width": 0.95,
        "point": 1.0,
        "lower": 0.5,
        "upper": 1.5,
        "segment": "all",
        "analysis_basis": "enrollments",
        "window_index": "1",
        "units": 100,
    }
    return {key: value for key, value in {**usual, **fields}.items() if value is not None}


def compared(name: str, branch: str = "treatment", **fields: Any) -> list[Record]:  # noqa: ANN401
    """The records of a metric in a branch and the reference, and of their comparison."""
    against = {"comparison_to_branch": "control", "units": 200, **fields}
    return [
        record(name, "control"),
        record(name, branch),
        record(name, branch, comparison="difference", p_value=0.2, **against),
        record(name, branch, comparison="relative_uplift", **against),
    ]


def publish(folder: Path, told: Overview, records: Sequence[Record] = ()) -> Path:
    """Store the documents and publish their page; its path."""
    store = FolderDocumentStore(folder)
    body = told.model_dump_json().encode()
    store.publish(overview_name(told.slug), body, AS_OF)
    if records:
        text = json.dumps(list(records)).encode()
        store.publish(told.documents["statistics_overall"], text, AS_OF)
    publish_page(told.slug, store)
    return folder / page_name(told.slug)
