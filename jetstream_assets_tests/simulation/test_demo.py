from __future__ import annotations

import json
import tomllib
from datetime import date
from typing import TYPE_CHECKING, Any

import pytest

from jetstream_assets.experiments.statistic_parameters import STATISTICS
from jetstream_assets.simulation.demo import DEMO_WORLD, Demo, demo_records, write_demo
from jetstream_assets.simulation.schemas import SCHEMAS

if TYPE_CHECKING:
    from pathlib import Path

REQUIRED = {
    "slug", "branches", "startDate", "endDate", "enrollmentEndDate", "proposedEnrollment",
    "bucketConfig", "referenceBranch", "appName", "appId", "outcomes", "segments", "isRollout",
}  # fmt: skip


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Demo:
    return write_demo(tmp_path_factory.mktemp("demo"))


def toml(path: Path) -> dict[str, Any]:
    return tomllib.loads(path.read_text())


def test_the_demo_is_a_warehouse_a_configuration_and_experiments(demo: Demo) -> None:
    assert demo.experiments.name == "experiments.json"
    assert {path.name for path in demo.warehouse.iterdir()} == {"telemetry", "search", "truth.json"}
    names = {str(p.relative_to(demo.configuration)) for p in demo.configuration.rglob("*.toml")}
    assert names == {
        "definitions/firefox_desktop.toml",
        "definitions/functions.toml",
        "jetstream/compact-toolbar-2026.toml",
        "jetstream/tab-previews-2026.toml",
        "jetstream/defaults/firefox_desktop.toml",
        "jetstream/outcomes/firefox_desktop/search_ads.toml",
        "jetstream/reader-invitation-2026.toml",
    }


def test_every_record_has_the_keys_that_are_read(demo: Demo) -> None:
    records = json.loads(demo.experiments.read_text())
    assert records == demo_records()
    assert [record["slug"] for record in records] == [e.slug for e in DEMO_WORLD.experiments]
    for record in records:
        assert record.keys() >= REQUIRED
        assert record["bucketConfig"]["randomizationUnit"] == "normandy_id"


def test_two_are_complete_one_enrolls_and_one_is_a_rollout(demo: Demo) -> None:
    records = json.loads(demo.experiments.read_text())
    ends = [record["enrollmentEndDate"] for record in records]
    assert ends == ["2026-03-08", "2026-03-15", None, "2026-03-22"]
    assert [record["isRollout"] for record in records] == [False, False, False, True]
    assert [record["endDate"] is None for record in records] == [False, False, True, False]


def test_experimenters_enrollment_end_gives_back_the_period(demo: Demo) -> None:
    for record in json.loads(demo.experiments.read_text())[:2]:
        length = date.fromisoformat(record["enrollmentEndDate"]) - date.fromisoformat(
            record["startDate"]
        )
        assert length.days + 1 == record["proposedEnrollment"] == 7


def test_twenty_thousand_units_with_a_known_effect(demo: Demo) -> None:
    assert sum(truth.units for truth in demo.truth.experiments) == 20_000
    healthy = demo.truth.experiment("compact-toolbar-2026")
    assert healthy.window_length == 28
    assert healthy.branch("compact").measures[2].relative_uplift == pytest.approx(0.15, abs=0.005)
    assert healthy.units_in_several_branches == 0
    assert demo.truth.experiment("reader-invitation-2026").units_in_several_branches > 50


def test_listed_metrics_are_defined_and_have_a_statistic(demo: Demo) -> None:
    defined = toml(demo.configuration / "definitions/firefox_desktop.toml")["metrics"]
    defaults = toml(demo.configuration / "jetstream/defaults/firefox_desktop.toml")["metrics"]
    listed = {name for names in defaults.values() if isinstance(names, list) for name in names}
    assert len(listed) >= 7
    assert listed <= defined.keys()
    for name in listed:
        assert defaults[name]["statistics"].keys() <= STATISTICS.keys()


def test_one_metric_asks_for_a_column_that_does_not_exist(demo: Demo) -> None:
    broken = toml(demo.configuration / "jetstream/reader-invitation-2026.toml")["metrics"][
        "minutes_read"
    ]
    assert "active_minutes_sum" in str(broken["select_expression"])
    assert all("active_minutes_sum" not in schema.names for schema in SCHEMAS.values())


@pytest.mark.slow
def test_writing_again_changes_nothing(demo: Demo) -> None:
    before = demo.experiments.read_bytes(), (demo.warehouse / "truth.json").read_bytes()
    again = write_demo(demo.warehouse.parent)
    assert again == demo
    assert (demo.experiments.read_bytes(), (demo.warehouse / "truth.json").read_bytes()) == before
