"""What one metric says of a branch: better, worse, harmless, harmful, undecided, or missing.

Belongs here: reading the rows of the window that decides, and the finding of one metric. Does not:
what follows for the branch (`decision`).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pyarrow.compute as pc

from jetstream_assets.analysis.estimation import ALL_UNITS
from jetstream_assets.experiments.decision import Finding, MetricFinding, Role
from jetstream_assets.experiments.hypotheses import speaker
from jetstream_assets.statistics.base import ComparisonKind, Status

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pyarrow as pa

    from jetstream_assets.experiments.configuration import AnalysisConfiguration
    from jetstream_assets.experiments.decision import DecisionRule, Guardrail
    from jetstream_assets.experiments.metrics import Metric

    Row = dict[str, Any]


@dataclass(frozen=True)
class DecidingRows:
    """The rows of the window that decides, by metric; comparisons are with the reference alone.

    ``is_there`` is whether there is such a window at all.
    """

    reference: str
    by_metric: Mapping[str, tuple[Row, ...]]
    is_there: bool

    def comparison(self, metric: str, branch: str, kind: ComparisonKind) -> Row | None:
        """The comparison of the branch with the reference by the statistic that speaks."""
        of_metric = self.by_metric.get(metric, ())
        name = speaker(row["statistic"] for row in of_metric)
        wanted = (name, branch, kind.value)
        keys = ("statistic", "branch", "comparison")
        found = (row for row in of_metric if tuple(row[key] for key in keys) == wanted)
        return next(found, None)

    def why_missing(self, metric: str) -> str:
        """Why a metric has no comparison, as far as its rows say it."""
        reasons = (row["reason"] for row in self.by_metric.get(metric, ()) if row["reason"])
        return next(reasons, "no result of it is stored")


def deciding_rows(
    configuration: AnalysisConfiguration, rule: DecisionRule, statistics: pa.Table
) -> DecidingRows:
    """The rows of the newest complete window of the rule's period, of all units."""
    wanted = (
        (pc.field("period") == rule.period.value)
        & (pc.field("analysis_basis") == rule.analysis_basis.value)
        & (pc.field("segment") == ALL_UNITS)
        & ~pc.field("is_provisional")
    )
    rows = statistics.filter(wanted)
    reference = configuration.experiment.reference_branch or ""
    if not rows.num_rows:
        return DecidingRows(reference, {}, is_there=False)
    metrics = (*rule.goals, *(guardrail.metric for guardrail in rule.guardrails))
    newest = pc.max(rows["window_index"])
    rows = rows.filter((pc.field("window_index") == newest) & pc.field("metric").isin(metrics))
    by_metric: dict[str, tuple[Row, ...]] = {}
    for row in rows.to_pylist():
        if row["comparison_to_branch"] in {None, reference}:
            by_metric[row["metric"]] = (*by_metric.get(row["metric"], ()), row)
    return DecidingRows(reference, by_metric, is_there=True)


def findings(
    configuration: AnalysisConfiguration, rule: DecisionRule, rows: DecidingRows, branch: str
) -> Iterator[MetricFinding]:
    """What each goal and each guardrail says of a branch, in the order of the rule."""
    family = configuration.multiple_comparisons
    adjusted = family.metrics if family else ()
    for name in rule.goals:
        yield _goal(configuration.metric(name), rows, branch, is_adjusted=name in adjusted)
    for guardrail in rule.guardrails:
        metric = configuration.metric(guardrail.metric)
        yield _guardrail(metric, guardrail, rows, branch)


def _goal(metric: Metric, rows: DecidingRows, branch: str, *, is_adjusted: bool) -> MetricFinding:
    """By the adjusted p-value where the metric is in a declared family, else by the interval."""
    row = rows.comparison(metric.name, branch, ComparisonKind.DIFFERENCE)
    if row is None or not _is_known(row):
        return _missing(metric, Role.GOAL, rows, row)
    is_certain = row["lower"] > 0 or row["upper"] < 0
    if is_adjusted:
        p_value = row["p_value_adjusted"]
        is_certain = p_value is not None and p_value < 1 - row["ci_width"]
    finding = Finding.UNDECIDED
    if is_certain and row["point"] != 0:
        is_more = row["point"] > 0
        finding = Finding.BETTER if is_more == metric.bigger_is_better else Finding.WORSE
    uplift = rows.comparison(metric.name, branch, ComparisonKind.RELATIVE_UPLIFT)
    told = [_interval(uplift) if uplift and _is_known(uplift) else _interval(row, is_share=False)]
    if is_adjusted and row["p_value_adjusted"] is not None:
        told.append(f"adjusted p = {row['p_value_adjusted']:.2g}")
    return MetricFinding(metric.name, Role.GOAL, finding, f"{', '.join(told)}: {finding}")


def _guardrail(
    metric: Metric, guardrail: Guardrail, rows: DecidingRows, branch: str
) -> MetricFinding:
    """By the interval of the relative uplift: all of it on one side of the margin, or not."""
    row = rows.comparison(metric.name, branch, ComparisonKind.RELATIVE_UPLIFT)
    if row is None or not _is_known(row):
        return _missing(metric, Role.GUARDRAIL, rows, row)
    lower, upper = row["lower"], row["upper"]
    if not metric.bigger_is_better:
        lower, upper = -upper, -lower
    finding = Finding.UNDECIDED
    if lower > -guardrail.margin:
        finding = Finding.HARMLESS
    elif upper < -guardrail.margin:
        finding = Finding.HARMFUL
    sign = "-" if metric.bigger_is_better else "+"
    text = f"{_interval(row)}, margin {sign}{guardrail.margin:.4g}: {finding}"
    return MetricFinding(metric.name, Role.GUARDRAIL, finding, text)


def _is_known(row: Row) -> bool:
    """Whether there is a number with both bounds, none of them NaN; a bound may be infinite."""
    numbers = [row[name] for name in ("point", "lower", "upper")]
    is_there = all(number is not None and not math.isnan(number) for number in numbers)
    return bool(row["status"] == Status.OK and is_there and math.isfinite(row["point"]))


def _missing(metric: Metric, role: Role, rows: DecidingRows, row: Row | None) -> MetricFinding:
    reason = (row and row["reason"]) or rows.why_missing(metric.name)
    return MetricFinding(metric.name, role, Finding.MISSING, f"No result: {reason}")


def _interval(row: Row, *, is_share: bool = True) -> str:
    point, lower, upper = (
        f"{row[name]:+.2%}" if is_share else f"{row[name]:+.4g}"
        for name in ("point", "lower", "upper")
    )
    return f"{point} [{lower}, {upper}]"
