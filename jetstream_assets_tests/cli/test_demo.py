"""The demo as a newcomer runs it: what it says, and that the known truth is found."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from jetstream_assets.analysis.checks import judge
from jetstream_assets.experiments.checks import Check, Limits
from jetstream_assets.orchestration.partitions import Cell
from jetstream_assets.orchestration.plan_store import load_plan
from jetstream_assets.report.folder_store import FolderDocumentStore
from jetstream_assets.simulation.demo import DEMO_LAST_DATE, DEMO_SLUG
from jetstream_assets.simulation.world import Measure
from jetstream_assets.warehouse.duckdb_parquet import DuckDBParquetWarehouse
from jetstream_assets_tests.cli.command import jetstream

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """The demo's folder and what the command said."""
    folder = tmp_path_factory.mktemp("demo")
    result = jetstream("demo", "--folder", str(folder))
    assert result.exit_code == 0, result.output
    return folder, " ".join(result.output.split())


def _records(folder: Path, period: str) -> list[dict[str, Any]]:
    name = f"statistics_{DEMO_SLUG.replace('-', '_')}_{period}.json"
    records: list[dict[str, Any]] = json.loads((folder / "output/statistics" / name).read_text())
    return records


def test_it_says_what_was_computed_and_where_it_is(demo: tuple[Path, str]) -> None:
    folder, told = demo
    for sentence in ("computed", "is a rollout", "still enrolls", "active_minutes_sum"):
        assert sentence in told
    assert f"{folder}/output/statistics" in told
    assert list((folder / "warehouse/jetstream/statistics").rglob("*.parquet"))


@pytest.mark.parametrize(
    ("branch", "measure"),
    [("compact", Measure.SEARCH_COUNT), ("compact-with-tour", Measure.ACTIVE_HOURS)],
)
def test_the_known_effect_lies_in_its_interval(
    demo: tuple[Path, str], branch: str, measure: Measure
) -> None:
    folder, _ = demo
    truth = json.loads((folder / "warehouse/truth.json").read_text())
    (experiment,) = (e for e in truth["experiments"] if e["slug"] == DEMO_SLUG)
    (known,) = (b for b in experiment["branches"] if b["branch"] == branch)
    (effect,) = (m for m in known["measures"] if m["measure"] == measure)
    (row,) = (
        record
        for record in _records(folder, "overall")
        if (record["metric"], record["statistic"], record["branch"]) == (measure, "mean_lm", branch)
        and (record["segment"], record["analysis_basis"]) == ("all", "enrollments")
        and record.get("comparison_to_branch") == "control"
        and record["comparison"] == "relative_uplift"
    )
    assert row["lower"] < effect["relative_uplift"] < row["upper"]
    assert row["lower"] > 0


def test_the_command_that_it_names_shows_results(demo: tuple[Path, str]) -> None:
    folder, _ = demo
    shown = jetstream(
        "results", "--warehouse", str(folder / "warehouse"), "--slug", DEMO_SLUG,
        "--period", "overall", "--metric", "ad_click_rate",
    )  # fmt: skip
    assert shown.exit_code == 0, shown.output
    assert "population_ratio" in shown.output


@pytest.mark.parametrize(
    ("slug", "failed"),
    [
        (DEMO_SLUG, set()),
        (
            "reader-invitation-2026",
            {
                Check.SAMPLE_RATIO,
                Check.UNITS_IN_SEVERAL_BRANCHES,
                Check.NO_FAILED_STATISTICS,
            },
        ),
    ],
)
def test_the_checks_find_the_troubles_that_were_planted_and_no_others(
    demo: tuple[Path, str], slug: str, failed: set[Check]
) -> None:
    folder, _ = demo
    plan = load_plan(FolderDocumentStore(folder / "output"), Cell(slug, DEMO_LAST_DATE))
    warehouse = DuckDBParquetWarehouse(folder / "warehouse", 1)
    verdicts = [judged.verdict for judged in judge([plan], warehouse, list(Check), Limits())]
    assert {verdict.check for verdict in verdicts if not verdict.passed} == failed
    # All but that of documents, which is not a matter of tables.
    assert len(verdicts) == len(Check) - 1
