"""From a commit to the runs that it asks for: they compute what changed, and nothing else."""

from __future__ import annotations

import json
import shutil
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from dagster import (
    AssetCheckSeverity,
    AssetKey,
    AssetRecordsFilter,
    DagsterInstance,
    build_sensor_context,
    execute_job,
)

from jetstream_assets.orchestration.configuration_sensor import configuration_sensor
from jetstream_assets.orchestration.jobs import reconstructable_analysis
from jetstream_assets.orchestration.partitions import EXPERIMENT as EXPERIMENTS
from jetstream_assets.orchestration.partitions import Cell
from jetstream_assets.orchestration.resources import resources
from jetstream_assets_tests.orchestration.laboratory import (
    DEFINITIONS,
    EXPERIMENT,
    FIRST_WEEK,
    Laboratory,
    days,
)

if TYPE_CHECKING:
    from dagster import JobExecutionResult, RunRequest
    from dagster._core.definitions.sensor_definition import SensorExecutionData

    from jetstream_assets.orchestration.settings import Settings

SLUG = EXPERIMENT.slug
# The day after FIRST_WEEK, so that this is the last date that is asked for.
NOW = datetime(2026, 3, 11, 9, 30, tzinfo=UTC)
DATES = days(EXPERIMENT.start_date, FIRST_WEEK)
TABLES = ("enrollment_events", "exposure_events", "daily_aggregates", "metrics", "statistics")
# One metric every day, and another at the end of a week.
CONFIGURED = """
[metrics]
daily = ["searches"]
weekly = ["active_hours", "searches"]
[metrics.active_hours.statistics.linear_model_mean]
[metrics.searches.statistics.bootstrap_mean]
"""
MISTAKE = '[experiment]\nenrollment_period = "soon"\n'


def commit(laboratory: Laboratory) -> str:
    """Commit what is in the configuration's folder."""
    folder = str(laboratory.root / "configuration")
    if not (laboratory.root / "configuration" / ".git").exists():
        subprocess.run(["git", "init", "--quiet", folder], check=True)
    git = ["git", "-C", folder, "-c", "user.name=A", "-c", "user.email=a@example.org"]
    subprocess.run([*git, "add", "--all"], check=True)
    subprocess.run([*git, "commit", "--quiet", "-m", "Change"], check=True)
    return subprocess.run(
        [*git, "rev-parse", "HEAD"], check=True, capture_output=True, text=True
    ).stdout.strip()


def look(
    settings: Settings, instance: DagsterInstance, cursor: str | None = None
) -> SensorExecutionData:
    context = build_sensor_context(instance=instance, cursor=cursor, resources=resources(settings))
    with context:
        return configuration_sensor(settings, lambda: NOW).evaluate_tick(context)


def run(settings: Settings, instance: DagsterInstance, request: RunRequest) -> JobExecutionResult:
    """What the daemon does with a request, in this process."""
    instance.add_dynamic_partitions(EXPERIMENTS, [SLUG])
    quiet = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
    with execute_job(
        reconstructable_analysis(settings),
        instance=instance,
        run_config=quiet,
        tags=dict(request.tags),
    ) as result:
        assert result.success
        return result


def scans(instance: DagsterInstance) -> list[list[str]]:
    """Source, first and last day, days and states of each scan of the newest run."""
    wanted = AssetRecordsFilter(
        asset_key=AssetKey("daily_aggregates"), asset_partitions=[Cell(SLUG, FIRST_WEEK).key]
    )
    (record,) = instance.fetch_materializations(wanted, limit=1).records
    assert record.asset_materialization is not None
    table = str(record.asset_materialization.metadata["sources"].value)
    rows = [line.strip("| \n").split(" | ") for line in table.splitlines()[2:]]
    return [[cell.replace("\\", "") for cell in row[:5]] for row in rows]


@pytest.mark.slow
def test_after_a_commit_only_the_changed_metric_is_computed_again(
    laboratory: Laboratory, instance: DagsterInstance
) -> None:
    laboratory.configure(CONFIGURED)
    commit(laboratory)
    settings = laboratory.settings
    seen = look(settings, instance)
    (first,) = laboratory.run(*DATES, instance=instance)
    assert first.succeeded, first.errors
    before = {table: laboratory.files(table) for table in TABLES}
    definitions = laboratory.root / "configuration/definitions/firefox_desktop.toml"
    definitions.write_text(DEFINITIONS.replace("SUM(active_hours_sum)", "MAX(active_hours_sum)"))
    head = commit(laboratory)
    (request,) = look(settings, instance, seen.cursor).run_requests or []

    # The run needs no repository.
    shutil.rmtree(laboratory.root / "configuration")
    run(settings, instance, request)
    found = scans(instance)
    assert found
    assert {(source, states) for source, _, _, _, states in found} == {("clients_daily", "1")}
    after = {table: laboratory.files(table) for table in TABLES}
    for table in ("enrollment_events", "exposure_events", "daily_aggregates"):
        assert after[table].items() >= before[table].items()
    assert len(after["daily_aggregates"]) > len(before["daily_aggregates"])
    # Of all dates, only the first week's end has a window with that metric.
    for table in ("metrics", "statistics"):
        changed = {path for path, body in after[table].items() if before[table][path] != body}
        assert len(before[table]) > 1
        assert {Path(path).parent.name for path in changed} == {f"date={FIRST_WEEK}"}
    (plan,) = (laboratory.root / "output/plans").glob(f"*/{FIRST_WEEK}.json")
    assert json.loads(plan.read_text())["configuration"]["commit"] == head


@pytest.mark.slow
def test_a_run_with_a_broken_file_goes_on_with_the_last_good_one_and_says_so(
    laboratory: Laboratory, instance: DagsterInstance
) -> None:
    good = commit(laboratory)
    settings = laboratory.settings
    seen = look(settings, instance)
    laboratory.configure(MISTAKE)
    commit(laboratory)
    assert not look(settings, instance, seen.cursor).run_requests
    (outcome,) = laboratory.run(FIRST_WEEK, instance=instance)
    assert outcome.succeeded, outcome.errors
    assert laboratory.rows("statistics", "status = 'ok'")
    assert not laboratory.files("plan_failures")
    (event,) = [
        record.dagster_event.asset_check_evaluation_data
        for record in instance.all_logs(outcome.run_id)
        if record.dagster_event
        and record.dagster_event.event_type_value == "ASSET_CHECK_EVALUATION"
        and record.dagster_event.asset_check_evaluation_data.check_name == "configuration_is_valid"
    ]
    assert not event.passed
    assert event.severity == AssetCheckSeverity.WARN
    sentence = f"jetstream/{SLUG}.toml: experiment.enrollment_period: found 'soon'"
    assert sentence in str(event.description)
    wanted = AssetRecordsFilter(asset_key=AssetKey("analysis_plan"))
    (record,) = instance.fetch_materializations(wanted, limit=1).records
    assert record.asset_materialization is not None
    told = str(record.asset_materialization.metadata["plan"].value)
    assert "enrollment\\_period: found 'soon'" in told
    assert good in told
