"""What the schemas accept is what the files' reader accepts, and they refuse what it refuses."""

from __future__ import annotations

import json
import tomllib
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft7Validator

from jetstream_assets.authoring.json_schema import json_schema
from jetstream_assets.config.layout import Kind, place_of
from jetstream_assets.config.repository import open_configuration
from jetstream_assets_tests.cli.command import jetstream

ROOT = Path(__file__).resolve().parents[2] / "../shared/data/metric-hub"
DEMO = Path(__file__).parents[2] / "jetstream_assets/simulation/demo_configuration"


def _problems(kind: Kind, text: str) -> list[str]:
    document = json.loads(json.dumps(tomllib.loads(text), default=_as_text))
    found = Draft7Validator(json_schema(kind)).iter_errors(document)
    return [f"{'.'.join(map(str, one.path))}: {one.message}" for one in found]


def _as_text(value: object) -> str:
    assert isinstance(value, date)
    return value.isoformat()


@pytest.mark.parametrize("kind", list(Kind))
def test_it_is_a_schema(kind: Kind) -> None:
    schema = json_schema(kind)
    Draft7Validator.check_schema(schema)
    assert "<definitions>" not in json.dumps(schema)


@pytest.mark.parametrize("path", sorted(DEMO.rglob("*.toml")), ids=lambda path: path.name)
def test_the_demos_files_fit(path: Path) -> None:
    place = place_of(path.relative_to(DEMO).as_posix())
    assert place is not None
    assert _problems(place.kind, path.read_text()) == []


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("[experiment]\nsample_size = 0", "experiment.sample_size"),
        ('[experiment]\nsegments = "a"', "experiment.segments"),
        ('[experiment]\nanalysis_unit = "house"', "experiment.analysis_unit"),
        ("[experiment.decision]\ngoals = []", "experiment.decision"),
        ("[metrics]\nweekly = [1]", "metrics.weekly.0"),
        ("[metrics.a.statistics.means]", "metrics.a"),
        ("[metrics.a.statistics.binomial]\nconfidence_interval = 2", "metrics.a"),
        ("[metrics.a.statistics.binomial]\nnum_sample = 2", "metrics.a"),
        (
            '[metrics.a.statistics.linear_model_mean.covariate_adjustment]\nperiod = "week"',
            "metrics.a",
        ),
        ("[metrics.a]\nselect_expression = 1", "metrics.a"),
        ("[segments.a]\ndata_source = 'x'", "segments.a"),
    ],
)
def test_what_cannot_be_read_does_not_fit(text: str, where: str) -> None:
    assert [one for one in _problems(Kind.EXPERIMENT, text) if one.startswith(where)]


@pytest.mark.slow
def test_every_real_file_that_can_be_read_fits() -> None:
    if not ROOT.is_dir():
        pytest.skip(f"the real configuration is not here: no {ROOT}")
    validators = {kind: Draft7Validator(json_schema(kind)) for kind in Kind}
    checked = 0
    for (kind, _, _), group in open_configuration(str(ROOT)).documents.items():
        for document in group:
            if document.is_foreign or not isinstance(document.content, bytes):
                continue
            text = tomllib.loads(document.content.decode("utf-8-sig"))
            plain: Any = json.loads(json.dumps(text, default=_as_text))
            assert [one.message for one in validators[kind].iter_errors(plain)] == [], document.path
            checked += 1
    assert checked == 560


def test_the_command_prints_one_and_writes_all(tmp_path: Path) -> None:
    printed = jetstream("schema", "experiment")
    assert printed.exit_code == 0
    assert json.loads(printed.output) == json_schema(Kind.EXPERIMENT)
    written = jetstream("schema", "--output", str(tmp_path / "schemas"))
    assert written.exit_code == 0
    names = {path.name for path in (tmp_path / "schemas").iterdir()}
    assert names == {f"{kind}.schema.json" for kind in Kind}
    assert (tmp_path / "schemas/experiment.schema.json").read_text() == printed.output
