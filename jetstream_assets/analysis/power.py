"""An interval's width says which effects an experiment of this size can find.

Belongs here: rows of the smallest detectable effect and of the days that a declared effect takes,
from the rows of the statistics table. Does not: the declaration (`experiments.hypotheses`).

The standard error is half the interval of the difference over the normal quantile of its level;
the observed difference does not enter. A two-sided test at that level finds a true difference of
(z(1 - alpha / 2) + z(power)) standard errors with the power (Cohen, 1988, Statistical power
analysis for the behavioral sciences); relative to the mean of the reference, this is the
detectable effect. Errors shrink with the square root of the units, so an effect takes
(detectable / effect)^2 times the units.
"""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from jetstream_assets.experiments.hypotheses import SPEAKERS, PowerGoal, speaker
from jetstream_assets.experiments.windows import Period, Timeline
from jetstream_assets.statistics.base import ComparisonKind, Status

if TYPE_CHECKING:
    from collections.abc import Iterator

    Row = dict[str, Any]
    Rows = list[Row]

DETECTABLE = "minimum_detectable_effect"
DAYS = "days_to_detect_effect"
_WINDOW = ("period", "window_index", "window_start", "window_end", "is_provisional")
_SCOPE = (*_WINDOW, "analysis_basis", "segment", "metric")
_AWAITED = "units still enroll: what the experiment can detect is told when enrollment closes"


def with_power(rows: pa.Table, goal: PowerGoal | None, timeline: Timeline) -> pa.Table:
    """The table and, where a goal is declared, its power rows; pre-enrollment windows have none.

    For every difference of the statistic that speaks for a metric there are

    - `DETECTABLE`: the smallest relative uplift that would be found; ``parameter`` is the power;
    - `DAYS`, where an effect is declared: the further days of enrollment, at the pace so far, that
      would have made it detectable (0 when it is); ``parameter`` is the effect.
    """
    if goal is None:
        return rows
    calculation = _Calculation(goal, timeline)
    added = [row for scope in _scopes(rows) for row in calculation.rows(scope)]
    return pa.concat_tables([rows, pa.Table.from_pylist(added, schema=rows.schema)])


def _scopes(rows: pa.Table) -> Iterator[Rows]:
    """The rows of the speaking statistic, by window, basis, segment and metric."""
    before = [period.value for period in Period if period.is_preenrollment]
    is_chosen = pc.and_(
        pc.is_in(rows["statistic"], value_set=pa.array(SPEAKERS.values(), pa.string())),
        pc.invert(pc.is_in(rows["period"], value_set=pa.array(before, pa.string()))),
    )
    scopes: defaultdict[tuple[object, ...], Rows] = defaultdict(list)
    for row in rows.filter(is_chosen).to_pylist():
        scopes[tuple(row[name] for name in _SCOPE)].append(row)
    for scope in scopes.values():
        name = speaker(row["statistic"] for row in scope)
        yield [row for row in scope if row["statistic"] == name]


@dataclass(frozen=True)
class _Calculation:
    goal: PowerGoal
    timeline: Timeline

    def rows(self, scope: Rows) -> Iterator[Row]:
        if scope[0]["is_provisional"]:
            yield from self._awaited(scope[0])
            return
        means = {row["branch"]: row["point"] for row in scope if row["comparison"] is None}
        for row in scope:
            if row["comparison"] == ComparisonKind.DIFFERENCE:
                yield from self._of_pair(row, means.get(row["comparison_to_branch"]))

    def _awaited(self, row: Row) -> Iterator[Row]:
        status = Status.INSUFFICIENT_DATA.value
        for name in (DETECTABLE, *([DAYS] if self.goal.effect is not None else [])):
            scope = {key: row[key] for key in _SCOPE}
            yield scope | {"statistic": name, "status": status, "reason": _AWAITED}

    def _of_pair(self, row: Row, mean: float | None) -> Iterator[Row]:
        effect, reason = self._detectable(row, mean)
        uplift = ComparisonKind.RELATIVE_UPLIFT
        yield _row(row, DETECTABLE, self.goal.power, uplift, effect, reason)
        if self.goal.effect is not None:
            days = None if effect is None else self._days(effect, self.goal.effect)
            reason = reason if days is None else self._pace(days)
            difference = ComparisonKind.DIFFERENCE
            yield _row(row, DAYS, self.goal.effect, difference, days, reason)

    def _detectable(self, row: Row, mean: float | None) -> tuple[float | None, str | None]:
        from scipy.special import ndtri

        if row["lower"] is None or row["upper"] is None:
            return None, row["reason"]
        if not mean:
            return None, "the reference branch's mean is 0, so that no effect is relative to it"
        critical = float(ndtri((1 + row["ci_width"]) / 2))
        error = (row["upper"] - row["lower"]) / 2 / critical
        return (critical + float(ndtri(self.goal.power))) * error / abs(mean), None

    def _days(self, detectable: float, effect: float) -> float:
        enrolled = self.timeline.enrollment_period + 1
        # A billionth of a day is rounding, not another day.
        return float(max(math.ceil(enrolled * ((detectable / effect) ** 2 - 1) - 1e-9), 0))

    def _pace(self, days: float) -> str | None:
        if not days:
            return None
        first, last = self.timeline.first_enrollment_date, self.timeline.last_enrollment_date
        return (
            f"enrollment is closed: units enrolled from {first} to {last}; that many more days at "
            "the same pace would have been needed"
        )


def _row(
    pair: Row,
    statistic: str,
    parameter: float,
    comparison: ComparisonKind,
    point: float | None,
    reason: str | None,
) -> Row:
    kept = (*_SCOPE, "branch", "comparison_to_branch", "ci_width", "units", "covariate")
    return {
        **{name: pair[name] for name in kept},
        "statistic": statistic,
        "parameter": parameter,
        "comparison": comparison.value,
        "point": point,
        "status": (Status.OK if point is not None else Status.INSUFFICIENT_DATA).value,
        "reason": reason,
    }
