from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from jetstream_assets.config.layout import Kind, Place, place_of
from jetstream_assets.config.repository import open_configuration
from jetstream_assets.errors import ConfigError
from jetstream_assets_tests.config.folder import CLICKS

if TYPE_CHECKING:
    from pathlib import Path

    from jetstream_assets_tests.config.folder import Folder

OWN = "jetstream/my-experiment.toml"


@pytest.mark.parametrize(
    ("path", "place"),
    [
        ("x.toml", Place(Kind.EXPERIMENT, "x")),
        ("jetstream/x.toml", Place(Kind.EXPERIMENT, "x", directory=1)),
        ("outcomes/fenix/o.toml", Place(Kind.OUTCOME, "o", "fenix")),
        ("jetstream/defaults/fenix.toml", Place(Kind.DEFAULTS, "fenix", directory=1)),
        ("definitions/fenix.toml", Place(Kind.DEFINITIONS, "fenix")),
        ("definitions/functions.toml", Place(Kind.FUNCTIONS, "functions")),
        ("jetstream/example.toml.example", None),
        ("opmon/x.toml", None),
        ("outcomes/x.toml", None),
        ("outcomes/a/b/x.toml", None),
        ("jetstream/jetstream/x.toml", None),
        ("README.md", None),
    ],
)
def test_the_layout(path: str, place: Place | None) -> None:
    assert place_of(path) == place


def test_a_directory_may_be_the_jetstream_directory_itself(folder: Folder) -> None:
    folder.own('[metrics]\nweekly = ["clicks"]')
    folder.write("jetstream/definitions/fenix.toml", CLICKS)
    whole = folder.open()
    part = open_configuration(str(folder.root / "jetstream"))
    assert whole.experiment_slugs == part.experiment_slugs == ("my-experiment",)
    assert [d.path for d in part.experiment("my-experiment")] == ["my-experiment.toml"]
    assert part.definitions("fenix")[0].value == whole.definitions("fenix")[0].value


def test_files_of_another_tool_are_left_alone(folder: Folder) -> None:
    folder.own('[project]\nname = "monitoring"\nmetrics = 5')
    repository = folder.open()
    assert repository.problems == ()
    assert repository.unknown_keys == ()
    assert repository.experiment_slugs == ()
    assert folder.resolve().periods == ()


@pytest.mark.parametrize(
    ("content", "key", "message"),
    [
        (b"a = ", "", "The file is not TOML"),
        (b"a = 1\na = 2", "", "The file is not TOML"),
        (b"a = " + b"[" * 5000, "", "The file is not TOML"),
        (b'a = "\xff"', "", "not UTF-8 text: invalid start byte at byte 5"),
        (b"experiment = 1", "experiment", "found 1"),
        (b"[experiment]\nskip = 1", "experiment.skip", "found 1"),
        (b'[experiment]\nenrollment_period = "7"', "experiment.enrollment_period", "found '7'"),
        (b"[experiment]\nenrollment_period = -1", "experiment.enrollment_period", "found -1"),
        (b"[experiment]\nenrollment_period = true", "experiment.enrollment_period", "found True"),
        (b"[experiment]\nsample_size = 101", "experiment.sample_size", "less than or equal"),
        (b"[experiment]\nsample_size = 0.5", "experiment.sample_size", "found 0.5"),
        (b'[experiment]\nstart_date = "1 May"', "experiment.start_date", "written as YYYY-MM-DD"),
        (b'[experiment]\nstart_date = "2024-02-30"', "experiment.start_date", "day is out"),
        (b"[experiment]\nend_date = 20240101", "experiment.end_date", "written as YYYY-MM-DD"),
        (b'[experiment]\nanalysis_unit = "house"', "experiment.analysis_unit", "'client_id'"),
        (b'[experiment]\nsegments = "a"', "experiment.segments", "found 'a'"),
        (b"[experiment]\nsegments = [1]", "experiment.segments.0", "found 1"),
        (b'[experiment]\nseveral_branches = "x"', "experiment.several_branches", "'keep_first'"),
        (
            b'[experiment.exposure_signal]\nname = "a"',
            "experiment.exposure_signal.data_source",
            "is",
        ),
        (
            (
                b'[experiment.exposure_signal]\nname = "a"\ndata_source = "b"\n'
                b'friendly_name = "c"\ndescription = "d"\n'
                b'select_expression = "e"\nwindow_end = "end"'
            ),
            "experiment.exposure_signal.window_end",
            "enrollment_start",
        ),
        (b'[metrics]\nweekly = "a"', "metrics.weekly", "found 'a'"),
        (b"[metrics.a]\nbigger_is_better = 0", "metrics.a.bigger_is_better", "found 0"),
        (b"[metrics.a]\nanalysis_bases = []", "metrics.a.analysis_bases", "found []"),
        (b'[metrics.a]\nanalysis_bases = ["all"]', "metrics.a.analysis_bases.0", "'exposures'"),
        (b"[metrics.a]\nX = 1\nx = 2", "metrics.a", "upper and lower case"),
        (b'[metrics."a b"]\ntype = 1', 'metrics."a b".type', "found 1"),
        (b"[metrics.a]\nstatistics = 1", "metrics.a.statistics", "found 1"),
        (b"[metrics.a.statistics]\nsum = 1", "metrics.a.statistics.sum", "found 1"),
        (b"[data_sources.a]\nfrom_expression = 1", "data_sources.a.from_expression", "found 1"),
        (
            b'[data_sources.a]\nexperiments_column_type = "x"',
            "data_sources.a.experiments_column_type",
            "'native'",
        ),
        (b"[segments.a]", "segments.a.data_source", "the key is missing"),
        (b"[segments.data_sources.a]", "segments.data_sources.a.from_expression", "missing"),
        (b"[parameters.a]\nvalue = 1", "parameters.a.value.str", "found 1"),
    ],
)
def test_a_bad_file_hits_only_those_who_need_it(
    folder: Folder, content: bytes, key: str, message: str
) -> None:
    folder.write(OWN, "").write("jetstream/other.toml", "[experiment]\nenrollment_period = 3")
    (folder.root / OWN).write_bytes(content)
    [problem] = folder.open().problems
    assert (problem.path, problem.key) == (OWN, key)
    assert message in str(problem)
    with pytest.raises(ConfigError) as caught:
        folder.resolve()
    assert str(caught.value) == str(problem)
    assert folder.resolve(slug="other").experiment.enrollment_period == 3


