"""The command as an author runs it: each mistake with its place, and nothing else happens."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from jetstream_assets_tests.cli.command import jetstream
from jetstream_assets_tests.orchestration.laboratory import EXPERIMENT, make_laboratory

if TYPE_CHECKING:
    from typer.testing import Result

    from jetstream_assets_tests.orchestration.laboratory import Laboratory

DEFINITIONS = """\
[data_sources.events]
from_expression = "telemetry.events"

[metrics.clicks]
data_source = "events"
select_expression = "COALESCE(SUM(clicks), 0)"
statistics = { bootstrap_mean = {} }
"""
OWN = """\
[metrics]
weekly = ["clicks"]
"""
SEGMENT = f"""\
{OWN}[experiment]
segments = ['s']
[segments.s]
data_source = 'd'
select_expression = 'COUNT(*) > 1'
[segments.data_sources.d]
from_expression = 't'
"""
DEMO = Path(__file__).parents[2] / "jetstream_assets/simulation/demo_configuration"


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A repository of one experiment without a mistake."""
    for folder in ("definitions", "jetstream/outcomes/firefox_desktop", "jetstream/defaults"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "definitions/firefox_desktop.toml").write_text(DEFINITIONS)
    (tmp_path / "jetstream/mine.toml").write_text(OWN)
    return tmp_path


def _check(*arguments: object) -> Result:
    return jetstream("check", *map(str, arguments))


def _told(result: Result) -> str:
    assert "Traceback" not in result.output
    assert result.exception is None or isinstance(result.exception, SystemExit)
    return result.output


def _json(result: Result) -> dict[str, dict[str, list[dict[str, Any]]]]:
    files = json.loads(result.stdout)["files"]
    return {file["path"]: file for file in files}


def test_a_repository_without_a_mistake_is_fine(repository: Path) -> None:
    result = _check(repository)
    assert result.exit_code == 0, result.output
    assert "2 files: 0 errors, 0 warnings" in _told(result)


def test_the_demos_configuration_is_fine() -> None:
    result = _check(DEMO)
    assert result.exit_code == 0, result.output
    assert "0 errors, 0 warnings" in _told(result)


@pytest.mark.parametrize(
    ("text", "place", "words"),
    [
        ("[metrics]\nweekly = = 1", "2:10", "The file is not TOML"),
        ('[metrics]\nweekly = ["click"]', "2:1", "Did you mean 'clicks'?"),
        ("[experiment]\nsample_size = 0", "2:1", "found 0"),
        (f"{OWN}[experiment]\nsegments = ['a']", "4:1", "There is no segment 'a'"),
        (f"{OWN}[experiment]\noutcomes = ['a']", "4:1", "There is no outcome 'a'"),
        (f"{OWN}[metrics.clicks.statistics.means]", "3:2", "There is no such statistic"),
        (
            f"{OWN}[metrics.clicks.statistics.binomial]\nconfidence_interval = 2",
            "4:1",
            "confidence",
        ),
        (
            f"{OWN}[metrics.clicks]\nselect_expression = 'SUM(x'",
            "4:1",
            "cannot be parsed",
        ),
        (
            f"{OWN}[metrics.clicks]\nselect_expression = 'SUM(x); DROP TABLE y'",
            "4:1",
            "semicolon",
        ),
        (
            f"{OWN}[metrics.clicks]\nselect_expression = '{{{{ nothing(1) }}}}'",
            "4:1",
            "nothing",
        ),
        (f"{OWN}[experiment]\nenrollment_query = 'DROP TABLE x'", "4:1", "a single query"),
        (
            f"{SEGMENT}window_start = 1\nwindow_end = 0",
            "10:1",
            "after its end",
        ),
    ],
)
def test_each_mistake_has_its_place(repository: Path, text: str, place: str, words: str) -> None:
    own = repository / "jetstream/mine.toml"
    own.write_text(text)
    result = _check(own)
    assert result.exit_code == 1
    told = _told(result)
    assert f"jetstream/mine.toml:{place}: error:" in told
    assert words in told


@pytest.mark.parametrize(
    ("text", "place", "words"),
    [
        (f"{OWN}[experiment]\nsegmets = []", "4:1", "Did you mean 'segments'?"),
        (
            f"{OWN}[metrics.taps]\nselect_expression = 'SUM(taps)'\ndata_source = 'events'",
            "3:2",
            "nothing of the experiment uses it",
        ),
        (
            f"{SEGMENT}window_end = 7",
            "7:1",
            "looks at days after enrollment",
        ),
    ],
)
def test_what_is_probably_not_meant_is_a_warning(
    repository: Path, text: str, place: str, words: str
) -> None:
    own = repository / "jetstream/mine.toml"
    own.write_text(text)
    result = _check(own)
    assert result.exit_code == 0, result.output
    assert f"jetstream/mine.toml:{place}: warning:" in _told(result)
    assert words in _told(result)
    assert _check(own, "--strict").exit_code == 1


