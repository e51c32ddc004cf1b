"""A file that cannot be read, or an application that nobody knows, hides no other metric."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from jetstream_assets_tests.cli.command import jetstream
from jetstream_assets_tests.config.folder import Folder

if TYPE_CHECKING:
    from pathlib import Path

    from typer.testing import Result

DEFINITIONS = """
[metrics.clicks]
select_expression = "SUM(clicks)"
data_source = "events"

[data_sources.events]
from_expression = "telemetry.events"
"""
OWN = '[metrics]\nweekly = ["clicks"]\n'
OUTCOME = f'friendly_name = "O"\ndescription = "O"\n{DEFINITIONS}'


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    root = Folder(tmp_path)
    return root.write("definitions/fenix.toml", DEFINITIONS).write("my-experiment.toml", OWN)


def classified(folder: Folder) -> tuple[Result, dict[tuple[str, str], str]]:
    """What the command said, and the treatment by path and metric."""
    result = jetstream("classify", "--config", str(folder.root), "--format", "json")
    assert result.exit_code == 0, result.output
    metrics: list[dict[str, Any]] = json.loads(result.stdout)["metrics"]
    return result, {(one["path"], one["metric"]): one["treatment"] for one in metrics}


@pytest.mark.parametrize(
    "path",
    [
        "other-experiment.toml",
        "defaults/focus_ios.toml",
        "outcomes/fenix/o.toml",
        "definitions/focus_ios.toml",
    ],
)
def test_a_file_that_cannot_be_read_is_told_beside(folder: Folder, path: str) -> None:
    result, found = classified(folder.write(path, "["))
    assert f"left out: {path}" in " ".join(result.stderr.split())
    assert found["definitions/fenix.toml", "clicks"] == "exact"
    assert path not in {where for where, _ in found}


def test_definitions_that_cannot_be_read_make_their_application_unusable(folder: Folder) -> None:
    folder.write("definitions/fenix.toml", "[").write("outcomes/fenix/o.toml", OUTCOME)
    _, found = classified(folder)
    assert set(found.values()) == {"unusable"}


def test_sql_that_cannot_be_parsed_makes_its_metrics_unusable(folder: Folder) -> None:
    folder.write("definitions/fenix.toml", DEFINITIONS.replace("telemetry.events", "(SELECT"))
    _, found = classified(folder.write("outcomes/fenix/o.toml", OUTCOME))
    assert found == {
        ("outcomes/fenix/o.toml", "clicks"): "exact",
        ("my-experiment.toml", "clicks"): "unusable",
        ("definitions/fenix.toml", "clicks"): "unusable",
    }


def test_an_application_without_definitions(folder: Folder) -> None:
    folder.write("defaults/unheard_of.toml", OWN).write("outcomes/unheard_of/o.toml", OUTCOME)
    _, found = classified(folder)
    assert found["defaults/unheard_of.toml", "clicks"] == "unusable"
    assert found["outcomes/unheard_of/o.toml", "clicks"] == "exact"