def test_further_problems_of_a_file_are_counted(folder: Folder) -> None:
    folder.own("[experiment]\nskip = 1\nis_private = 2\nsample_size = 3000")
    assert "(2 more problems follow.)" in str(folder.open().problems[0])


@pytest.mark.skipif(os.geteuid() == 0, reason="the superuser reads every file")
def test_a_file_without_permission_is_a_problem(folder: Folder) -> None:
    folder.own("")
    (folder.root / OWN).chmod(0)
    [problem] = folder.open().problems
    assert "cannot be read" in str(problem)


@pytest.mark.parametrize(
    ("text", "key", "message"),
    [
        ("[experiment]\nis_private = true", "experiment.is_private", "Set dataset_id"),
        ('[experiment]\ndataset_id = "../x"', "experiment.dataset_id", "found '../x'"),
        ('[experiment]\nenrollment_query = "DROP TABLE x"', "experiment.enrollment_query", "not a"),
        (
            '[experiment]\nenrollment_query = "SELECT 1; SELECT 2"',
            "experiment.enrollment_query",
            "has a semicolon",
        ),
    ],
)
def test_what_a_file_means_is_checked_too(
    folder: Folder, text: str, key: str, message: str
) -> None:
    folder.own(text)
    with pytest.raises(ConfigError) as caught:
        folder.resolve()
    assert (caught.value.path, caught.value.key) == (OWN, key)
    assert message in str(caught.value)


UNKNOWN = """
title = "a"
[experiment]
enrollment_end_date = "2024-01-01"
[metrics]
weekly = ["clicks"]
dayly = ["clicks"]
days28 = ["clicks"]
[metrics.clicks]
descriptionn = "c"
[segments.night]
data_source = "s"
select_expression = "TRUE"
window_start = 0
"""


def test_unknown_keys_are_told_and_ignored(folder: Folder) -> None:
    folder.definitions(CLICKS.replace("[metrics.clicks]", "[metrics.clicks]\nownr = 1") + UNUSED)
    folder.own(UNKNOWN)
    assert folder.resolve().warnings == (
        f"{OWN}: title is not a known key and is ignored.",
        (f"{OWN}: experiment.enrollment_end_date is not a known key and is ignored."),
        f"{OWN}: metrics.dayly is not a known key and is ignored. Did you mean 'daily'?",
        f"{OWN}: metrics.days28 is not a known key and is ignored.",
        (
            f"{OWN}: metrics.clicks.descriptionn is not a known key and is ignored. "
            "Did you mean 'description'?"
        ),
        f"{OWN}: segments.night.window_start is not a known key and is ignored.",
        (
            "definitions/fenix.toml: metrics.clicks.ownr is not a known key and is ignored. "
            "Did you mean 'owner'?"
        ),
    )
    assert len(folder.open().unknown_keys) == 8


UNUSED = "\n[metrics.unused]\nownr = 1\n"


def test_unknown_keys_are_errors_when_strict(folder: Folder) -> None:
    folder.own(UNKNOWN).definitions(CLICKS)
    with pytest.raises(ConfigError, match=r"not known. \(5 more unknown keys follow.\)") as caught:
        folder.resolve_strictly()
    assert (caught.value.path, caught.value.key) == (OWN, "title")
    folder.own('[metrics]\nweekly = ["clicks"]')
    assert folder.resolve_strictly().warnings == ()


def test_a_reference_branch_that_is_none_is_doubtful(folder: Folder) -> None:
    folder.own('[experiment]\nreference_branch = "contrl"')
    assert folder.resolve().warnings == (
        "The reference branch 'contrl' is no branch; it should be one of control, treatment.",
    )


def test_a_missing_location_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="There is no such directory") as caught:
        open_configuration(str(tmp_path / "nowhere"))
    assert caught.value.path == str(tmp_path / "nowhere")


def test_outcome_default_metrics_must_exist(folder: Folder) -> None:
    folder.outcome("reading", 'default_metrics = ["clicks"]\n' + CLICKS)
    [outcome] = folder.resolve(outcomes=("reading",)).outcomes
    assert outcome.default_metrics == ("clicks",)
    folder.outcome("reading", 'default_metrics = ["hours"]\n' + CLICKS)
    with pytest.raises(ConfigError, match="default_metrics names 'hours'"):
        folder.resolve(outcomes=("reading",))
