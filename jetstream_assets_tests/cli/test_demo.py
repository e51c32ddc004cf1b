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
from jetstream_assets_tests.pages.checks import (
    check_downloads,
    check_numbers,
    check_whole,
    overview_of,
    page_of,
)
from jetstream_assets_tests.pages.reader import Reader, open_reader

if TYPE_CHECKING:
    from collections.abc import Iterator
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


@pytest.fixture
def reader() -> Iterator[Reader]:
    with open_reader() as reader:
        yield reader


@pytest.mark.browser
def test_the_page_shows_every_number_of_the_documents(
    demo: tuple[Path, str], reader: Reader
) -> None:
    output = demo[0] / "output"
    told = overview_of(output, DEMO_SLUG)
    check_whole(reader, output, DEMO_SLUG, "demo")
    assert check_numbers(reader, output, told, ("overall", 1)) > 10
    reader.select("basis", "exposures")
    reader.select("segment", "germany")
    reader.select("reference", "compact")
    reader.select("window", "weekly.2")
    shown = {"analysis_basis": "exposures", "segment": "germany", "reference": "compact"}
    assert check_numbers(reader, output, told, ("weekly", 2), **shown) > 5
    address = reader.page.url
    reader.open(page_of(output, DEMO_SLUG), address.partition("#")[2])
    assert check_numbers(reader, output, told, ("weekly", 2), **shown) > 5
    check_downloads(reader, output, told)
    assert not reader.troubles()


@pytest.mark.browser
def test_the_page_of_all_leads_to_each(demo: tuple[Path, str], reader: Reader) -> None:
    pages = demo[0] / "output/pages"
    reader.page.goto((pages / "index.html").as_uri())
    links = reader.page.locator("tbody a")
    assert links.count() == 4
    for words in (DEMO_SLUG, "a compact"):
        reader.page.get_by_label("Find").fill(words)
        assert links.locator("visible=true").all_inner_texts() == ["A compact toolbar"]
    reader.page.get_by_label("Find").fill("")
    reader.page.get_by_role("button", name="Experiment").click()
    names = links.all_inner_texts()
    assert names == sorted(names)
    assert not reader.violations()
    reader.page.get_by_role("link", name="A compact toolbar").click()
    reader.page.wait_for_selector("body[data-drawn=yes]", state="attached")
    assert "Can it be trusted?" in reader.text()
    assert not reader.troubles()


@pytest.mark.browser
@pytest.mark.parametrize(
    ("slug", "sentence"),
    [
        ("reader-invitation-2026", "Do not read the effects: Sample ratio mismatch"),
        ("quieter-updates-2026", "There are no results yet: Experiment"),
        ("tab-previews-2026", "provisional"),
    ],
)
def test_the_pages_of_the_other_experiments_say_what_is_wrong(
    demo: tuple[Path, str], reader: Reader, slug: str, sentence: str
) -> None:
    reader.open(page_of(demo[0] / "output", slug))
    assert sentence in reader.text()
    assert not reader.violations()
    assert not reader.troubles()
