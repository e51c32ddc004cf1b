"""The plan of one cell (experiment, date): what is due, and which numbers it needs. Plain data.

Belongs here: turning a resolved configuration and a date into windows, metrics and summaries, and
the fingerprints by which a stored slice is recognised as still right. Does not: SQL, tables.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, replace
from datetime import date
from typing import TYPE_CHECKING, Any

from jetstream_assets.experiments.configuration import AnalysisConfiguration
from jetstream_assets.experiments.failures import Refusal
from jetstream_assets.experiments.metrics import ExposureSignal, Metric, Segment, Summary
from jetstream_assets.experiments.windows import DueWindow, Period

if TYPE_CHECKING:
    from jetstream_assets.experiments.experiment import Experiment

# Raised when the meaning of a stored slice changes without its configuration changing.
PLAN_VERSION = 1

_FOR_PEOPLE = {"friendly_name", "description", "bigger_is_better", "origin"}


@dataclass(frozen=True)
class PlannedWindow:
    """One window that is due, the metrics to compute for it and the summaries to make of them.

    ``metrics`` are names, sorted: every metric with SQL of its own that a summary, a ratio or a
    covariate of this window needs. ``complete_by`` is set while units enroll: only units count
    whose anchor date plus the window's end is not after it.
    """

    due: DueWindow
    metrics: tuple[str, ...]
    summaries: tuple[Summary, ...]
    complete_by: date | None = None

    @property
    def is_provisional(self) -> bool:
        """Whether units that still enroll, or have not lived through the window, are missing."""
        return self.complete_by is not None


@dataclass(frozen=True)
class AnalysisPlan:
    """Everything the assets below need to know about one cell.

    Args:
        slug: The experiment slug.
        date: The date D whose data is complete.
        configuration: The resolved configuration; None when there is none (see ``refusal``).
        refusal: Why the cell is not analysed, or None.
        windows: What is due, pre-enrollment windows included; empty when nothing is.
        preenrollment: All pre-enrollment windows that this cell needs, whether due on this date
            (then also in ``windows``) or earlier, for the sake of a covariate.
        idle: A sentence that says why nothing is due; empty when something is.
    """

    slug: str
    date: date
    configuration: AnalysisConfiguration | None = None
    refusal: Refusal | None = None
    windows: tuple[PlannedWindow, ...] = ()
    preenrollment: tuple[PlannedWindow, ...] = ()
    idle: str = ""

    @property
    def note(self) -> str:
        """A sentence that says why the cell computes nothing; empty when it computes something."""
        return self.refusal.message if self.refusal is not None else self.idle

    @property
    def declared(self) -> AnalysisConfiguration:
        """The whole configuration of a plan that has one, whatever can be computed of it yet.

        Raises:
            ValueError: The plan has none.
        """
        if self.configuration is None:
            raise ValueError(f"the plan of {self.slug!r} on {self.date} has no configuration")
        return self.configuration

    @property
    def is_provisional(self) -> bool:
        """Whether units still enroll on the plan's date: later dates replace its results."""
        return any(window.is_provisional for window in self.windows)

    @property
    def settled(self) -> AnalysisConfiguration:
        """The configuration that a cell computes from.

        While units enroll it is that of an enrollment that closed on the plan's date, without
        segments: they look back, and are read once, when enrollment closes.

        Raises:
            ValueError: The plan has none.
        """
        if not self.is_provisional:
            return self.declared
        closed = self.declared.experiment.closed_on(self.date)
        return replace(self.declared, experiment=closed, segments=())

    @property
    def experiment(self) -> Experiment:
        """The effective experiment that a cell computes from; see `settled`."""
        return self.settled.experiment

    @property
    def observation_windows(self) -> tuple[PlannedWindow, ...]:
        """The due windows that lie after the anchor date."""
        return tuple(w for w in self.windows if not w.due.period.is_preenrollment)


