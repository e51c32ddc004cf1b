"""The truth is what the population would do in each branch, not what was observed.

Belongs here: the expected measures under each branch, and how they are kept beside the data. Does
not: how they come about (`behaviour`).
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import numpy as np

from jetstream_assets.simulation.behaviour import expected
from jetstream_assets.simulation.world import Measure

if TYPE_CHECKING:
    from pathlib import Path

    from jetstream_assets.simulation.units import Cohort, Floats
    from jetstream_assets.simulation.world import SimulatedExperiment, World

FILE_NAME = "truth.json"


@dataclass(frozen=True)
class MeasureTruth:
    """One measure of one branch over the overall window, for every unit that enrolled.

    Args:
        measure: What is summed over the window's days.
        expected_mean: Mean per unit if every unit were in this branch.
        relative_uplift: Against the reference branch, exact; 0.05 is five per cent more.
    """

    measure: Measure
    expected_mean: float
    relative_uplift: float


@dataclass(frozen=True)
class BranchTruth:
    """One branch: units that enrolled in it first, and what it does."""

    branch: str
    units: int
    measures: tuple[MeasureTruth, ...]

    def measure(self, measure: Measure) -> MeasureTruth:
        """The truth of one measure; KeyError when there is no overall window."""
        return {truth.measure: truth for truth in self.measures}[measure]


@dataclass(frozen=True)
class ExperimentTruth:
    """One experiment. ``window_length`` is the overall window's in days; 0 when there is none."""

    slug: str
    reference_branch: str
    window_length: int
    units: int
    units_in_several_branches: int
    branches: tuple[BranchTruth, ...]

    def branch(self, slug: str) -> BranchTruth:
        """The truth of one branch; KeyError when the experiment has none of that slug."""
        return {truth.branch: truth for truth in self.branches}[slug]


@dataclass(frozen=True)
class Truth:
    """What is true of a world."""

    seed: int
    experiments: tuple[ExperimentTruth, ...]

    def experiment(self, slug: str) -> ExperimentTruth:
        """The truth of one experiment; KeyError when the world has none of that slug."""
        return {truth.slug: truth for truth in self.experiments}[slug]

    def write(self, root: Path) -> Path:
        """Write `FILE_NAME` into a folder and return its path."""
        path = root / FILE_NAME
        path.write_text(json.dumps(asdict(self), indent=2) + "\n", encoding="utf-8")
        return path


class Tally:
    """Adds up one experiment's expectations and units, block by block and day by day."""

    def __init__(self, world: World, experiment: SimulatedExperiment) -> None:
        self._experiment = experiment
        last = world.bounds(experiment)[1]
        after_enrollment = (last - experiment.timeline.last_enrollment_date).days
        # The overall window ends the day before the end date.
        self._window_length = max(after_enrollment, 0)
        self._expected: Floats = np.zeros((len(experiment.branches), len(Measure)))
        self._units = np.zeros(len(experiment.branches), np.int64)
        self._in_several = 0

    def add_cohort(self, cohort: Cohort) -> None:
        """Count the units of a block."""
        who = cohort.participation
        self._units += np.bincount(who.branch, minlength=len(self._units))
        self._in_several += int((who.second_branch >= 0).sum())

    def add_day(self, cohort: Cohort, day: int) -> None:
        """Add what a block is expected to do on a day."""
        self._expected += expected(cohort, day, self._window_length)

    def truth(self) -> ExperimentTruth:
        """The truth, once every block and day was added."""
        experiment = self._experiment
        return ExperimentTruth(
            slug=experiment.slug,
            reference_branch=experiment.branches[0].slug,
            window_length=self._window_length,
            units=experiment.units,
            units_in_several_branches=self._in_several,
            branches=tuple(
                BranchTruth(branch.slug, int(self._units[row]), self._measures(row))
                for row, branch in enumerate(experiment.branches)
            ),
        )

    def _measures(self, row: int) -> tuple[MeasureTruth, ...]:
        if not self._window_length:
            return ()
        means = self._expected / self._experiment.units
        return tuple(
            MeasureTruth(
                measure, float(means[row, column]), float(means[row, column] / means[0, column] - 1)
            )
            for column, measure in enumerate(Measure)
        )
