"""The demo shows a good experiment, a troubled one, and two that are refused.

Belongs here: the invented experiments, their records as Experimenter would give them, and a folder
with everything that an analysis needs. Does not: how telemetry is made (`telemetry`). The
configuration beside this module is meant to be read, as an example.
"""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from datetime import date, timedelta
from importlib.resources import as_file, files
from pathlib import Path

from jetstream_assets.simulation.telemetry import Progress, simulate
from jetstream_assets.simulation.truth import Truth
from jetstream_assets.simulation.world import (
    Effects,
    SimulatedBranch,
    SimulatedExperiment,
    TelemetryTable,
    World,
)

# The experiment to look at first.
DEMO_SLUG = "compact-toolbar-2026"

_HEALTHY = SimulatedExperiment(
    slug=DEMO_SLUG,
    start_date=date(2026, 3, 2),
    enrollment_period=7,
    end_date=date(2026, 4, 6),
    branches=(
        SimulatedBranch("control"),
        SimulatedBranch("compact", effects=Effects(search_count=0.15)),
        SimulatedBranch("compact-with-tour", effects=Effects(active_hours=0.06, ad_clicks=-0.1)),
    ),
    units=12_000,
)
_TROUBLED = SimulatedExperiment(
    slug="reader-invitation-2026",
    start_date=date(2026, 3, 9),
    enrollment_period=7,
    end_date=date(2026, 4, 6),
    branches=(
        SimulatedBranch("control"),
        SimulatedBranch("invitation", effects=Effects(active_hours=0.05)),
    ),
    units=6_000,
    several_branches_share=0.02,
    sample_ratio_skew=-0.12,
)
_ENROLLING = SimulatedExperiment(
    slug="tab-previews-2026",
    start_date=date(2026, 3, 30),
    enrollment_period=7,
    end_date=None,
    branches=(SimulatedBranch("control"), SimulatedBranch("previews")),
    units=1_000,
)
_ROLLOUT = SimulatedExperiment(
    slug="quieter-updates-2026",
    start_date=date(2026, 3, 16),
    enrollment_period=7,
    end_date=date(2026, 4, 6),
    branches=(SimulatedBranch("quieter"),),
    units=1_000,
)

# What people call the experiments, and what they are about.
_TOLD = {
    _HEALTHY.slug: (
        "A compact toolbar",
        "Does a toolbar that takes less space, with or without a tour, make people search more?",
    ),
    _TROUBLED.slug: (
        "An invitation to the reader",
        "Do people use the browser more when long articles offer to open in the reader?",
    ),
    _ENROLLING.slug: (
        "Previews of tabs",
        "Does a picture of each tab help people to find the one that they look for?",
    ),
    _ROLLOUT.slug: ("Quieter updates", "Updates that wait for the next start, for everybody."),
}

# The last day of telemetry, and of the experiments that have an end.
DEMO_LAST_DATE = date(2026, 4, 6)

DEMO_WORLD = World(
    seed=2026,
    experiments=(_HEALTHY, _TROUBLED, _ENROLLING, _ROLLOUT),
    last_date=DEMO_LAST_DATE,
    tables=(TelemetryTable.CLIENTS_DAILY, TelemetryTable.EVENTS, TelemetryTable.SEARCH),
)


@dataclass(frozen=True)
class Demo:
    """Where the demo was written, and what is true of it."""

    warehouse: Path
    configuration: Path
    experiments: Path
    truth: Truth


def write_demo(root: Path, *, on_progress: Progress | None = None) -> Demo:
    """Write telemetry, configuration and experiments into a folder.

    The same content each time: 20,000 units, about two months, no randomness from outside. What is
    there already is overwritten.

    Args:
        root: The folder; made when absent.
        on_progress: Called after each day of telemetry with (date, days done, days in all).
    """
    demo_configuration = root / "configuration"
    experiments = root / "experiments.json"
    truth = simulate(DEMO_WORLD, root / "warehouse", on_progress=on_progress)
    with as_file(files(__package__) / "demo_configuration") as source:
        shutil.copytree(source, demo_configuration, dirs_exist_ok=True)
    experiments.write_text(json.dumps(demo_records(), indent=2) + "\n", encoding="utf-8")
    return Demo(root / "warehouse", demo_configuration, experiments, truth)


def demo_records() -> list[dict[str, object]]:
    """The demo's experiments as Experimenter would list them."""
    return [
        experimenter_record(_HEALTHY, outcomes=("search_ads",)) | _told(_HEALTHY),
        experimenter_record(_TROUBLED) | _told(_TROUBLED),
        experimenter_record(_ENROLLING, is_enrolling=True) | _told(_ENROLLING),
        experimenter_record(_ROLLOUT, is_rollout=True) | _told(_ROLLOUT),
    ]


def _told(experiment: SimulatedExperiment) -> dict[str, object]:
    name, description = _TOLD[experiment.slug]
    return {"userFacingName": name, "userFacingDescription": description}


def experimenter_record(
    experiment: SimulatedExperiment,
    *,
    outcomes: tuple[str, ...] = (),
    segments: tuple[str, ...] = (),
    is_enrolling: bool = False,
    is_rollout: bool = False,
) -> dict[str, object]:
    """An experiment as a JSON object of Experimenter's API, with the fields that an analysis reads.

    Args:
        experiment: The experiment.
        outcomes: Slugs of outcomes.
        segments: Names of segments.
        is_enrolling: Whether units still enroll: there is then no last day of enrollment.
        is_rollout: Whether it is a rollout.
    """
    # Experimenter's last day of enrollment is inclusive.
    enrollment_end = experiment.start_date + timedelta(days=experiment.enrollment_period - 1)
    return {
        "slug": experiment.slug,
        "appName": "firefox_desktop",
        "appId": "firefox-desktop",
        "startDate": experiment.start_date.isoformat(),
        "enrollmentEndDate": None if is_enrolling else enrollment_end.isoformat(),
        "endDate": experiment.end_date.isoformat() if experiment.end_date else None,
        "proposedEnrollment": experiment.enrollment_period,
        "branches": [{"slug": b.slug, "ratio": b.ratio} for b in experiment.branches],
        "referenceBranch": experiment.branches[0].slug,
        "bucketConfig": {
            "randomizationUnit": "normandy_id",
            "namespace": f"desktop-{experiment.slug}",
            "start": 0,
            "count": 1000,
            "total": 10_000,
        },
        "outcomes": [{"slug": slug} for slug in outcomes],
        "segments": [{"slug": name} for name in segments],
        "isEnrollmentPaused": not is_enrolling,
        "isRollout": is_rollout,
    }
