"""On every real file our answer is the answer of the field's own parser, but for what we mend."""

from __future__ import annotations

import warnings
from datetime import date
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from jetstream_assets.config.layout import Kind
from jetstream_assets.config.repository import ConfigurationRepository, open_configuration
from jetstream_assets.config.resolve import resolve
from jetstream_assets.errors import ConfigError
from jetstream_assets.experiments.experiment import Branch
from jetstream_assets.experiments.platforms import PLATFORMS
from jetstream_assets.experiments.record import ExperimentRecord
from jetstream_assets_tests.config.plain import plain

with warnings.catch_warnings():
    # What the parser's libraries deprecate is not ours to mend.
    warnings.simplefilter("ignore")
    from jetstream_assets_tests.config import oracle

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[2] / "../shared/data/metric-hub"

Difference = tuple[str, object, object]

# Where our answer is meant to differ; everything else must be equal.
MENDS: dict[Difference, str] = {
    ("metrics|unenroll|bigger_is_better", False, True): (
        "a shared definition says false; another file that adds to the definition does not say it, "
        "and the parser takes the absent value for true"
    ),
}

# Files that the parser cannot resolve and we can.
ONLY_OURS = {
    # The parser drops the experiment's own [parameters] when it merges the file.
    "account-spotlight-modal-english-holdback",
    "account-spotlight-modal-english-holdback-esr",
    "accounts-vpn-promotion",
    # A metric that only serves as a part of a ratio needs no statistic of its own.
    "yelp-suggestions-pilot-v3",
}


@cache
def repository() -> ConfigurationRepository:
    if not ROOT.is_dir():
        pytest.skip("the real configuration is not here: no ../shared/data/metric-hub")
    return open_configuration(str(ROOT))


@cache
def collection() -> Any:  # noqa: ANN401  # the parser has no types
    return oracle.load(ROOT)


def record(slug: str, app_name: str, outcomes: tuple[str, ...] = ()) -> ExperimentRecord:
    return ExperimentRecord(
        slug=slug,
        branches=(Branch("control"), Branch("treatment")),
        start_date=date(2024, 1, 1),
        end_date=date(2024, 3, 1),
        enrollment_end_date=date(2024, 1, 8),
        proposed_enrollment=14,
        randomization_unit="normandy_id",
        reference_branch="control",
        app_name=app_name,
        app_id=PLATFORMS[app_name].app_id,
        outcomes=outcomes,
    )


def ours(of: ExperimentRecord) -> dict[str, Any] | None:
    try:
        return plain(resolve(of, repository()))
    except ConfigError:
        return None


def differences(mine: Any, theirs: Any, key: str = "") -> Iterator[Difference]:  # noqa: ANN401
    if isinstance(mine, dict) and isinstance(theirs, dict):
        for name in sorted({*mine, *theirs}):
            below = f"{key}|{name}".lstrip("|")
            yield from differences(mine.get(name), theirs.get(name), below)
    elif mine != theirs:
        yield key, mine, theirs


def unexplained(mine: dict[str, Any], theirs: dict[str, Any]) -> list[Difference]:
    if theirs["experiment"]["enrollments_query_type"] is None:
        # The parser leaves the platform's default to its caller.
        mine["experiment"]["enrollments_query_type"] = None
    return [found for found in differences(mine, theirs) if found not in MENDS]


def test_every_file_is_read() -> None:
    assert repository().problems == ()
    assert len(repository().experiment_slugs) == 487
    assert sum(len(group) for group in repository().documents.values()) == 560


def test_experiments_resolve_to_the_same() -> None:
    slugs = repository().experiment_slugs
    equal: set[str] = set()
    only_ours: set[str] = set()
    neither: set[str] = set()
    for slug in slugs:
        found = False
        for app_name in PLATFORMS:
            of = record(slug, app_name)
            mine, theirs = ours(of), oracle.resolve(of, collection())
            assert not (theirs and not mine), f"only the parser resolves {slug} on {app_name}"
            if mine and theirs:
                assert unexplained(mine, theirs) == [], slug
                equal.add(slug)
            found = found or mine is not None
            if theirs:
                break
        if slug not in equal:
            (only_ours if found else neither).add(slug)
    assert len(equal) == 467
    assert only_ours == ONLY_OURS
    assert len(neither) == 487 - 467 - len(ONLY_OURS)


def test_outcomes_resolve_to_the_same() -> None:
    outcomes = [key for key in repository().documents if key[0] == Kind.OUTCOME]
    assert len(outcomes) == 43
    for _, slug, app_name in outcomes:
        of = record("an-experiment", app_name, (slug,))
        mine, theirs = ours(of), oracle.resolve(of, collection())
        assert mine is not None, slug
        assert theirs is not None, slug
        assert unexplained(mine, theirs) == [], slug


def test_defaults_resolve_to_the_same() -> None:
    for app_name in PLATFORMS:
        of = record("an-experiment", app_name)
        mine, theirs = ours(of), oracle.resolve(of, collection())
        assert mine is not None
        assert theirs is not None
        assert unexplained(mine, theirs) == []
