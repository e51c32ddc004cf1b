"""A simulated Firefox experiment with a known effect, analysed by Mozilla's own defaults."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

from jetstream_assets.simulation.demo import experimenter_record
from jetstream_assets.simulation.telemetry import simulate
from jetstream_assets.simulation.truth import ExperimentTruth
from jetstream_assets.simulation.world import (
    Effects,
    SimulatedBranch,
    SimulatedExperiment,
    World,
)
from jetstream_assets_tests.real.command import Workplace, shared_data

if TYPE_CHECKING:
    from pathlib import Path

EXPERIMENT = SimulatedExperiment(
    slug="known-effect",
    start_date=date(2025, 3, 3),
    enrollment_period=3,
    end_date=date(2025, 3, 21),
    branches=(
        SimulatedBranch("control"),
        SimulatedBranch("treatment", effects=Effects(search_count=0.2, active_hours=0.1)),
    ),
    units=6_000,
    unenrolled_share=0.005,
)
# Defined by the public configuration: who came often before, and where from.
SEGMENTS = ("regular_users_v3", "us")
# Chosen once, before the first result was seen.
SEED = 20250303


@dataclass(frozen=True)
class Desktop:
    """The workplace, and what is true of its experiment."""

    place: Workplace
    truth: ExperimentTruth


def make_desktop(root: Path) -> Desktop:
    """Write telemetry and the record; the configuration is Mozilla's own, where it lies."""
    place = Workplace(root, shared_data("metric-hub"))
    truth = simulate(World(seed=SEED, experiments=(EXPERIMENT,)), place.warehouse)
    place.experiments.write_text(json.dumps([experimenter_record(EXPERIMENT, segments=SEGMENTS)]))
    return Desktop(place, truth.experiment(EXPERIMENT.slug))