def make_plan(configuration: AnalysisConfiguration, on: date) -> AnalysisPlan:
    """The plan of a runnable experiment on date ``on``.

    While units enroll, the plan is provisional: it has every window that some unit has lived
    through. The caller has made sure that nothing refuses the experiment (`refusals.refusal`).
    """
    slug, timeline = configuration.experiment.slug, configuration.experiment.timeline
    # What is asked for once, when enrollment closes, is not known while units enroll.
    complete_by = on if configuration.is_folded and timeline.is_enrolling(on) else None
    due = timeline.due(on) if complete_by is None else timeline.provisional(on)
    found = (_planned(configuration, window, complete_by) for window in due)
    windows = tuple(planned for planned in found if planned.metrics or planned.summaries)
    plan = AnalysisPlan(slug, on, configuration, windows=windows)
    if not windows:
        return replace(plan, idle=_why_idle(configuration, on))
    if plan.is_provisional:
        return plan
    return replace(plan, preenrollment=_preenrollment(configuration, windows))


def computed_metrics(
    configuration: AnalysisConfiguration, *, before_enrollment: bool
) -> tuple[str, ...]:
    """The metrics with SQL of their own that some window needs, sorted by name.

    Args:
        configuration: Whose metrics.
        before_enrollment: Those of the pre-enrollment windows, or else of all other windows.
    """
    periods = [period for period in Period if period.is_preenrollment == before_enrollment]
    names = {s.metric for period in periods for s in configuration.summaries(period)}
    if before_enrollment:
        names |= {name for period in periods for name in _covariates(configuration, period)}
    return tuple(sorted(_with_sql(configuration, names)))


def enrollments_fingerprint(configuration: AnalysisConfiguration) -> str:
    """Digest of everything that decides the enrollments table, apart from source rows."""
    experiment = configuration.experiment
    return _digest(
        "enrollments",
        experiment.slug,
        experiment.app_id,
        experiment.analysis_unit,
        experiment.start_date,
        experiment.enrollment_period,
        configuration.enrollments_query_type,
        configuration.enrollment_query,
        configuration.sample_size,
        configuration.several_branches,
        [_decisive(segment) for segment in configuration.segments],
        _decisive(configuration.exposure_signal) if configuration.exposure_signal else None,
    )


def enrollment_events_fingerprint(configuration: AnalysisConfiguration) -> str:
    """Digest of everything that decides a day of enrollment events, apart from source rows.

    The dates of the experiment do not: they decide which days are asked for.
    """
    experiment = configuration.experiment
    return _digest(
        "enrollment events",
        experiment.slug,
        experiment.app_id,
        experiment.analysis_unit,
        configuration.enrollments_query_type,
        configuration.sample_size,
    )


def exposure_events_fingerprint(configuration: AnalysisConfiguration) -> str:
    """Digest of everything that decides a day of exposures, apart from source rows.

    The bounds of a signal do not, nor its name: they decide which days are asked for, and nothing.
    """
    experiment, signal = configuration.experiment, configuration.exposure_signal
    if signal is not None:
        source = _decisive(signal)["data_source"]
        unit, shown = experiment.analysis_unit, signal.select_expression
        return _digest("exposure signal", unit, source, shown)
    return _digest(
        "exposure events",
        experiment.slug,
        experiment.app_id,
        experiment.analysis_unit,
        configuration.enrollments_query_type,
    )


def windows_fingerprint(
    configuration: AnalysisConfiguration, windows: tuple[PlannedWindow, ...]
) -> str:
    """Digest of everything that decides the metrics of these windows, apart from source rows."""
    names = sorted({name for window in windows for name in window.metrics})
    return _digest(
        "metrics",
        enrollments_fingerprint(configuration),
        [(asdict(window.due), window.complete_by) for window in windows],
        [window.metrics for window in windows],
        [_decisive(configuration.metric(name)) for name in names],
    )


def statistics_fingerprint(plan: AnalysisPlan) -> str:
    """Digest of everything that decides a cell's statistics, apart from source rows."""
    return _digest(
        "statistics",
        windows_fingerprint(plan.settled, plan.windows),
        windows_fingerprint(plan.settled, plan.preenrollment),
        [branch.slug for branch in plan.experiment.branches],
        [[asdict(summary) for summary in window.summaries] for window in plan.windows],
        [_decisive(plan.settled.metric(name)) for name in _ratio_names(plan)],
        _hypotheses(plan.settled),
        _awaited(plan),
    )


