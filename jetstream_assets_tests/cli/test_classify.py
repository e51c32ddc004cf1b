from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from jetstream_assets_tests.cli.command import jetstream
from jetstream_assets_tests.config.folder import Folder

if TYPE_CHECKING:
    from pathlib import Path

DEFINITIONS = """
[metrics.clicks]
select_expression = "SUM(clicks)"
data_source = "events"

[metrics.kinds]
select_expression = "COUNT(DISTINCT kind)"
data_source = "events"

[data_sources.events]
from_expression = "telemetry.events"
"""


@pytest.fixture
def configuration(tmp_path: Path) -> str:
    folder = Folder(tmp_path / "configuration").definitions(DEFINITIONS)
    folder.defaults('[metrics]\nweekly = ["clicks", "kinds"]\noverall = ["clicks"]\n')
    return str(folder.root)


def test_counts_and_reasons_are_printed(configuration: str) -> None:
    result = jetstream("classify", "--config", configuration)
    assert result.exit_code == 0
    lines = [line.split() for line in result.output.splitlines()]
    assert ["defaults", "2", "1", "0", "0", "66.7%", "1", "of", "2"] in lines
    assert ["definitions", "1", "1", "0", "0", "50.0%", "1", "of", "2"] in lines
    assert "COUNT(DISTINCT kind)" in result.output
    assert "kinds in jetstream/defaults/fenix.toml" in " ".join(result.output.split())


def test_json_holds_every_metric(configuration: str) -> None:
    result = jetstream("classify", "--config", configuration, "--format", "json")
    assert result.exit_code == 0
    document = json.loads(result.output)
    assert document["counts"]["defaults"]["exact"] == 2
    told = {(m["kind"], m["metric"], m["period"]): m["treatment"] for m in document["metrics"]}
    assert told == {
        ("defaults", "clicks", "weekly"): "exact",
        ("defaults", "clicks", "overall"): "exact",
        ("defaults", "kinds", "weekly"): "windowed",
        ("definitions", "clicks", ""): "exact",
        ("definitions", "kinds", ""): "windowed",
    }


def test_what_is_not_there_is_told_in_a_sentence(tmp_path: Path) -> None:
    result = jetstream("classify", "--config", str(tmp_path / "nowhere"))
    assert result.exit_code == 2
    assert "nowhere" in result.output
    assert "Traceback" not in result.output
