from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from dagster import AssetCheckEvaluation, AssetCheckSeverity, DagsterEventType, DagsterInstance
from pydantic import ValidationError
from sqlglot import exp, parse_one

from jetstream_assets.analysis.checks import judge
from jetstream_assets.analysis.result_status import compute_result_status, store_run_failure
from jetstream_assets.analysis.slices import cell_slice, enrollment_slice
from jetstream_assets.experiments.checks import Check, Limits
from jetstream_assets.experiments.failures import Refusal, RefusalKind
from jetstream_assets.experiments.plan import AnalysisPlan
from jetstream_assets.orchestration import run_tags
from jetstream_assets.orchestration.checks import check_results
from jetstream_assets.orchestration.launch import open_instance
from jetstream_assets.orchestration.resources import ChecksResource
from jetstream_assets.orchestration.settings import Executor, Settings
from jetstream_assets.report.publish import publish_errors
from jetstream_assets.warehouse.base import Provenance
from jetstream_assets.warehouse.tables import ResultTable
from jetstream_assets_tests.orchestration.laboratory import (
    DEFINITIONS,
    EXPERIMENT,
    FIRST_WEEK,
    Laboratory,
)
from jetstream_assets_tests.report.consumer import AnalysisErrors

if TYPE_CHECKING:
    from jetstream_assets.experiments.checks import Verdict
    from jetstream_assets.warehouse.tables import Slice
    from jetstream_assets_tests.orchestration.conftest import FirstRun

NEXT = FIRST_WEEK + timedelta(days=1)


def _evaluations(instance: DagsterInstance, run_id: str) -> dict[str, AssetCheckEvaluation]:
    """The checks of a run's results; that of the configuration is not of a cell."""
    found = {}
    for entry in instance.all_logs(run_id, of_type=DagsterEventType.ASSET_CHECK_EVALUATION):
        assert entry.dagster_event is not None
        evaluation = entry.dagster_event.asset_check_evaluation_data
        assert evaluation.check_name not in found
        if evaluation.check_name in list(Check):
            found[evaluation.check_name] = evaluation
    return found


def _verdict(laboratory: Laboratory, check: Check) -> Verdict:
    plan = laboratory.plan(FIRST_WEEK)
    (judged,) = judge([plan], laboratory.tables, [check], Limits())
    return judged.verdict


def _rewrite(laboratory: Laboratory, target: Slice, sql: str) -> None:
    """Replace a slice by a query over ``former``, what it was before."""
    query = parse_one(sql, dialect="bigquery")
    for table in query.find_all(exp.Table):
        if table.name == "former":
            table.replace(exp.alias_(target.reference, "former", table=True))
    stored = laboratory.tables.provenance(target)
    assert stored is not None
    laboratory.tables.replace(target, query, Provenance(stored.fingerprint, "", ""))


def test_a_run_over_several_dates_records_every_check_on_its_asset(first_run: FirstRun) -> None:
    found = _evaluations(first_run.instance, first_run.run_id)
    assert {name: e.asset_key.to_user_string() for name, e in found.items()} == {
        check.value: check.asset for check in Check
    }
    assert {name for name, e in found.items() if not e.passed} == {"units_in_several_branches"}
    graves = {name for name, e in found.items() if e.severity is AssetCheckSeverity.ERROR}
    assert graves == {check.value for check in Check if check.is_invariant}
    judged = f"{EXPERIMENT.slug} on {FIRST_WEEK}, the last of 2 cells that has something due"
    assert {e.metadata["judged"].value for e in found.values()} == {judged}
    ratio = found["sample_ratio"]
    kept = first_run.laboratory.rows("enrollments", "NOT is_excluded")
    assert ratio.metadata["units"].value == len(kept)
    assert "| segment seen\\_before |" in str(ratio.metadata["details"].value)
    assert f"| day {EXPERIMENT.start_date} |" in str(ratio.metadata["details"].value)
    several = found["units_in_several_branches"]
    excluded = first_run.laboratory.rows("enrollments", "is_excluded")
    assert several.metadata["excluded"].value == len(excluded)
    assert several.metadata["blocks_export"].value is False
    assert found["sources_join"].metadata["sources"].value == 1
    assert found["preenrollment_balance"].metadata["metrics_tested"].value == 2
    assert found["documents_match_their_schema"].metadata["documents"].value == 5


