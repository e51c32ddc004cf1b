"""What the README names exists, and what exists is named."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import typer

from jetstream_assets.cli.main import app
from jetstream_assets.config.git_access import TOKEN
from jetstream_assets.orchestration.settings import Settings
from jetstream_assets.warehouse.tables import ResultTable

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()


def test_every_setting_is_in_the_readme_with_its_default() -> None:
    named = set(re.findall(r"`JETSTREAM_([A-Z_]+)`", README))
    # A secret is no setting: settings are stored with every run.
    settings = {name.upper() for name in Settings.model_fields}
    assert {f"JETSTREAM_{name}" for name in named} == {f"JETSTREAM_{s}" for s in settings} | {TOKEN}


@pytest.mark.parametrize("name", ["first_date", "shards", "threads", "executor"])
def test_defaults_in_the_readme_are_those_of_the_code(name: str) -> None:
    (line,) = re.findall(rf"\| `JETSTREAM_{name.upper()}` \| ([^|]*) \|", README)
    assert line == str(Settings.model_fields[name].default)


def test_every_option_of_run_is_in_the_readme() -> None:
    command = typer.main.get_command(app)
    options = {
        option
        for parameter in command.commands["run"].params  # type: ignore[attr-defined]  # a group
        for option in parameter.opts
    }
    named = set(re.findall(r"--[a-z-]+", README))
    assert options - {"--verbose", "--experiments", "--help"} <= named
    assert "--experiments" in named


def test_every_make_target_in_the_readme_exists() -> None:
    targets = set(re.findall(r"^([a-z-]+):.*##", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = set(re.findall(r"(?:\$ |`)make ([a-z-]+)", README))
    assert {"demo", "test", "dev"} <= named
    assert named | {"test-quick", "lint", "bench", "clean"} <= targets


def test_every_result_table_is_in_the_readme() -> None:
    assert all(f"`{table}`" in README for table in ResultTable)


def test_every_path_in_the_readme_exists() -> None:
    paths = re.findall(r"`((?:jetstream_assets|docs)/[\w/.]+)`", README)
    assert paths
    assert all((ROOT / path).exists() for path in paths)
