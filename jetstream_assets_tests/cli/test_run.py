from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from jetstream_assets.simulation.demo import experimenter_record
from jetstream_assets_tests.cli.command import jetstream, run
from jetstream_assets_tests.gcs.server import BUCKET, running_gcs, variables
from jetstream_assets_tests.orchestration.laboratory import END, EXPERIMENT, FIRST_WEEK

if TYPE_CHECKING:
    from jetstream_assets_tests.orchestration.laboratory import Laboratory

SLUG = EXPERIMENT.slug
WEEK = ("--date", FIRST_WEEK.isoformat())


def test_a_run_exits_with_0_and_says_what_was_computed(laboratory: Laboratory) -> None:
    result = run(laboratory, *WEEK)
    assert result.exit_code == 0, result.output
    assert SLUG in result.output
    assert "weekly 1" in result.output
    assert (laboratory.root / "output/statistics/statistics_small_experiment_weekly.json").exists()


def test_documents_go_to_a_bucket_and_the_runs_beside_where_one_is(
    laboratory: Laboratory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(laboratory.root)
    with running_gcs() as gcs:
        to = ("--output", f"gs://{BUCKET}/ours")
        result = run(laboratory, *WEEK, *to, environment=variables(gcs))
        assert result.exit_code == 0, result.output
        assert "statistics/statistics_small_experiment_weekly.json" in gcs.objects("ours/")
    assert (laboratory.root / ".jetstream/runs/.dagster/dagster.yaml").exists()
    assert not (laboratory.root / "output").exists()


@pytest.mark.parametrize("output", ["gs://", "gs://Our-Results", "gs://our-results/a b"])
def test_a_bucket_that_cannot_be_is_refused(laboratory: Laboratory, output: str) -> None:
    result = run(laboratory, *WEEK, "--output", output)
    told = " ".join(result.output.replace("│", " ").split())
    assert result.exit_code == 2, result.output
    assert f"JETSTREAM_OUTPUT is '{output}'" in told
    assert "Traceback" not in told


def test_a_range_of_dates_and_one_slug(laboratory: Laboratory) -> None:
    result = run(laboratory, "--slug", SLUG, "--from", "2026-03-01", "--to", "2026-03-05")
    assert result.exit_code == 0, result.output
    assert "nothing due" in result.output
    assert "daily 1-2" in result.output


@pytest.mark.slow
def test_all_dates_end_with_the_overall_window(laboratory: Laboratory) -> None:
    result = run(laboratory, "--all-dates")
    assert result.exit_code == 0, result.output
    overall = laboratory.root / "output/statistics/statistics_small_experiment_overall.json"
    records = json.loads(overall.read_text())
    assert {record["metric"] for record in records} == {"active_hours", "identity", "searches"}
    assert max(row["date"] for row in laboratory.rows("statistics")) == END


REQUESTS = [
    ((), "exactly one of --date D, --from D --to D, --all-dates"),
    ((*WEEK, "--all-dates"), "exactly one of --date D, --from D --to D, --all-dates"),
    (("--from", "2026-03-05"), "--from and --to belong together"),
    (("--from", "2026-03-05", "--to", "2026-03-04"), "is after --to"),
    (("--date", "2026-13-01"), "2026-13-01"),
    (("--date", "yesterday"), "yesterday"),
    (("--date", "2999-01-01"), "2999-01-01 is not over yet"),
    ((*WEEK, "--slug", "small-experimint"), "Did you mean small-experiment?"),
    ((*WEEK, "--executor", "threads"), "threads"),
    ((*WEEK, "--config", "no/such/folder"), "no/such/folder"),
    ((*WEEK, "--experiments", "no/such/file.json"), "no/such/file.json"),
    ((*WEEK, "--warehouse", "no/such/folder"), "no/such/folder"),
]


@pytest.mark.parametrize(("arguments", "sentence"), REQUESTS)
def test_a_wrong_request_is_told_in_a_sentence(
    laboratory: Laboratory, arguments: tuple[str, ...], sentence: str
) -> None:
    result = run(laboratory, *arguments)
    told = " ".join(result.output.replace("│", " ").split())
    assert result.exit_code == 2, result.output
    assert sentence in told
    assert "Traceback" not in result.output


def test_a_daily_run_says_whom_it_leaves_out(laboratory: Laboratory) -> None:
    rollout = experimenter_record(EXPERIMENT, is_rollout=True) | {"slug": "a-rollout"}
    laboratory.record(experimenter_record(EXPERIMENT), rollout)
    result = run(laboratory, *WEEK)
    assert result.exit_code == 0, result.output
    assert "a-rollout" in result.output
    assert "no control" in result.output


def test_results_are_shown_as_a_table(laboratory: Laboratory) -> None:
    assert run(laboratory, *WEEK).exit_code == 0
    warehouse = str(laboratory.root / "warehouse")
    shown = jetstream(
        "results", "--warehouse", warehouse, "--slug", SLUG, "--period", "weekly",
        "--metric", "searches",
    )  # fmt: skip
    assert shown.exit_code == 0, shown.output
    assert "searches" in shown.output
    assert "treatment" in shown.output
    assert "active_hours" not in shown.output


def test_results_are_those_of_the_newest_date_and_say_whether_they_are_provisional(
    laboratory: Laboratory,
) -> None:
    shown = ("results", "--warehouse", str(laboratory.root / "warehouse"), "--slug", SLUG)
    windows = {"2026-03-03": "daily 2 (day 1, provisional)", "2026-03-04": "daily 1 (day 0)"}
    for on, window in windows.items():
        assert run(laboratory, "--slug", SLUG, "--date", on).exit_code == 0
        told = jetstream(*shown, "--period", "daily", "--metric", "searches").output
        assert window in " ".join(told.split())


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("--slug", "another"), "There are no statistics of 'another'"),
        (("--slug", SLUG, "--period", "monthly"), "'monthly' is not a period"),
        (("--slug", SLUG, "--metric", "nothing"), "No rows match"),
    ],
)
def test_results_that_are_not_there_are_told_in_a_sentence(
    laboratory: Laboratory, arguments: tuple[str, ...], sentence: str
) -> None:
    assert run(laboratory, *WEEK).exit_code == 0
    result = jetstream("results", "--warehouse", str(laboratory.root / "warehouse"), *arguments)
    assert result.exit_code == 2
    assert sentence in " ".join(result.output.replace("│", " ").split())


@pytest.mark.parametrize("command", [(), ("run",), ("results",), ("demo",)])
def test_help_helps(command: tuple[str, ...]) -> None:
    result = jetstream(*command, "--help")
    assert result.exit_code == 0
    assert "Usage" in result.output
    assert "Examples" in result.output or command in {(), ("demo",)}


def test_the_version_is_told() -> None:
    assert jetstream("--version").output.startswith("jetstream ")
