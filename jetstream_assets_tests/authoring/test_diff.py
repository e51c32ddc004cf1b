"""A pull request of a configuration in a git repository, and what it would compute again."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest

from jetstream_assets_tests.cli.command import jetstream
from jetstream_assets_tests.orchestration.laboratory import (
    CONFIGURATION,
    END,
    EXPERIMENT,
    Laboratory,
    days,
    make_laboratory,
)

if TYPE_CHECKING:
    from pathlib import Path

    from typer.testing import Result

OWN = f"jetstream/{EXPERIMENT.slug}.toml"


@pytest.fixture(scope="module")
def laboratory(tmp_path_factory: pytest.TempPathFactory) -> Laboratory:
    """An analysed experiment whose configuration is a repository with several branches."""
    laboratory = make_laboratory(tmp_path_factory.mktemp("diff") / "laboratory")
    laboratory.run(*days(EXPERIMENT.start_date, END))
    folder = laboratory.root / "configuration"
    _git(folder, "init", "--quiet", "--initial-branch=main")
    _commit(folder, "The first")
    for branch, old, new in (
        ("comment", "[metrics]", "# A comment.\n[metrics]"),
        ("weekly", 'daily = ["searches"]\n', ""),
        ("metric", "[metrics.searches.statistics.deciles]\n", ""),
        ("broken", "[metrics]", "[metrics"),
    ):
        _git(folder, "checkout", "--quiet", "-b", branch, "main")
        (folder / OWN).write_text(CONFIGURATION.replace(old, new))
        _commit(folder, branch)
    _git(folder, "checkout", "--quiet", "-b", "source", "main")
    definitions = folder / "definitions/firefox_desktop.toml"
    definitions.write_text(
        definitions.read_text().replace("SUM(active_hours_sum)", "MAX(active_hours_sum)")
    )
    _commit(folder, "source")
    return laboratory


def _git(folder: Path, *arguments: str) -> None:
    own = ("-c", "user.name=An Author", "-c", "user.email=author@example.org")
    subprocess.run(["git", *own, *arguments], cwd=folder, check=True, capture_output=True)


def _commit(folder: Path, message: str) -> None:
    _git(folder, "add", "-A")
    _git(folder, "commit", "--quiet", "-m", message)


def _run(laboratory: Laboratory, head: str, *options: str) -> Result:
    root = laboratory.root
    inputs = {"--config": root / "configuration", "--experiments": root / "experiments.json"}
    given = [str(part) for pair in inputs.items() for part in pair]
    return jetstream("diff", "main", head, *given, *options)


def _diff(laboratory: Laboratory, head: str, *options: str) -> str:
    result = _run(laboratory, head, *options)
    assert result.exit_code == 0, result.output
    return result.stdout


def test_a_comment_computes_nothing_again(laboratory: Laboratory) -> None:
    told = _diff(laboratory, "comment")
    assert f"{OWN}: changed" in told
    assert "No experiment computes anything else." in told


def test_each_experiment_is_told_with_what_differs(laboratory: Laboratory) -> None:
    told = _diff(laboratory, "metric")
    assert f"| {EXPERIMENT.slug} | " in told
    assert "deciles of searches removed" in told
    assert "name a warehouse" in told


def _numbers(told: str) -> list[int]:
    """Cells, source days and rows of the only experiment."""
    (row,) = [line for line in told.splitlines() if line.startswith(f"| {EXPERIMENT.slug} |")]
    cells = [cell.strip().replace(",", "") for cell in row.strip("|").split("|")]
    return [int(cells[index]) for index in (2, 4, 5)]


def test_only_what_is_not_stored_costs_anything(laboratory: Laboratory) -> None:
    tables = ("--warehouse", str(laboratory.root / "warehouse"))
    before = laboratory.files("statistics")
    fewer = _diff(laboratory, "metric", *tables)
    cells, source_days, rows = _numbers(fewer)
    assert cells > 0
    assert (source_days, rows) == (0, 0)
    source = _diff(laboratory, "source", *tables)
    more_cells, more_days, more_rows = _numbers(source)
    assert more_cells >= cells
    assert more_days > 7
    assert more_rows > 1_000
    assert "weekly 1" in source
    assert laboratory.files("statistics") == before


def test_a_broken_file_is_named(laboratory: Laboratory) -> None:
    result = _run(laboratory, "broken")
    assert result.exit_code == 0
    assert f"left out: {OWN}: The file is not TOML" in " ".join(result.output.split())
    assert "it is refused now" in result.stdout


def test_a_reference_that_is_not_there_is_named(laboratory: Laboratory) -> None:
    result = _run(laboratory, "nowhere")
    assert result.exit_code == 2
    assert "nowhere" in result.output
