"""The documentation of the statistics names what the code has, and quotes what it says."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import jetstream_assets
from jetstream_assets.analysis.power import DAYS, DETECTABLE
from jetstream_assets.experiments.failures import RefusalKind
from jetstream_assets.experiments.hypotheses import SPEAKERS, Correction
from jetstream_assets.experiments.statistic_parameters import STATISTICS
from jetstream_assets.statistics import cumulants, posterior, reach, shape
from jetstream_assets.statistics.registry import REGISTRY

ROOT = Path(jetstream_assets.__file__).parent
DOCUMENT = ROOT.parent / "docs" / "statistics.md"
TEXT = DOCUMENT.read_text(encoding="utf-8")
UNFENCED = re.sub(r"```.*?```", "", TEXT, flags=re.DOTALL)
WORDS = " ".join(TEXT.split())
QUOTED = {re.sub(r"\s+", " ", quoted) for quoted in re.findall(r"`([^`]+)`", UNFENCED)}


def _source(*rooms: str) -> str:
    """The code with adjacent literals joined, so that a sentence is in one piece."""
    files = [path for room in rooms for path in sorted((ROOT / room).rglob("*.py"))]
    text = "\n".join(path.read_text(encoding="utf-8") for path in files)
    return re.sub(r'"\s*\n\s*f?"', "", text)


SOURCE = _source("statistics", "analysis")
EXCEPTIONS = {*re.findall(r'"(\w+Error)"', SOURCE), *(kind.value for kind in RefusalKind)}
# The first cells of the tables of remarks and reasons.
REASONS = re.findall(r"^\| `([a-z][^`]*)` \|", TEXT.partition("## No number")[2], re.MULTILINE)
REMARKS = re.findall(r"\| `([a-z][^`]*)` \|$", TEXT, re.MULTILINE)


@pytest.mark.parametrize("statistic", sorted({*REGISTRY, *STATISTICS}))
def test_every_statistic_with_its_parameters_and_rows_is_named(statistic: str) -> None:
    assert statistic in QUOTED
    for parameter in STATISTICS[statistic].parameters:
        assert parameter.name in QUOTED
    for output in REGISTRY[statistic].outputs:
        stem = re.sub(r"(_unadjusted)?(_sequential)?$", "", output)
        assert stem in QUOTED
        assert all(end in QUOTED for end in re.findall("_unadjusted|_sequential", output))


@pytest.mark.parametrize("name", sorted(EXCEPTIONS))
def test_every_exception_type_is_named(name: str) -> None:
    assert name in QUOTED


def test_there_are_exception_types_to_look_for() -> None:
    assert {"NotBinaryError", "MissingCovariateError", "QueryError"} <= EXCEPTIONS


@pytest.mark.parametrize("sentence", [*REASONS, *REMARKS])
def test_every_quoted_sentence_is_said(sentence: str) -> None:
    assert sentence in SOURCE


def test_the_tables_are_read() -> None:
    assert len(REASONS) > 15
    assert len(REMARKS) == 4


def test_declared_names_are_those_of_the_code() -> None:
    assert {DETECTABLE, DAYS, *Correction, *SPEAKERS, *SPEAKERS.values()} <= QUOTED


def test_numbers_are_those_of_the_code() -> None:
    assert shape.SKEWED == 0.2
    assert "above .2 in size; or of either mean of a comparison above .5" in WORDS
    assert shape.SKEWED_BRANCH == 0.5
    fewest = reach.Sequential(0.95, 1).fewest_units
    assert f"with fewer than {posterior.FEWEST_FOR_LEVEL} units in a branch" in WORDS
    assert f"add more than {100 * shape.UNCERTAIN_CAP:.0f} % to the variance" in WORDS
    assert f"sequential rows with fewer than {fewest}" in WORDS
    assert cumulants.MOST_SKEWED == 1
    sequential = reach.Sequential(0.95, 10_000)
    for units, errors in ((10_000, "3.04"), (1_000_000, "3.6"), (100, "9.1")):
        found = sequential.half_width(reach.Spread(1.0, 1.0, units))
        assert f"{found:.{len(errors) - 2}f}" == errors
        assert errors in WORDS


def test_links_lead_somewhere() -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", TEXT):
        assert (DOCUMENT.parent / target).is_file()
