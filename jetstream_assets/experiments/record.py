"""What Experimenter says about an experiment, before any configuration file changes it.

Belongs here: the record as plain data and what follows from it alone. Does not: reading it
(`config.experimenter`), merging it with a configuration (`config.effective`).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from jetstream_assets.experiments.experiment import Branch


@dataclass(frozen=True)
class ExperimentRecord:
    """One experiment as it is registered.

    Args:
        slug: The experiment slug; any text, untrusted.
        branches: Its arms in Experimenter's order; may be empty.
        start_date: First day of enrollment; None before launch.
        end_date: Last day; None while it runs.
        enrollment_end_date: Last day of enrollment; None while units still enroll.
        proposed_enrollment: Days of enrollment as planned, 0 when unknown.
        randomization_unit: What is randomised, such as ``normandy_id``; None when unknown.
        reference_branch: The branch others are read against, or None.
        app_name: The application, such as ``fenix``.
        app_id: The application's id.
        outcomes: Slugs of outcomes, without repeats.
        segments: Names of segments, without repeats.
        is_rollout: Whether it is a rollout, which has no control.
        name: What people call it; any text, untrusted.
        description: What it is about, in a sentence or two; untrusted as well.
    """

    slug: str
    branches: tuple[Branch, ...] = ()
    start_date: date | None = None
    end_date: date | None = None
    enrollment_end_date: date | None = None
    proposed_enrollment: int = 0
    randomization_unit: str | None = None
    reference_branch: str | None = None
    app_name: str = "firefox_desktop"
    app_id: str = "firefox-desktop"
    outcomes: tuple[str, ...] = ()
    segments: tuple[str, ...] = ()
    is_rollout: bool = False
    name: str | None = None
    description: str | None = None

    @property
    def enrollment_period(self) -> int:
        """Days of enrollment (>= 0): as it happened where it has ended, else as planned."""
        if self.enrollment_end_date is not None and self.start_date is not None:
            return (self.enrollment_end_date - self.start_date).days + 1
        return self.proposed_enrollment
