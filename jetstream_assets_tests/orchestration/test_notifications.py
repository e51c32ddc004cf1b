"""Failed runs and checks are told once, to a real webhook, from a real instance."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from dagster import DagsterInstance, SensorResult, build_sensor_context
from dagster._core.storage.tags import AUTO_RETRY_RUN_ID_TAG, MAX_RETRIES_TAG

from jetstream_assets.orchestration.notifications import notification_sensors
from jetstream_assets.orchestration.resources import resources
from jetstream_assets.orchestration.settings import Settings
from jetstream_assets_tests.orchestration.laboratory import EXPERIMENT, FIRST_WEEK
from jetstream_assets_tests.report.webhook import SECRET, Webhook, running_webhook

if TYPE_CHECKING:
    from collections.abc import Iterator

    from jetstream_assets_tests.orchestration.laboratory import Laboratory

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]


@pytest.fixture
def webhook() -> Iterator[Webhook]:
    with running_webhook() as running:
        yield running


class Look:
    """One of the sensors, which keeps its cursor from look to look."""

    def __init__(self, name: str, instance: DagsterInstance, settings: Settings) -> None:
        (self.sensor,) = (s for s in notification_sensors(settings) if s.name == name)
        self.instance, self.settings = instance, settings
        self.cursor: str | None = None

    def __call__(self) -> str:
        given = {
            name: resource
            for name, resource in resources(self.settings).items()
            if name in self.sensor.required_resource_keys
        }
        with build_sensor_context(
            instance=self.instance, cursor=self.cursor, resources=given
        ) as context:
            result = self.sensor(context)
        assert isinstance(result, SensorResult)
        self.cursor = result.cursor
        assert SECRET not in str(result)
        return str(result.skip_reason.skip_message) if result.skip_reason else ""


def told(laboratory: Laboratory, webhook: Webhook | None) -> Settings:
    return Settings(
        **laboratory.settings.model_dump()
        | {"ui_url": "http://ui/", "webhook_url": webhook.url if webhook else None}
    )


def fail(laboratory: Laboratory, instance: DagsterInstance) -> str:
    (laboratory.root / "experiments.json").write_text("this is not <JSON>")
    (outcome,) = laboratory.run(FIRST_WEEK, instance=instance)
    assert not outcome.succeeded
    return outcome.run_id


def test_a_failed_run_is_told_once_and_marks_its_results(
    laboratory: Laboratory, home: DagsterInstance, webhook: Webhook
) -> None:
    look = Look("failed_runs", home, told(laboratory, webhook))
    (first,) = laboratory.run(FIRST_WEEK, instance=home)
    assert first.succeeded
    look()
    run_id = fail(laboratory, home)
    webhook.statuses = [500] * 3
    assert "1 wait to be told again: The webhook answered with status 500." in look()
    assert webhook.texts == []
    look()
    look()
    (text,) = webhook.texts
    assert f"*{EXPERIMENT.slug}, {FIRST_WEEK}* (<http://ui/runs/{run_id}|" in text
    assert "analysis_plan: " in text
    assert "not JSON" in text
    statuses = laboratory.rows("result_status")
    assert {row["run_id"] for row in statuses} == {run_id}
    assert "stale" in {row["status"] for row in statuses}
    name = f"errors_{EXPERIMENT.slug.replace('-', '_')}.json"
    assert run_id in (laboratory.root / "output/errors" / name).read_text()


def test_a_blocked_export_is_told_and_leaves_the_status_of_results(
    laboratory: Laboratory, home: DagsterInstance, webhook: Webhook
) -> None:
    look = Look("failed_runs", home, told(laboratory, webhook))
    look()
    blocking = {"blocking_checks": "units_in_several_branches", "check_several_branches": 0.0}
    strict = Settings(**laboratory.settings.model_dump() | blocking)
    (outcome,) = laboratory.run(FIRST_WEEK, instance=home, settings=strict)
    assert not outcome.succeeded
    look()
    (text,) = webhook.texts
    assert "units_in_several_branches" in text
    states = {row["status"] for row in laboratory.rows("result_status")}
    assert "ok" in states
    assert "stale" not in states


def test_a_run_that_is_tried_again_is_not_told(
    laboratory: Laboratory, home: DagsterInstance, webhook: Webhook
) -> None:
    look = Look("failed_runs", home, told(laboratory, webhook))
    look()
    blocked = laboratory.root / "output" / "statistics"
    blocked.parent.mkdir()
    blocked.write_text("a file where the exports need a folder")
    (outcome,) = laboratory.run(FIRST_WEEK, instance=home)
    run = home.get_run_by_id(outcome.run_id)
    assert run is not None
    assert MAX_RETRIES_TAG not in run.tags
    look()
    assert webhook.texts == []
    home.add_run_tags(run.run_id, {AUTO_RETRY_RUN_ID_TAG: "another"})
    look()
    look()
    assert webhook.texts == []


def test_without_a_webhook_the_tick_says_why_nobody_is_told(
    laboratory: Laboratory, home: DagsterInstance
) -> None:
    look = Look("failed_runs", home, told(laboratory, None))
    look()
    fail(laboratory, home)
    assert look() == "Nobody is told: JETSTREAM_WEBHOOK_URL is not set."


def test_failed_checks_of_a_run_are_told_by_their_severity(
    laboratory: Laboratory, home: DagsterInstance, webhook: Webhook
) -> None:
    settings = told(laboratory, webhook)
    warned = Look("failed_checks", home, settings)
    grave = Look(
        "failed_checks", home, Settings(**settings.model_dump() | {"notified_checks": "error"})
    )
    warned()
    grave()
    limited = laboratory.settings.model_copy(update={"check_several_branches": 0.0})
    (outcome,) = laboratory.run(FIRST_WEEK, instance=home, settings=limited)
    assert outcome.succeeded
    grave()
    assert webhook.texts == []
    warned()
    warned()
    (text,) = webhook.texts
    assert "checks failed" in text
    assert "units_in_several_branches: " in text
