"""Runs read the snapshot of their commit, and the last good one of what is broken."""

from __future__ import annotations

import json
import shutil
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from jetstream_assets.config.repository import open_configuration
from jetstream_assets.errors import ConfigError
from jetstream_assets.experiments.configuration import AnalysisConfiguration
from jetstream_assets.experiments.failures import Refusal
from jetstream_assets.experiments.windows import Period
from jetstream_assets.orchestration import accepted_configuration
from jetstream_assets.orchestration.accepted_configuration import (
    ACCEPTED,
    DAYS_KEPT,
    SNAPSHOTS,
    AcceptedConfiguration,
    Source,
    find_accepted,
    find_snapshot,
    open_accepted_planner,
    prune_snapshots,
    publish_accepted,
    publish_snapshot,
)
from jetstream_assets_tests.orchestration.laboratory import EXPERIMENT, Laboratory

if TYPE_CHECKING:
    from jetstream_assets.config.planning import Planner
    from jetstream_assets.config.repository import ConfigurationRepository
    from jetstream_assets.report.folder_store import FolderDocumentStore

SLUG = EXPERIMENT.slug
ONE, TWO = "1" * 40, "2" * 40
MISTAKE = '[experiment]\nenrollment_period = "soon"'


@pytest.fixture
def store(laboratory: Laboratory) -> FolderDocumentStore:
    return laboratory.documents


def read(laboratory: Laboratory) -> ConfigurationRepository:
    return open_configuration(laboratory.settings.configuration)


def source(laboratory: Laboratory) -> Source:
    return Source(laboratory.settings.configuration)


def planner(laboratory: Laboratory, commit: str | None = None) -> Planner:
    store = laboratory.documents
    return open_accepted_planner(store, laboratory.settings.experiments, source(laboratory), commit)


def weekly(planner: Planner) -> list[str]:
    found = planner.configuration(SLUG)
    assert isinstance(found, AnalysisConfiguration)
    return sorted({summary.metric for summary in found.summaries(Period.WEEK)})


def test_a_snapshot_is_what_was_read(laboratory: Laboratory, store: FolderDocumentStore) -> None:
    # Another encoding, a file that is no TOML, and one that cannot be read.
    folder = laboratory.root / "configuration" / "jetstream"
    (folder / "latin.toml").write_bytes(b"# caf\xe9\n")
    (folder / "broken.toml").write_text("[")
    written = read(laboratory)
    publish_snapshot(store, written)
    stored = find_snapshot(store, written.commit)
    assert stored is not None
    assert (stored.commit, stored.location) == (written.commit, written.location)
    assert stored.documents == written.documents
    assert [str(problem) for problem in stored.problems] == [str(p) for p in written.problems]
    assert len(stored.problems) == 2


def test_a_tagged_planner_reads_the_snapshot_and_nothing_else(
    laboratory: Laboratory, store: FolderDocumentStore
) -> None:
    first = read(laboratory)
    publish_snapshot(store, first)
    laboratory.amend('weekly = ["active_hours", "searches"]', 'weekly = ["searches"]')
    assert weekly(planner(laboratory)) == ["searches"]
    assert weekly(planner(laboratory, first.commit)) == ["active_hours", "searches"]
    shutil.rmtree(laboratory.root / "configuration")
    assert weekly(planner(laboratory, first.commit)) == ["active_hours", "searches"]


def test_a_run_of_a_superseded_commit_uses_the_accepted_one(
    laboratory: Laboratory, store: FolderDocumentStore
) -> None:
    first = read(laboratory)
    publish_snapshot(store, first)
    laboratory.amend('weekly = ["active_hours", "searches"]', 'weekly = ["searches"]')
    second = read(laboratory)
    publish_snapshot(store, second)
    accepted = AcceptedConfiguration(source=source(laboratory).name, commit=first.commit)
    publish_accepted(store, accepted)
    # A commit that the sensor has not accepted yet is not set back.
    assert weekly(planner(laboratory, second.commit)) == ["searches"]
    accepted = accepted.followed_by(second.commit, {})
    publish_accepted(store, accepted)
    late = planner(laboratory, first.commit)
    assert (weekly(late), late.repository.commit) == (["searches"], second.commit)
    publish_accepted(store, accepted.followed_by(first.commit, {}))
    assert planner(laboratory, first.commit).repository.commit == first.commit


