"""What lies between two readings of a configuration, experiment by experiment and file by file.

Belongs here: comparing what is meant, so that a comment, a description or a file that an experiment
does not use is no change of it. Does not: where readings are from (`news`), what is done about a
change (`orchestration`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from jetstream_assets.experiments.decisive_parts import decisive_parts, differences
from jetstream_assets.experiments.failures import Refusal

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from jetstream_assets.config.planning import Planner
    from jetstream_assets.config.repository import ConfigurationRepository
    from jetstream_assets.experiments.configuration import AnalysisConfiguration


@dataclass(frozen=True)
class ConfigurationChange:
    """What a change of the configuration means for one experiment.

    Args:
        slug: The experiment slug.
        what: The parts that differ, such as ``metric active_hours`` or ``weekly: bootstrap_mean
            of search_count added``; never empty.
    """

    slug: str
    what: tuple[str, ...]


def changed_experiments(
    old: Planner, new: Planner, slugs: Iterable[str]
) -> tuple[ConfigurationChange, ...]:
    """The experiments whose results may differ between two readings, in the order of the slugs.

    Each planner resolves as it does for a run, so an experiment that stays on its last good
    configuration has not changed. An experiment that is refused in both has not changed, either.
    """
    found = ((slug, _differences(old, new, slug)) for slug in slugs)
    return tuple(ConfigurationChange(slug, what) for slug, what in found if what)


def changed_files(
    old: ConfigurationRepository, new: ConfigurationRepository
) -> tuple[tuple[str, str], ...]:
    """(path, ``added``, ``changed`` or ``deleted``) of the files that differ, by path."""
    before, after = dict(_contents(old)), dict(_contents(new))
    return tuple(
        (path, "added" if path not in before else "deleted" if path not in after else "changed")
        for path in sorted({*before, *after})
        if before.get(path) != after.get(path)
    )


def _differences(old: Planner, new: Planner, slug: str) -> tuple[str, ...]:
    before, after = old.configuration(slug), new.configuration(slug)
    if isinstance(after, Refusal):
        return () if isinstance(before, Refusal) else (f"it is refused now: {after.message}",)
    if isinstance(before, Refusal):
        return ("its configuration, which can be used now",)
    return _parts_that_differ(before, after)


def _parts_that_differ(
    before: AnalysisConfiguration, after: AnalysisConfiguration
) -> tuple[str, ...]:
    return differences(decisive_parts(before), decisive_parts(after))


def _contents(repository: ConfigurationRepository) -> Iterator[tuple[str, bytes | str]]:
    for group in repository.documents.values():
        for document in group:
            content = document.content
            yield document.path, content if isinstance(content, bytes) else content.problem
