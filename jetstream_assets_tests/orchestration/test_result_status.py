from __future__ import annotations

from collections import Counter
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

from dagster import AssetKey, AssetRecordsFilter

from jetstream_assets.analysis.result_status import (
    compute_result_status,
    mark_stale,
    store_run_failure,
)
from jetstream_assets.experiments.plan import AnalysisPlan, make_plan
from jetstream_assets.orchestration.partitions import Cell
from jetstream_assets.simulation.demo import experimenter_record
from jetstream_assets_tests.orchestration.laboratory import (
    CONFIGURATION,
    END,
    EXPERIMENT,
    FIRST_WEEK,
    LAST_ENROLLMENT,
    Laboratory,
)

if TYPE_CHECKING:
    from jetstream_assets_tests.orchestration.conftest import FirstRun

KEY = ("period", "window_index", "analysis_basis", "segment", "metric", "statistic")


def _statuses(laboratory: Laboratory, on: date) -> list[dict[str, Any]]:
    rows = laboratory.rows("result_status", f"date = '{on}'")
    keys = [tuple(row[name] for name in KEY) for row in rows]
    assert len(set(keys)) == len(keys)
    assert all((row["reason"] is None) == (row["status"] == "ok") for row in rows)
    assert all(row["run_id"] for row in rows)
    return rows


