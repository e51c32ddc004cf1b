"""Experiments that run today, with a git repository as their configuration.

Belongs here: the inputs of a whole installation that goes by the clock. Does not: the installation.
"""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING

from jetstream_assets.orchestration.settings import Executor, Settings
from jetstream_assets.simulation.demo import experimenter_record
from jetstream_assets.simulation.telemetry import simulate
from jetstream_assets.simulation.world import (
    SimulatedBranch,
    SimulatedExperiment,
    TelemetryTable,
    World,
)
from jetstream_assets_tests.orchestration.laboratory import DEFINITIONS, Laboratory

if TYPE_CHECKING:
    from pathlib import Path

LONG = "long-experiment"
DUE = tuple(f"weekly-{number}" for number in range(4))
IDLE = tuple(f"idle-{number}" for number in range(25))

LONG_DAYS = 60
_BRANCHES = (SimulatedBranch("control"), SimulatedBranch("treatment"))
_WEEK_AND_PERIOD = 10
_PERIOD = 4

_WEEKLY = """
[metrics]
weekly = ["active_hours", "searches"]
[metrics.active_hours.statistics.bootstrap_mean]
[metrics.searches.statistics.bootstrap_mean]
"""
# Another state of the same source, and nothing else.
CHANGED = f"""{_WEEKLY}
[metrics.active_hours]
data_source = "clients_daily"
select_expression = "COALESCE(MAX(active_hours_sum), 0)"
"""


@dataclass(frozen=True)
class Present:
    """The folder of the inputs, and the date whose data was completed last.

    Of the experiments, `LONG` and each of `DUE` have a week that ends yesterday, and each of `IDLE`
    one that ends today.
    """

    laboratory: Laboratory
    yesterday: date

    @property
    def start(self) -> date:
        """The launch of `LONG`."""
        return self.yesterday - timedelta(days=LONG_DAYS - 1)

    @property
    def weekly_start(self) -> date:
        """The launch of each of `DUE`."""
        return self.yesterday - timedelta(days=_WEEK_AND_PERIOD)

    @property
    def settings(self) -> Settings:
        changes = {
            "configuration": str(self.laboratory.root / "configuration"),
            "configuration_ref": "main",
            "configuration_seconds": 10,
            "executor": Executor.IN_PROCESS,
            "first_date": self.start - timedelta(days=5),
        }
        return self.laboratory.settings.model_copy(update=changes)

    @property
    def head(self) -> str:
        """The commit of the configuration's main branch."""
        return git(self.laboratory.root / "configuration", "rev-parse", "main")

    def commit(self, files: dict[str, str], message: str) -> str:
        """Write files of the configuration, commit them to main and return the commit."""
        folder = self.laboratory.root / "configuration"
        for name, text in files.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(text)
        git(folder, "add", "--all")
        git(folder, "commit", "--quiet", "--message", message)
        return self.head


def make_present(root: Path) -> Present:
    """Write telemetry up to yesterday, 30 experiments, and a repository with one commit."""
    yesterday = datetime.now(UTC).date() - timedelta(days=1)
    experiments = [_experiment(LONG, yesterday - timedelta(days=LONG_DAYS - 1), 150)]
    weekly = yesterday - timedelta(days=_WEEK_AND_PERIOD)
    experiments += [_experiment(slug, weekly, 20) for slug in DUE]
    experiments += [_experiment(slug, weekly + timedelta(days=1), 20) for slug in IDLE]
    tables = (TelemetryTable.CLIENTS_DAILY, TelemetryTable.EVENTS)
    world = World(5, tuple(experiments), days_before=1, last_date=yesterday, tables=tables)
    simulate(world, root / "warehouse")
    records = [experimenter_record(experiment) for experiment in experiments]
    (root / "experiments.json").write_text(json.dumps(records))
    present = Present(Laboratory(root), yesterday)
    folder = root / "configuration"
    folder.mkdir()
    git(folder, "init", "--quiet", "--initial-branch", "main")
    files = {f"jetstream/{slug}.toml": _WEEKLY for slug in (LONG, *DUE, *IDLE)}
    files["definitions/firefox_desktop.toml"] = DEFINITIONS
    present.commit(files, "Configure all experiments")
    return present


def git(folder: Path, *arguments: str) -> str:
    """What a git command prints; the author is nobody in particular."""
    author = ("-c", "user.name=Author", "-c", "user.email=author@example.org")
    command = ["git", "-C", str(folder), *author, *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def _experiment(slug: str, start: date, units: int) -> SimulatedExperiment:
    return SimulatedExperiment(slug, start, _PERIOD, None, _BRANCHES, units)