def test_a_function_that_only_bigquery_knows_is_a_warning(repository: Path) -> None:
    (repository / "definitions/firefox_desktop.toml").write_text(
        DEFINITIONS.replace("SUM(clicks)", "SUM(ours.udf.weight(clicks))")
    )
    result = _check(repository)
    assert result.exit_code == 0, result.output
    assert "definitions/firefox_desktop.toml:6:1: warning:" in _told(result)
    assert "in BigQuery only: Function ours.udf.weight" in _told(result)
    macros = repository / "macros.sql"
    macros.write_text("CREATE MACRO udf_weight(x) AS x * 2")
    assert "warning" not in _told(_check(repository, "--macros", macros)).replace("0 warnings", "")
    macros.write_text("SELECT 1")
    refused = _check(repository, "--macros", macros)
    assert refused.exit_code == 2
    assert "Allowed is CREATE MACRO" in " ".join(_told(refused).split())


def test_the_same_query_is_right_for_one_analysis_unit_and_wrong_for_another(
    repository: Path,
) -> None:
    query = """enrollment_query = '''
        SELECT profile_group_id AS analysis_id, "control" AS branch,
               DATE "2024-01-01" AS enrollment_date, 1 AS num_enrollment_events FROM t'''
    """
    metrics = "[metrics]\nweekly = ['clicks']\n"
    fine, wrong = (repository / f"jetstream/{name}.toml" for name in ("a-fine", "b-wrong"))
    fine.write_text(f"[experiment]\nanalysis_unit = 'profile_group_id'\n{query}\n{metrics}")
    wrong.write_text(f"[experiment]\n{query}\n{metrics}")
    files = _json(_check(repository, "--format", "json"))
    assert files["jetstream/a-fine.toml"]["errors"] == []
    (error,) = files["jetstream/b-wrong.toml"]["errors"]
    assert "the analysis unit is client_id" in error["message"]


def test_a_metric_with_the_name_of_a_column_is_told(repository: Path) -> None:
    (repository / "definitions/firefox_desktop.toml").write_text(
        DEFINITIONS.replace("metrics.clicks", "metrics.branch")
    )
    own = repository / "jetstream/mine.toml"
    own.write_text('[metrics]\nweekly = ["branch"]\n')
    result = _check(own)
    assert result.exit_code == 1
    assert "the column 'branch' would exist twice" in _told(result)


def test_every_mistake_is_told_and_a_shared_one_once(repository: Path) -> None:
    (repository / "jetstream/mine.toml").write_text('[metrics]\nweekly = ["a", "b", "clicks"]')
    (repository / "jetstream/other.toml").write_text(OWN)
    (repository / "definitions/firefox_desktop.toml").write_text(
        DEFINITIONS.replace("SUM(clicks)", "SUM(clicks")
    )
    result = _check(repository, "--format", "json")
    files = _json(result)
    assert len(files["jetstream/mine.toml"]["errors"]) == 2
    (shared,) = files["definitions/firefox_desktop.toml"]["errors"]
    assert (shared["line"], shared["key"]) == (6, "metrics.clicks.select_expression")
    assert files["jetstream/other.toml"]["errors"] == []


def test_only_the_files_that_are_asked_for_are_checked(repository: Path) -> None:
    (repository / "jetstream/broken.toml").write_text("a = ")
    fine = repository / "jetstream/mine.toml"
    assert _check(fine).exit_code == 0
    assert set(_json(_check(fine, "--format", "json"))) == {"jetstream/mine.toml"}
    assert _check(fine, repository / "jetstream/broken.toml").exit_code == 1


