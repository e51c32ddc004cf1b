from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pytest
from numpy.typing import NDArray

from jetstream_assets.analysis.collected_distributions import of_counts, of_histograms
from jetstream_assets.analysis.collection import MOST_COUNTED, collect
from jetstream_assets.experiments.metrics import AnalysisBasis, PreTreatment, Summary
from jetstream_assets.experiments.needs import (
    CapScope,
    CoMoments,
    Histogram,
    JointMoments,
    Moments,
    Pairs,
    Totals,
    Value,
)
from jetstream_assets.experiments.windows import AnalysisWindow, DueWindow, Period
from jetstream_assets.sql.capping import GroupSizes
from jetstream_assets.sql.distributions import counts_query, histograms_query
from jetstream_assets.sql.ranks import MOST_DISTINCT
from jetstream_assets.sql.sufficient_statistics import summed_query, units_query
from jetstream_assets.warehouse.rendering import render_bigquery
from jetstream_assets_tests.unit_rows import Laboratory, unit_table

if TYPE_CHECKING:
    from pathlib import Path

    from jetstream_assets.experiments.needs import Need
    from jetstream_assets.sql.capping import Summed
    from jetstream_assets.statistics.collected import Collected

Floats = NDArray[np.float64]

WEEK_BEFORE = DueWindow(Period.PREENROLLMENT_WEEK, 1, AnalysisWindow(-7, -1))
ASKED = Summary("spend", "bootstrap_mean")
SPEND = Value("spend")


def _collected(
    laboratory: Laboratory,
    *needs: Need,
    scope: tuple[int, str] = (0, "enrollments"),
    **changes: object,
) -> Collected:
    found = collect(laboratory.warehouse, laboratory.rows(**changes), {ASKED: needs})
    assert not found.errors
    return found.of(scope)


def test_six_units_by_hand(tmp_path: Path) -> None:
    branches = ["control"] * 4 + ["new"] * 2
    table = unit_table(branches, {"spend": [1.0, 2.0, 3.0, None, 0.0, 10.0]})
    laboratory = Laboratory.of(tmp_path, table)
    need, totals = Moments(SPEND), Totals(SPEND)
    found = _collected(laboratory, need, totals)
    control, new = found.moments[need]["control"], found.moments[need]["new"]
    assert (control.units, control.mean) == (3, 2.0)
    assert (control.m2, control.m3, control.m4) == pytest.approx((2 / 3, 0, 2 / 3))
    assert (new.units, new.mean, new.m2, new.m4) == (2, 5.0, 25.0, 625.0)
    assert (new.lowest, new.highest, new.threshold) == (0.0, 10.0, None)
    assert found.totals[totals]["control"].total == 6.0
    assert found.totals[totals]["control"].others == 2
    assert found.totals[totals]["new"].others == 1


def _expected(values: Floats, threshold: float) -> tuple[float, ...]:
    # At a billion the mean of doubles is off by 1e-7, and so would be its powers.
    capped = np.minimum(values, threshold).astype(np.longdouble)
    centred = capped - capped.mean()
    return (float(capped.mean()), *(float((centred**k).mean()) for k in (2, 3, 4)))


@pytest.mark.parametrize("share", [0.0, 0.005, 0.1])
@pytest.mark.parametrize("cap", list(CapScope))
@pytest.mark.parametrize("kind", ["counts", "heavy tails", "far from zero"])
def test_moments_are_those_of_numpy(tmp_path: Path, kind: str, cap: CapScope, share: float) -> None:
    rng = np.random.default_rng(1)
    values = {
        "counts": rng.poisson(2, 900).astype(np.float64),
        "heavy tails": rng.lognormal(0, 2.5, 900),
        "far from zero": 1e9 + rng.normal(size=900),
    }[kind]
    branches = np.array(["a", "b", "c"])[rng.integers(0, 3, 900)]
    laboratory = Laboratory.of(tmp_path, unit_table(branches.tolist(), {"spend": values}))
    need = Moments(SPEND, share, cap)
    found = _collected(laboratory, need).moments[need]
    for branch in "abc":
        own = values[branches == branch]
        among = values if cap is CapScope.POOLED else own
        threshold = float(np.quantile(among, 1 - share)) if share else np.inf
        moments = found[branch]
        expected = _expected(own, threshold)
        assert (moments.mean, moments.m2, moments.m3, moments.m4) == pytest.approx(
            expected, rel=1e-8, abs=1e-8
        )
        assert moments.threshold == (pytest.approx(threshold, rel=1e-14) if share else None)


