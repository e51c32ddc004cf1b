"""A large organisation's real files: what is said of them, and that no change of them crashes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from jetstream_assets.authoring.binding import Binder
from jetstream_assets.authoring.checking import check
from jetstream_assets.authoring.coverage import coverage
from jetstream_assets.authoring.findings import Severity
from jetstream_assets.config.location import Files
from jetstream_assets.config.repository import open_configuration, repository_of

if TYPE_CHECKING:
    from jetstream_assets.config.repository import ConfigurationRepository

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[2] / "../shared/data/metric-hub"
# Experiments that no record makes whole: a name that nobody defines, a query that contradicts the
# analysis unit.
WITH_ERRORS = {
    f"jetstream/{slug}.toml"
    for slug in (
        "cross-platform-enhanced-suggest",
        "desktop-address-autofill-austria-release-holdback",
        "desktop-address-autofill-poland-release-holdback",
        "fakespot-in-suggest",
        "firefox-mdn-web-docs-suggestion-experiment",
        "higher-placement-phase-3-relaunch",
        "home-and-newtab-wallpapers-v1-highlight",
        "home-and-newtab-wallpapers-v1-spotlight",
        "home-and-newtab-weather-v1",
        "impact-of-race-cache-with-network-feature",
        "long-term-holdback-2026-growth-desktop",
        "mozilla-foundation-donation-promotion-moments-page",
        "pages-ranking-experiment-revised",
        "release-android-onboarding-redesign",
        "shortcuts-visual-refresh",
        "speculative-connect-sockets-increased-population",
        "speculative-connect-sockets",
        "sponsored-suggestion-placement-phase-2",
        "sponsored-suggestion-placement",
        "weather-suggestions-simplified",
    )
}
_MUTATIONS = 30
_SCRAPS = (
    b"""|"|'''|[|]|{{|}}|=|\n|\x00|\xff|-- |;|DROP TABLE x|1e999|nan|..|{% for x in y %}""".split(
        b"|"
    )
)


@pytest.fixture(scope="module")
def repository() -> ConfigurationRepository:
    if not ROOT.is_dir():
        pytest.skip(f"the real configuration is not here: no {ROOT}")
    return open_configuration(str(ROOT))


def test_what_is_wrong_in_real_files_has_its_place(repository: ConfigurationRepository) -> None:
    """Of the experiments those that cannot be computed, and a few others; of the rest all."""
    paths = {d.path for group in repository.documents.values() for d in group}
    own = [path for path in sorted(paths) if path.count("/") == 1 and path.startswith("jetstream/")]
    seen: list[tuple[int, int]] = []
    found = check(
        repository,
        {},
        paths=(paths - set(own)) | set(own[::12]) | WITH_ERRORS,
        on_progress=lambda done, total: seen.append((done, total)),
    )
    assert seen[-1][0] == seen[-1][1] > 100
    errors = [one for one in found.findings if one.severity is Severity.ERROR]
    assert {one.path for one in errors} == WITH_ERRORS
    assert all(one.line for one in errors)
    assert any(one.severity is Severity.WARNING for one in found.findings)


def test_nearly_all_of_it_is_understood(
    repository: ConfigurationRepository, tmp_path: Path
) -> None:
    found = coverage(repository, Binder(tmp_path))
    rows = {row.kind: row for row in found.rows}
    assert (rows["files"].found, rows["files"].understood) == (560, 560)
    assert (rows["experiments"].found, rows["experiments"].understood) == (487, 471)
    kinds = ("metrics", "segments", "exposure signals", "enrollment queries")
    sql = [rows[kind] for kind in kinds]
    assert [row.understood for row in sql] == [937, 228, 31, 35]
    # Four enrollment queries contradict their analysis unit, and one lacks a column.
    assert [row.bigquery for row in sql] == [937, 228, 31, 30]
    bound = sum(row.bound or 0 for row in sql)
    assert bound / sum(row.understood for row in sql) >= 0.97
    # What is not understood has a reason each.
    told = sum(number for kind, _, number in found.reasons if kind == "metrics")
    assert told == rows["metrics"].found - (rows["metrics"].bound or 0)


def test_no_change_of_a_real_file_crashes_the_check(repository: ConfigurationRepository) -> None:
    random = np.random.default_rng(20_261_126)
    contents = {
        document.path: document.content
        for group in repository.documents.values()
        for document in group
        if isinstance(document.content, bytes)
    }
    experiments = [path for path in sorted(contents) if path.count("/") == 1]
    shared = {path: text for path, text in contents.items() if not path.startswith("jetstream/")}
    defaults = {path: text for path, text in contents.items() if path.count("/") > 1}
    mutated = {
        f"jetstream/mutated_{number}.toml": _mutated(
            contents[experiments[random.integers(len(experiments))]], random
        )
        for number in range(_MUTATIONS)
    }
    files = Files(commit="files:mutated", contents={**shared, **defaults, **mutated})
    found = check(repository_of(files, "mutated"), {}, paths=set(mutated))
    assert set(found.paths) == set(mutated)
    assert any(one.severity is Severity.ERROR for one in found.findings)
    assert all(one.message for one in found.findings)


def _mutated(content: bytes, random: np.random.Generator) -> bytes:
    """The file with a few pieces cut, doubled, swapped or put in."""
    text = bytearray(content)
    for _ in range(int(random.integers(1, 4))):
        start = int(random.integers(len(text) + 1))
        length = int(random.integers(0, 30))
        piece = bytes(text[start : start + length])
        kind = int(random.integers(3))
        if kind == 0:
            del text[start : start + length]
        elif kind == 1:
            text[start:start] = piece
        else:
            text[start:start] = _SCRAPS[int(random.integers(len(_SCRAPS)))]
    return bytes(text)
