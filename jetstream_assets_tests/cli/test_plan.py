"""`jetstream plan` says what a run then does."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from jetstream_assets_tests.cli.command import jetstream, run
from jetstream_assets_tests.orchestration.laboratory import EXPERIMENT, FIRST_WEEK

if TYPE_CHECKING:
    from typer.testing import Result

    from jetstream_assets_tests.orchestration.laboratory import Laboratory

WEEK = ("--date", FIRST_WEEK.isoformat())


def _plan(laboratory: Laboratory, *arguments: str) -> Result:
    inputs = {
        "--config": laboratory.root / "configuration",
        "--experiments": laboratory.root / "experiments.json",
        "--warehouse": laboratory.root / "warehouse",
    }
    given = [str(part) for pair in inputs.items() for part in pair]
    return jetstream("plan", *given, *arguments)


def _flat(text: str) -> str:
    return " ".join(text.split())


def test_before_a_run_everything_is_to_compute_and_nothing_is_written(
    laboratory: Laboratory,
) -> None:
    files = sorted(laboratory.root.rglob("*"))
    result = _plan(laboratory, *WEEK)
    assert result.exit_code == 0, result.output
    told = _flat(result.output)
    assert EXPERIMENT.slug in told
    assert "clients_daily" in told
    assert "to reuse" in told
    assert " 0 rows of sources to scan" not in told
    new = set(laboratory.root.rglob("*")) - set(files)
    assert not [path for path in new if path.is_file()]


def test_an_estimate_tells_the_bytes_that_would_be_read(laboratory: Laboratory) -> None:
    told = _flat(_plan(laboratory, *WEEK, "--estimate").output)
    assert re.search(r"scan of .*compute [\d,]+ [\d,]+ [\d.]+ [kM]B ", told), told
    assert re.search(r"at most [\d.]+ [kM]B to read\. Nothing was computed", told)
    assert "is not known" not in told


def test_after_a_run_there_is_nothing_left_to_compute(laboratory: Laboratory) -> None:
    assert run(laboratory, *WEEK).exit_code == 0
    told = _flat(_plan(laboratory, *WEEK, "--reused").output)
    assert re.search(r"\b0 to compute", told)
    assert " 0 rows of sources to scan" in told
    assert "It is stored and was computed from the same." in told


def test_a_request_that_is_wrong_is_told_in_a_sentence(laboratory: Laboratory) -> None:
    result = _plan(laboratory, *WEEK, "--slug", "small-experimnt")
    assert result.exit_code == 2
    assert f"Did you mean {EXPERIMENT.slug}?" in _flat(result.output)
    assert _plan(laboratory).exit_code == 2


def test_a_full_run_gives_the_same_statistics(laboratory: Laboratory) -> None:
    keys = ("period", "analysis_basis", "segment", "metric", "statistic", "branch", "comparison")

    def told() -> dict[tuple[object, ...], object]:
        rows = laboratory.rows("statistics", "comparison_to_branch IS NULL AND parameter IS NULL")
        return {tuple(row[key] for key in keys): row["point"] for row in rows}

    assert run(laboratory, *WEEK).exit_code == 0
    rolled = told()
    assert run(laboratory, *WEEK, "--full").exit_code == 0
    full = told()
    assert rolled.keys() == full.keys()
    assert all(
        point == full[key] or abs(float(str(point)) / float(str(full[key])) - 1) < 1e-9
        for key, point in rolled.items()
    )
