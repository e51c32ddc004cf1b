from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from dagster import AssetKey, AssetRecordsFilter

from jetstream_assets.orchestration.partitions import Cell
from jetstream_assets_tests.orchestration.laboratory import EXPERIMENT, FIRST_WEEK, Laboratory

if TYPE_CHECKING:
    from dagster import DagsterInstance

ASSETS = ("enrollments", "daily_aggregates", "metrics", "statistics", "result_status")


def _metadata(instance: DagsterInstance, asset: str) -> dict[str, object]:
    key = Cell(EXPERIMENT.slug, FIRST_WEEK).key
    wanted = AssetRecordsFilter(asset_key=AssetKey(asset), asset_partitions=[key])
    (record,) = instance.fetch_materializations(wanted, limit=1).records
    assert record.asset_materialization is not None
    return {name: v.value for name, v in record.asset_materialization.metadata.items()}


def test_what_queries_cost_is_told_and_stored_run_by_run(
    laboratory: Laboratory, instance: DagsterInstance
) -> None:
    (first,) = laboratory.run(FIRST_WEEK, instance=instance)
    assert first.succeeded, first.errors
    stored = laboratory.rows("query_costs")
    commits = {row["config_commit"] for row in laboratory.rows("query_costs")}
    assert len(commits) == 1
    for asset in ASSETS:
        told, mine = _metadata(instance, asset), [row for row in stored if row["asset"] == asset]
        assert told["cost_queries"] == len(mine) > 0, asset
        assert told["cost_bytes_read"] == sum(row["bytes_read"] for row in mine)
        slots = sum(row["slot_seconds"] for row in mine)
        assert told["cost_slot_seconds"] == pytest.approx(slots, abs=0.001)
        assert "| period | queries | bytes read" in str(told["cost_by_period"])
    (second,) = laboratory.run(FIRST_WEEK, instance=instance)
    assert second.succeeded, second.errors
    both = laboratory.rows("query_costs")
    assert {row["run_id"] for row in both} == {first.run_id, second.run_id}
    again = [row for row in both if row["run_id"] == second.run_id]
    assert len(both) == len(stored) + len(again)
    # What is found stored is not computed again.
    assert {row["asset"] for row in again if row["kind"] == "store"} == set()


def test_a_step_that_fails_tells_what_it_cost(laboratory: Laboratory) -> None:
    strict = {"blocking_checks": "sample_ratio", "check_p_value": 0.9999}
    (run,) = laboratory.run(FIRST_WEEK, settings=laboratory.settings.model_copy(update=strict))
    assert not run.succeeded
    assets = {row["asset"] for row in laboratory.rows("query_costs")}
    assert "statistics_export" in assets