def test_a_snapshot_that_is_gone_is_told(laboratory: Laboratory) -> None:
    for commit in (ONE, f"files:{ONE}"):
        with pytest.raises(ConfigError, match="not stored any more") as caught:
            planner(laboratory, commit)
        assert caught.value.remedy == "Start a new run instead of this one again."
    with pytest.raises(ConfigError, match="is no commit of a configuration"):
        planner(laboratory, "../../plans/x")


def test_a_broken_experiment_stays_on_its_last_good_commit(
    laboratory: Laboratory, store: FolderDocumentStore
) -> None:
    good = read(laboratory)
    publish_snapshot(store, good)
    laboratory.configure(MISTAKE)
    broken = read(laboratory)
    publish_snapshot(store, broken)
    name = source(laboratory).name
    accepted = AcceptedConfiguration(
        source=name, commit=broken.commit, last_good={SLUG: good.commit}
    )
    publish_accepted(store, accepted)
    for found in (planner(laboratory), planner(laboratory, broken.commit)):
        assert weekly(found) == ["active_hours", "searches"]
        problem = found.broken(SLUG)
        assert problem is not None
        assert (problem.error.path, problem.error.key) == (
            f"jetstream/{SLUG}.toml",
            "experiment.enrollment_period",
        )
        assert (problem.commit, problem.last_good) == (broken.commit, good.commit)
        configuration = found.configuration(SLUG)
        assert isinstance(configuration, AnalysisConfiguration)
        assert configuration.commit == good.commit
        assert configuration.warnings[0] == problem.message


def test_the_accepted_commit_is_the_last_good_of_what_broke_after_it(
    laboratory: Laboratory, store: FolderDocumentStore
) -> None:
    good = read(laboratory)
    publish_snapshot(store, good)
    name = source(laboratory).name
    publish_accepted(store, AcceptedConfiguration(source=name, commit=good.commit))
    laboratory.configure(MISTAKE)
    problem = planner(laboratory).broken(SLUG)
    assert problem is not None
    assert problem.last_good == good.commit


def test_what_was_accepted_of_another_source_is_no_last_good(
    laboratory: Laboratory, store: FolderDocumentStore
) -> None:
    good = read(laboratory)
    publish_snapshot(store, good)
    publish_accepted(store, AcceptedConfiguration(source="elsewhere", commit=good.commit))
    laboratory.configure(MISTAKE)
    found = planner(laboratory)
    assert isinstance(found.configuration(SLUG), Refusal)
    problem = found.broken(SLUG)
    assert problem is not None
    assert problem.last_good == ""


def test_a_document_that_is_no_acceptance_is_told(
    laboratory: Laboratory, store: FolderDocumentStore
) -> None:
    path = Path(laboratory.settings.output) / ACCEPTED
    path.parent.mkdir(parents=True)
    path.write_text("[]")
    with pytest.raises(ConfigError, match="does not say which commit"):
        find_accepted(store, source(laboratory))


def test_old_snapshots_go_when_nothing_refers_to_them(
    laboratory: Laboratory, store: FolderDocumentStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    repository = read(laboratory)
    publish_snapshot(store, repository)
    (name,) = store.names(SNAPSHOTS)
    assert prune_snapshots(store, []) == ()
    later = accepted_configuration._today() + timedelta(days=DAYS_KEPT + 1)
    monkeypatch.setattr(accepted_configuration, "_today", lambda: later)
    assert prune_snapshots(store, [repository.commit, "not a commit"]) == ()
    publish_snapshot(store, repository)
    assert json.loads(store.read(name) or b"")["stored_on"] == str(later)
    assert prune_snapshots(store, []) == ()
    monkeypatch.setattr(accepted_configuration, "_today", lambda: later + timedelta(days=8))
    assert prune_snapshots(store, []) == (name,)
    assert store.names(SNAPSHOTS) == ()
    assert find_snapshot(store, repository.commit) is None
