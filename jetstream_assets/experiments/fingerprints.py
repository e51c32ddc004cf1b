"""By a fingerprint a stored slice is recognised as computed from the same, apart from source rows.

Belongs here: the digests of everything in a configuration or plan that decides a slice. Does not:
what sources held when they were read (`warehouse`), comparing (`analysis`).

What is there for people (names, descriptions, where something is written) decides no number and
enters no fingerprint.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jetstream_assets.experiments.configuration import AnalysisConfiguration
    from jetstream_assets.experiments.metrics import DataSource, ExposureSignal, Metric, Segment
    from jetstream_assets.experiments.plan import AnalysisPlan, PlannedWindow

# Raised when the meaning of a stored slice changes without its configuration changing.
PLAN_VERSION = 1

_FOR_PEOPLE = {"friendly_name", "description", "bigger_is_better", "origin"}


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
        [decisive(segment) for segment in configuration.segments],
        decisive(configuration.exposure_signal) if configuration.exposure_signal else None,
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
        source = decisive(signal)["data_source"]
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
        [decisive(configuration.metric(name)) for name in names],
    )


def statistics_fingerprint(plan: AnalysisPlan) -> str:
    """Digest of everything that decides a cell's statistics, apart from source rows."""
    return _digest(
        "statistics",
        windows_fingerprint(plan.settled, plan.windows),
        windows_fingerprint(plan.settled, plan.preenrollment),
        [branch.slug for branch in plan.experiment.branches],
        [[asdict(summary) for summary in window.summaries] for window in plan.windows],
        [decisive(plan.settled.metric(name)) for name in _ratio_names(plan)],
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


def decisive(definition: Metric | Segment | ExposureSignal | DataSource) -> dict[str, Any]:
    """A definition without what is there for people: it changes no number."""
    return asdict(
        definition,
        dict_factory=lambda items: {key: v for key, v in items if key not in _FOR_PEOPLE},
    )


def _digest(*parts: object) -> str:
    text = json.dumps([PLAN_VERSION, *parts], sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:32]
