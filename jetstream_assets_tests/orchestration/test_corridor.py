from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING

import pytest
from dagster import AssetKey, AssetRecordsFilter, DagsterInstance

from jetstream_assets.orchestration.partitions import Cell
from jetstream_assets.simulation.demo import experimenter_record
from jetstream_assets_tests.orchestration.laboratory import (
    END,
    EXPERIMENT,
    FIRST_WEEK,
    LAST_ENROLLMENT,
    MANY_METRICS,
    Laboratory,
    days,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

ASSETS = (
    "analysis_plan",
    "enrollments",
    "daily_aggregates",
    "metrics",
    "statistics",
    "result_status",
    "statistics_export",
    "results_page",
)
TABLES = ("enrollments", "preenrollment_metrics", "metrics", "statistics")


def _metadata(instance: DagsterInstance, asset: str, on: date) -> Mapping[str, object]:
    """The metadata of the newest materialization of one cell."""
    key = Cell(EXPERIMENT.slug, on).key
    wanted = AssetRecordsFilter(asset_key=AssetKey(asset), asset_partitions=[key])
    (record,) = instance.fetch_materializations(wanted, limit=1).records
    assert record.asset_materialization is not None
    return {name: v.value for name, v in record.asset_materialization.metadata.items()}


def test_a_cell_is_materialized_from_plan_to_export(
    laboratory: Laboratory, instance: DagsterInstance
) -> None:
    (run,) = laboratory.run(FIRST_WEEK, instance=instance)
    assert run.succeeded, run.errors
    plan = _metadata(instance, "analysis_plan", FIRST_WEEK)
    assert f"**{EXPERIMENT.slug}** on {FIRST_WEEK}" in str(plan["plan"])
    assert plan["windows"] == 2
    metrics = _metadata(instance, "metrics", FIRST_WEEK)
    assert {"rows", "bytes_read", "seconds", "sql", "failures"} <= metrics.keys()
    assert "SELECT" in str(metrics["sql"])
    statistics = _metadata(instance, "statistics", FIRST_WEEK)
    assert statistics["rows"] == len(laboratory.rows("statistics"))
    assert {"queries", "seconds", "bytes_read", "rows_ok"} <= statistics.keys()
    assert "SELECT" in str(statistics["sql"])
    shown = _metadata(instance, "results_page", FIRST_WEEK)
    assert str(shown["page"]).endswith("output/pages/small_experiment.html")
    assert "weekly 1, against control" in str(shown["results"])
    assert "| searches | other | treatment |" in str(shown["results"])
    assert "](data:image/svg+xml;base64," in str(shown["results"])
    assert (laboratory.root / "output/statistics/statistics_small_experiment_weekly.json").exists()
    for asset in ASSETS:
        assert _metadata(instance, asset, FIRST_WEEK)


def test_a_cell_with_nothing_due_is_green_and_says_so(
    laboratory: Laboratory, instance: DagsterInstance
) -> None:
    on = EXPERIMENT.start_date - timedelta(days=1)
    (run,) = laboratory.run(on, instance=instance)
    assert run.succeeded, run.errors
    for asset in ("analysis_plan", "enrollments", "daily_aggregates", "metrics", "statistics"):
        assert f"Nothing is due on {on}" in str(_metadata(instance, asset, on)["note"])
    assert not laboratory.files("statistics")


def test_a_refused_cell_is_green_and_says_so(
    laboratory: Laboratory, instance: DagsterInstance
) -> None:
    laboratory.record(experimenter_record(EXPERIMENT, is_rollout=True))
    (run,) = laboratory.run(FIRST_WEEK, instance=instance)
    assert run.succeeded, run.errors
    for asset in ("analysis_plan", "enrollments", "daily_aggregates", "metrics", "statistics"):
        assert "is a rollout" in str(_metadata(instance, asset, FIRST_WEEK)["note"])
    assert not laboratory.files("statistics")


def test_a_run_over_many_dates_is_one_run_with_a_materialization_each(
    laboratory: Laboratory, instance: DagsterInstance
) -> None:
    dates = days(LAST_ENROLLMENT, FIRST_WEEK)
    (run,) = laboratory.run(*dates, instance=instance)
    assert run.succeeded, run.errors
    for asset in ASSETS:
        keys = instance.get_materialized_partitions(AssetKey(asset))
        assert keys == {str(Cell(EXPERIMENT.slug, on).key) for on in dates}


def test_whatever_order_the_cells_run_in_the_results_are_the_same(
    laboratory: Laboratory, world: Laboratory, tmp_path_factory: pytest.TempPathFactory
) -> None:
    dates = [LAST_ENROLLMENT, FIRST_WEEK, END]
    backwards = world.copy(tmp_path_factory.mktemp("backwards") / "laboratory")
    for on in dates:
        assert all(run.succeeded for run in laboratory.run(on))
    for on in reversed(dates):
        assert all(run.succeeded for run in backwards.run(on))
    for table in TABLES:
        assert laboratory.files(table) == backwards.files(table)
        assert laboratory.files(table)


def test_one_backfill_gives_what_single_cells_give(
    laboratory: Laboratory, world: Laboratory, tmp_path_factory: pytest.TempPathFactory
) -> None:
    dates = days(FIRST_WEEK - timedelta(days=1), FIRST_WEEK)
    together = world.copy(tmp_path_factory.mktemp("together") / "laboratory")
    assert all(run.succeeded for run in together.run(*dates))
    for on in dates:
        assert all(run.succeeded for run in laboratory.run(on))
    for table in TABLES:
        assert laboratory.files(table) == together.files(table)


def test_running_a_cell_again_gives_the_same_bytes(laboratory: Laboratory) -> None:
    assert all(run.succeeded for run in laboratory.run(FIRST_WEEK))
    before = {table: laboratory.files(table) for table in TABLES}
    assert all(run.succeeded for run in laboratory.run(FIRST_WEEK))
    assert {table: laboratory.files(table) for table in TABLES} == before


@pytest.mark.parametrize("shards", [1, 5])
def test_the_number_of_shards_changes_no_byte(
    laboratory: Laboratory, world: Laboratory, tmp_path_factory: pytest.TempPathFactory, shards: int
) -> None:
    laboratory.configure(MANY_METRICS)
    other = world.copy(tmp_path_factory.mktemp("other") / "laboratory")
    other.configure(MANY_METRICS)
    assert all(run.succeeded for run in laboratory.run(FIRST_WEEK))
    settings = other.settings.model_copy(update={"shards": shards})
    assert all(run.succeeded for run in other.run(FIRST_WEEK, settings=settings))
    assert laboratory.files("statistics") == other.files("statistics")


def test_the_first_daily_window_is_adjusted_by_the_covariate(laboratory: Laboratory) -> None:
    assert all(run.succeeded for run in laboratory.run(LAST_ENROLLMENT))
    rows = laboratory.rows("statistics", "period = 'day' AND statistic = 'mean_lm'")
    adjusted = {row["covariate"] for row in rows if row["comparison"]}
    assert adjusted == {"preenrollment_week.searches"}


def test_units_in_several_branches_are_left_out_and_counted(laboratory: Laboratory) -> None:
    assert all(run.succeeded for run in laboratory.run(LAST_ENROLLMENT))
    kept = laboratory.rows("enrollments", "NOT is_excluded")
    assert laboratory.rows("enrollments", "is_excluded AND num_branches = 2")
    counts = laboratory.rows(
        "statistics",
        "metric = 'identity' AND segment = 'all' AND period = 'day' "
        "AND analysis_basis = 'enrollments'",
    )
    assert sum(row["point"] for row in counts) == len(kept)


def test_keeping_the_first_branch_keeps_every_unit(laboratory: Laboratory) -> None:
    laboratory.amend("[experiment]", '[experiment]\nseveral_branches = "keep_first"')
    assert all(run.succeeded for run in laboratory.run(LAST_ENROLLMENT))
    assert laboratory.rows("enrollments", "num_branches = 2")
    assert not laboratory.rows("enrollments", "is_excluded")


def test_a_changed_segment_computes_the_enrollments_again(laboratory: Laboratory) -> None:
    assert all(run.succeeded for run in laboratory.run(FIRST_WEEK))
    before = laboratory.files("enrollments")
    laboratory.amend('segments = ["seen_before"]', "segments = []")
    assert all(run.succeeded for run in laboratory.run(FIRST_WEEK))
    assert laboratory.files("enrollments") != before
    assert {row["segment"] for row in laboratory.rows("statistics")} == {"all"}


def test_a_private_experiment_stays_in_its_own_dataset(laboratory: Laboratory) -> None:
    private = '[experiment]\nis_private = true\ndataset_id = "secret"'
    laboratory.amend("[experiment]", private)
    assert all(run.succeeded for run in laboratory.run(FIRST_WEEK))
    tables = {path.name for path in (laboratory.root / "warehouse/secret").iterdir()}
    assert tables >= {"enrollments", "metrics", "preenrollment_metrics", "statistics"}
    assert not laboratory.results.exists()
    assert not (laboratory.root / "output/statistics").exists()
    assert not (laboratory.root / "output/metadata").exists()
    assert not (laboratory.root / "output/errors").exists()
