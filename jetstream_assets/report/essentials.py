"""What an experiment's results say at a glance: the decisive metrics, or the first of all.

Belongs here: choosing the window and the rows, as the page does at first, and their Markdown. Does
not: the picture of the intervals (`forest_picture`), the page itself (`page`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from jetstream_assets.report.markdown import escaped, table_markdown
from jetstream_assets.report.overview_schema import MetricRecord
from jetstream_assets.report.readable import NOT_AVAILABLE, estimate_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from jetstream_assets.report.overview_schema import Overview, WindowRecord

    Record = dict[str, Any]

LONGEST_FIRST = ("overall", "days28", "weekly", "daily")
USUAL_LEVEL = 0.95
_MOST_ROWS = 24
_SMALLEST_P = 0.0001
_HEADER = ("metric", "role", "branch", "direction", "relative difference", "p")
_FIELDS = ("point", "lower", "upper", "comparison", "branch")


@dataclass(frozen=True)
class Essential:
    """A metric in a branch against the reference branch.

    ``relative`` is the record of the relative difference, empty where there is none; ``p_value``
    the adjusted one where there is one; ``direction`` ``better``, ``worse``, ``no certain
    difference``, ``not known`` without bounds, or ``no result``.
    """

    metric: MetricRecord
    branch: str
    direction: str
    relative: Record
    p_value: float | None


def deciding_window(overview: Overview) -> WindowRecord | None:
    """The newest window of the rule's period, or of the longest one; None without results."""
    rule = overview.verdict.rule.period if overview.verdict else None
    for period in (rule, *LONGEST_FIRST):
        found = [window for window in overview.windows if window.period == period]
        if found:
            return found[-1]
    return None


def essentials(
    overview: Overview, window: WindowRecord, records: Iterable[Record]
) -> tuple[Essential, ...]:
    """The goals and guardrails, or without a rule all metrics, of all units in one window.

    Args:
        overview: The experiment's.
        window: That of `deciding_window`.
        records: The statistics document of its period.
    """
    rule = overview.verdict.rule.analysis_basis if overview.verdict else None
    basis = rule if rule in overview.analysis_bases else overview.analysis_bases[0]
    wanted = {
        "window_index": str(window.window_index),
        "analysis_basis": basis,
        "segment": "all",
        "comparison_to_branch": overview.reference_branch,
    }
    kept = [record for record in records if all(record.get(k) == v for k, v in wanted.items())]
    decisive = [metric for metric in overview.metrics if metric.role != "other"]
    branches = [b.slug for b in overview.branches if b.slug != overview.reference_branch]
    return tuple(
        found
        for metric in decisive or overview.metrics
        for branch in branches
        if (found := _essential(metric, branch, kept)) is not None
    )


def essentials_markdown(
    overview: Overview, window: WindowRecord | None, found: Sequence[Essential]
) -> str:
    """The verdict or the facts, and a table of the essentials of a window; None without results."""
    verdict = overview.verdict
    told = [f"**{verdict.verdict}**: {escaped(verdict.text)}"] if verdict else []
    told += [f"- {escaped(fact)}" for fact in overview.facts] if not verdict else []
    untrusted = [item for item in overview.trust if item.state != "ok"]
    told += [
        f"- {item.state}: {escaped(item.title)}: {escaped(item.message)}" for item in untrusted
    ]
    text = "\n".join(told) + "\n"
    if not found or window is None:
        return text
    provisional = ", provisional" if window.is_provisional else ""
    title = f"{window.period} {window.window_index}{provisional}, against "
    title += escaped(overview.reference_branch or NOT_AVAILABLE)
    return f"{text}\n{title}\n\n{table_markdown(_HEADER, list(_rows(found)), _MOST_ROWS)}"


def _rows(found: Sequence[Essential]) -> Iterator[list[str]]:
    for one in found:
        text = estimate_text({name: one.relative.get(name) for name in _FIELDS})
        name = one.metric.friendly_name or one.metric.name
        difference = f"{text.point} {text.interval}".strip() or NOT_AVAILABLE
        yield [name, one.metric.role, one.branch, one.direction, difference, _p_text(one.p_value)]


def _p_text(p_value: float | None) -> str:
    if p_value is None:
        return NOT_AVAILABLE
    return f"< {_SMALLEST_P}" if p_value < _SMALLEST_P else f"{p_value:.4f}"


def _essential(metric: MetricRecord, branch: str, records: Sequence[Record]) -> Essential | None:
    own = [
        record
        for record in records
        if (record["metric"], record["statistic"], record["branch"])
        == (metric.name, metric.statistic, branch)
    ]
    relative = _usual(own, "relative_uplift") or {}
    deciding = _usual(own, "difference") or relative
    if not deciding:
        # A metric of the rule that is not there must be seen; of others the page tells.
        is_decisive = metric.role != "other"
        return Essential(metric, branch, "no result", {}, None) if is_decisive else None
    p_value = deciding.get("p_value_adjusted", deciding.get("p_value"))
    direction = _direction(deciding, is_more_better=metric.bigger_is_better)
    return Essential(metric, branch, direction, relative, p_value)


def _usual(records: Sequence[Record], comparison: str) -> Record | None:
    """Of several confidence levels, the usual one; without it, the highest."""
    of_kind = [record for record in records if record.get("comparison") == comparison]
    usual = [record for record in of_kind if record["ci_width"] == USUAL_LEVEL]
    return next(iter(usual or sorted(of_kind, key=lambda r: -float(r["ci_width"]))), None)


def _direction(record: Record, *, is_more_better: bool) -> str:
    """By the adjusted p-value where there is one, else by the interval."""
    lower, upper = record.get("lower"), record.get("upper")
    if lower is None and upper is None:
        return "not known"
    adjusted = record.get("p_value_adjusted")
    is_certain = (lower or 0) > 0 or (upper or 0) < 0
    if adjusted is not None:
        is_certain = adjusted < 1 - record["ci_width"] and record["point"] != 0
    if not is_certain:
        return "no certain difference"
    return "better" if (record["point"] > 0) == is_more_better else "worse"
