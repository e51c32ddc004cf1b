"""The command as an author runs it: the numbers of production, and nothing of it touched."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import duckdb
import pyarrow.parquet as pq
import pytest

from jetstream_assets import results
from jetstream_assets.config.experimenter import read_experiments, record_document
from jetstream_assets.simulation.demo import experimenter_record
from jetstream_assets_tests.bigquery.test_same_numbers import Place, in_both
from jetstream_assets_tests.cli.command import jetstream
from jetstream_assets_tests.orchestration.laboratory import (
    CONFIGURATION,
    END,
    EXPERIMENT,
    FIRST_WEEK,
    LAST_ENROLLMENT,
    Laboratory,
    days,
    make_laboratory,
)

if TYPE_CHECKING:
    from pathlib import Path

    from typer.testing import Result

    from jetstream_assets_tests.bigquery.server import BigQueryServer

DRAFT = """
[metrics]
daily = ["searches"]
weekly = ["searches", "active_hours"]
overall = ["searches"]
[metrics.searches.statistics.bootstrap_mean]
drop_highest = 0.0
[metrics.active_hours.statistics.bootstrap_mean]
"""


@pytest.fixture
def laboratory(tmp_path: Path) -> Laboratory:
    return make_laboratory(tmp_path / "laboratory")


@pytest.fixture(scope="module")
def untouched(tmp_path_factory: pytest.TempPathFactory) -> Laboratory:
    """One for many tests, none of which writes anything."""
    return make_laboratory(tmp_path_factory.mktemp("untouched") / "laboratory")


def _preview(laboratory: Laboratory, slug: str, *arguments: object, records: bool = True) -> Result:
    inputs = {"--config": "configuration", "--warehouse": "warehouse", "--output": "preview"}
    inputs |= {"--experiments": "experiments.json"} if records else {}
    given = [str(part) for name, path in inputs.items() for part in (name, laboratory.root / path)]
    result = jetstream("preview", slug, *given, *map(str, arguments))
    assert "Traceback" not in result.output
    return result


def _rows(laboratory: Laboratory, folder: str) -> list[tuple[object, ...]]:
    """The numbers of the experiment's documents, to the ninth place, by what they are of."""
    found = results.load(laboratory.root / folder, EXPERIMENT.slug)
    kept = ["period", "window_index", "analysis_basis", "segment", "metric", "statistic"]
    kept += ["covariate", "branch", "comparison", "comparison_to_branch", "parameter"]
    numbers = found[[*kept, "point", "lower", "upper"]].round(9).astype(str)
    return sorted(tuple(row) for row in numbers.to_numpy().tolist())


def test_its_numbers_are_those_of_production_and_nothing_of_that_is_touched(
    laboratory: Laboratory,
) -> None:
    laboratory.run(*days(LAST_ENROLLMENT, FIRST_WEEK))
    stored = {path: path.read_bytes() for path in _files(laboratory.results)}
    given = ("--date", FIRST_WEEK, "--days", 7, "--sample", 100)
    result = _preview(laboratory, EXPERIMENT.slug, *given)
    assert result.exit_code == 0, result.output
    assert "small_experiment.html" in result.output
    assert {path: path.read_bytes() for path in _files(laboratory.results)} == stored
    # The end is another, so there is an overall window; the others are the same to the last digit.
    ours = [row for row in _rows(laboratory, "preview") if row[0] != "overall"]
    assert len(ours) > 50
    assert ours == _rows(laboratory, "output")
    page = (laboratory.root / "preview/pages/small_experiment.html").read_text()
    assert 'role="note">A preview, which decides nothing: all units that enrolled.' in page
    page = (laboratory.root / "output/pages/small_experiment.html").read_text()
    assert "A preview" not in page


def test_an_experiment_that_enrolled_long_ago_is_previewed_on_its_last_days(
    laboratory: Laboratory,
) -> None:
    given = ("--date", END - timedelta(days=2), "--days", 2, "--sample", 100)
    result = _preview(laboratory, EXPERIMENT.slug, *given)
    assert result.exit_code == 0, result.output
    laboratory.run(*days(LAST_ENROLLMENT, END - timedelta(days=2)))
    ours, theirs = _rows(laboratory, "preview"), _rows(laboratory, "output")
    assert len(ours) > 50
    assert set(ours) <= set(theirs)
    # The windows that are due on two dates; the second week on the first of them.
    assert {row[:2] for row in ours} == {("daily", "14"), ("daily", "15"), ("weekly", "2")}
    assert not (laboratory.root / "warehouse/jetstream_preview/daily_aggregates").exists()


