"""What is told of an experiment beside its statistics: can they be trusted, what is missing.

Belongs here: the findings as plain data. Does not: finding them (`analysis.appraisal`), the
document that tells them (`report.overview`).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime

from jetstream_assets.experiments.checks import Verdict
from jetstream_assets.experiments.decision import ExperimentConclusion
from jetstream_assets.experiments.failures import Refusal


@dataclass(frozen=True)
class UnitsOfDay:
    """Units of a branch that enrolled, and units first exposed, on one day."""

    branch: str
    date: date
    enrolled: int
    exposed: int


@dataclass(frozen=True)
class Units:
    """Who enrolled and who was exposed when; excluded units are left out.

    ``exposures_are_known`` is false where the exposures basis has no units for a reason.
    """

    days: tuple[UnitsOfDay, ...]
    exposures_are_known: bool


@dataclass(frozen=True)
class MissingResults:
    """Results that are not there for one reason: how many of which metric and window.

    ``period`` and ``metric`` are null where the cell's results are not known, ``window_index``
    where no window of the period is due.
    """

    status: str
    reason: str
    period: str | None
    window_index: int | None
    metric: str | None
    results: int
    due_on: date | None = None
    sql: str | None = None


@dataclass(frozen=True)
class RunCost:
    """A run that made stored results, and what it asked of the warehouse.

    ``first_date`` and ``last_date`` are those of the cells whose steps were counted.
    """

    run_id: str
    started_at: datetime
    first_date: date
    last_date: date
    queries: int
    seconds: float
    bytes_read: int
    bytes_billed: int
    slot_seconds: float


@dataclass(frozen=True)
class Statement:
    """SQL that results come from, in the dialect of the configuration."""

    title: str
    sql: str


@dataclass(frozen=True)
class Appraisal:
    """Everything that is told of an experiment beside its statistics.

    Args:
        conclusion: What the declared rule says; None where none is declared.
        refusal: Why the experiment is not analysed; None where it is, or has ended with results.
        checks: What the checks say of the newest cell that has something due; empty when no cell
            has.
        late_data: Sentences on days of sources that changed after they were read, and that results
            do not follow; None where no cell has anything due.
        units: Who enrolled and was exposed; None when that is not stored.
        missing: What has no result, and why.
        runs: What ran, the newest first.
        statements: The SQL of the metrics.
    """

    conclusion: ExperimentConclusion | None = None
    refusal: Refusal | None = None
    checks: tuple[Verdict, ...] = ()
    late_data: tuple[str, ...] | None = None
    units: Units | None = None
    missing: tuple[MissingResults, ...] = ()
    runs: tuple[RunCost, ...] = ()
    statements: tuple[Statement, ...] = ()