def test_one_absurd_value_beyond_the_cap_spoils_nothing(tmp_path: Path) -> None:
    values = np.append(np.random.default_rng(4).normal(size=999), 1e15)
    laboratory = Laboratory.of(tmp_path, unit_table(["a"] * 1000, {"spend": values}))
    need = Moments(SPEND, 0.005)
    found = _collected(laboratory, need).moments[need]["a"]
    expected = _expected(values, float(np.quantile(values, 0.995)))
    assert (found.mean, found.m2, found.m3, found.m4) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("units", [1, 2, 3, 10, 11, 200, 201])
@pytest.mark.parametrize("share", [0.005, 0.1, 0.5])
def test_thresholds_of_few_units(tmp_path: Path, units: int, share: float) -> None:
    values = np.random.default_rng(units).normal(size=units)
    branches = ["a"] * units + ["b"] * 2 * units
    columns = {"spend": np.concatenate([values, values, values + 1])}
    laboratory = Laboratory.of(tmp_path, unit_table(branches, columns))
    need = Moments(SPEND, share)
    found = _collected(laboratory, need).moments[need]["a"]
    assert found.threshold == pytest.approx(float(np.quantile(values, 1 - share)), rel=1e-12)


def test_a_pooled_threshold_of_integers_is_rounded_up(tmp_path: Path) -> None:
    values = [*range(10), 100]
    laboratory = Laboratory.of(tmp_path, unit_table(["a"] * 6 + ["b"] * 5, {"spend": values}))
    integers = frozenset({(None, "spend")})
    exact = float(np.quantile(values, 0.95))
    assert exact % 1
    pooled, own = Moments(SPEND, 0.05, CapScope.POOLED), Moments(SPEND, 0.05)
    found = _collected(laboratory, pooled, own, integers=integers)
    assert found.moments[pooled]["b"].threshold == np.ceil(exact)
    assert found.moments[own]["b"].threshold == pytest.approx(np.quantile(values[6:], 0.95))
    divided = Value("spend", (PreTreatment("normalize_over_analysis_period"),))
    need = Moments(divided, 0.05, CapScope.POOLED)
    threshold = _collected(laboratory, need, integers=integers).moments[need]["b"].threshold
    assert threshold == pytest.approx(exact / 7)


def test_co_moments_of_the_units_with_both(tmp_path: Path) -> None:
    rng = np.random.default_rng(2)
    before, after = rng.gamma(2, 2, 300), rng.gamma(2, 2, 300) + 1
    missing, unmeasured = np.arange(300) % 7 == 0, np.arange(300) % 11 == 0
    branches = np.where(np.arange(300) % 2 == 0, "a", "b")
    laboratory = Laboratory.of(
        tmp_path,
        unit_table(branches.tolist(), {"spend": pa.array(after, mask=unmeasured)}),
        unit_table(branches.tolist(), {"spend": pa.array(before, mask=missing)}, WEEK_BEFORE),
    )
    need = CoMoments(SPEND, Value("spend", period=Period.PREENROLLMENT_WEEK), 0.05)
    found = _collected(laboratory, need).co_moments[need]
    y = np.minimum(after, np.quantile(after[~unmeasured], 0.95))
    x = np.minimum(before, np.quantile(before[~missing & ~unmeasured], 0.95))
    for branch in "ab":
        measured = (branches == branch) & ~unmeasured
        both = measured & ~missing
        dy, dx = y[both] - y[both].mean(), x[both] - x[both].mean()
        joint = found[branch]
        assert (joint.units, joint.values) == (both.sum(), measured.sum())
        assert (joint.mean, joint.covariate_mean) == pytest.approx((y[both].mean(), x[both].mean()))
        assert (joint.syy, joint.sxx, joint.sxy) == pytest.approx((dy @ dy, dx @ dx, dy @ dx))


