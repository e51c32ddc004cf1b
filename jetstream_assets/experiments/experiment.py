"""The experiment as it was run: branches, dates, unit; after the configuration's overrides.

Belongs here: the effective experiment and what follows from it alone. Does not: how it is read
from Experimenter's JSON or merged with a configuration file (`config`), what is computed for it
(`configuration`, `plan`).
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from datetime import date
from enum import StrEnum

from jetstream_assets.experiments.windows import Timeline


class AnalysisUnit(StrEnum):
    """What is randomised and counted. The value is the column's name in telemetry."""

    CLIENT = "client_id"
    PROFILE_GROUP = "profile_group_id"


@dataclass(frozen=True)
class Branch:
    """One arm. ``ratio`` is its share of the traffic relative to the other branches (>= 0)."""

    slug: str
    ratio: int = 1


@dataclass(frozen=True)
class Experiment:
    """One experiment with the configuration's overrides applied.

    Args:
        slug: The experiment slug; any text, untrusted where it meets SQL, paths and HTML.
        branches: Its arms, in Experimenter's order; may be empty, which is a refusal.
        start_date: First day of enrollment, or None when it was never launched.
        end_date: Last day, or None while it runs.
        enrollment_period: Days of enrollment; 0 when unknown, which is a refusal.
        enrollment_end_date: Experimenter's date; None while units still enroll.
        has_configured_enrollment_period: Whether the configuration file sets the period, which
            lifts the refusal of an experiment that still enrolls.
        reference_branch: The branch others are read against, or None.
        app_name: The application, such as ``firefox_desktop``.
        app_id: The application's id, from which its dataset's name follows.
        analysis_unit: What is counted.
        is_rollout: Rollouts have no control and are never analysed.
        outcomes: Slugs of outcomes, Experimenter's first.
        segments: Names of segments, the configuration's first.
        name: What people call it; any text, untrusted, and of no effect on any number.
        description: What it is about; as the name.
    """

    slug: str
    branches: tuple[Branch, ...]
    start_date: date | None
    end_date: date | None
    enrollment_period: int
    enrollment_end_date: date | None = None
    has_configured_enrollment_period: bool = False
    reference_branch: str | None = None
    app_name: str = "firefox_desktop"
    app_id: str = "firefox-desktop"
    analysis_unit: AnalysisUnit = AnalysisUnit.CLIENT
    is_rollout: bool = False
    outcomes: tuple[str, ...] = ()
    segments: tuple[str, ...] = ()
    name: str | None = None
    description: str | None = None

    @property
    def normalized_slug(self) -> str:
        """The slug with every character outside [A-Za-z0-9_] as an underscore (documents)."""
        return normalized(self.slug)

    @property
    def enrollment_is_open(self) -> bool:
        """Whether nobody has said when enrollment ends: neither Experimenter nor a file."""
        return self.enrollment_end_date is None and not self.has_configured_enrollment_period

    @property
    def app_dataset(self) -> str:
        """The dataset that holds the application's own tables."""
        return re.sub(r"[^a-z0-9]", "_", self.app_id.lower())

    @property
    def timeline(self) -> Timeline:
        """The dates from which windows follow.

        Raises:
            ValueError: The experiment has no start date.
        """
        if self.start_date is None:
            raise ValueError(f"experiment {self.slug!r} has no start date")
        return Timeline(self.start_date, self.enrollment_period, self.end_date)

    def closed_on(self, on: date) -> Experiment:
        """The experiment as if its enrollment had closed on date ``on``, which is not before F."""
        days = (on - self.timeline.first_enrollment_date).days
        return replace(self, enrollment_period=days)


def is_slug(text: str) -> bool:
    """Whether a text can be a slug: letters, digits, dashes and underscores."""
    return re.fullmatch(r"[A-Za-z0-9_-]+", text) is not None


def normalized(slug: str) -> str:
    """A slug with every character outside [A-Za-z0-9_] as an underscore."""
    return re.sub(r"[^A-Za-z0-9_]", "_", slug)
