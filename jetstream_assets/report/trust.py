"""Whether the results can be trusted, as a person reads it: each check with its remedy.

Belongs here: titles, states and remedies of what the checks found. Does not: judging (`analysis`).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from jetstream_assets.experiments.checks import Check
from jetstream_assets.report.overview_schema import State, TrustRecord

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from jetstream_assets.experiments.appraisal import Appraisal, MissingResults
    from jetstream_assets.experiments.checks import Verdict

_MOST_ROWS = 50
_FAILED = frozenset({"failed", "stale"})


@dataclass(frozen=True)
class _Meaning:
    """What a check is called, how grave it is when it fails, and what is to be done then."""

    title: str
    state: State
    remedy: str


_MEANINGS = {
    Check.SAMPLE_RATIO: _Meaning(
        "Sample ratio",
        "fail",
        "Do not read the effects. Find out where units of a branch are lost: compare enrollment, "
        "start-up and telemetry of the branches, first in the worst segment or day.",
    ),
    Check.UNITS_IN_SEVERAL_BRANCHES: _Meaning(
        "Units in several branches",
        "warn",
        "Find out how a unit can enroll twice: shared or reset ids, a second enrollment.",
    ),
    Check.PREENROLLMENT_BALANCE: _Meaning(
        "Balance before enrollment",
        "warn",
        "Branches differed before they could have an effect: check that units are assigned at "
        "random, and read effects that are adjusted for the time before enrollment.",
    ),
    Check.SOURCES_ARE_FRESH: _Meaning(
        "Data are complete",
        "warn",
        "Wait for the sources' missing days, or ask their owners, and run the dates again.",
    ),
    Check.SOURCES_JOIN: _Meaning(
        "Sources know the units",
        "fail",
        "Check the id column of the data source: without a match every value of it is 0.",
    ),
    Check.ONE_ROW_PER_UNIT: _Meaning(
        "One row for each unit", "fail", "The analysis itself is wrong: report it with the table."
    ),
    Check.METRICS_ONE_ROW_PER_UNIT: _Meaning(
        "Units count once", "fail", "The analysis itself is wrong: report it with the table."
    ),
}
# These fail only when the analysis is wrong; that they hold is no news.
_SILENT = frozenset({Check.ONE_ROW_PER_UNIT, Check.METRICS_ONE_ROW_PER_UNIT})
_NOT_JUDGED = "See what is missing and why; run the date again when that is mended."
_READ_AGAIN = "Run the dates again with a lookback that reaches the changed days (`--lookback`)."
_RERUN = "Mend what the reasons name and run the dates again; the next success clears it."


def trust_records(told: Appraisal) -> Iterator[TrustRecord]:
    """What the checks say of the experiment, what came late, and what has failed.

    Args:
        told: Verdicts of checks that are not told of here may be among the others.
    """
    for verdict in sorted(told.checks, key=lambda verdict: list(Check).index(verdict.check)):
        is_told = verdict.check not in _SILENT or not verdict.passed
        if verdict.check in _MEANINGS and is_told:
            yield _record(verdict, _MEANINGS[verdict.check])
    if told.late_data is not None:
        yield _late_data(told.late_data)
    if told.checks or told.missing:
        yield _failed_cells(told.missing)


def _record(verdict: Verdict, meaning: _Meaning) -> TrustRecord:
    state: State = "ok" if verdict.passed else meaning.state if verdict.is_judged else "warn"
    listing = verdict.listing
    remedy = meaning.remedy if verdict.is_judged else _NOT_JUDGED
    return TrustRecord(
        name=verdict.check.value,
        title=meaning.title,
        state=state,
        message=verdict.message,
        remedy=None if state == "ok" else remedy,
        facts={name: _fact(fact) for name, fact in verdict.facts.items()},
        header=list(listing.header) if listing else [],
        rows=[[_cell(cell) for cell in row] for row in listing.rows[:_MOST_ROWS]]
        if listing
        else [],
    )


def _late_data(sentences: Sequence[str]) -> TrustRecord:
    message = "No day of a source that results do not follow has changed since it was read."
    if sentences:
        sources = "1 source has" if len(sentences) == 1 else f"{len(sentences)} sources have"
        message = f"{sources} days that changed after they were read; results do not know of it."
    return TrustRecord(
        name="late_data",
        title="Late data",
        state="warn" if sentences else "ok",
        message=message,
        remedy=_READ_AGAIN if sentences else None,
        header=["change"] if sentences else [],
        rows=[[sentence] for sentence in sentences[:_MOST_ROWS]],
    )


def _failed_cells(missing: Sequence[MissingResults]) -> TrustRecord:
    failed = [one for one in missing if one.status in _FAILED]
    results = sum(one.results for one in failed)
    metrics = sorted({one.metric for one in failed if one.metric})
    message = "Every result that is due is there."
    if failed:
        of = f", of {', '.join(metrics)}" if metrics else ""
        message = f"{results:,} results have failed or are stale{of}."
    counted: dict[tuple[str, str], int] = {}
    for one in failed:
        counted[one.status, one.reason] = counted.get((one.status, one.reason), 0) + one.results
    rows: list[list[str | int | float | None]] = [
        [status, reason, number] for (status, reason), number in counted.items()
    ]
    return TrustRecord(
        name="failed_cells",
        title="Failed results",
        state="warn" if failed else "ok",
        message=message,
        remedy=_RERUN if failed else None,
        facts={"results": results},
        header=["status", "reason", "results"],
        rows=rows[:_MOST_ROWS],
    )


def _fact(fact: float | str) -> int | float | str:
    """JSON has no infinity and no NaN: they are told in words."""
    return str(fact) if isinstance(fact, float) and not math.isfinite(fact) else fact


def _cell(cell: object) -> str | int | float | None:
    if cell is None or (isinstance(cell, str | int) and not isinstance(cell, bool)):
        return cell
    return _fact(cell) if isinstance(cell, float) else str(cell)
