"""Why an experiment cannot be analysed on a date, in a fixed order: the first reason is told.

Belongs here: the rules. Does not: whether anything is due (`plan`), which experiments a daily run
looks at (`selection`), configurations that cannot be read (`errors.ConfigError`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from jetstream_assets.experiments.failures import Refusal, RefusalKind
from jetstream_assets.experiments.platforms import PLATFORMS

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import date

    from jetstream_assets.experiments.configuration import AnalysisConfiguration


def refusal(configuration: AnalysisConfiguration, on: date) -> Refusal | None:
    """Why the experiment is not analysed on date ``on``, or None when it may be.

    An experiment that has not started by ``on`` is no refusal: nothing is due yet.
    """
    for kind, rule in _RULES:
        message = rule(configuration, on)
        if message:
            return Refusal(kind, message)
    return None


# Each rule gives the message of a refusal, or an empty text when it does not apply.


def _no_slug(configuration: AnalysisConfiguration, on: date) -> str:
    del on
    if configuration.experiment.slug:
        return ""
    return "The experiment has no slug, so its results cannot be named. Give it one."


def _skipped(configuration: AnalysisConfiguration, on: date) -> str:
    del on
    if not configuration.skip:
        return ""
    return (
        f"The configuration of {_name(configuration)} sets skip = true. "
        "Remove the key to have it analysed."
    )


def _no_branches(configuration: AnalysisConfiguration, on: date) -> str:
    del on
    if configuration.experiment.branches:
        return ""
    return (
        f"{_name(configuration)} has no branches, so there is nothing to compare. "
        "Add its branches in Experimenter."
    )


def _no_enrollment_period(configuration: AnalysisConfiguration, on: date) -> str:
    del on
    days = configuration.experiment.enrollment_period
    if days > 0:
        return ""
    return (
        f"{_name(configuration)} has an enrollment period of {days} days; it must be at least 1. "
        "Set enrollment_period in the [experiment] table of its configuration."
    )


def _no_start_date(configuration: AnalysisConfiguration, on: date) -> str:
    del on
    if configuration.experiment.start_date is not None:
        return ""
    return (
        f"{_name(configuration)} has no start date. "
        "Launch it, or set start_date in the [experiment] table of its configuration."
    )


def _ended(configuration: AnalysisConfiguration, on: date) -> str:
    end_date = configuration.experiment.end_date
    if end_date is None or end_date >= on:
        return ""
    return (
        f"{_name(configuration)} ended on {end_date}, before {on}. Ask for a date up to its end, "
        "or set a later end_date in the [experiment] table of its configuration."
    )


def _rollout(configuration: AnalysisConfiguration, on: date) -> str:
    del on
    if not configuration.experiment.is_rollout:
        return ""
    return (
        f"{_name(configuration)} is a rollout: it has no control, so there is nothing to compare. "
        "Run an experiment to measure an effect."
    )


def _unsupported_application(configuration: AnalysisConfiguration, on: date) -> str:
    del on
    app_name = configuration.experiment.app_name
    if app_name in PLATFORMS:
        return ""
    return (
        f"{_name(configuration)} runs on the application {app_name!r}, which is not supported. "
        f"Supported are {', '.join(PLATFORMS)}."
    )


def _enrollment_not_complete(configuration: AnalysisConfiguration, on: date) -> str:
    experiment = configuration.experiment
    is_known = experiment.enrollment_end_date is not None
    if is_known or experiment.has_configured_enrollment_period:
        return ""
    # Until the planned end of enrollment results are provisional, whenever enrollment ends.
    if on < experiment.timeline.last_enrollment_date:
        return ""
    return (
        f"{_name(configuration)} still enrolls: Experimenter has no enrollment end date. "
        "End enrollment there, or set enrollment_period in the [experiment] table of its "
        "configuration."
    )


def _enrollment_too_long(configuration: AnalysisConfiguration, on: date) -> str:
    del on
    timeline = configuration.experiment.timeline
    length = timeline.overall_length
    if length is None or length >= 1:
        return ""
    return (
        f"{_name(configuration)} enrolls from {timeline.start_date} to "
        f"{timeline.last_enrollment_date}, and ends on {timeline.end_date}: no day is left for its "
        "analysis. The end date must be at least one day after the last enrollment date; set "
        "enrollment_period or end_date in the [experiment] table of its configuration."
    )


def _name(configuration: AnalysisConfiguration) -> str:
    return f"Experiment {configuration.experiment.slug!r}"


# The timeline needs a start date, so the rules that read it stand after the start date's.
_RULES: tuple[tuple[RefusalKind, Callable[[AnalysisConfiguration, date], str]], ...] = (
    (RefusalKind.NO_SLUG, _no_slug),
    (RefusalKind.SKIPPED, _skipped),
    (RefusalKind.NO_BRANCHES, _no_branches),
    (RefusalKind.NO_ENROLLMENT_PERIOD, _no_enrollment_period),
    (RefusalKind.NO_START_DATE, _no_start_date),
    (RefusalKind.ENDED, _ended),
    (RefusalKind.ROLLOUT, _rollout),
    (RefusalKind.UNSUPPORTED_APPLICATION, _unsupported_application),
    (RefusalKind.ENROLLMENT_NOT_COMPLETE, _enrollment_not_complete),
    (RefusalKind.ENROLLMENT_TOO_LONG, _enrollment_too_long),
)
