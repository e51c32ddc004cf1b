"""What of the configuration has been accepted, kept so that runs need no repository.

Belongs here: snapshots of commits in the document store, which commit is accepted, and which one
was the last good of an experiment that is broken now. Does not: what a commit changed
(`config.change`), watching a repository (`configuration_sensor`).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict, ValidationError

from jetstream_assets.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from jetstream_assets.config.planning import Earlier, Planner
    from jetstream_assets.config.repository import ConfigurationRepository
    from jetstream_assets.config.snapshot import Snapshot
    from jetstream_assets.report.store import DocumentStore

ACCEPTED = "configuration/accepted.json"
SNAPSHOTS = "configuration/snapshots"
# Runs that wait, are retried or are started again by hand find their snapshot for this long.
DAYS_KEPT = 7
_MOST_SUPERSEDED = 200

# What names a state of the files: a hash of git's, or a digest where no commit has these files.
_COMMIT = re.compile(r"(files:)?[0-9a-f]{7,64}")


@dataclass(frozen=True)
class Source:
    """Where the configuration is watched: a location and, maybe, a branch, tag or commit."""

    location: str
    ref: str | None = None
    strict: bool = False

    @property
    def name(self) -> str:
        """The source for people and for comparing, without credentials."""
        from jetstream_assets.config.git_access import redacted  # noqa: PLC0415

        directory = Path(self.location)
        place = str(directory.resolve()) if directory.is_dir() else redacted(self.location)
        return place if self.ref is None else f"{place} at {self.ref}"


class AcceptedConfiguration(BaseModel):
    """The newest commit that runs are to use, and the last good commits of what is broken in it.

    Args:
        source: `Source.name` of the configuration that is meant.
        commit: The commit.
        last_good: Experiment slug -> commit, for every experiment that cannot be resolved at
            ``commit`` and could be before.
        superseded: Commits that were accepted before and are not now, the newest first. A run that
            was requested for one of them, and waited or is tried again, uses ``commit``: it would
            set back what a later run has computed.
    """

    model_config = ConfigDict(frozen=True)

    source: str
    commit: str
    last_good: dict[str, str] = {}
    superseded: tuple[str, ...] = ()

    @property
    def commits(self) -> frozenset[str]:
        """Every commit that is referred to."""
        return frozenset({self.commit, *self.last_good.values()})

    def followed_by(self, commit: str, last_good: dict[str, str]) -> AcceptedConfiguration:
        """What is accepted when another commit is."""
        former = dict.fromkeys((self.commit, *self.superseded))
        former.pop(commit, None)
        superseded = tuple(former)[:_MOST_SUPERSEDED]
        return AcceptedConfiguration(
            source=self.source, commit=commit, last_good=last_good, superseded=superseded
        )


def publish_snapshot(store: DocumentStore, repository: ConfigurationRepository) -> None:
    """Store what a planner read, so that runs with the tag of its commit read the same.

    Raises:
        DocumentStoreError: The store is in trouble.
    """
    from jetstream_assets.config.snapshot import Snapshot, snapshot_json  # noqa: PLC0415

    today = _today()
    name = _name(repository.commit)
    store.publish(name, snapshot_json(Snapshot(repository, today)), today)


def find_snapshot(store: DocumentStore, commit: str) -> ConfigurationRepository | None:
    """The configuration repository as it was stored at a commit; None when it was not.

    Raises:
        ConfigError: ``commit`` names no commit, or the document is none of ours.
        DocumentStoreError: The store is in trouble.
    """
    found = _snapshot(store, _name(commit))
    return None if found is None else found.repository


def publish_accepted(store: DocumentStore, accepted: AcceptedConfiguration) -> None:
    """Make a commit the one that is accepted; its snapshots have been published.

    Raises:
        DocumentStoreError: The store is in trouble.
    """
    store.publish(ACCEPTED, accepted.model_dump_json(indent=1).encode(), _today())


def find_accepted(store: DocumentStore, source: Source) -> AcceptedConfiguration | None:
    """What was accepted of this source; None when nothing was, or that of another source.

    Raises:
        ConfigError: The document is none of ours.
        DocumentStoreError: The store is in trouble.
    """
    body = store.read(ACCEPTED)
    if body is None:
        return None
    try:
        accepted = AcceptedConfiguration.model_validate_json(body)
    except ValidationError as error:
        raise ConfigError(
            store.location(ACCEPTED),
            "",
            "It does not say which commit of the configuration is accepted.",
            "Remove the document; the configuration sensor writes it anew.",
        ) from error
    return accepted if accepted.source == source.name else None


def open_accepted_planner(
    store: DocumentStore, experiments: str, source: Source, commit: str | None = None
) -> Planner:
    """A planner of the records as they are now and of the configuration.

    An experiment whose configuration is broken is planned with its last good one.

    Args:
        store: Where snapshots are kept.
        experiments: File or URL of the records.
        source: Where the configuration is.
        commit: The commit to use, from its snapshot or else from the source; where it has been
            superseded, the accepted one. None for what is at the source now.

    Raises:
        ExperimentError: The records cannot be reached or are not JSON.
        ConfigError: The configuration cannot be reached, or there is no such commit.
        DocumentStoreError: The store is in trouble.
    """
    from jetstream_assets.config.experimenter import read_experiments  # noqa: PLC0415
    from jetstream_assets.config.planning import Planner  # noqa: PLC0415
    from jetstream_assets.config.repository import open_configuration  # noqa: PLC0415

    records, accepted = read_experiments(experiments), find_accepted(store, source)
    if commit is None:
        repository = open_configuration(source.location, ref=source.ref)
    else:
        is_superseded = accepted is not None and commit in accepted.superseded
        wanted = accepted.commit if accepted is not None and is_superseded else commit
        repository = _at_commit(store, source, wanted)
    earlier = last_good(store, accepted, repository.commit)
    return Planner(records, repository, source.strict, earlier)


def last_good(store: DocumentStore, accepted: AcceptedConfiguration | None, commit: str) -> Earlier:
    """How the repositories are found in which an experiment may have had a good configuration.

    First that of its last good commit, then that of the accepted one.

    Args:
        store: Where snapshots are kept.
        accepted: What was accepted.
        commit: The one in which the experiment is broken; it is not looked at again.
    """
    # A mistake in what all experiments share asks for the same snapshot many times.
    read: dict[str, ConfigurationRepository | None] = {}

    def earlier(slug: str) -> Iterator[ConfigurationRepository]:
        if accepted is None:
            return
        for candidate in dict.fromkeys((accepted.last_good.get(slug), accepted.commit)):
            if candidate is None or candidate == commit:
                continue
            if candidate not in read:
                read[candidate] = find_snapshot(store, candidate)
            found = read[candidate]
            if found is not None:
                yield found

    return earlier


def prune_snapshots(store: DocumentStore, used: Iterable[str]) -> tuple[str, ...]:
    """Remove the snapshots that nothing refers to and that are older than `DAYS_KEPT` days.

    Args:
        store: Where snapshots are kept.
        used: The commits that something refers to.

    Returns:
        The names of the documents that were removed.

    Raises:
        DocumentStoreError: The store is in trouble.
    """
    kept = {_name(commit) for commit in used if _COMMIT.fullmatch(commit)}
    oldest = _today() - timedelta(days=DAYS_KEPT)
    removed = []
    for name in store.names(SNAPSHOTS):
        if name not in kept and _stored_on(store, name) < oldest:
            store.remove(name)
            removed.append(name)
    return tuple(removed)


def _at_commit(store: DocumentStore, source: Source, commit: str) -> ConfigurationRepository:
    """The snapshot of a commit; where it is gone, the repository may still have the commit."""
    from jetstream_assets.config.repository import open_configuration  # noqa: PLC0415

    stored = find_snapshot(store, commit)
    if stored is not None:
        return stored
    try:
        return open_configuration(source.location, ref=commit)
    except ConfigError as error:
        raise ConfigError(
            source.name,
            "",
            f"The configuration of {commit} is not stored any more, and cannot be read again: "
            f"{error.problem.rstrip('.')}.",
            "Start a new run instead of this one again.",
        ) from error


def _snapshot(store: DocumentStore, name: str) -> Snapshot | None:
    from jetstream_assets.config.snapshot import read_snapshot  # noqa: PLC0415

    body = store.read(name)
    return None if body is None else read_snapshot(body, store.location(name))


def _stored_on(store: DocumentStore, name: str) -> date:
    """The day of a snapshot; long ago for a document that is none."""
    try:
        found = _snapshot(store, name)
    except ConfigError:
        found = None
    return date.min if found is None else found.stored_on


def _name(commit: str) -> str:
    """The document's name; a commit comes from a run's tags, which anyone may write."""
    if _COMMIT.fullmatch(commit) is None:
        raise ConfigError(
            "",
            "",
            f"{commit!r} is no commit of a configuration.",
            "It is the hash of a commit, or 'files:' and a digest.",
        )
    return f"{SNAPSHOTS}/{commit.replace(':', '_')}.json"


def _today() -> date:
    return datetime.now(UTC).date()
