"""What is to be computed for one experiment, at one commit of the configuration.

Belongs here: the resolved configuration, complete and independent of every file. Does not: how
layers of files are merged into it (`config.resolve`), what is due on a date (`plan`).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from jetstream_assets.experiments.decision import DecisionRule
from jetstream_assets.experiments.experiment import Experiment
from jetstream_assets.experiments.hypotheses import MultipleComparisons, PowerGoal
from jetstream_assets.experiments.metrics import (
    ExposureSignal,
    Metric,
    Scalar,
    Segment,
    Summary,
    written_in,
)
from jetstream_assets.experiments.windows import Period


class EnrollmentsQueryType(StrEnum):
    """Which built-in events say who enrolled."""

    NORMANDY = "normandy"
    GLEAN_EVENT = "glean-event"
    FENIX_FALLBACK = "fenix-fallback"
    CIRRUS = "cirrus"
    BACKGROUND_UPDATE = "background-update"


class SeveralBranches(StrEnum):
    """What happens to a unit that enrolled in more than one branch.

    Such a unit has seen more than one treatment, so no branch can claim it: by default it is
    excluded from every analysis and counted.
    """

    EXCLUDE = "exclude"
    KEEP_FIRST = "keep_first"


@dataclass(frozen=True)
class Outcome:
    """An outcome as it was used: for the exported metadata."""

    slug: str
    friendly_name: str
    description: str
    metrics: tuple[str, ...]
    default_metrics: tuple[str, ...] = ()
    commit: str | None = None


@dataclass(frozen=True)
class PeriodSummaries:
    """The summaries of one period, in the order of the configuration, without repeats."""

    period: Period
    summaries: tuple[Summary, ...]


@dataclass(frozen=True)
class AnalysisConfiguration:
    """Everything that a plan needs to know about one experiment.

    ``metrics`` holds every metric that a summary, a covariate or ``depends_on`` names, sorted by
    name. ``overrides`` lists (key, value) of what the configuration file changed against
    Experimenter, for the exported metadata. ``commit`` is the configuration's commit, or a digest
    of the files where there is no repository. ``warnings`` are readable sentences about things
    that were ignored, such as unknown keys.
    """

    experiment: Experiment
    enrollments_query_type: EnrollmentsQueryType = EnrollmentsQueryType.NORMANDY
    enrollment_query: str | None = None
    enrollment_query_origin: str = written_in()
    exposure_signal: ExposureSignal | None = None
    sample_size: int = 100
    several_branches: SeveralBranches = SeveralBranches.EXCLUDE
    segments: tuple[Segment, ...] = ()
    metrics: tuple[Metric, ...] = ()
    periods: tuple[PeriodSummaries, ...] = ()
    outcomes: tuple[Outcome, ...] = ()
    dataset_id: str | None = None
    is_private: bool = False
    skip: bool = False
    multiple_comparisons: MultipleComparisons | None = None
    power: PowerGoal | None = None
    decision: DecisionRule | None = None
    overrides: tuple[tuple[str, Scalar], ...] = ()
    commit: str = ""
    warnings: tuple[str, ...] = ()

    @property
    def is_folded(self) -> bool:
        """Whether enrollments are known day by day, while units enroll.

        A custom query is one question about the whole, and the background update has no single
        table of events: they are asked when enrollment has ended.
        """
        is_background = self.enrollments_query_type == EnrollmentsQueryType.BACKGROUND_UPDATE
        return self.enrollment_query is None and not is_background

    def metric(self, name: str) -> Metric:
        """The metric of that name; KeyError when the configuration has none."""
        return {metric.name: metric for metric in self.metrics}[name]

    def summaries(self, period: Period) -> tuple[Summary, ...]:
        """The summaries of a period; empty where the configuration lists none."""
        return next((p.summaries for p in self.periods if p.period == period), ())