def test_annotations_stand_beside_the_lines(
    repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (repository / "jetstream/mine.toml").write_text('[metrics]\nweekly = ["x::%,y"]')
    monkeypatch.chdir(repository.parent)
    result = _check(repository.name, "--format", "github")
    (line,) = [line for line in result.stdout.splitlines() if line.startswith("::")]
    place = (
        f"::error file={repository.name}/jetstream/mine.toml,line=2,col=1,title=metrics.weekly::"
    )
    assert line.startswith(place)
    assert "x::%25,y" in line


@pytest.fixture(scope="module")
def laboratory(tmp_path_factory: pytest.TempPathFactory) -> Laboratory:
    return make_laboratory(tmp_path_factory.mktemp("check") / "laboratory")


def _ask(laboratory: Laboratory, *options: object) -> Result:
    root = laboratory.root
    records, tables = root / "experiments.json", root / "warehouse"
    own = root / f"configuration/jetstream/{EXPERIMENT.slug}.toml"
    return _check(own, "--experiments", records, "--warehouse", tables, *options)


def test_a_warehouse_is_asked_whether_it_takes_the_statements(laboratory: Laboratory) -> None:
    result = _ask(laboratory, "--format", "json")
    assert result.exit_code == 0, result.output
    (cost,) = json.loads(result.stdout)["costs"]
    # Enrollments, and four periods on two analysis bases.
    assert (cost["statements"], cost["refused"]) == (9, 0)
    assert cost["bytes_read"] > 0
    definitions = laboratory.root / "configuration/definitions/firefox_desktop.toml"
    text = definitions.read_text()
    definitions.write_text(text.replace("search_count_all", "search_count_al"))
    try:
        told = _told(refused := _ask(laboratory))
    finally:
        definitions.write_text(text)
    assert refused.exit_code == 1
    assert "definitions/firefox_desktop.toml:9:1: error: metrics.searches.select_expr" in told
    assert "search_count_al" in told
    assert "metrics.active_hours" not in told


@pytest.mark.parametrize(
    ("limits", "code"),
    [((1.0, 2.0), 0), ((1e-9, 1.0), 2), ((1e-9, 1e-9), 3)],
)
def test_cost_has_exit_codes_of_its_own(
    laboratory: Laboratory, limits: tuple[float, float], code: int
) -> None:
    result = _ask(laboratory, "--moderate", limits[0], "--high", limits[1])
    assert result.exit_code == code, result.output
    assert "9 statements" in _told(result)


def test_a_warehouse_that_is_not_there_is_named(repository: Path) -> None:
    result = _check(repository, "--warehouse", repository / "nowhere")
    assert result.exit_code == 2
    assert "There is no folder" in _told(result)


BROKEN: dict[str, bytes] = {
    "toml.toml": b"a = [",
    "repeated.toml": b"[a]\n[a]",
    "latin.toml": b'a = "\xe9"',
    "utf16.toml": '[metrics]\nweekly = ["clicks"]'.encode("utf-16"),
    "nested.toml": b"a = " + b"[" * 20_000,
    "large.toml": b"# " + b"x" * 10_000_000,
    "circle.toml": (
        b'[metrics]\nweekly = ["a"]\n'
        b'[metrics.a]\ndepends_on = ["b"]\nstatistics = {population_ratio = '
        b'{numerator = "b", denominator = "b"}}\n'
        b'[metrics.b]\ndepends_on = ["a"]\n'
    ),
    "raises.toml": b"[metrics]\nweekly = ['m']\n[metrics.m]\nselect_expression = '{{ 1 / 0 }}'\n",
    "escapes.toml": (
        b"[metrics]\nweekly = ['m']\n[metrics.m]\ndata_source = 'events'\nselect_expression = "
        b"""'''{{ ''.__class__.__mro__[1].__subclasses__() }}'''\n"""
    ),
    "loops.toml": (
        b"[metrics]\nweekly = ['m']\n[metrics.m]\ndata_source = 'events'\nselect_expression = "
        b"""'''{% for x in range(10000000000) %}{% endfor %}'''\n"""
    ),
    "two.toml": b"[experiment]\nenrollment_query = 'SELECT 1; SELECT 2'\n",
    "write.toml": b"[experiment]\nenrollment_query = 'CREATE TABLE x AS SELECT 1'\n",
    "deep.toml": (
        b"[metrics]\nweekly = ['m']\n[metrics.m]\ndata_source = 'events'\nselect_expression = '"
        + b"(" * 5_000
        + b"1"
        + b")" * 5_000
        + b"'\n"
    ),
    'x"; DROP TABLE y.toml': b"[metrics]\nweekly = ['nothing']\n",
    "outcome.toml": b"[experiment]\noutcomes = ['../../x']\n",
    "name.toml": b"""[metrics]\nweekly = ["x\\"; DROP"]\n""",
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_file_is_one_message_and_runs_nothing(repository: Path, name: str) -> None:
    file = repository / "jetstream" / name
    file.write_bytes(BROKEN[name])
    before = set(repository.iterdir())
    result = _check(file)
    assert result.exit_code == 1
    errors = [line for line in _told(result).splitlines() if " error: " in f"{line} "]
    assert len(errors) >= 1
    assert all(name in line for line in errors)
    assert all(len(line) < 1_500 for line in errors)
    assert set(repository.iterdir()) == before


def test_a_directory_of_broken_files_has_a_message_for_each(repository: Path) -> None:
    for name, content in BROKEN.items():
        (repository / "jetstream" / name).write_bytes(content)
    result = _check(repository, "--format", "json")
    assert result.exit_code == 1
    assert "Traceback" not in result.output
    files = _json(result)
    broken = {Path(path).name for path, file in files.items() if file["errors"]}
    assert broken == set(BROKEN)


def test_a_path_that_is_not_there_is_named(tmp_path: Path) -> None:
    result = _check(tmp_path / "nowhere")
    assert result.exit_code == 2
    assert "There is no such file or directory" in " ".join(_told(result).split())
