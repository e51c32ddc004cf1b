"""From what was written to the plan of a cell: records and configuration in, plans out.

Belongs here: choosing between a plan and a refusal, and between a configuration that is broken and
the last good one. Does not: resolving (`resolve`), what is due (`experiments.plan`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from jetstream_assets.config.broken import BrokenConfiguration
from jetstream_assets.config.experimenter import ExperimentRecords, read_experiments
from jetstream_assets.config.repository import ConfigurationRepository, open_configuration
from jetstream_assets.config.resolve import resolve
from jetstream_assets.errors import ConfigError
from jetstream_assets.experiments.configuration import AnalysisConfiguration
from jetstream_assets.experiments.failures import Refusal, RefusalKind
from jetstream_assets.experiments.plan import AnalysisPlan, make_plan
from jetstream_assets.experiments.refusals import refusal

if TYPE_CHECKING:
    from datetime import date

    from jetstream_assets.experiments.record import ExperimentRecord


# The repositories in which an experiment may have had a good configuration, the likeliest first.
Earlier = Callable[[str], Iterable[ConfigurationRepository]]


def _nothing_earlier(slug: str) -> Iterable[ConfigurationRepository]:
    del slug
    return ()


@dataclass(frozen=True)
class Planner:
    """Makes plans from one reading of the records and one commit of the configuration.

    Resolving is the slow part and does not depend on the date, so its result is kept. An
    experiment whose configuration is broken is planned with the first of the ``earlier``
    repositories in which it is not.
    """

    records: ExperimentRecords
    repository: ConfigurationRepository
    strict: bool = False
    earlier: Earlier = field(default=_nothing_earlier, repr=False)
    _broken: dict[str, BrokenConfiguration] = field(default_factory=dict, repr=False)
    _resolved: dict[str, AnalysisConfiguration | Refusal] = field(default_factory=dict, repr=False)

    def plan(self, slug: str, on: date) -> AnalysisPlan:
        """The plan of a cell; what keeps the experiment from being analysed is its refusal."""
        resolved = self.configuration(slug)
        if isinstance(resolved, Refusal):
            return AnalysisPlan(slug, on, refusal=resolved)
        reason = refusal(resolved, on)
        if reason is not None:
            return AnalysisPlan(slug, on, resolved, refusal=reason)
        return make_plan(resolved, on)

    def configuration(self, slug: str) -> AnalysisConfiguration | Refusal:
        """The resolved configuration of an experiment, or why there is none."""
        if slug not in self._resolved:
            self._resolved[slug] = self._resolve(slug)
        return self._resolved[slug]

    def broken(self, slug: str) -> BrokenConfiguration | None:
        """What is wrong with an experiment's configuration; None when it can be used."""
        self.configuration(slug)
        return self._broken.get(slug)

    def _resolve(self, slug: str) -> AnalysisConfiguration | Refusal:
        record = next((record for record in self.records.records if record.slug == slug), None)
        if record is None:
            return self._unknown(slug)
        try:
            return resolve(record, self.repository, strict=self.strict)
        except ConfigError as error:
            return self._last_good(record, error)

    def _last_good(
        self, record: ExperimentRecord, error: ConfigError
    ) -> AnalysisConfiguration | Refusal:
        slug, commit = record.slug, self.repository.commit
        for repository in self.earlier(slug):
            try:
                found = resolve(record, repository, strict=self.strict)
            except ConfigError:
                continue
            broken = BrokenConfiguration(slug, error, commit, repository.commit)
            self._broken[slug] = broken
            return replace(found, warnings=(broken.message, *found.warnings))
        broken = self._broken[slug] = BrokenConfiguration(slug, error, commit, "")
        return Refusal(RefusalKind.CONFIGURATION, broken.message)

    def _unknown(self, slug: str) -> Refusal:
        for problem in self.records.problems:
            if problem.slug == slug:
                return Refusal(RefusalKind.UNREADABLE_RECORD, problem.message)
        known = ", ".join(sorted(record.slug for record in self.records.records)) or "none"
        message = f"No record of an experiment {slug!r} was read. Experiments that were: {known}."
        return Refusal(RefusalKind.UNKNOWN_EXPERIMENT, message)


def open_planner(
    experiments: str, configuration: str, *, ref: str | None = None, strict: bool = False
) -> Planner:
    """Read the records and the configuration as they are now.

    Raises:
        ExperimentError: The records cannot be reached or are not JSON.
        ConfigError: The configuration cannot be reached.
    """
    return Planner(
        read_experiments(experiments), open_configuration(configuration, ref=ref), strict
    )