def _without_run(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [row | {"run_id": ""} for row in rows]


def _counts(rows: list[dict[str, Any]]) -> dict[tuple[str, str], int]:
    return dict(Counter((row["period"], row["status"]) for row in rows))


def test_every_declared_result_of_a_cell_has_a_status(
    first_run: FirstRun,
) -> None:
    laboratory, run_id, instance = first_run.laboratory, first_run.run_id, first_run.instance
    rows = _statuses(laboratory, FIRST_WEEK)
    # Two bases and two segments; of a covariate there is an unadjusted output beside the adjusted.
    day, week = 4 * 5, 4 * 7
    found = _counts(rows)
    assert sum(found[key] for key in found if key[0] == "day") == day
    assert sum(found[key] for key in found if key[0] == "week") == week
    # What is not due is declared by one name for each statistic.
    assert found["overall", "not_due"] == 4 * 5
    assert found["preenrollment_week", "not_due"] == 4 * 2
    assert {r["due_on"] for r in rows if r["period"] == "overall"} == {END}
    assert {r["window_index"] for r in rows if r["period"] == "day"} == {7}
    assert {r["run_id"] for r in rows} == {run_id}
    key = Cell(EXPERIMENT.slug, FIRST_WEEK).key
    wanted = AssetRecordsFilter(asset_key=AssetKey("result_status"), asset_partitions=[key])
    (record,) = instance.fetch_materializations(wanted, limit=1).records
    assert record.asset_materialization is not None
    told = {name: v.value for name, v in record.asset_materialization.metadata.items()}
    assert told["results_not_due"] == 4 * 7
    assert "| not\\_due |" in str(told["status"])
    assert f"the next window of overall is due on {END}" in str(told["reasons"])


def test_idle_provisional_and_refused_cells_have_a_status_for_every_result(
    laboratory: Laboratory,
) -> None:
    before, enrolling = EXPERIMENT.start_date - timedelta(days=1), EXPERIMENT.start_date
    assert all(run.succeeded for run in laboratory.run(before, enrolling))
    idle = _statuses(laboratory, before)
    assert {(r["period"], r["due_on"]) for r in idle if r["status"] == "not_due"} == {
        ("day", LAST_ENROLLMENT),
        ("week", FIRST_WEEK),
        ("overall", END),
        ("preenrollment_week", LAST_ENROLLMENT),
    }
    assert len(idle) == 4 * (4 + 5 + 5 + 2)
    rows = [row for row in _statuses(laboratory, enrolling) if row["period"] == "day"]
    by_segment = {
        segment: {r["status"] for r in rows if r["segment"] == segment and r["statistic"] == "mean"}
        for segment in ("all", "seen_before")
    }
    assert by_segment == {"all": {"provisional"}, "seen_before": {"not_due"}}
    adjusted = [r for r in rows if r["statistic"] == "mean_lm"]
    assert {(r["status"], r["due_on"]) for r in adjusted} == {("not_due", LAST_ENROLLMENT)}
    laboratory.record(experimenter_record(EXPERIMENT, is_rollout=True))
    assert all(run.succeeded for run in laboratory.run(END))
    refused = _statuses(laboratory, END)
    assert len(refused) == len(idle)
    assert {row["status"] for row in refused} == {"not_due"}
    assert all("is a rollout" in row["reason"] for row in refused)


def test_a_metric_with_a_mistake_has_failed_with_its_statement(laboratory: Laboratory) -> None:
    laboratory.configure(CONFIGURATION.replace("weekly = [", 'weekly = ["wrong", ') + _MISTAKE)
    assert all(run.succeeded for run in laboratory.run(FIRST_WEEK))
    failed = [r for r in _statuses(laboratory, FIRST_WEEK) if r["status"] == "failed"]
    assert {(r["metric"], r["period"]) for r in failed} == {("wrong", "week")}
    assert all("no_such_column" in r["reason"] and "no_such_column" in r["sql"] for r in failed)
    assert {r["exception_type"] for r in failed} == {"QueryError"}


_MISTAKE = """
[metrics.wrong]
data_source = "clients_daily"
select_expression = "SUM(no_such_column)"
[metrics.wrong.statistics.sum]
"""


def test_a_run_that_dies_leaves_stale_and_failed_results_that_a_success_clears(
    computed: Laboratory,
) -> None:
    """A cell with results, one without, and one of which no plan is known."""
    warehouse, plan = computed.tables, computed.plan(FIRST_WEEK)
    computed_before = _statuses(computed, FIRST_WEEK)
    unplanned = AnalysisPlan(EXPERIMENT.slug, END)
    plans = [plan, make_plan(plan.declared, LAST_ENROLLMENT), unplanned]
    store_run_failure(plans, warehouse, "the process was killed", run_id="run-9")
    found = _counts(_statuses(computed, FIRST_WEEK))
    assert found["week", "stale"] == 28
    assert found["overall", "not_due"] == 20
    missing = _counts(_statuses(computed, LAST_ENROLLMENT))
    assert {period for period, status in missing if status == "failed"} == {
        "day",
        "preenrollment_week",
    }
    assert {period for period, status in missing if status == "not_due"} == {"week", "overall"}
    (whole,) = _statuses(computed, END)
    assert whole["status"] == "failed"
    assert [whole[name] for name in KEY] == [None] * 6
    told = {
        (r["reason"], r["run_id"], r["exception_type"])
        for on in (FIRST_WEEK, LAST_ENROLLMENT, END)
        for r in _statuses(computed, on)
        if r["status"] in ("stale", "failed")
    }
    assert told == {("the process was killed", "run-9", "RunFailureException")}
    # Without a plan, what an earlier run has said of the cell is what should be there.
    store_run_failure(
        [AnalysisPlan(EXPERIMENT.slug, FIRST_WEEK)], warehouse, "killed again", run_id="run-10"
    )
    assert _counts(_statuses(computed, FIRST_WEEK)) == found
    compute_result_status(plan, warehouse, "run-11")
    rows = _statuses(computed, FIRST_WEEK)
    assert {row["run_id"] for row in rows} == {"run-11"}
    assert _without_run(rows) == _without_run(computed_before)
    # A run that finds the same statuses leaves them to the run that found them.
    compute_result_status(plan, warehouse, "run-12")
    assert _statuses(computed, FIRST_WEEK) == rows


def test_a_change_that_is_not_computed_marks_what_is_ok_as_stale(computed: Laboratory) -> None:
    before = _statuses(computed, FIRST_WEEK)
    counts = Counter(row["status"] for row in before)
    warehouse = computed.tables
    assert mark_stale("another", warehouse, "a reason") == ()
    assert mark_stale(EXPERIMENT.slug, warehouse, "a reason", dates=[END]) == ()
    reason = "commit 1a2b asks for no re-run"
    both = (FIRST_WEEK - timedelta(days=1), FIRST_WEEK)
    assert mark_stale(EXPERIMENT.slug, warehouse, reason) == both
    rows = _statuses(computed, FIRST_WEEK)
    after = Counter(row["status"] for row in rows)
    assert after["stale"] == counts["ok"]
    assert after["not_due"] == counts["not_due"]
    assert {r["reason"] for r in rows if r["status"] == "stale"} == {reason}
    compute_result_status(computed.plan(FIRST_WEEK), warehouse, "run-2")
    assert _without_run(_statuses(computed, FIRST_WEEK)) == _without_run(before)


def test_a_configuration_that_broke_leaves_what_was_computed_stale(computed: Laboratory) -> None:
    computed.configure("[metrics]\nweekly = [")
    assert all(run.succeeded for run in computed.run(FIRST_WEEK, FIRST_WEEK + timedelta(days=1)))
    stale = [r for r in _statuses(computed, FIRST_WEEK) if r["status"] == "stale"]
    assert {(r["exception_type"], r["period"]) for r in stale} == {
        ("ConfigurationException", "day"),
        ("ConfigurationException", "week"),
    }
    (whole,) = _statuses(computed, FIRST_WEEK + timedelta(days=1))
    assert whole["status"] == "failed"
    assert whole["metric"] is None
