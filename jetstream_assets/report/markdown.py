"""What a cell did, as Markdown that a person reads beside the asset.

Belongs here: small pure functions that make Markdown. Does not: documents for programs (the
exports), text on a terminal (`terminal`).

Every name and sentence is escaped: slugs, metrics and messages come from outside, and Markdown may
be shown as HTML.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from jetstream_assets.experiments.fingerprints import (
    enrollments_fingerprint,
    statistics_fingerprint,
    windows_fingerprint,
)
from jetstream_assets.report.readable import (
    comparison_text,
    curve_text,
    displayed_rows,
    estimate_text,
    parameter_text,
    printable,
    window_text,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from typing import Any

    import pyarrow as pa

    from jetstream_assets.experiments.configuration import AnalysisConfiguration
    from jetstream_assets.experiments.failures import Failure
    from jetstream_assets.experiments.plan import AnalysisPlan
    from jetstream_assets.report.store import Published

_SPECIAL = re.compile(r"[\\`*_\[\]|~]")
_ENTITIES = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}
_MOST_FAILURES = 50
_STATISTICS = ("window", "metric", "statistic", "branch", "comparison", "estimate", "status")


def escaped(text: str) -> str:
    """The text as itself in Markdown, in table cells too: one line, no markup, no HTML."""
    plain = "".join(_ENTITIES.get(character, character) for character in printable(text))
    return _SPECIAL.sub(r"\\\g<0>", plain)


def plan_markdown(plan: AnalysisPlan) -> str:
    """What is due in a cell and from what it follows; or the sentence that says why nothing is."""
    parts = [f"**{escaped(plan.slug)}** on {plan.date}"]
    if plan.refusal is not None:
        kind = escaped(plan.refusal.kind.value)
        parts.append(f"Not analysed ({kind}): {escaped(plan.refusal.message)}")
    if plan.idle:
        parts.append(f"Nothing to do: {escaped(plan.idle)}")
    if plan.is_provisional:
        last = plan.declared.experiment.timeline.last_enrollment_date
        parts.append(
            f"Provisional: units enroll until {last}. Each window counts the units that have lived "
            "through it; segments and covariates are read when enrollment closes."
        )
    if plan.windows:
        parts.append(_windows_table(plan))
    if plan.configuration is not None:
        parts.append(_bullets(_configuration_facts(plan.configuration)))
        if plan.windows:
            parts.append(_bullets(_fingerprints(plan)))
        if plan.configuration.warnings:
            parts.append("Warnings:\n\n" + _bullets(map(escaped, plan.configuration.warnings)))
    return "\n\n".join(parts) + "\n"


def failures_markdown(failures: Sequence[Failure]) -> str:
    """A table of what has no result and why; equal reasons once, with their number."""
    if not failures:
        return "No failures.\n"
    counted: dict[tuple[str, ...], int] = {}
    for failure in failures:
        key = (failure.stage.value, _subject(failure), failure.exception_type, failure.message)
        counted[key] = counted.get(key, 0) + 1
    rows = [[*map(escaped, key), str(number)] for key, number in counted.items()]
    table = _table(("stage", "what", "kind", "reason", "times"), rows[:_MOST_FAILURES])
    return _with_rest(table, len(rows) - _MOST_FAILURES)


def statistics_markdown(rows: pa.Table, limit: int) -> str:
    """A compact table of the first ``limit`` rows in reading order; curves are folded into one.

    Args:
        rows: The columns of `STATISTICS_SCHEMA`; others are ignored.
        limit: The largest number of lines.
    """
    shown = list(displayed_rows(rows))
    if not shown:
        return "No statistics.\n"
    table = _table(_STATISTICS, [_statistics_cells(row) for row in shown[:limit]])
    return _with_rest(table, len(shown) - limit)


def scans_markdown(scans: Sequence[Sequence[str]]) -> str:
    """What was read of each source; each scan is its cells, in the order of the header."""
    if not scans:
        return "Nothing was read: every day is stored."
    header = ("source", "first day", "last day", "days", "states", "rows written", "bytes read")
    return _table(header, ([escaped(cell) for cell in scan] for scan in scans))


def windowed_markdown(reasons: Mapping[str, str]) -> str:
    """The metrics that are computed from their source's rows, and why."""
    rows = ([escaped(name), escaped(why)] for name, why in sorted(reasons.items()))
    return _table(("metric", "computed from rows, since"), rows)


def table_markdown(header: Sequence[str], rows: Sequence[Sequence[object]], limit: int) -> str:
    """The first ``limit`` rows as a table, each cell as itself; None is an empty cell."""
    shown = ([escaped("" if cell is None else str(cell)) for cell in row] for row in rows[:limit])
    return _with_rest(_table(header, shown), len(rows) - limit)


def published_markdown(published: Sequence[Published]) -> str:
    """What publishing did to each document, a line each, and from which date it is now."""
    if not published:
        return "No documents.\n"
    return _bullets(f"{escaped(d.name)}: {d.result}, as of {d.as_of}" for d in published) + "\n"


def _windows_table(plan: AnalysisPlan) -> str:
    cells = [
        [
            planned.due.period.suffix,
            str(planned.due.index),
            f"{planned.due.window.start} to {planned.due.window.end}",
            str(len(planned.metrics)),
            str(len(planned.summaries)),
        ]
        for planned in plan.windows
    ]
    return _table(("period", "window", "days", "metrics", "summaries"), cells)


def _configuration_facts(configuration: AnalysisConfiguration) -> list[str]:
    experiment = configuration.experiment
    branches = [
        escaped(branch.slug)
        + (" (reference)" if branch.slug == experiment.reference_branch else "")
        for branch in experiment.branches
    ]
    return [
        f"Branches: {', '.join(branches) or 'none'}",
        f"Start: {experiment.start_date or 'unknown'}",
        f"Enrollment period: {experiment.enrollment_period} days",
        f"End: {experiment.end_date or 'open'}",
        f"Configuration: {escaped(configuration.commit) or 'no commit'}",
    ]


def _fingerprints(plan: AnalysisPlan) -> list[str]:
    return [
        f"Enrollments fingerprint: {enrollments_fingerprint(plan.settled)}",
        f"Metrics fingerprint: {windows_fingerprint(plan.settled, plan.windows)}",
        f"Statistics fingerprint: {statistics_fingerprint(plan)}",
    ]


def _subject(failure: Failure) -> str:
    period = failure.period.suffix if failure.period else None
    window = " ".join(str(p) for p in (period, failure.window_index) if p is not None)
    named = (failure.metric, failure.statistic, failure.analysis_basis, failure.segment)
    return ", ".join(part for part in (*named, window) if part)


def _statistics_cells(row: dict[str, Any]) -> list[str]:
    text = estimate_text(row)
    curve = curve_text(row)
    at = "" if curve else parameter_text(row)
    remark = row["status"] if row["reason"] is None else f"{row['status']}: {row['reason']}"
    cells = (
        f"{window_text(row)}, {row['analysis_basis']}, {row['segment']}",
        row["metric"],
        f"{row['statistic']} {at}" if at else row["statistic"],
        row["branch"] or "",
        comparison_text(row),
        curve or f"{text.point} {text.interval}".strip(),
        remark,
    )
    return [escaped(cell) for cell in cells]


def _table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def _bullets(facts: Iterable[str]) -> str:
    return "\n".join(f"- {fact}" for fact in facts)


def _with_rest(table: str, rest: int) -> str:
    return f"{table}\n" + (f"\nAnd {rest} more.\n" if rest > 0 else "")
