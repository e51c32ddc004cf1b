"""One look at the configuration: a new commit is accepted, and asks for what it changes.

Belongs here: from what was seen before to what is accepted now and which experiments are to be
computed again. Does not: Dagster's requests (`configuration_sensor`), what a change is
(`config.change`).

A look that is repeated (its process died before the cursor was stored) asks for the same, under
the same keys.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict

from jetstream_assets.config.broken import BrokenConfiguration
from jetstream_assets.config.change import ConfigurationChange
from jetstream_assets.errors import ConfigError
from jetstream_assets.experiments.configuration import AnalysisConfiguration
from jetstream_assets.experiments.failures import Refusal
from jetstream_assets.experiments.selection import select_records
from jetstream_assets.orchestration.accepted_configuration import (
    AcceptedConfiguration,
    Source,
    find_accepted,
    find_snapshot,
    last_good,
    publish_accepted,
    publish_snapshot,
)
from jetstream_assets.orchestration.partitions import Cell
from jetstream_assets.orchestration.request import cells_of_all_dates
from jetstream_assets.orchestration.run_size import size_tags
from jetstream_assets.report.store import DocumentStore

if TYPE_CHECKING:
    from collections.abc import Iterator

    from jetstream_assets.config.experimenter import ExperimentRecords
    from jetstream_assets.config.location import Files
    from jetstream_assets.config.news import News
    from jetstream_assets.config.planning import Planner
    from jetstream_assets.config.repository import ConfigurationRepository

# In a commit's message: what it changes is accepted, and nothing is computed for it.
MARKER = "[no-rerun]"
_MOST_FILES_TOLD = 20


class Seen(BaseModel):
    """What the sensor knows from its last look: its cursor.

    Args:
        accepted: The accepted commit, and the last good ones of what is broken in it.
        number: How many commits have been accepted; with it a commit that comes back after a
            force-push asks again.
    """

    model_config = ConfigDict(frozen=True)

    accepted: AcceptedConfiguration
    number: int = 0


@dataclass(frozen=True)
class Watch:
    """What is looked at, and for which dates results are asked for.

    Args:
        source: Where the configuration is.
        experiments: File or URL of the experiments' records.
        store: Where snapshots are kept.
        first_date: The first date of the partitions.
        latest: The last date whose data can be complete.
        shards: Parts at most into which a run's statistics are cut.
    """

    source: Source
    experiments: str
    store: DocumentStore
    first_date: date
    latest: date
    shards: int


@dataclass(frozen=True)
class AffectedExperiment:
    """An experiment to compute again, from one cell to another, and what of it changed.

    ``size`` are the run's tags that say what its pod asks for.
    """

    change: ConfigurationChange
    first: Cell
    last: Cell
    size: Mapping[str, str]


@dataclass(frozen=True)
class UnfollowedChange:
    """An experiment that a commit changes without being computed again, and a sentence why."""

    configuration: AnalysisConfiguration
    reason: str


@dataclass(frozen=True)
class Look:
    """What a look found.

    Args:
        seen: What the next look starts from.
        summary: A sentence that says what happened.
        told: Further sentences: files, experiments, what is left out.
        affected: The experiments to compute again.
        broken: The experiments whose configuration cannot be used at the accepted commit.
        problems: The files that cannot be used at it.
        unfollowed: The experiments that changed and are not to be computed again.
        is_news: Whether a commit was accepted.
    """

    seen: Seen
    summary: str
    told: tuple[str, ...] = ()
    affected: tuple[AffectedExperiment, ...] = ()
    broken: tuple[BrokenConfiguration, ...] = ()
    problems: tuple[ConfigError, ...] = ()
    unfollowed: tuple[UnfollowedChange, ...] = ()
    is_news: bool = True


def look(watch: Watch, seen: Seen | None) -> Look:
    """Compare the configuration with what was seen, and accept it.

    The first look accepts what is there and asks for nothing.

    Raises:
        ConfigError: The configuration cannot be reached.
        ExperimentError: The records cannot be reached.
        DocumentStoreError: The store is in trouble.
    """
    from jetstream_assets.config.news import head_commit  # noqa: PLC0415

    if seen is None or seen.accepted.source != watch.source.name:
        return _first_look(watch, f"Watching {watch.source.name}")
    head = head_commit(watch.source.location, watch.source.ref)
    if head == seen.accepted.commit:
        return Look(seen, f"{watch.source.name} is still {state(head)}.", is_news=False)
    old = find_snapshot(watch.store, seen.accepted.commit)
    if old is None:
        why = f"The snapshot of {seen.accepted.commit} is gone, so nothing can be compared with it"
        return _first_look(watch, why, seen.number + 1)
    return _next_look(watch, seen, old)


def _first_look(watch: Watch, why: str, number: int = 0) -> Look:
    from jetstream_assets.config.experimenter import read_experiments  # noqa: PLC0415
    from jetstream_assets.config.repository import open_configuration  # noqa: PLC0415

    records = read_experiments(watch.experiments)
    new = open_configuration(watch.source.location, ref=watch.source.ref)
    before = find_accepted(watch.store, watch.source)
    planner = _planner(watch, records, new, before)
    broken = _broken(planner, _slugs(watch, records, frozenset()))
    seen = _accept(watch, before, new, broken, number)
    summary = f"{why}: accepted {state(new.commit)} without asking for results."
    told = tuple(_told_problems(new, broken))
    return Look(seen, summary, told, broken=broken, problems=new.problems)


def _next_look(watch: Watch, seen: Seen, old: ConfigurationRepository) -> Look:
    from jetstream_assets.config.change import changed_files  # noqa: PLC0415
    from jetstream_assets.config.experimenter import read_experiments  # noqa: PLC0415
    from jetstream_assets.config.news import read_news  # noqa: PLC0415

    records, before = read_experiments(watch.experiments), seen.accepted
    news = read_news(watch.source.location, watch.source.ref, old.commit, MARKER)
    new = _repository(watch, news.files)
    files = changed_files(old, new)
    slugs = _slugs(watch, records, frozenset(path for path, _ in files))
    planner = _planner(watch, records, new, before)
    changes = _changes(_planner(watch, records, old, before), planner, slugs)
    asked = _asked_for(watch, news, before, records, slugs)
    affected, left_out = _cells(watch, planner, [c for c in changes if c.slug in asked])
    broken = _broken(planner, slugs)
    unfollowed = tuple(
        UnfollowedChange(configuration, _told_marked(change, news.marked))
        for change in changes
        if change.slug not in asked
        and not isinstance(configuration := planner.configuration(change.slug), Refusal)
    )
    told = [
        *_told_files(files),
        *(f"{c.change.slug}: {'; '.join(c.change.what)}." for c in affected),
        *(_told_marked(c, news.marked) for c in changes if c.slug not in asked),
        *left_out,
        *_told_problems(new, broken),
    ]
    summary = _summary(before.commit, new.commit, len(changes), affected)
    accepted = _accept(watch, before, new, broken, seen.number + 1)
    return Look(accepted, summary, tuple(told), affected, broken, new.problems, unfollowed)


def _asked_for(
    watch: Watch,
    news: News,
    before: AcceptedConfiguration,
    records: ExperimentRecords,
    slugs: list[str],
) -> frozenset[str]:
    """The experiments for which something is asked that no marked commit brought."""
    if not news.marked:
        return frozenset(slugs)
    asked: set[str] = set()
    for old, new in news.unmarked:
        former = _planner(watch, records, _repository(watch, old), before)
        planner = _planner(watch, records, _repository(watch, new), before)
        asked |= {change.slug for change in _changes(former, planner, slugs)}
    return frozenset(asked)


def _changes(old: Planner, new: Planner, slugs: list[str]) -> tuple[ConfigurationChange, ...]:
    from jetstream_assets.config.change import changed_experiments  # noqa: PLC0415

    return changed_experiments(old, new, slugs)


def _cells(
    watch: Watch, planner: Planner, changes: list[ConfigurationChange]
) -> tuple[tuple[AffectedExperiment, ...], tuple[str, ...]]:
    """The first and the last cell of each change, and a sentence for what has none."""
    affected, left_out = [], []
    for change in changes:
        found = cells_of_all_dates(planner, [change.slug], watch.latest).runnable()
        cells = sorted(cell for cell in found.cells if cell.date >= watch.first_date)
        if _is_skipped(planner, change.slug):
            left_out.append(f"{change.slug} is left out: its configuration sets skip = true.")
        elif cells:
            # The newest first: what is due late is the most.
            plans = (planner.plan(cell.slug, cell.date) for cell in reversed(cells))
            size = size_tags(plans, watch.shards)
            affected.append(AffectedExperiment(change, cells[0], cells[-1], size))
        else:
            reasons = [excluded.reason for excluded in found.excluded]
            early = f"All its dates are before {watch.first_date}, the first of the partitions."
            left_out.append(f"{change.slug} is left out: {' '.join(reasons) or early}")
    return tuple(affected), tuple(left_out)


def _is_skipped(planner: Planner, slug: str) -> bool:
    found = planner.configuration(slug)
    return not isinstance(found, Refusal) and found.skip


def _slugs(watch: Watch, records: ExperimentRecords, paths: frozenset[str]) -> list[str]:
    """The experiments that a change may ask for: recent ones, and those whose own file changed.

    A shared definition that changes is no reason to compute again what ended long ago.
    """
    from jetstream_assets.config.layout import Kind, place_of  # noqa: PLC0415

    places = (place_of(path) for path in paths)
    own = {place.name for place in places if place is not None and place.kind == Kind.EXPERIMENT}
    recent = {r.slug for r in select_records(records.records, watch.latest).selected}
    return [r.slug for r in records.records if r.slug in recent or r.slug in own]


def _planner(
    watch: Watch,
    records: ExperimentRecords,
    repository: ConfigurationRepository,
    before: AcceptedConfiguration | None,
) -> Planner:
    from jetstream_assets.config.planning import Planner  # noqa: PLC0415

    earlier = last_good(watch.store, before, repository.commit)
    return Planner(records, repository, watch.source.strict, earlier)


def _repository(watch: Watch, files: Files) -> ConfigurationRepository:
    from jetstream_assets.config.git_access import redacted  # noqa: PLC0415
    from jetstream_assets.config.repository import repository_of  # noqa: PLC0415

    return repository_of(files, redacted(watch.source.location))


def _broken(planner: Planner, slugs: list[str]) -> tuple[BrokenConfiguration, ...]:
    found = (planner.broken(slug) for slug in slugs)
    return tuple(broken for broken in found if broken is not None)


def _accept(
    watch: Watch,
    before: AcceptedConfiguration | None,
    new: ConfigurationRepository,
    broken: tuple[BrokenConfiguration, ...],
    number: int,
) -> Seen:
    """Publish the commit: first what it says, then that it is accepted."""
    publish_snapshot(watch.store, new)
    last_good = {found.slug: found.last_good for found in broken if found.last_good}
    former = before or AcceptedConfiguration(source=watch.source.name, commit=new.commit)
    accepted = former.followed_by(new.commit, last_good)
    publish_accepted(watch.store, accepted)
    return Seen(accepted=accepted, number=number)


def state(commit: str) -> str:
    """What a commit is called in a sentence."""
    if commit.startswith("files:"):
        return f"at the files {commit.removeprefix('files:')[:12]} (no commit has them)"
    return f"at commit {commit[:12]}"


def _summary(old: str, new: str, changes: int, affected: tuple[AffectedExperiment, ...]) -> str:
    accepted = f"Accepted the configuration {state(new)}, after the one {state(old)}"
    if not changes:
        return f"{accepted}: it changes nothing that is computed."
    counted = "1 experiment" if changes == 1 else f"{changes} experiments"
    return f"{accepted}: it changes {counted}, and {len(affected)} will be computed again."


def _told_files(files: tuple[tuple[str, str], ...]) -> Iterator[str]:
    yield from (f"{path} was {how}." for path, how in files[:_MOST_FILES_TOLD])
    if len(files) > _MOST_FILES_TOLD:
        yield f"{len(files) - _MOST_FILES_TOLD} more files differ."


def _told_marked(change: ConfigurationChange, marked: tuple[str, ...]) -> str:
    commits = ", ".join(commit[:12] for commit in marked)
    what = "; ".join(change.what)
    return f"{change.slug} is not computed again, since {MARKER} is in {commits}: {what}."


def _told_problems(
    repository: ConfigurationRepository, broken: tuple[BrokenConfiguration, ...]
) -> Iterator[str]:
    """What is wrong: with files, and with experiments; each once."""
    errors = dict.fromkeys(map(str, repository.problems))
    for found in broken:
        errors.pop(str(found.error), None)
    yield from errors
    yield from (f"{found.slug}: {found.message}" for found in broken)
