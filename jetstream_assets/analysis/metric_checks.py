"""Checks of metrics: branches are alike before enrollment, and each unit counts once.

Belongs here: the queries over a cell's metrics and their verdicts. Does not: the test itself
(`statistics.equal_means`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlglot import exp

from jetstream_assets.analysis.enrollment_checks import not_there
from jetstream_assets.analysis.slices import cell_slice, enrollment_slice
from jetstream_assets.analysis.unit_columns import columns_of
from jetstream_assets.experiments.checks import Check, Limits, Listing, Verdict
from jetstream_assets.experiments.hypotheses import Correction
from jetstream_assets.experiments.metrics import AnalysisBasis
from jetstream_assets.sql import fragments
from jetstream_assets.sql.pre_treatments import finite
from jetstream_assets.statistics.equal_means import Arm, equal_means
from jetstream_assets.statistics.multiplicity import adjusted
from jetstream_assets.warehouse.tables import ResultTable

if TYPE_CHECKING:
    from collections.abc import Mapping

    from jetstream_assets.analysis.unit_columns import UnitColumns
    from jetstream_assets.experiments.plan import AnalysisPlan
    from jetstream_assets.warehouse.base import Warehouse
    from jetstream_assets.warehouse.tables import Slice

    Arms = Mapping[tuple[str, str], Mapping[str, Arm]]

_ROW = ("analysis_id", "period", "window_index", "analysis_basis")


def check_preenrollment_balance(
    plan: AnalysisPlan, warehouse: Warehouse, limits: Limits
) -> Verdict:
    """Whether metrics before enrollment have the same mean in all branches, but for chance."""
    check = Check.PREENROLLMENT_BALANCE
    if not plan.preenrollment:
        late = " They are read when enrollment closes." if plan.is_provisional else ""
        message = f"The cell has no metrics of a time before enrollment.{late}"
        return Verdict(check, passed=True, message=message)
    target = enrollment_slice(plan, ResultTable.PREENROLLMENT_METRICS)
    if warehouse.provenance(target) is None:
        return not_there(check, "pre-enrollment metrics")
    return judge_balance(_arms(plan, warehouse, target), limits)


def judge_balance(arms: Arms, limits: Limits) -> Verdict:
    """The verdict on the branches' means of each (period, metric).

    The p-values are adjusted together by Holm's method: while branches differ by chance alone, the
    check fails with a probability of at most the limit, however many metrics there are.
    """
    found = {of: equal_means(list(by_branch.values())) for of, by_branch in arms.items()}
    tested = {of: p for of, p in found.items() if p is not None}
    holm = dict(zip(tested, adjusted(list(tested.values()), Correction.HOLM), strict=True))
    off = sorted((p, of) for of, p in holm.items() if p < limits.p_value)
    message = f"Branches are alike before enrollment in {len(tested)} metrics."
    if off:
        named = ", ".join(f"{metric} ({period}, p = {p:.2g})" for p, (period, metric) in off)
        message = f"Branches differed before enrollment by more than chance: {named}."
    branches = list(dict.fromkeys(branch for by_branch in arms.values() for branch in by_branch))
    rows = tuple(
        (
            period,
            metric,
            *(f"{a.mean:.6g}" if (a := arms[period, metric].get(b)) else "" for b in branches),
            "" if (p := found[period, metric]) is None else f"{p:.3g}",
            "" if (h := holm.get((period, metric))) is None else f"{h:.3g}",
        )
        for period, metric in sorted(arms, key=lambda of: (holm.get(of, 2.0), of))
    )
    facts = {
        "metrics_tested": len(tested),
        "metrics_not_tested": len(found) - len(tested),
        "smallest_adjusted_p_value": min(holm.values(), default=1.0),
        "threshold": limits.p_value,
    }
    listing = Listing(("period", "metric", *branches, "p", "adjusted p"), rows)
    return Verdict(Check.PREENROLLMENT_BALANCE, not off, message, facts, listing)


def check_metrics_one_row_per_unit(
    plan: AnalysisPlan, warehouse: Warehouse, limits: Limits
) -> Verdict:
    """Whether each unit has one row for each window and analysis basis."""
    del limits
    check = Check.METRICS_ONE_ROW_PER_UNIT
    wanted = [cell_slice(plan, ResultTable.METRICS)] if plan.observation_windows else []
    if plan.preenrollment:
        wanted.append(enrollment_slice(plan, ResultTable.PREENROLLMENT_METRICS))
    stored = [target for target in wanted if warehouse.provenance(target) is not None]
    if not stored:
        return not_there(check, "metrics")
    counts = [warehouse.query(_repeats_query(target.reference)).to_pylist()[0] for target in stored]
    rows, repeated = (sum(of[name] or 0 for of in counts) for name in ("rows", "repeated"))
    message = f"{rows:,} rows, one for each unit, window and analysis basis."
    if repeated:
        message = f"{repeated:,} units have several rows for one window and analysis basis."
    return Verdict(check, not repeated, message, {"rows": rows, "repeated": repeated})


def _repeats_query(metrics: exp.Table) -> exp.Select:
    counted = exp.alias_(exp.Count(this=exp.Star(), big_int=True), "n")
    by_row = exp.select(counted).from_(metrics.copy()).group_by(*_ROW)
    return exp.select(
        exp.alias_(exp.Sum(this=exp.column("n")), "rows", quoted=True),
        exp.alias_(exp.CountIf(this=exp.column("n") > 1), "repeated"),
    ).from_(by_row.subquery("by_row"))


def _arms(
    plan: AnalysisPlan, warehouse: Warehouse, target: Slice
) -> dict[tuple[str, str], dict[str, Arm]]:
    """Number, mean and variance of each branch, by period and metric; what is no number is not in.

    Of the basis enrollments: who is exposed may depend on the branch.
    """
    columns = columns_of(warehouse, target.reference)
    windows = {w.due.period.value: w.metrics for w in plan.preenrollment}
    names = sorted({n for names in windows.values() for n in names if not columns.unusable(n)})
    rows = warehouse.query(_moments_query(target.reference, names, columns)).to_pylist()
    found: dict[tuple[str, str], dict[str, Arm]] = {}
    for row in sorted(rows, key=lambda row: (row["period"], row["branch"])):
        for number, name in enumerate(names):
            if name in windows.get(row["period"], ()):
                of = (row[f"{kind}_{number}"] for kind in ("units", "mean", "variance"))
                units, mean, variance = (value or 0 for value in of)
                arms = found.setdefault((row["period"], name), {})
                arms[row["branch"]] = Arm(int(units), float(mean), float(variance))
    return found


def _moments_query(metrics: exp.Table, names: list[str], columns: UnitColumns) -> exp.Select:
    keys = ("period", "branch")
    moments: list[exp.Expr] = []
    for number, name in enumerate(names):
        value: exp.Expr = exp.column(fragments.name(name))
        if columns.is_flag(name):
            value = exp.cast(value, exp.DType.BIGINT)
        value = exp.cast(value, exp.DType.DOUBLE)
        if not columns.is_integer(name):
            value = finite(value)
        moments += [
            exp.alias_(exp.Count(this=value), f"units_{number}"),
            exp.alias_(exp.Avg(this=value.copy()), f"mean_{number}"),
            exp.alias_(exp.Variance(this=value.copy()), f"variance_{number}"),
        ]
    basis = exp.column("analysis_basis").eq(AnalysisBasis.ENROLLMENTS.value)
    return exp.select(*keys, *moments).from_(metrics.copy()).where(basis).group_by(*keys)
