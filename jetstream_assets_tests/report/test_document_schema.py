"""Our schema accepts and rejects what the consumer's own models do."""

from __future__ import annotations

import json
from datetime import date
from typing import TYPE_CHECKING, Any

import pytest
from pydantic import ValidationError

from jetstream_assets.report.document_checks import check_documents, check_published
from jetstream_assets.report.document_schema import schema_problems
from jetstream_assets.report.folder_store import FolderDocumentStore
from jetstream_assets.report.store import Document
from jetstream_assets_tests.report.consumer import AnalysisErrors, Metadata, Statistics

if TYPE_CHECKING:
    from pathlib import Path

Record = dict[str, Any]

STATISTIC: Record = {
    "metric": "spend",
    "statistic": "deciles",
    "branch": "control",
    "parameter": "0.1",
    "ci_width": 0.95,
    "point": 1.5,
    "lower": 1,
    "upper": 2.0,
    "segment": "all",
    "analysis_basis": "enrollments",
    "window_index": "1",
    "units": 12,
}
ERROR: Record = {
    "source": "jetstream",
    "filename": "jetstream_assets",
    "func_name": "metrics",
    "log_level": "ERROR",
    "message": "a reason",
    "timestamp": "2026-03-02T00:00:00+00:00",
    "metric": None,
}
METADATA: Record = {
    "analysis_start_time": "2026-03-02T04:00:00Z",
    "external_config": {"url": "https://example.com/a.toml", "start_date": "2026-03-02"},
    "metrics": {"spend": {"analysis_bases": ["enrollments"], "bigger_is_better": True}},
    "outcomes": {
        "o": {
            "slug": "o",
            "friendly_name": "O",
            "description": "",
            "metrics": ["spend"],
            "default_metrics": [],
        }
    },
    "version_info": None,
    "schema_version": 4,
}
DOCUMENTS: dict[str, tuple[Any, Record, bool]] = {
    "statistics/statistics_a_weekly.json": (Statistics, STATISTIC, True),
    "errors/errors_a.json": (AnalysisErrors, ERROR, True),
    "metadata/metadata_a.json": (Metadata, METADATA, False),
}
VALUES: tuple[Any, ...] = (
    None,
    "",
    "text",
    1.5,
    -1,
    2,
    True,
    [],
    {},
    "2026-03-02",
    "exposures",
    ["enrollments"],
)
# A key with no value stands for one that is left out.
LEFT_OUT: Any = object()


def _consumer_accepts(model: Any, body: bytes) -> bool:  # noqa: ANN401  # another's models
    try:
        model.model_validate_json(body)
    except ValidationError:
        return False
    return True


@pytest.mark.parametrize("name", DOCUMENTS)
def test_every_change_of_a_key_is_judged_as_the_consumer_judges_it(name: str) -> None:
    model, record, is_array = DOCUMENTS[name]
    refused = 0
    for key in (*record, "new"):
        for value in (*VALUES, LEFT_OUT):
            changed = {k: v for k, v in (record | {key: value}).items() if v is not LEFT_OUT}
            body = json.dumps([changed] if is_array else changed).encode()
            problems = schema_problems(name, body)
            assert (problems == ()) == _consumer_accepts(model, body), (key, value, problems)
            assert not problems or key in problems[0]
            refused += bool(problems)
    assert refused > len(record)


@pytest.mark.parametrize("body", [b"", b"[", b"3", b"\xff", b'"text"'])
@pytest.mark.parametrize("name", DOCUMENTS)
def test_what_is_no_document_is_refused(name: str, body: bytes) -> None:
    assert schema_problems(name, body)


def test_two_records_that_consumers_cannot_tell_apart_are_refused() -> None:
    name = "statistics/statistics_a_weekly.json"
    other = STATISTIC | {"parameter": "0.10", "point": 9.0}
    (problem,) = schema_problems(name, json.dumps([STATISTIC, other]).encode())
    assert "2 records have the same keys" in problem
    assert "spend" in problem
    assert not schema_problems(name, json.dumps([STATISTIC, other | {"parameter": "0.2"}]).encode())
    assert not schema_problems(name, b"[]")


def test_published_documents_are_read_back_and_the_faulty_one_is_named(tmp_path: Path) -> None:
    store = FolderDocumentStore(tmp_path)
    good = Document("errors/errors_a.json", json.dumps([ERROR]).encode(), date(2026, 3, 2))
    bad = Document("statistics/statistics_a_weekly.json", b'[{"metric": "spend"}]', good.as_of)
    published = [store.publish(d.name, d.body, d.as_of) for d in (good, bad)]
    for verdict in (check_published(published, store), check_documents([good, bad])):
        assert not verdict.passed
        assert "1 of 2 documents" in verdict.message
        assert "statistics/statistics_a_weekly.json: 0.statistic: Field required" in verdict.message
    assert check_documents([good]).passed
    (tmp_path / good.name).unlink()
    assert "it is not there" in check_published(published[:1], store).message
