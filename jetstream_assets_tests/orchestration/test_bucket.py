"""A run whose documents go to a bucket publishes what it would publish into a folder."""

from __future__ import annotations

import os
import re
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING
from unittest.mock import patch

import pytest
from dagster._core.storage.tags import MAX_RETRIES_TAG

from jetstream_assets.orchestration.partitions import Cell
from jetstream_assets.orchestration.plan_store import load_plan
from jetstream_assets.orchestration.resources import documents_resource
from jetstream_assets_tests.gcs.server import BUCKET, DENIED, UPLOAD, Fault, running_gcs, variables
from jetstream_assets_tests.orchestration.laboratory import (
    EXPERIMENT,
    FIRST_WEEK,
    Laboratory,
    days,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dagster import DagsterInstance

    from jetstream_assets_tests.gcs.server import Gcs
    from jetstream_assets_tests.orchestration.conftest import FirstRun

PREFIX = "analysis/of-ours"
# When a run began, and what ran, are the only parts of documents that differ from run to run.
STARTED = re.compile(rb'"analysis_start_time": ?"[^"]*"|"runs": \[[^]]*\]')
# A page has the other documents in it, packed, and a table of the runs: with them what differs.
PACKED = re.compile(rb'(?s)(?<=<script type="text/plain" )[^<]*|aria-label="Runs".*?</table>')
PAGE = "pages/small_experiment.html"


@pytest.fixture
def gcs() -> Iterator[Gcs]:
    with running_gcs() as gcs, patch.dict(os.environ, variables(gcs)):
        yield gcs


def test_a_bucket_gets_byte_for_byte_what_a_folder_gets(
    first_run: FirstRun, laboratory: Laboratory, gcs: Gcs
) -> None:
    dates = days(FIRST_WEEK - timedelta(days=1), FIRST_WEEK)
    settings = laboratory.settings.model_copy(update={"output": f"gs://{BUCKET}/{PREFIX}"})
    assert [run.errors for run in laboratory.run(*dates, settings=settings)] == [()]

    expected = _documents(Path(first_run.laboratory.settings.output))
    found = {name: STARTED.sub(b"", body) for name, body in gcs.objects(f"{PREFIX}/").items()}
    assert "statistics/statistics_small_experiment_weekly.json" in expected
    pages = [PACKED.sub(b"", documents.pop(PAGE)) for documents in (found, expected)]
    assert b"small-experiment: results" in pages[0]
    assert pages[0] == pages[1]
    assert found == expected
    assert not Path(laboratory.settings.output).exists()
    plan = load_plan(documents_resource(settings).open(), Cell(EXPERIMENT.slug, FIRST_WEEK))
    assert plan.date == FIRST_WEEK


def test_a_bucket_that_refuses_fails_the_run_with_its_sentence_once(
    laboratory: Laboratory, gcs: Gcs, instance: DagsterInstance
) -> None:
    settings = laboratory.settings.model_copy(update={"output": f"gs://{BUCKET}"})
    gcs.faults.append(Fault(UPLOAD, status=403, message=DENIED, times=99))
    (run,) = laboratory.run(FIRST_WEEK, settings=settings, instance=instance)
    assert not run.succeeded
    (told,) = run.errors
    assert "roles/storage.objectUser" in told
    assert gcs.objects() == {}
    (record,) = instance.get_run_records()
    assert record.dagster_run.tags[MAX_RETRIES_TAG] == "0"


def test_a_bucket_in_trouble_fails_the_run_so_that_it_is_tried_again(
    laboratory: Laboratory,
    gcs: Gcs,
    instance: DagsterInstance,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("jetstream_assets.report.gcs_store._LONGEST_PAUSE", 0.001)
    settings = laboratory.settings.model_copy(update={"output": f"gs://{BUCKET}"})
    gcs.faults.append(Fault(UPLOAD, status=412, times=99))
    (run,) = laboratory.run(FIRST_WEEK, settings=settings, instance=instance)
    assert not run.succeeded
    assert "another writer was first" in run.errors[0]
    (record,) = instance.get_run_records()
    assert MAX_RETRIES_TAG not in record.dagster_run.tags


def _documents(folder: Path) -> dict[str, bytes]:
    """The bodies of all documents that are in sight."""
    files = {path.relative_to(folder).as_posix(): path for path in sorted(folder.rglob("*"))}
    return {
        name: STARTED.sub(b"", path.read_bytes())
        for name, path in files.items()
        if path.is_file() and not name.startswith(".")
    }
