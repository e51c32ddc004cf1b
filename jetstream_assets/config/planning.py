"""From what was written to the plan of a cell: records and configuration in, plans out.

Belongs here: choosing between a plan and a refusal. Does not: resolving (`resolve`), what is due
(`experiments.plan`).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

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


@dataclass(frozen=True)
class Planner:
    """Makes plans from one reading of the records and one commit of the configuration.

    Resolving is the slow part and does not depend on the date, so its result is kept.
    """

    records: ExperimentRecords
    repository: ConfigurationRepository
    strict: bool = False
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

    def _resolve(self, slug: str) -> AnalysisConfiguration | Refusal:
        record = next((record for record in self.records.records if record.slug == slug), None)
        if record is None:
            return self._unknown(slug)
        try:
            return resolve(record, self.repository, strict=self.strict)
        except ConfigError as error:
            return Refusal(RefusalKind.CONFIGURATION, str(error))

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
