from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
import yaml

from jetstream_assets_tests.cli.command import jetstream

ROOT = Path(__file__).parents[2]
REAL = ROOT / "../shared/data/metric-hub"
DEFINITIONS = """
[data_sources.events]
from_expression = "telemetry.events"
[metrics.clicks]
data_source = "events"
select_expression = "SUM(clicks)"
"""


@pytest.fixture
def configuration(tmp_path: Path) -> Path:
    for app_name in ("firefox_desktop", "fenix"):
        (tmp_path / "definitions").mkdir(exist_ok=True)
        (tmp_path / f"definitions/{app_name}.toml").write_text(DEFINITIONS)
    (tmp_path / "jetstream").mkdir()
    return tmp_path


def test_the_file_is_fine_and_names_what_there_is(configuration: Path) -> None:
    made = jetstream("init", "mine", "--config", str(configuration), "--app", "fenix")
    assert made.exit_code == 0, made.output
    path = configuration / "jetstream/mine.toml"
    assert str(path) in made.output.replace("\n", "")
    text = path.read_text()
    assert "There are: clicks." in text
    tomllib.loads(text)
    checked = jetstream("check", str(path), "--strict")
    assert checked.exit_code == 0, checked.output
    # What stands in comments is fine as well, once the names in it are real.
    lines = [line.removeprefix("# ") for line in text.splitlines()]
    examples = [line for line in lines if line.startswith(("[experiment.", "goals", "minimum"))]
    assert 'goals = ["clicks"]' in examples


@pytest.mark.parametrize(
    ("slug", "options", "words"),
    [
        ("../../x", ("--app", "fenix"), "is no slug"),
        ('x"; DROP', ("--app", "fenix"), "is no slug"),
        ("mine", (), "Name it with --app"),
        ("mine", ("--app", "fenx"), "Did you mean 'fenix'?"),
    ],
)
def test_what_cannot_be_written_is_refused(
    configuration: Path, slug: str, options: tuple[str, ...], words: str
) -> None:
    before = sorted(configuration.rglob("*"))
    made = jetstream("init", slug, "--config", str(configuration), *options)
    assert made.exit_code == 2
    assert words in " ".join(made.output.split())
    assert sorted(configuration.rglob("*")) == before


def test_nothing_is_written_over(configuration: Path) -> None:
    own = configuration / "jetstream/mine.toml"
    own.write_text("# mine")
    made = jetstream("init", "mine", "--config", str(configuration), "--app", "fenix")
    assert made.exit_code == 2
    assert "has a file already" in made.output
    assert own.read_text() == "# mine"


def test_the_hook_and_the_workflow_call_the_command_as_it_is() -> None:
    (hook,) = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text())
    assert hook["entry"] == "jetstream check"
    workflow = yaml.safe_load((ROOT / "docs/examples/check-configuration.yml").read_text())
    steps = workflow["jobs"]["check"]["steps"]
    (command,) = [step["run"] for step in steps if step.get("run", "").startswith("jetstream")]
    demo = ROOT / "jetstream_assets/simulation/demo_configuration"
    asked = command.replace(" . ", f" {demo} ").split()[1:]
    assert jetstream(*asked).exit_code == 0
