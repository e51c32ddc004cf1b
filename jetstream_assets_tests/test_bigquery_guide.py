"""What the way into BigQuery names exists, and what the code demands of Google is named there."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml

import jetstream_assets
from jetstream_assets.cli.main import app
from jetstream_assets.config.git_access import TOKEN
from jetstream_assets.orchestration.settings import Settings, read_settings
from jetstream_assets.report.gcs_store import AS_OF, CACHE_CONTROL, bucket_and_prefix
from jetstream_assets.warehouse.bigquery_queries import job_labels
from jetstream_assets.warehouse.location import project_and_dataset
from jetstream_assets.warehouse.purpose import asked_for

ROOT = Path(__file__).parents[1]
GUIDE = (ROOT / "docs" / "bigquery.md").read_text()
CODE = "\n".join(
    path.read_text() for path in sorted(Path(jetstream_assets.__file__).parent.rglob("*.py"))
)


def test_every_setting_exists() -> None:
    named = set(re.findall(r"JETSTREAM_[A-Z_]+", GUIDE))
    settings = {f"JETSTREAM_{name.upper()}" for name in Settings.model_fields}
    assert named - settings == {TOKEN}
    assert {name for name in settings if "BIGQUERY" in name} - named <= {
        "JETSTREAM_BIGQUERY_SCRATCH_HOURS"
    }


def test_the_settings_are_accepted_as_they_are_written() -> None:
    (block,) = re.findall(r"```sh\n(.*?)```", GUIDE, re.DOTALL)
    lines = dict(line.split("=", 1) for line in block.splitlines())
    given = {name.removeprefix("JETSTREAM_").lower(): value for name, value in lines.items()}
    settings = read_settings(**given)
    assert project_and_dataset(settings.warehouse) == ("our-project", "experiments")
    assert bucket_and_prefix(settings.output) == ("our-results", "")
    (prefixed,) = re.findall(r"may have a prefix, `(gs://\S+)`", GUIDE)
    assert bucket_and_prefix(prefixed) == ("our-results", "analysis")


def test_every_variable_of_the_production_instance_is_named() -> None:
    text = (ROOT / "k8s" / "overlays" / "gke" / "dagster.yaml").read_text()
    read = re.findall(r"^ *env: (\w+)$", text, re.MULTILINE)
    assert read
    assert [name for name in read if f"`{name}`" not in GUIDE] == []


def test_public_functions_are_called_as_it_says() -> None:
    assert "calls `mozfun.map.get_key`" in GUIDE
    called = set(re.findall(r"mozfun\.\w+\.\w+(?=\()", CODE))
    assert called == {"mozfun.map.get_key"}


def test_limits_are_where_they_are_said_to_be() -> None:
    instance = yaml.safe_load((ROOT / "dagster.yaml").read_text())
    assert "`concurrency.pools.default_limit`" in GUIDE
    assert isinstance(instance["concurrency"]["pools"]["default_limit"], int)


def _commands() -> list[tuple[str, list[str]]]:
    """Each `jetstream` command of the guide with its options."""
    joined = GUIDE.replace("\\\n", " ")
    lines = re.findall(r"^\$ jetstream (\w+)(.*)$", joined, re.MULTILINE)
    return [(name, re.findall(r"--[a-z-]+", rest)) for name, rest in lines]


@pytest.mark.parametrize(("name", "options"), _commands())
def test_every_command_exists_with_its_options(name: str, options: list[str]) -> None:
    group: Any = typer.main.get_command(app)
    known = {option for parameter in group.commands[name].params for option in parameter.opts}
    assert set(options) <= known


def test_all_commands_of_a_first_experiment_are_there() -> None:
    assert {name for name, _ in _commands()} >= {"classify", "plan", "run", "status", "results"}
    words = set(re.findall(r"`(?:jetstream )?(classify|plan|run|--all-dates)`", GUIDE))
    assert words == {"classify", "plan", "run", "--all-dates"}


def test_every_role_that_an_error_asks_for_is_granted() -> None:
    asked = set(re.findall(r"roles/[a-zA-Z.]+[a-zA-Z]", CODE))
    assert asked >= {"roles/bigquery.jobUser", "roles/storage.objectUser"}
    table, _, rest = GUIDE.partition("## 4.")
    assert [role for role in sorted(asked) if f"`{role}`" not in table] == []
    assert rest


def test_jobs_have_the_labels() -> None:
    with asked_for(experiment="a", asset="b", period="c", commit="d"):
        *labels, last = (f"`{key}`" for key in job_labels())
    told = f"Every job has the labels {', '.join(labels)} and {last}"
    assert told in GUIDE.replace("\n", " ")


def test_an_object_is_as_described() -> None:
    assert f"`{AS_OF}`" in GUIDE
    assert f"`Cache-Control: {CACHE_CONTROL}`" in GUIDE


@pytest.mark.parametrize("told", re.findall(r'"([^"]+)"', GUIDE.partition("## 8.")[2]))
def test_what_is_told_is_what_the_code_tells(told: str) -> None:
    flat = re.sub(r'"\s*\n\s*f?"', "", CODE)
    parts = [part.strip() for part in told.split("...")]
    assert [part for part in parts if part not in flat] == []
