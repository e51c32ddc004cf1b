from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from dagster import ReexecutionOptions, execute_job
from dagster._core.execution.stats import StepEventStatus

from jetstream_assets.orchestration.jobs import reconstructable_analysis
from jetstream_assets.orchestration.launch import open_instance
from jetstream_assets.orchestration.settings import Executor
from jetstream_assets_tests.orchestration.laboratory import FIRST_WEEK, MANY_METRICS, days

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
    laboratory.configure(MANY_METRICS)
    dates = days(FIRST_WEEK - timedelta(days=1), FIRST_WEEK)
    settings = laboratory.settings.model_copy(
        update={"executor": Executor.DASK, "shards": 4, "workers": 2}
    )
    with open_instance(tmp_path / "home") as instance:
        (run,) = laboratory.run(*dates, settings=settings, instance=instance)
        assert run.succeeded, run.errors
        told = [entry.user_message for entry in instance.all_logs(run.run_id)]
        assert "Dask worker processes: 2, by the setting `workers`." in told
    alone = world.copy(tmp_path / "alone")
    alone.configure(MANY_METRICS)
    assert all(run.succeeded for run in alone.run(*dates))
    for table in ("enrollments", "metrics", "statistics"):
        assert laboratory.files(table) == alone.files(table)


def test_after_a_step_that_failed_nothing_runs_and_later_only_what_failed(
    laboratory: Laboratory, tmp_path: Path
) -> None:
    settings = laboratory.settings.model_copy(update={"executor": Executor.DASK, "workers": 1})
    blocked = laboratory.root / "output" / "statistics"
    blocked.parent.mkdir()
    blocked.write_text("a file where the exports need a folder")
    with open_instance(tmp_path / "home") as instance:
        (first,) = laboratory.run(FIRST_WEEK, settings=settings, instance=instance)
        assert not first.succeeded
        blocked.unlink()
        failed = instance.get_run_by_id(first.run_id)
        assert failed is not None
        with execute_job(
            reconstructable_analysis(settings),
            instance,
            tags=dict(failed.tags),
            reexecution_options=ReexecutionOptions.from_failure(first.run_id, instance),
        ) as second:
            assert second.success
            started = {event.step_key for event in second.all_events if event.is_step_start}
        assert started == {"statistics_export", "results_page"}
        assert (blocked / "statistics_small_experiment_weekly.json").exists()

        # The plans of the first run are still there to be read.
        (laboratory.root / "experiments.json").write_text("this is not JSON")
        (third,) = laboratory.run(FIRST_WEEK, settings=settings, instance=instance)
        assert not third.succeeded
        assert "experiments.json" in " ".join(third.errors)
        steps = {s.step_key: s.status for s in instance.get_run_step_stats(third.run_id)}
        assert steps == {"analysis_plan": StepEventStatus.FAILURE}
        told = [entry.message for entry in instance.all_logs(third.run_id)]
        assert "statistics_export is not run: a step before it failed." in told
