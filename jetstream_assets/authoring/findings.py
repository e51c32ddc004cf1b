"""What is wrong in a file, and where.

Belongs here: findings as plain data. Does not: finding them, printing them (`formats`).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Severity(StrEnum):
    """How grave a finding is: an error keeps something from being computed."""

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True, order=True)
class Finding:
    """One mistake.

    Args:
        path: The file, relative to the repository.
        line: The line, counted from 1; 0 where the file as a whole is meant.
        column: The column, counted from 1; 0 where the line is.
        severity: How grave it is.
        key: The dotted key; empty for the file as a whole.
        message: What was found, what is allowed and what to do next.
    """

    path: str
    line: int
    column: int
    severity: Severity
    key: str
    message: str


@dataclass(frozen=True)
class Cost:
    """What the statements of an experiment would read, where a warehouse was asked.

    ``path`` is the experiment's file, ``refused`` how many statements the warehouse refuses.
    """

    path: str
    statements: int
    bytes_read: int
    refused: int


@dataclass(frozen=True)
class Checked:
    """What checking has found.

    ``paths`` are all files that were checked, sorted.
    """

    paths: tuple[str, ...]
    findings: tuple[Finding, ...]
    costs: tuple[Cost, ...] = ()

    @property
    def has_errors(self) -> bool:
        """Whether any finding is an error."""
        return any(one.severity is Severity.ERROR for one in self.findings)

    @property
    def most_bytes(self) -> int:
        """The bytes that the dearest experiment would read."""
        return max((cost.bytes_read for cost in self.costs), default=0)