def test_a_cell_with_nothing_due_passes_with_a_note(
    laboratory: Laboratory, instance: DagsterInstance
) -> None:
    (run,) = laboratory.run(EXPERIMENT.start_date - timedelta(days=1), instance=instance)
    assert run.succeeded, run.errors
    found = _evaluations(instance, run.run_id)
    assert all(evaluation.passed for evaluation in found.values())
    assert "Nothing is due" in str(found["sample_ratio"].description)
    assert len(found) == len(Check)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::ResourceWarning")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_blocking_check_that_fails_stops_the_export_under_dask_and_says_why(
    computed: Laboratory, tmp_path: Path
) -> None:
    output = Path(computed.settings.output) / "statistics"
    before = {path.name: path.read_bytes() for path in output.iterdir()}
    blocking = "one_row_per_unit, units_in_several_branches"
    settings = computed.settings.model_copy(
        update={"executor": Executor.DASK, "workers": 1, "blocking_checks": blocking}
    )
    with open_instance(tmp_path / "home") as instance:
        (run,) = computed.run(NEXT, settings=settings, instance=instance)
        assert not run.succeeded
        (error,) = run.errors
        assert error.startswith("statistics_export: Nothing was exported")
        assert "small-experiment: units_in_several_branches: " in error
        assert "one_row_per_unit" not in error
        found = _evaluations(instance, run.run_id)
        assert set(found) == set(Check) - {Check.DOCUMENTS_MATCH_THEIR_SCHEMA}
        several = found["units_in_several_branches"]
        assert several.severity is AssetCheckSeverity.ERROR
        assert several.metadata["blocks_export"].value is True
        stored = instance.get_run_by_id(run.run_id)
        assert stored is not None
        # Trying again would end in the same way.
        assert stored.tags[run_tags.RETRIED] == "false"
    assert {path.name: path.read_bytes() for path in output.iterdir()} == before
    assert computed.rows("statistics", f"date = '{NEXT}'")
    assert computed.rows("result_status", f"date = '{NEXT}' AND status = 'ok'")


def test_a_setting_that_names_no_check_is_refused_with_those_that_there_are() -> None:
    with pytest.raises(ValidationError, match=r"no check 'srm'.*sample_ratio.*one_row_per_unit"):
        Settings(blocking_checks="one_row_per_unit,srm")
    named = Settings(blocking_checks=" sample_ratio ,sources_join,")
    assert named.blocking == (Check.SAMPLE_RATIO, Check.SOURCES_JOIN)


def test_sources_that_lack_a_day_or_join_no_unit_are_named(
    laboratory: Laboratory, instance: DagsterInstance
) -> None:
    """The ids of one source are written in another way; the newest day of its table is late."""
    other = "(SELECT * REPLACE (CONCAT('x', client_id) AS client_id) FROM telemetry.clients_daily)"
    definitions = laboratory.root / "configuration/definitions/firefox_desktop.toml"
    definitions.write_text(
        DEFINITIONS.replace(
            'from_expression = "telemetry.clients_daily"', f'from_expression = "{other}"', 1
        )
    )
    days_of = laboratory.root / "warehouse/telemetry/clients_daily"
    late = [path for path in days_of.rglob("*.parquet") if FIRST_WEEK.isoformat() in str(path)]
    assert len(late) == 1
    late[0].unlink()
    (run,) = laboratory.run(FIRST_WEEK, instance=instance)
    assert run.succeeded, run.errors
    found = _evaluations(instance, run.run_id)
    assert not found["sources_join"].passed
    assert "No row of clients_daily is of an enrolled unit" in str(
        found["sources_join"].description
    )
    fresh = found["sources_are_fresh"]
    assert not fresh.passed
    assert "clients_daily: 1 days" in str(fresh.description)
    assert f"| {FIRST_WEEK} |" in str(fresh.metadata["details"].value)