def test_another_preview_takes_the_place_of_the_last(laboratory: Laboratory) -> None:
    for on, sample in ((END, 100), (FIRST_WEEK, 50)):
        result = _preview(laboratory, EXPERIMENT.slug, "--date", on, "--sample", sample)
        assert result.exit_code == 0, result.output
    overview = json.loads(
        (laboratory.root / "preview/overview/overview_small_experiment.json").read_text()
    )
    assert overview["data_through"] == str(FIRST_WEEK)
    assert overview["note"].startswith("A preview, which decides nothing: 50 % of the units")
    units = pq.read_table(laboratory.root / "warehouse/jetstream_preview/enrollments")
    assert 100 < units.num_rows < 300


@pytest.mark.slow
def test_in_bigquery_it_shows_the_same(laboratory: Laboratory, bigquery: BigQueryServer) -> None:
    place = Place(laboratory.root, "previews")
    given = ("--date", FIRST_WEEK, "--days", 2, "--sample", 100)
    with in_both(bigquery, place), pytest.MonkeyPatch.context() as patched:
        patched.setenv("JETSTREAM_BIGQUERY_SOURCE_PROJECT", "previews-sources")
        result = _preview(
            laboratory, EXPERIMENT.slug, *given, "--warehouse", place.in_bigquery.warehouse
        )
        assert result.exit_code == 0, result.output
        refused = _preview(
            laboratory,
            EXPERIMENT.slug,
            *("--warehouse", place.in_bigquery.warehouse),
            *(*given, "--dataset", "results"),
        )
    theirs = _rows(laboratory, "preview")
    assert _preview(laboratory, EXPERIMENT.slug, *given).exit_code == 0
    assert _rows(laboratory, "preview") == theirs
    assert refused.exit_code == 2
    assert "keeps its tables" in refused.output
    assert bigquery.catalog.tables(("previews", "results")) == []
    assert bigquery.catalog.tables(("previews", "jetstream_preview"))


def test_of_a_draft_units_that_were_seen_are_shown(laboratory: Laboratory, tmp_path: Path) -> None:
    draft = tmp_path / "draft.toml"
    draft.write_text(DRAFT)
    given = ("--file", draft, "--date", END, "--sample", 100)
    result = _preview(laboratory, "my-draft", *given, records=False)
    assert result.exit_code == 0, result.output
    assert "none of them is enrolled" in " ".join(result.output.split())
    found = results.load(laboratory.root / "preview", "my-draft")
    assert set(found.branch) == {"control"}
    seen = found[(found.period == "overall") & (found.metric == "searches")]
    first = END - timedelta(days=6)
    table = f"'{laboratory.root}/warehouse/telemetry/clients_daily/**/*.parquet'"
    # Everybody who was seen before the window, and what they did in the six days that it has.
    cursor = duckdb.connect().execute(
        f"""
        WITH units AS (
          SELECT client_id, min(submission_date) AS seen FROM {table}
          WHERE submission_date BETWEEN DATE '{first}' - 3 AND DATE '{first}' GROUP BY ALL
        )
        SELECT avg(total) FROM (
          SELECT units.client_id, coalesce(sum(search_count_all), 0) AS total
          FROM units LEFT JOIN {table} t ON t.client_id = units.client_id
            AND t.submission_date BETWEEN seen AND seen + 5
          GROUP BY ALL
        )
        """  # noqa: S608  constants of this test
    )
    ((expected,),) = cursor.fetchall()
    (point,) = seen[seen.statistic == "mean"].point.unique()
    assert point == pytest.approx(expected, rel=1e-9)


