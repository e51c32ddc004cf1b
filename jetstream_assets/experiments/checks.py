"""Which checks there are, on what, how grave each is, and what a check says.

Belongs here: names, limits and verdicts. Does not: judging (`analysis`, `report`), the assets that
show them (`orchestration.checks`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class Check(StrEnum):
    """A check of a cell. The value is its name in the UI and in settings."""

    SAMPLE_RATIO = "sample_ratio"
    UNITS_IN_SEVERAL_BRANCHES = "units_in_several_branches"
    ONE_ROW_PER_UNIT = "one_row_per_unit"
    SOURCES_ARE_FRESH = "sources_are_fresh"
    SOURCES_JOIN = "sources_join"
    PREENROLLMENT_BALANCE = "preenrollment_balance"
    METRICS_ONE_ROW_PER_UNIT = "metrics_one_row_per_unit"
    NO_FAILED_STATISTICS = "no_failed_statistics"
    DOCUMENTS_MATCH_THEIR_SCHEMA = "documents_match_their_schema"

    @property
    def asset(self) -> str:
        """The asset that it guards."""
        return _GUARDED[self][0]

    @property
    def description(self) -> str:
        """What it means when it passes."""
        return _GUARDED[self][1]

    @property
    def is_invariant(self) -> bool:
        """Whether it can only fail when the analysis itself is wrong, whatever the data."""
        return self in _INVARIANTS


_GUARDED = {
    Check.SAMPLE_RATIO: (
        "enrollments",
        "Branches have as many units as their ratios say: all, by segment and by enrollment day.",
    ),
    Check.UNITS_IN_SEVERAL_BRANCHES: (
        "enrollments",
        "Few units were in more than one branch.",
    ),
    Check.ONE_ROW_PER_UNIT: ("enrollments", "Every unit has one row."),
    Check.SOURCES_ARE_FRESH: (
        "daily_aggregates",
        "Every source has rows of every day that the cell reads.",
    ),
    Check.SOURCES_JOIN: (
        "daily_aggregates",
        "Every source that has rows has some of enrolled units.",
    ),
    Check.PREENROLLMENT_BALANCE: (
        "metrics",
        "Before enrollment, metrics of the branches differ no more than by chance.",
    ),
    Check.METRICS_ONE_ROW_PER_UNIT: (
        "metrics",
        "Every unit has one row for each window and analysis basis.",
    ),
    Check.NO_FAILED_STATISTICS: ("statistics", "Every statistic that is due could be computed."),
    Check.DOCUMENTS_MATCH_THEIR_SCHEMA: (
        "statistics_export",
        "The published documents are of the shape that consumers read.",
    ),
}
_INVARIANTS = frozenset(
    {
        Check.ONE_ROW_PER_UNIT,
        Check.METRICS_ONE_ROW_PER_UNIT,
        Check.DOCUMENTS_MATCH_THEIR_SCHEMA,
    }
)


@dataclass(frozen=True)
class Limits:
    """What checks allow.

    Args:
        p_value: A difference between branches whose p-value is below it is no chance.
        several_branches: The largest share of units that may have been in several branches.
    """

    p_value: float = 0.001
    several_branches: float = 0.01


@dataclass(frozen=True)
class Listing:
    """Rows that a person reads beside a verdict, the worst first."""

    header: tuple[str, ...]
    rows: tuple[tuple[object, ...], ...]


@dataclass(frozen=True)
class Verdict:
    """What a check says of one cell.

    Args:
        check: Which one.
        passed: Whether all is well, or there was nothing to look at.
        message: A sentence for people.
        facts: Numbers behind it, by name.
        listing: Rows behind it.
        is_judged: Whether there was something to look at; false where it should have been there.
    """

    check: Check
    passed: bool
    message: str
    facts: Mapping[str, int | float | str] = field(default_factory=dict)
    listing: Listing | None = None
    is_judged: bool = True
