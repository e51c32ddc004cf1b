"""A configuration repository for one test, and the record of the experiment in it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from textwrap import dedent
from typing import TYPE_CHECKING

from jetstream_assets.config.repository import open_configuration
from jetstream_assets.config.resolve import resolve
from jetstream_assets.experiments.experiment import Branch
from jetstream_assets.experiments.record import ExperimentRecord

if TYPE_CHECKING:
    from jetstream_assets.config.repository import ConfigurationRepository
    from jetstream_assets.experiments.configuration import AnalysisConfiguration

SLUG = "my-experiment"
RECORD = ExperimentRecord(
    slug=SLUG,
    branches=(Branch("control"), Branch("treatment")),
    start_date=date(2024, 1, 1),
    end_date=date(2024, 2, 5),
    enrollment_end_date=date(2024, 1, 7),
    proposed_enrollment=14,
    randomization_unit="nimbus_id",
    reference_branch="control",
    app_name="fenix",
    app_id="org.mozilla.Fenix-Beta",
)

# One metric that is complete, for tests of something else.
CLICKS = """
[metrics.clicks]
select_expression = "SUM(clicks)"
data_source = "events"
statistics = { bootstrap_mean = {} }

[data_sources.events]
from_expression = "telemetry.events"
"""


@dataclass(frozen=True)
class Folder:
    """Files below a root; ``own`` is the experiment's file."""

    root: Path

    def write(self, path: str, text: str) -> Folder:
        """Put a file in its place; returns the folder, so that calls chain."""
        target = self.root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(dedent(text), encoding="utf-8")
        return self

    def own(self, text: str) -> Folder:
        """The experiment's own file."""
        return self.write(f"jetstream/{SLUG}.toml", text)

    def definitions(self, text: str) -> Folder:
        """The shared definitions of the application."""
        return self.write("definitions/fenix.toml", text)

    def defaults(self, text: str) -> Folder:
        """The defaults of the application."""
        return self.write("jetstream/defaults/fenix.toml", text)

    def outcome(self, slug: str, text: str) -> Folder:
        """An outcome of the application."""
        head = 'friendly_name = "An outcome"\ndescription = "What it is"\n'
        return self.write(f"jetstream/outcomes/fenix/{slug}.toml", head + dedent(text))

    def open(self) -> ConfigurationRepository:
        """The repository as it is now."""
        self.root.mkdir(exist_ok=True)
        return open_configuration(str(self.root))

    def resolve(self, **changes: object) -> AnalysisConfiguration:
        """The configuration of the experiment, its record changed."""
        record = replace(RECORD, **changes)  # type: ignore[arg-type]  # the caller names fields
        return resolve(record, self.open())

    def resolve_strictly(self) -> AnalysisConfiguration:
        """The configuration of the experiment; unknown keys are errors."""
        return resolve(RECORD, self.open(), strict=True)
