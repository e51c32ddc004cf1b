"""Which failed runs Dagster's daemon tries again, on the repository's instance."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from dagster._core.storage.tags import MAX_RETRIES_TAG, WILL_RETRY_TAG

from jetstream_assets.definitions import build_definitions
from jetstream_assets.errors import (
    ConfigError,
    ExperimentError,
    JetstreamError,
    QueryError,
    UnreachableConfigError,
    UnreachableExperimentsError,
    WarehouseError,
)
from jetstream_assets.orchestration.attempts import needs_a_person, retry_only_what_may_pass
from jetstream_assets.orchestration.settings import Settings
from jetstream_assets_tests.orchestration.laboratory import FIRST_WEEK

if TYPE_CHECKING:
    from dagster import DagsterInstance, DagsterRun

    from jetstream_assets_tests.orchestration.laboratory import Laboratory

ROOT = Path(__file__).parents[2]


def failed_run(laboratory: Laboratory, instance: DagsterInstance) -> DagsterRun:
    (outcome,) = laboratory.run(FIRST_WEEK, instance=instance)
    assert not outcome.succeeded
    run = instance.get_run_by_id(outcome.run_id)
    assert run is not None
    return run


def test_what_a_person_has_to_mend_is_not_tried_again(
    laboratory: Laboratory, home: DagsterInstance
) -> None:
    (laboratory.root / "experiments.json").write_text("this is not JSON")
    run = failed_run(laboratory, home)
    assert run.tags[MAX_RETRIES_TAG] == "0"
    assert run.tags[WILL_RETRY_TAG] == "false"


def test_what_may_pass_is_tried_again(laboratory: Laboratory, home: DagsterInstance) -> None:
    blocked = laboratory.root / "output" / "statistics"
    blocked.parent.mkdir()
    blocked.write_text("a file where the exports need a folder")
    run = failed_run(laboratory, home)
    assert MAX_RETRIES_TAG not in run.tags
    assert run.tags[WILL_RETRY_TAG] == "true"


@pytest.mark.parametrize(
    ("error", "needs"),
    [
        (ConfigError("a.toml", "key", "is wrong"), True),
        (ExperimentError("is wrong"), True),
        (QueryError("no such column"), True),
        (JetstreamError("is wrong"), True),
        (UnreachableConfigError("host", "", "silent"), False),
        (UnreachableExperimentsError("silent"), False),
        (WarehouseError("busy"), False),
        (MemoryError(), False),
        (None, False),
    ],
)
def test_a_person_is_needed_for_what_does_not_pass(
    error: BaseException | None, *, needs: bool
) -> None:
    assert needs_a_person(error) is needs
    wrapped = RuntimeError("a step failed")
    wrapped.__cause__ = error
    assert needs_a_person(wrapped) is needs


def test_every_step_has_the_hook() -> None:
    job = build_definitions(Settings()).resolve_job_def("analysis")
    steps = list(job.graph.iterate_node_handles())
    assert len(steps) > 9
    for handle in steps:
        assert retry_only_what_may_pass in job.get_all_hooks_for_handle(handle), handle
