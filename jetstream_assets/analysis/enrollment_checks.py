"""Checks of who enrolled: as many units in each branch as planned, each in one branch, one row.

Belongs here: the queries over a cell's enrollments and their verdicts. Does not: the test itself
(`statistics.sample_ratio`).

The ratio of all units is tested at the limit. Of the parts, segments and enrollment days, the
p-values are adjusted together by Holm's method and then meet the same limit: while the ratios are
right, the check fails with a probability of at most twice the limit, however many parts there are.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import TYPE_CHECKING, Any

from sqlglot import exp

from jetstream_assets.analysis.slices import enrollment_slice
from jetstream_assets.analysis.unit_columns import columns_of
from jetstream_assets.experiments.checks import Check, Limits, Listing, Verdict
from jetstream_assets.experiments.hypotheses import Correction
from jetstream_assets.sql import fragments
from jetstream_assets.statistics.multiplicity import adjusted
from jetstream_assets.statistics.sample_ratio import RatioTest, ratio_test
from jetstream_assets.warehouse.tables import ResultTable

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from jetstream_assets.experiments.plan import AnalysisPlan
    from jetstream_assets.warehouse.base import Warehouse

ALL_UNITS = "all units"


def check_sample_ratio(plan: AnalysisPlan, warehouse: Warehouse, limits: Limits) -> Verdict:
    """Whether the branches have the units that the configured ratios say."""
    found = _counts(plan, warehouse)
    if isinstance(found, Verdict):
        return found
    ratios = {branch.slug: float(branch.ratio) for branch in plan.experiment.branches}
    return judge_sample_ratio(found, ratios, limits)


def judge_sample_ratio(
    counts: Mapping[str, Mapping[str, int]], ratios: Mapping[str, float], limits: Limits
) -> Verdict:
    """The verdict on the units by branch of each part; the first part is all units."""
    tests = {part: ratio_test(observed, ratios) for part, observed in counts.items()}
    (_, whole), *parts = tests.items()
    adjusted_of = _adjusted(dict(parts))
    whole_is_off = whole.p_value is not None and whole.p_value < limits.p_value
    off = sorted((p, part) for part, p in adjusted_of.items() if p < limits.p_value)
    passed = not whole_is_off and not off
    facts: dict[str, int | float | str] = {
        "units": sum(whole.observed.values()),
        "chi_squared": whole.chi_squared,
        "threshold": limits.p_value,
        "parts_tested": len(adjusted_of),
        "parts_too_small": len(parts) - len(adjusted_of),
    }
    if whole.p_value is not None:
        facts["p_value"] = whole.p_value
    for kind in ("segment", "day"):
        of_kind = [(p, part) for part, p in adjusted_of.items() if part.startswith(f"{kind} ")]
        if of_kind:
            p, part = min(of_kind)
            facts[f"worst_{kind}"] = part.removeprefix(f"{kind} ")
            facts[f"worst_{kind}_adjusted_p_value"] = p
    message = _ratio_message(whole, [part for _, part in off], limits, is_off=whole_is_off)
    return Verdict(Check.SAMPLE_RATIO, passed, message, facts, _ratio_rows(tests, adjusted_of))


def check_several_branches(plan: AnalysisPlan, warehouse: Warehouse, limits: Limits) -> Verdict:
    """Whether few units were in more than one branch."""
    found = _row_counts(plan, warehouse, Check.UNITS_IN_SEVERAL_BRANCHES)
    if isinstance(found, Verdict):
        return found
    units, several = found["units"], found["several"]
    share = several / units if units else 0.0
    is_kept = "are excluded" if found["excluded"] else "keep their first branch"
    message = (
        f"{several:,} of {units:,} units ({share:.2%}) were in several branches and {is_kept}; "
        f"up to {limits.several_branches:.2%} are allowed."
    )
    facts = {
        "units": units,
        "units_in_several_branches": several,
        "excluded": found["excluded"],
        "share": share,
        "threshold": limits.several_branches,
    }
    passed = share <= limits.several_branches
    return Verdict(Check.UNITS_IN_SEVERAL_BRANCHES, passed, message, facts)


def check_one_row_per_unit(plan: AnalysisPlan, warehouse: Warehouse, limits: Limits) -> Verdict:
    """Whether every unit has one row, with an id."""
    del limits
    found = _row_counts(plan, warehouse, Check.ONE_ROW_PER_UNIT)
    if isinstance(found, Verdict):
        return found
    rows, units = found["rows"], found["units"]
    passed = rows == units
    message = f"{rows:,} rows of {units:,} units."
    if not passed:
        message = f"{rows:,} rows of {units:,} units: there is to be one row for each unit."
    return Verdict(Check.ONE_ROW_PER_UNIT, passed, message, {"rows": rows, "units": units})


def _counts(plan: AnalysisPlan, warehouse: Warehouse) -> dict[str, dict[str, int]] | Verdict:
    """Units by branch: of all, of each segment and of each enrollment day."""
    target = enrollment_slice(plan, ResultTable.ENROLLMENTS)
    if warehouse.provenance(target) is None:
        return not_there(Check.SAMPLE_RATIO, "enrollments")
    columns = columns_of(warehouse, target.reference).types
    segments = [s.name for s in plan.settled.segments if s.name in columns]
    rows = warehouse.query(_counts_query(target.reference, segments)).to_pylist()
    parts: defaultdict[str, Counter[str]] = defaultdict(Counter)
    parts[ALL_UNITS] = Counter()
    parts |= {f"segment {name}": Counter() for name in segments}
    for row in rows:
        parts[ALL_UNITS][row["branch"]] += row["units"]
        parts[f"day {row['enrollment_date']}"][row["branch"]] += row["units"]
        for number, name in enumerate(segments):
            parts[f"segment {name}"][row["branch"]] += row[f"segment_{number}"]
    return {part: dict(counts) for part, counts in parts.items()}


def _counts_query(enrollments: exp.Table, segments: Sequence[str]) -> exp.Select:
    keys = ("branch", "enrollment_date")
    counted = [
        exp.alias_(exp.CountIf(this=exp.column(fragments.name(name))), f"segment_{number}")
        for number, name in enumerate(segments)
    ]
    return (
        exp.select(*keys, exp.alias_(exp.Count(this=exp.Star(), big_int=True), "units"), *counted)
        .from_(enrollments.copy())
        .where(exp.not_(exp.column("is_excluded")))
        .group_by(*keys)
    )


def _row_counts(plan: AnalysisPlan, warehouse: Warehouse, check: Check) -> dict[str, int] | Verdict:
    target = enrollment_slice(plan, ResultTable.ENROLLMENTS)
    if warehouse.provenance(target) is None:
        return not_there(check, "enrollments")
    unit = exp.column("analysis_id")
    counts = {
        "rows": exp.Count(this=exp.Star(), big_int=True),
        "units": exp.Count(this=exp.Distinct(expressions=[unit])),
        "several": exp.CountIf(this=exp.column("num_branches") > 1),
        "excluded": exp.CountIf(this=exp.column("is_excluded")),
    }
    said = [exp.alias_(tree, name, quoted=True) for name, tree in counts.items()]
    (row,) = warehouse.query(exp.select(*said).from_(target.reference)).to_pylist()
    found: dict[str, Any] = row
    return found


def not_there(check: Check, table: str) -> Verdict:
    """There is nothing to look at although there should be: the reason is told elsewhere."""
    message = f"There are no {table} to look at; result_status and the errors document say why."
    return Verdict(check, passed=False, message=message, is_judged=False)


def _adjusted(parts: Mapping[str, RatioTest]) -> dict[str, float]:
    """The adjusted p-values of the parts that are large enough to be tested."""
    tested = {part: test.p_value for part, test in parts.items() if test.p_value is not None}
    return dict(zip(tested, adjusted(list(tested.values()), Correction.HOLM), strict=True))


def _ratio_message(whole: RatioTest, off: Sequence[str], limits: Limits, *, is_off: bool) -> str:
    counted = ", ".join(
        f"{branch} {units:,} (expected {whole.expected[branch]:,.1f})"
        for branch, units in whole.observed.items()
    )
    if whole.p_value is None:
        told = f"Too few units or branches for a test: {counted}."
    else:
        told = f"p = {whole.p_value:.2g} for {counted}."
    if is_off:
        told = f"Sample ratio mismatch, {told} Below {limits.p_value:g} it is no chance."
    if off:
        told += f" The ratio is off in {', '.join(off)}."
    return told


def _ratio_rows(tests: Mapping[str, RatioTest], adjusted_of: Mapping[str, float]) -> Listing:
    """All units, then the parts, the worst first."""
    (whole, *parts) = tests
    ordered = [whole, *sorted(parts, key=lambda part: adjusted_of.get(part, 2.0))]
    branches = list(tests[whole].observed)
    rows = tuple(
        (
            part,
            *(tests[part].observed.get(branch, 0) for branch in branches),
            " : ".join(f"{tests[part].expected.get(branch, 0.0):,.1f}" for branch in branches),
            _text(tests[part].p_value),
            _text(adjusted_of.get(part)),
        )
        for part in ordered
    )
    return Listing(("units", *branches, "expected", "p", "adjusted p"), rows)


def _text(p_value: float | None) -> str:
    return "" if p_value is None else f"{p_value:.3g}"
