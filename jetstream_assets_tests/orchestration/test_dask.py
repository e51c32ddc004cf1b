from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from jetstream_assets.orchestration.launch import open_instance
from jetstream_assets.orchestration.settings import Executor
from jetstream_assets_tests.orchestration.laboratory import FIRST_WEEK, LAST_ENROLLMENT, days

if TYPE_CHECKING:
    from pathlib import Path

    from jetstream_assets_tests.orchestration.laboratory import Laboratory

# Dask's processes and event loops end in their own time; what is left open then is not ours.
pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


def test_dask_gives_the_bytes_that_one_process_gives(
    laboratory: Laboratory, world: Laboratory, tmp_path: Path
) -> None:
    dates = days(LAST_ENROLLMENT, FIRST_WEEK)
    settings = laboratory.settings.model_copy(
        update={"executor": Executor.DASK, "shards": 4, "workers": 2}
    )
    with open_instance(tmp_path / "home") as instance:
        (run,) = laboratory.run(*dates, settings=settings, instance=instance)
        assert run.succeeded, run.errors
    alone = world.copy(tmp_path / "alone")
    assert all(run.succeeded for run in alone.run(*dates))
    for table in ("enrollments", "preenrollment_metrics", "metrics", "statistics"):
        assert laboratory.files(table) == alone.files(table)


def test_a_step_that_fails_under_dask_fails_the_run(laboratory: Laboratory, tmp_path: Path) -> None:
    settings = laboratory.settings.model_copy(update={"executor": Executor.DASK, "workers": 1})
    laboratory.record()
    (laboratory.root / "experiments.json").write_text("this is not JSON")
    with open_instance(tmp_path / "home") as instance:
        (run,) = laboratory.run(FIRST_WEEK, settings=settings, instance=instance)
    assert not run.succeeded
    assert "experiments.json" in " ".join(run.errors)