def test_joint_moments_of_the_units_with_both(tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    x, y = rng.gamma(1, 5, 500), 1000 + rng.gamma(2, 2, 500)
    x[8], y[9] = np.inf, np.nan
    unclicked, unseen = np.arange(500) % 7 == 0, np.arange(500) % 11 == 0
    branches = np.where(np.arange(500) % 3 == 0, "a", "b")
    columns = {
        "x": pa.array(x, mask=unclicked, from_pandas=False),
        "y": pa.array(y, mask=unseen, from_pandas=False),
    }
    laboratory = Laboratory.of(tmp_path, unit_table(branches.tolist(), columns))
    need, few = JointMoments(Value("x"), Value("y"), 0.05), Pairs(Value("x"), Value("y"), 200)
    found = _collected(laboratory, need, few)
    has_both = ~unclicked & ~unseen & np.isfinite(x) & np.isfinite(y)
    for branch in "ab":
        both = (branches == branch) & has_both
        own, other = (np.minimum(v[both], np.quantile(v[both], 0.95)) for v in (x, y))
        joint = found.joint_moments[need][branch]
        assert (joint.units, joint.numerator, joint.denominator) == pytest.approx(
            (both.sum(), own.mean(), other.mean()), rel=1e-12
        )
        assert joint.threshold == pytest.approx(np.quantile(x[both], 0.95))
        assert joint.highest == x[both].max()
        for (a, b), moment in joint.central.items():
            expected = ((own - own.mean()) ** a * (other - other.mean()) ** b).mean()
            assert moment == pytest.approx(expected, rel=1e-9, abs=1e-9)
        assert len(joint.central) == 12
    assert sum(joint.odd for joint in found.joint_moments[need].values()) == 2
    (pairs,) = found.pairs[few].values()
    both = (branches == "a") & has_both
    assert sorted(zip(pairs.numerators, pairs.denominators, strict=True)) == sorted(
        zip(x[both], y[both], strict=True)
    )
    assert pairs.units.sum() == both.sum() <= 200


def test_units_join_their_covariate_by_id_and_branch(tmp_path: Path) -> None:
    before = unit_table(["a", "b"], {"spend": [5.0, 7.0]}, WEEK_BEFORE)
    # The other period and the other basis of the same relation do not count.
    other = unit_table(
        ["a", "b"],
        {"spend": [99.0, 99.0]},
        DueWindow(Period.PREENROLLMENT_DAYS28, 1, AnalysisWindow(-28, -1)),
    )
    exposed = unit_table(["a", "b"], {"spend": [99.0, 99.0]}, WEEK_BEFORE, AnalysisBasis.EXPOSURES)
    laboratory = Laboratory.of(
        tmp_path,
        unit_table(["a", "a", "b"], {"spend": [1.0, 2.0, 3.0]}),
        pa.concat_tables([before, other, exposed]),
    )
    need = CoMoments(SPEND, Value("spend", period=Period.PREENROLLMENT_WEEK))
    found = _collected(laboratory, need).co_moments[need]
    # unit-1 is in branch b before and in branch a after: it has no covariate.
    assert (found["a"].units, found["a"].values, found["a"].covariate_mean) == (1, 2, 5.0)
    assert (found["b"].units, found["b"].values) == (0, 1)


def test_only_the_window_its_basis_and_segment_count(tmp_path: Path) -> None:
    second = DueWindow(Period.WEEK, 2, AnalysisWindow(7, 13))
    columns: dict[str, list[float | bool]] = {
        "spend": [1.0, 2.0],
        "loyal": [True, False],
        "odd name'`\"": [False, True],
    }
    exposed = {name: values[1:] for name, values in columns.items()}
    table = pa.concat_tables(
        [
            unit_table(["a", "b"], columns),
            unit_table(["a", "b"], columns, second),
            unit_table(["a"], exposed, basis=AnalysisBasis.EXPOSURES),
        ]
    )
    laboratory = Laboratory.of(tmp_path, table)
    rows = laboratory.rows(bases=tuple(AnalysisBasis), segments=("loyal", "odd name'`\""))
    found = laboratory.warehouse.query(units_query(rows)).to_pylist()
    assert sorted(tuple(row.values()) for row in found) == [
        (0, "enrollments", "a", 1),
        (0, "enrollments", "b", 1),
        (0, "exposures", "a", 1),
        (1, "enrollments", "a", 1),
        (2, "enrollments", "b", 1),
        (2, "exposures", "a", 1),
    ]
    need = Totals(SPEND)
    in_segment = _collected(laboratory, need, scope=(1, "enrollments"), segments=("loyal",))
    assert in_segment.totals[need]["a"].total == 1.0
    assert "b" not in in_segment.totals[need]


def test_infinite_values_are_left_out_and_counted(tmp_path: Path) -> None:
    values = [1.0, np.inf, -np.inf, np.nan, 3.0, None]
    laboratory = Laboratory.of(
        tmp_path, unit_table(["a"] * 6, {"spend": pa.array(values, from_pandas=False)})
    )
    moments, totals, histogram = Moments(SPEND, 0.05), Totals(SPEND), Histogram(SPEND)
    found = _collected(laboratory, moments, totals, histogram)
    assert (found.moments[moments]["a"].units, found.moments[moments]["a"].odd) == (2, 3)
    assert found.totals[totals]["a"].total == 4.0
    assert found.histograms[histogram]["a"].total == 2


def test_booleans_count_as_zero_and_one(tmp_path: Path) -> None:
    laboratory = Laboratory.of(tmp_path, unit_table(["a"] * 3, {"spend": [True, False, True]}))
    need = Totals(SPEND)
    found = _collected(laboratory, need, integers=frozenset({(None, "spend")})).totals[need]["a"]
    assert (found.units, found.total, found.others) == (3, 2.0, 0)


def test_small_distributions_are_whole(tmp_path: Path) -> None:
    laboratory = Laboratory.of(tmp_path, unit_table(["a"] * 5, {"spend": [3, 1, 3, 2, None]}))
    need = Histogram(SPEND)
    found = _collected(laboratory, need).histograms[need]["a"]
    assert found.values.tolist() == [1, 2, 3]
    assert found.units.tolist() == [1, 1, 2]
    assert found.is_whole


def test_large_distributions_are_bounded_and_exact_where_kept(tmp_path: Path) -> None:
    values = np.random.default_rng(3).lognormal(0, 1, 20_000)
    laboratory = Laboratory.of(tmp_path, unit_table(["a"] * 20_000, {"spend": values}))
    need = Histogram(SPEND)
    found = _collected(laboratory, need).histograms[need]["a"]
    assert found.values.size <= MOST_DISTINCT + 1
    assert found.total == 20_000
    assert found.upto.tolist() == np.searchsorted(np.sort(values), found.values, "right").tolist()
    ranks = np.arange(1, 20_001)
    exact = np.searchsorted(np.sort(values), found.at_rank(ranks), "right")
    assert np.abs(exact - ranks).max() <= 20_000 / MOST_DISTINCT + 1


@pytest.mark.parametrize("distinct", [1, MOST_DISTINCT, MOST_DISTINCT + 1, 9_000])
def test_whoever_ranks_the_values_the_same_are_kept(tmp_path: Path, distinct: int) -> None:
    rng = np.random.default_rng(distinct)
    units = 20_000
    spend = np.concatenate([np.arange(distinct), rng.integers(0, distinct, units - distinct)])
    columns: dict[str, Any] = {
        "spend": (spend - distinct // 3) / 7,
        "clicks": [None, *rng.poisson(3, units - 1).tolist()],
        "busy": rng.random(units) < 0.3,
    }
    laboratory = Laboratory.of(tmp_path, unit_table(["a", "b"] * (units // 2), columns))
    rows = laboratory.rows(segments=("busy",))
    needs = [Histogram(SPEND), Histogram(Value("clicks"))]
    ranked = of_histograms(laboratory.warehouse.query(histograms_query(rows, needs)), needs)
    counted = of_counts(laboratory.warehouse.query(counts_query(rows, needs)), needs)
    for need in needs:
        assert counted[need].keys() == ranked[need].keys() == {(s, "enrollments") for s in (0, 1)}
        for scope, branches in ranked[need].items():
            assert counted[need][scope].keys() == branches.keys() == {"a", "b"}
            for branch, expected in branches.items():
                found = counted[need][scope][branch]
                for part in ("values", "units", "upto"):
                    assert getattr(found, part).tolist() == getattr(expected, part).tolist()


def test_a_value_that_no_unit_has_is_in_no_distribution(tmp_path: Path) -> None:
    laboratory = Laboratory.of(tmp_path, unit_table(["a"] * 2, {"spend": [None, None]}))
    need = Histogram(SPEND)
    assert of_counts(
        laboratory.warehouse.query(counts_query(laboratory.rows(), [need])), [need]
    ) == {need: {}}


@pytest.mark.parametrize("kind", ["skewed", "far from zero", "zeros", "negative", "ticks"])
def test_very_many_values_fall_into_bins(tmp_path: Path, kind: str) -> None:
    rng = np.random.default_rng(5)
    units = 80_000
    values = {
        "skewed": rng.lognormal(0, 2, units),
        "far from zero": 1.7e9 + rng.normal(size=units),
        "zeros": np.where(rng.random(units) < 0.3, 0.0, rng.lognormal(3, 1, units)),
        "negative": rng.normal(-1, 1, units),
        "ticks": np.round(rng.lognormal(0, 2, units) * 7200) / 7200,
    }[kind]
    laboratory = Laboratory.of(tmp_path, unit_table(["a"] * units, {"spend": values}))
    need = Histogram(SPEND)
    middle = {SPEND: float(np.median(values))}
    table = laboratory.warehouse.query(histograms_query(laboratory.rows(), [need], middle))
    found = of_histograms(table, [need])[need][0, "enrollments"]["a"]
    ordered = np.sort(values)
    assert found.values.size <= MOST_DISTINCT + 2
    assert (found.values[0], found.values[-1], found.total) == (ordered[0], ordered[-1], units)
    assert np.isin(found.values, ordered).all()
    exact = np.searchsorted(ordered, found.values, "right")
    assert found.upto[1:].tolist() == exact[1:].tolist()
    ranks = np.arange(1, units + 1)
    nearest = np.searchsorted(ordered, found.at_rank(ranks), "right")
    below = np.searchsorted(ordered, found.at_rank(ranks), "left")
    assert (below - ranks).max() <= units / MOST_DISTINCT + 1
    assert (ranks - nearest).max() <= 2 * units / MOST_DISTINCT + 1
    if kind == "zeros":
        assert found.at_rank(np.array([units // 10, units // 4])).tolist() == [0.0, 0.0]


def test_bins_are_used_beyond_a_number_of_values(tmp_path: Path) -> None:
    values = np.random.default_rng(6).normal(5, 1, MOST_COUNTED + 20_000)
    laboratory = Laboratory.of(tmp_path, unit_table(["a"] * values.size, {"spend": values}))
    need = Histogram(SPEND)
    found = _collected(laboratory, need).histograms[need]["a"]
    assert not found.is_whole
    median = found.at_rank(np.array([values.size // 2]))[0]
    assert median == pytest.approx(np.median(values), abs=0.002)


def test_values_of_few_units_are_asked_for_only_where_there_are_few(tmp_path: Path) -> None:
    table = unit_table(["a"] * 50 + ["b"] * 5, {"spend": list(range(55))})
    laboratory = Laboratory.of(tmp_path, table)
    few = Histogram(SPEND, 10)
    assert set(_collected(laboratory, Moments(SPEND), few).histograms[few]) == {"b"}
    fewer = Histogram(SPEND, 3)
    assert fewer not in _collected(laboratory, Moments(SPEND), fewer).histograms


def test_one_query_for_all_sums(tmp_path: Path) -> None:
    laboratory = Laboratory.of(tmp_path, unit_table(["a"], {"spend": [1.0], "clicks": [2]}))
    totals, moments = Totals(SPEND), Moments(SPEND)
    clicks = Moments(Value("clicks"), 0.01, CapScope.POOLED)
    needs: list[Summed] = [moments, clicks, totals]
    table = laboratory.warehouse.query(
        summed_query(laboratory.rows(), needs, GroupSizes(1, 1, 1, 1))
    )
    assert table.num_rows == 1
    # Equal needs of several summaries are one.
    wanted: dict[Summary, list[Need]] = {
        ASKED: [moments],
        Summary("spend", "sum"): [totals, moments],
    }
    found = collect(laboratory.warehouse, laboratory.rows(), wanted)
    assert list(found.answers) == [moments, totals]


def test_what_the_warehouse_refuses_goes_without_and_has_its_statement(tmp_path: Path) -> None:
    laboratory = Laboratory.of(tmp_path, unit_table(["a"], {"spend": [1.0]}))
    absent = Summary("absent", "sum")
    wanted: dict[Summary, list[Need]] = {
        ASKED: [Totals(SPEND)],
        absent: [Totals(Value("absent"))],
    }
    found = collect(laboratory.warehouse, laboratory.rows(), wanted)
    assert list(found.answers) == [Totals(SPEND)]
    assert list(found.errors) == [absent]
    assert "absent" in found.errors[absent].sql
    assert "spend" not in found.errors[absent].sql


def test_the_same_tree_is_bigquery(tmp_path: Path) -> None:
    rows = Laboratory.of(tmp_path, unit_table(["a"], {"spend": [1.0]})).rows(segments=("it's",))
    text = render_bigquery(summed_query(rows, [Moments(SPEND, 0.01)], GroupSizes(1, 1, 1, 1)))
    assert "ARRAY_AGG(own_0 IGNORE NULLS ORDER BY own_0 DESC" in text
    assert "m.`it's` AS segment_1" in text
    assert "UNPIVOT EXCLUDE NULLS" in render_bigquery(histograms_query(rows, [Histogram(SPEND)]))