def test_a_sample_holds_its_share_of_the_units(laboratory: Laboratory, tmp_path: Path) -> None:
    draft = tmp_path / "draft.toml"
    draft.write_text(DRAFT)
    units = {}
    for sample in (20, 100):
        given = ("--file", draft, "--date", END, "--sample", sample, "--days", 2)
        assert _preview(laboratory, "my-draft", *given, records=False).exit_code == 0
        folder = laboratory.root / "warehouse/jetstream_preview/enrollments"
        units[sample] = set(pq.read_table(folder)["analysis_id"].to_pylist())
    assert units[20] < units[100]
    assert 0.1 < len(units[20]) / len(units[100]) < 0.3


def test_an_own_enrollment_query_is_sampled_and_its_braces_are_no_template(
    laboratory: Laboratory,
) -> None:
    query = f"""enrollment_query = '''
        SELECT client_id, 'control' AS branch, DATE '{EXPERIMENT.start_date}' AS enrollment_date,
          COUNT(*) AS num_enrollment_events, '{{{{ "{{{{ 1 / 0 }}}}" }}}}' AS odd
        FROM telemetry.clients_daily GROUP BY client_id'''
    """  # noqa: S608  constants of this test
    laboratory.configure(CONFIGURATION.replace("[experiment]", f"[experiment]\n{query}"))
    given = ("--date", FIRST_WEEK, "--sample", 30)
    result = _preview(laboratory, EXPERIMENT.slug, *given)
    assert result.exit_code == 0, result.output
    units = pq.read_table(laboratory.root / "warehouse/jetstream_preview/enrollments")
    everybody = pq.read_table(laboratory.root / "warehouse/telemetry/clients_daily")
    share = units.num_rows / len(set(everybody["client_id"].to_pylist()))
    assert 0.2 < share < 0.4


@pytest.mark.parametrize(
    ("slug", "arguments", "words"),
    [
        ("../../x", (), "is no slug"),
        ("not-there", (), "the configuration has no file of it"),
        (EXPERIMENT.slug, ("--dataset", "jetstream"), "keeps its tables"),
        (EXPERIMENT.slug, ("--dataset", "telemetry"), "keeps its tables"),
        (EXPERIMENT.slug, ("--dataset", "a-b"), "--dataset is 'a-b'"),
        (EXPERIMENT.slug, ("--file", "/nowhere.toml"), "The file cannot be read"),
        (EXPERIMENT.slug, ("--date", "2199-01-01"), "is not over yet"),
        ("a-draft", ("--file", "DRAFT", "--app", "nothing"), "There is no application 'nothing'"),
        ("a-draft", ("--file", "BROKEN"), "BROKEN: "),
        ("a-draft", ("--file", "EMPTY"), "No metric has a data source"),
    ],
)
def test_what_cannot_be_previewed_is_told_and_writes_nothing(
    untouched: Laboratory, tmp_path: Path, slug: str, arguments: tuple[str, ...], words: str
) -> None:
    for name, text in (("DRAFT", DRAFT), ("BROKEN", "[metrics"), ("EMPTY", "")):
        (tmp_path / name).write_text(text)
    before = _files(untouched.root)
    given = [str(tmp_path / one) if (tmp_path / one).exists() else one for one in arguments]
    dates = () if "--date" in given else ("--date", END)
    result = _preview(untouched, slug, *given, *dates)
    assert result.exit_code == 2, result.output
    assert words in " ".join(result.output.split())
    assert _files(untouched.root) == before


def test_a_folder_with_something_else_is_left_alone(laboratory: Laboratory) -> None:
    folder = laboratory.root / "preview"
    folder.mkdir()
    (folder / "thesis.txt").write_text("years of work")
    result = _preview(laboratory, EXPERIMENT.slug, "--date", FIRST_WEEK)
    assert result.exit_code == 2
    assert "holds something that is no preview" in " ".join(result.output.split())
    assert (folder / "thesis.txt").read_text() == "years of work"
    assert not (laboratory.root / "warehouse/jetstream_preview").exists()


def test_a_record_is_written_as_it_is_read(tmp_path: Path) -> None:
    path = tmp_path / "records.json"
    path.write_text(json.dumps([experimenter_record(EXPERIMENT)]))
    (record,) = read_experiments(str(path)).records
    for one in (
        record,
        replace(record, start_date=None, randomization_unit=None, segments=("a",), name="A"),
    ):
        path.write_text(json.dumps([record_document(one)]))
        assert read_experiments(str(path)).records == (one,)


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())
