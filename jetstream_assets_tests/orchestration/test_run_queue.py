"""The repository's instance has the queue that knows experiments, and its limit."""

from __future__ import annotations

import shutil
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from dagster import DagsterInstance

from jetstream_assets.orchestration import run_tags
from jetstream_assets.orchestration.partitions import Cell
from jetstream_assets.orchestration.run_queue import ExperimentRunCoordinator, experiment_of

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]
FIRST, LAST = Cell("a-slug", date(2026, 1, 1)), Cell("a-slug", date(2026, 1, 9))
OTHER = Cell("b-slug", date(2026, 1, 9))


@pytest.fixture
def instance(tmp_path: Path) -> Iterator[DagsterInstance]:
    shutil.copy(ROOT / "dagster.yaml", tmp_path)
    with DagsterInstance.from_config(str(tmp_path)) as found:
        yield found


def test_at_most_one_run_of_an_experiment_is_started(instance: DagsterInstance) -> None:
    assert isinstance(instance.run_coordinator, ExperimentRunCoordinator)
    limits = instance.get_concurrency_config().run_queue_config
    assert limits is not None
    assert limits.tag_concurrency_limits == [
        {"key": run_tags.EXPERIMENT, "value": {"applyLimitPerUniqueValue": True}, "limit": 1}
    ]


@pytest.mark.parametrize(
    ("tags", "slug"),
    [
        ({"dagster/partition/experiment": "a-slug"}, "a-slug"),
        ({run_tags.RANGE_START: str(FIRST.key), run_tags.RANGE_END: str(LAST.key)}, "a-slug"),
        ({run_tags.RANGE_START: str(FIRST.key), run_tags.RANGE_END: str(OTHER.key)}, ""),
        ({}, ""),
    ],
)
def test_a_run_is_of_the_experiment_that_its_tags_name(tags: dict[str, str], slug: str) -> None:
    assert experiment_of(tags) == slug
