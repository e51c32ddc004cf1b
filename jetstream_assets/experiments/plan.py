"""The plan of one cell (experiment, date): what is due, and which numbers it needs. Plain data.

Belongs here: turning a resolved configuration and a date into windows, metrics and summaries. Does
not: telling whether what is stored is still right (`fingerprints`), SQL, tables.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date
from typing import TYPE_CHECKING

from jetstream_assets.experiments.configuration import AnalysisConfiguration
from jetstream_assets.experiments.failures import Refusal
from jetstream_assets.experiments.metrics import Summary
from jetstream_assets.experiments.windows import DueWindow, Period

if TYPE_CHECKING:
    from jetstream_assets.experiments.experiment import Experiment


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