def _awaited(plan: AnalysisPlan) -> list[object]:
    """What the statistics of a provisional plan say is still to come."""
    if not plan.is_provisional:
        return []
    declared = plan.declared
    return [
        declared.experiment.timeline.last_enrollment_date,
        [segment.name for segment in declared.segments],
    ]


def _hypotheses(configuration: AnalysisConfiguration) -> list[object]:
    family, power = configuration.multiple_comparisons, configuration.power
    # The reference branch decides which comparisons are hypotheses, and nothing else.
    reference = configuration.experiment.reference_branch if family else None
    return [asdict(family) if family else None, asdict(power) if power else None, reference]


def _ratio_names(plan: AnalysisPlan) -> list[str]:
    names = {summary.metric for window in plan.windows for summary in window.summaries}
    return sorted(name for name in names if plan.settled.metric(name).depends_on)


def _decisive(definition: Metric | Segment | ExposureSignal) -> dict[str, Any]:
    """A definition without what is there for people: it changes no number."""
    return asdict(
        definition,
        dict_factory=lambda items: {key: v for key, v in items if key not in _FOR_PEOPLE},
    )


def _planned(
    configuration: AnalysisConfiguration, due: DueWindow, complete_by: date | None = None
) -> PlannedWindow:
    summaries = configuration.summaries(due.period)
    names = {summary.metric for summary in summaries}
    if due.period.is_preenrollment:
        names |= _covariates(configuration, due.period)
    computed = sorted(_with_sql(configuration, names))
    return PlannedWindow(due, tuple(computed), summaries, complete_by)


def _with_sql(configuration: AnalysisConfiguration, names: set[str]) -> set[str]:
    """The metrics that must be computed for these ones: themselves or what they depend on."""
    found: set[str] = set()
    for name in names:
        metric = configuration.metric(name)
        if metric.select_expression is not None:
            found.add(name)
        found |= _with_sql(configuration, set(metric.depends_on))
    return found


def _covariates(configuration: AnalysisConfiguration, period: Period) -> set[str]:
    return {
        summary.covariate.metric
        for listed in configuration.periods
        if not listed.period.is_preenrollment
        for summary in listed.summaries
        if summary.covariate is not None and summary.covariate.period == period
    }


def _preenrollment(
    configuration: AnalysisConfiguration, windows: tuple[PlannedWindow, ...]
) -> tuple[PlannedWindow, ...]:
    """All pre-enrollment windows when any is due or serves a covariate, else none.

    They are stored as one slice of the last enrollment date, so every cell that needs one of them
    asks for the same slice with the same fingerprint, whichever cell comes first.
    """
    is_needed = any(
        window.due.period.is_preenrollment or any(s.covariate for s in window.summaries)
        for window in windows
    )
    if not is_needed:
        return ()
    due = configuration.experiment.timeline.preenrollment()
    candidates = (_planned(configuration, window) for window in due)
    return tuple(planned for planned in candidates if planned.metrics or planned.summaries)


def _why_idle(configuration: AnalysisConfiguration, on: date) -> str:
    timeline = configuration.experiment.timeline
    first, last = timeline.first_enrollment_date, timeline.last_enrollment_date
    listed = ", ".join(p.period.config_key for p in configuration.periods if p.summaries)
    periods = f"the configured periods ({listed or 'none'})"
    if on < first:
        return f"Nothing is due on {on}: units enroll from {first} to {last}."
    if on < last and not configuration.is_folded:
        return (
            f"Nothing is due on {on}: units enroll until {last}, and who they are is only known on "
            "that date, since an enrollment_query or the background update is asked once."
        )
    if on < last:
        return (
            f"Nothing is due on {on}: units enroll until {last}, and no unit has lived through a "
            f"window of {periods} that is told before."
        )
    return f"Nothing is due on {on}: no window of {periods} ends."


def _digest(*parts: object) -> str:
    text = json.dumps([PLAN_VERSION, *parts], sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:32]