def test_a_second_row_of_a_unit_is_found(computed: Laboratory) -> None:
    plan = computed.plan(FIRST_WEEK)
    assert _verdict(computed, Check.ONE_ROW_PER_UNIT).passed
    assert _verdict(computed, Check.METRICS_ONE_ROW_PER_UNIT).passed
    twice = "SELECT * FROM former UNION ALL (SELECT * FROM former LIMIT 2)"
    _rewrite(computed, enrollment_slice(plan, ResultTable.ENROLLMENTS), twice)
    _rewrite(computed, cell_slice(plan, ResultTable.METRICS), twice)
    enrollments = _verdict(computed, Check.ONE_ROW_PER_UNIT)
    assert not enrollments.passed
    assert enrollments.facts["rows"] == int(enrollments.facts["units"]) + 2
    metrics = _verdict(computed, Check.METRICS_ONE_ROW_PER_UNIT)
    assert not metrics.passed
    assert metrics.facts["repeated"] == 2


def test_a_check_that_cannot_ask_says_so_and_ends_no_run(computed: Laboratory) -> None:
    target = enrollment_slice(computed.plan(FIRST_WEEK), ResultTable.ENROLLMENTS)
    _rewrite(computed, target, "SELECT * EXCEPT (num_branches) FROM former")
    verdict = _verdict(computed, Check.UNITS_IN_SEVERAL_BRANCHES)
    assert not verdict.passed
    assert verdict.message.startswith("It could not be judged: ")
    assert "num_branches" in verdict.message


def test_branches_that_differ_before_enrollment_are_found(computed: Laboratory) -> None:
    assert _verdict(computed, Check.PREENROLLMENT_BALANCE).passed
    target = enrollment_slice(computed.plan(FIRST_WEEK), ResultTable.PREENROLLMENT_METRICS)
    moved = "SELECT * REPLACE (active_hours + IF(branch = 'control', 3, 0) AS active_hours)"
    _rewrite(computed, target, f"{moved} FROM former")
    verdict = _verdict(computed, Check.PREENROLLMENT_BALANCE)
    assert not verdict.passed
    assert "active_hours (preenrollment_week" in verdict.message
    assert "searches" not in verdict.message


def test_failed_statistics_are_counted_with_their_reasons(computed: Laboratory) -> None:
    target = cell_slice(computed.plan(FIRST_WEEK), ResultTable.STATISTICS)
    failed = "SELECT * REPLACE ('failed' AS status, 'a fault' AS reason)"
    others = "SELECT * FROM former WHERE metric <> 'searches'"
    _rewrite(
        computed,
        target,
        f"{others} UNION ALL (({failed} FROM former WHERE metric = 'searches' LIMIT 3))",
    )
    verdict = _verdict(computed, Check.NO_FAILED_STATISTICS)
    assert not verdict.passed
    assert verdict.message == "3 rows of statistics have failed, of searches."
    assert verdict.listing is not None
    assert verdict.listing.rows[0][:2] == ("a fault", "searches")


def test_a_dead_run_is_told_in_the_errors_document_until_a_success_clears_it(
    computed: Laboratory,
) -> None:
    plan, warehouse, store = computed.plan(FIRST_WEEK), computed.tables, computed.documents
    name = "errors/errors_small_experiment.json"
    before = store.read(name)
    assert before is not None
    store_run_failure([plan], warehouse, "the process was killed", run_id="run-9")
    publish_errors(plan, warehouse, store)
    body = store.read(name)
    assert body is not None
    (stale,) = AnalysisErrors.model_validate_json(body).root
    assert stale.func_name == "run"
    assert stale.exception_type == "RunFailureException"
    assert stale.message.startswith("the process was killed (")
    assert "are stale; run run-9)" in stale.message
    compute_result_status(plan, warehouse, "run-10")
    publish_errors(plan, warehouse, store)
    assert store.read(name) == before


def test_a_run_of_several_experiments_has_one_result_a_check_that_names_them(
    computed: Laboratory,
) -> None:
    refusal = Refusal(RefusalKind.ROLLOUT, "It is a rollout.")
    plans = [computed.plan(FIRST_WEEK), AnalysisPlan("another", FIRST_WEEK, refusal=refusal)]
    quality = ChecksResource(blocking=["sample_ratio"], p_value=0.001, several_branches=0.01)
    results = {
        r.check_name: r for r in check_results("enrollments", plans, computed.tables, quality)
    }
    assert len(results) == 3
    several, ratio = results["units_in_several_branches"], results["sample_ratio"]
    assert not several.passed
    assert str(several.description).startswith(f"{EXPERIMENT.slug}: ")
    assert "another: It is a rollout." in str(ratio.description)
    assert ratio.severity is AssetCheckSeverity.ERROR
