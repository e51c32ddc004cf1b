from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pytest

from jetstream_assets.experiments.failures import Failure, Stage
from jetstream_assets.experiments.metrics import (
    AnalysisBasis,
    CovariateAdjustment,
    Metric,
    PreTreatment,
    Summary,
)
from jetstream_assets.experiments.windows import AnalysisWindow, DueWindow, Period
from jetstream_assets.warehouse.duckdb_parquet import DuckDBParquetWarehouse
from jetstream_assets.warehouse.tables import STATISTICS_SCHEMA
from jetstream_assets_tests.builders import make_metric
from jetstream_assets_tests.statistics.golden import COVARIATE, SPEND
from jetstream_assets_tests.unit_rows import WEEK, Laboratory, configured, only, unit_table

if TYPE_CHECKING:
    from pathlib import Path

    from sqlglot import exp

    from jetstream_assets.warehouse.base import Answer
    from jetstream_assets_tests.unit_rows import Row

BRANCHES = ("control", "a", "b")
WEEK_BEFORE = DueWindow(Period.PREENROLLMENT_WEEK, 1, AnalysisWindow(-7, -1))
ADJUSTED = CovariateAdjustment("spend", Period.PREENROLLMENT_WEEK)
ENROLLED, EXPOSED = AnalysisBasis.ENROLLMENTS.value, AnalysisBasis.EXPOSURES.value
LINEAR = Summary("spend", "linear_model_mean", (("drop_highest", 0.0),), covariate=ADJUSTED)
MEAN = Summary("spend", "bootstrap_mean")


@pytest.fixture
def golden(tmp_path: Path) -> Laboratory:
    """The data of the golden numbers on both bases, with the covariate before."""
    branches = [branch for branch, values in SPEND.items() for _ in values]
    spend = np.concatenate(list(SPEND.values()))
    before = {"spend": np.concatenate(list(COVARIATE.values()))}
    bases = [unit_table(branches, {"spend": spend}, basis=basis) for basis in AnalysisBasis]
    return Laboratory.of(
        tmp_path, pa.concat_tables(bases), unit_table(branches, before, WEEK_BEFORE)
    )


def _bounds(row: Row) -> tuple[float, float, float]:
    return row["point"], row["lower"], row["upper"]


def test_golden_numbers_through_the_warehouse(golden: Laboratory) -> None:
    deciles = Summary("spend", "deciles")
    configuration = configured("spend", branches=BRANCHES)
    rows = golden.estimate([LINEAR, MEAN, deciles], configuration, include_counts=True)
    for basis in (ENROLLED, EXPOSED):
        common = {"analysis_basis": basis, "segment": "all"}
        pair = {"branch": "b", "comparison_to_branch": "control", "comparison": "difference"}
        row = only(rows, statistic="mean_lm", **pair, **common)
        assert _bounds(row) == pytest.approx((3.14690269, 0.64630703, 5.64749834), abs=1e-7)
        assert row["covariate"] == "preenrollment_week.spend"
        row = only(rows, statistic="mean_lm_unadjusted", **pair, **common)
        assert _bounds(row) == pytest.approx((3.085, 0.42563486, 5.74436514), abs=1e-7)
        assert (row["covariate"], row["units"]) == (None, 90)
        row = only(rows, statistic="mean", branch="a", comparison=None, **common)
        assert row["point"] == pytest.approx(12.0618333, abs=1e-7)
        row = only(rows, statistic="deciles", parameter=0.5, branch="b", comparison=None, **common)
        assert _bounds(row) == pytest.approx((13.6692841, 10.5, 16.0), abs=1e-7)
        counts = {b: only(rows, metric="identity", branch=b, **common)["point"] for b in BRANCHES}
        assert counts == {"control": 40, "a": 30, "b": 50}
    # A lowest decile may be 0, and has no ratio then.
    not_ok = [row for row in rows if row["status"] != "ok"]
    assert {row["parameter"] for row in not_ok} == {0.1, 0.2}
    assert {row["comparison"] for row in not_ok} == {"relative_uplift"}


@dataclass(frozen=True)
class NotingWarehouse(DuckDBParquetWarehouse):
    """A warehouse that notes what it is asked."""

    asked: list[str] = field(default_factory=list)

    def answer(self, tree: exp.Expr) -> Answer:
        self.asked.append(tree.sql(dialect="bigquery"))
        return super().answer(tree)


@pytest.mark.parametrize(("summary", "is_read"), [(MEAN, False), (LINEAR, True)])
def test_what_was_before_is_read_only_where_a_summary_asks_for_it(
    golden: Laboratory, summary: Summary, *, is_read: bool
) -> None:
    warehouse = NotingWarehouse(golden.warehouse.root, threads=1)
    rows = replace(golden, warehouse=warehouse).estimate(
        [summary], configured("spend", branches=BRANCHES)
    )
    assert {row["status"] for row in rows} == {"ok"}
    assert any("preenrollment_metrics" in sql for sql in warehouse.asked) == is_read
    assert any("`metrics/" in sql for sql in warehouse.asked)


def test_the_table_is_whole_sorted_and_the_same_again(golden: Laboratory) -> None:
    configuration = configured("spend", branches=BRANCHES)
    rows = golden.estimate([MEAN, LINEAR], configuration, include_counts=True)
    again = golden.estimate([LINEAR, MEAN], configuration, include_counts=True)
    assert rows == again
    assert list(rows[0]) == STATISTICS_SCHEMA.names
    window = {(r["period"], r["window_index"], r["window_start"], r["window_end"]) for r in rows}
    assert window == {("week", 1, 0, 6)}
    # Per basis: identity 3; mean 3 + 6 pairs twice; mean_lm and its companion the same.
    assert len(rows) == 2 * (3 + 3 * 15)


def test_segments_and_their_counts(tmp_path: Path) -> None:
    table = unit_table(
        ["control", "control", "new", "new"],
        {"spend": [1.0, 2.0, 3.0, None], "loyal": [True, None, True, True]},
    )
    laboratory = Laboratory.of(tmp_path, table)
    total, count = Summary("spend", "sum"), Summary("spend", "count")
    configuration = configured("spend", segments=["loyal", "unheard"])
    rows = laboratory.estimate([total, count], configuration, include_counts=True)
    loyal = {"analysis_basis": ENROLLED, "segment": "loyal"}
    assert only(rows, statistic="sum", branch="control", **loyal)["point"] == 1.0
    assert only(rows, metric="spend", statistic="count", branch="new", **loyal)["point"] == 1
    assert only(rows, metric="identity", branch="new", **loyal)["point"] == 2
    # Nobody was exposed: counted as none.
    nobody = {"analysis_basis": EXPOSED, "segment": "all", "branch": "new"}
    assert only(rows, metric="identity", **nobody)["point"] == 0
    row = only(rows, statistic="sum", **nobody)
    assert (row["status"], row["point"]) == ("insufficient_data", None)
    missing = only(rows, statistic="sum", segment="unheard", analysis_basis=ENROLLED)
    assert missing["status"] == "failed"
    assert "segment 'unheard' was not computed" in missing["reason"]


def test_a_metric_stays_on_its_bases(golden: Laboratory) -> None:
    metric = make_metric("spend", analysis_bases=(AnalysisBasis.EXPOSURES,))
    rows = golden.estimate([MEAN], configured(metric, branches=BRANCHES))
    assert {row["analysis_basis"] for row in rows} == {EXPOSED}


def test_a_failed_metric_is_a_row_with_its_reason(golden: Laboratory) -> None:
    failure = Failure(
        Stage.METRICS,
        "no such column: prize",
        "QueryError",
        WEEK.period,
        WEEK.index,
        AnalysisBasis.EXPOSURES,
        metric="spend",
    )
    configuration = configured("spend", branches=BRANCHES)
    rows = golden.estimate([MEAN], configuration, failures=[failure])
    (failed,) = (row for row in rows if row["analysis_basis"] == EXPOSED)
    assert (failed["statistic"], failed["status"], failed["branch"]) == ("mean", "failed", None)
    assert (failed["reason"], failed["exception_type"]) == ("no such column: prize", "QueryError")
    assert len([row for row in rows if row["analysis_basis"] == ENROLLED]) == 15


def test_a_metric_without_column_or_of_text_is_a_reason(tmp_path: Path) -> None:
    laboratory = Laboratory.of(tmp_path, unit_table(["control", "new"], {"name": ["x", "y"]}))
    summaries = [Summary("gone", "sum"), Summary("name", "sum")]
    rows = laboratory.estimate(summaries, configured("gone", "name"))
    assert {row["status"] for row in rows} == {"failed"}
    assert "'gone' was not computed" in only(rows, metric="gone", analysis_basis=ENROLLED)["reason"]
    assert "of type string" in only(rows, metric="name", analysis_basis=ENROLLED)["reason"]


@pytest.mark.parametrize("statistic", ["linear_model_mean", "per_client_dau_impact"])
@pytest.mark.parametrize("what", ["no table", "no column", "failure"])
def test_a_missing_covariate_is_a_reason_and_the_unadjusted_rows_are_there(
    tmp_path: Path, what: str, statistic: str
) -> None:
    table = unit_table(["control"] * 5 + ["new"] * 5, {"spend": np.arange(10.0)})
    before = unit_table(["control"], {"other": [1.0]}, WEEK_BEFORE)
    laboratory = Laboratory.of(tmp_path, table, None if what == "no table" else before)
    failure = Failure(
        Stage.METRICS,
        "the source is missing",
        "QueryError",
        Period.PREENROLLMENT_WEEK,
        1,
        AnalysisBasis.ENROLLMENTS,
        metric="spend",
    )
    rows = laboratory.estimate(
        [Summary("spend", statistic, covariate=ADJUSTED)],
        configured("spend"),
        failures=[failure] if what == "failure" else [],
    )
    name = "mean_lm" if statistic == "linear_model_mean" else statistic
    failed = only(rows, statistic=name, analysis_basis=ENROLLED)
    assert failed["status"] == "failed"
    assert failed["exception_type"] == "MissingCovariateError"
    reason = {
        "no table": "there are no pre-enrollment metrics",
        "no column": "has no such column",
        "failure": "the source is missing",
    }[what]
    assert "the covariate 'spend' of preenrollment_week cannot be used" in failed["reason"]
    assert reason in failed["reason"]
    row = only(
        rows,
        statistic=f"{name}_unadjusted",
        analysis_basis=ENROLLED,
        branch="new",
        comparison="difference",
    )
    assert row["status"] == "ok"
    assert row["lower"] is not None


def test_units_without_covariate_are_counted_in_a_remark(tmp_path: Path) -> None:
    branches = ["control"] * 20 + ["new"] * 20
    values = np.random.default_rng(1).normal(5, 1, 40)
    before = [None if i % 10 == 0 else float(i % 7) for i in range(40)]
    laboratory = Laboratory.of(
        tmp_path,
        unit_table(branches, {"spend": values}),
        unit_table(branches, {"spend": before}, WEEK_BEFORE),
    )
    rows = laboratory.estimate([LINEAR], configured("spend"))
    wanted = {"analysis_basis": ENROLLED, "branch": "new", "comparison": "difference"}
    row = only(rows, statistic="mean_lm", **wanted)
    assert (row["units"], row["status"]) == (36, "ok")
    assert row["reason"] == "4 units left out: there is no covariate"
    assert only(rows, statistic="mean_lm_unadjusted", **wanted)["units"] == 40


def test_no_covariate_in_a_pre_enrollment_period(golden: Laboratory) -> None:
    rows = golden.estimate([LINEAR], configured("spend", branches=BRANCHES), due=WEEK_BEFORE)
    assert {row["statistic"] for row in rows} == {"mean_lm"}
    assert {row["covariate"] for row in rows} == {None}
    row = only(rows, analysis_basis=ENROLLED, branch="a", comparison=None)
    assert row["point"] == pytest.approx(COVARIATE["a"].mean())


def test_one_broken_summary_does_not_take_the_others_down(golden: Laboratory) -> None:
    broken = Summary("spend", "sum", pre_treatments=(PreTreatment("remove_outliers"),))
    rows = golden.estimate([broken, MEAN], configured("spend", branches=BRANCHES))
    failed = [row for row in rows if row["status"] == "failed"]
    assert {row["statistic"] for row in failed} == {"sum"}
    assert len(failed) == 2
    assert "'remove_outliers' is not known" in failed[0]["reason"]
    assert only(rows, statistic="mean", branch="a", comparison=None, analysis_basis=ENROLLED)


RATE = Metric("rate", depends_on=("clicks", "views"))
OF_RATE = Summary("rate", "population_ratio", (("denominator", "views"), ("numerator", "clicks")))


def _clicks(units: int) -> tuple[list[str], dict[str, list[float | None]]]:
    """Clicks and views in two branches; every tenth unit has no clicks, every ninth no views."""
    rng = np.random.default_rng(8)
    views = rng.poisson(5, units) + 1
    clicks = rng.binomial(views, 0.4)
    columns = {
        "clicks": [None if i % 10 == 0 else float(n) for i, n in enumerate(clicks)],
        "views": [None if i % 9 == 0 else float(n) for i, n in enumerate(views)],
    }
    return ["control", "new"] * (units // 2), columns


@pytest.mark.parametrize("units", [100, 4000])
def test_a_ratio_is_of_the_units_that_have_both(tmp_path: Path, units: int) -> None:
    branches, columns = _clicks(units)
    table = unit_table(branches, columns)
    laboratory = Laboratory.of(tmp_path, table)
    rows = laboratory.estimate([OF_RATE], configured(RATE, "clicks", "views"))
    row = only(rows, branch="new", comparison=None, analysis_basis=ENROLLED)
    pairs = [
        (x, y)
        for b, x, y in zip(branches, columns["clicks"], columns["views"], strict=True)
        if b == "new" and x is not None and y is not None
    ]
    x, y = (np.minimum(v, np.quantile(v, 0.995)) for v in np.array(pairs).T)
    assert (row["status"], row["units"]) == ("ok", len(pairs))
    ratio = x.mean() / y.mean()
    error = (x - ratio * y).std() / y.mean() / len(pairs) ** 0.5
    expected = (ratio, ratio - 1.96 * error, ratio + 1.96 * error)
    assert _bounds(row) == pytest.approx(expected, abs=0.1 * error)
    assert {r["metric"] for r in rows} == {"rate"}
    pair = {"branch": "new", "comparison_to_branch": "control", "analysis_basis": ENROLLED}
    assert only(rows, comparison="relative_uplift", **pair)["status"] == "ok"
    nobody = only(rows, branch="new", comparison=None, analysis_basis=EXPOSED)
    assert "has a numerator and a denominator" in nobody["reason"]


@pytest.mark.parametrize("metric", ["rate", "spend"])
def test_a_ratio_is_adjusted_for_both_parts_or_one_metric(tmp_path: Path, metric: str) -> None:
    branches, columns = _clicks(2000)
    before: dict[str, list[float | None]] = {
        name: [None if v is None or i % 50 == 3 else v + i % 3 for i, v in enumerate(values)]
        for name, values in columns.items()
    }
    before["spend"] = before["clicks"]
    laboratory = Laboratory.of(
        tmp_path, unit_table(branches, columns), unit_table(branches, before, WEEK_BEFORE)
    )
    summary = replace(OF_RATE, covariate=replace(ADJUSTED, metric=metric))
    rows = laboratory.estimate([summary], configured(RATE, "clicks", "views", "spend"))
    pair = {"branch": "new", "comparison": "difference", "analysis_basis": ENROLLED}
    adjusted = only(rows, statistic="population_ratio", **pair)
    plain = only(rows, statistic="population_ratio_unadjusted", **pair)
    assert (adjusted["status"], adjusted["covariate"]) == ("ok", f"preenrollment_week.{metric}")
    assert plain["covariate"] is None
    assert "left out: there is no covariate" in adjusted["reason"]
    assert adjusted["units"] < plain["units"]
    assert 0 < adjusted["p_value"] < 1
    width, wider = (row["upper"] - row["lower"] for row in (adjusted, plain))
    assert width < 0.8 * wider


def test_a_ratio_without_the_parts_before_is_unadjusted_with_a_reason(tmp_path: Path) -> None:
    branches, columns = _clicks(400)
    before = unit_table(branches, {"clicks": columns["clicks"]}, WEEK_BEFORE)
    laboratory = Laboratory.of(tmp_path, unit_table(branches, columns), before)
    summary = replace(OF_RATE, covariate=replace(ADJUSTED, metric="rate"))
    rows = laboratory.estimate([summary], configured(RATE, "clicks", "views"))
    failed = only(rows, statistic="population_ratio", analysis_basis=ENROLLED)
    assert failed["exception_type"] == "MissingCovariateError"
    assert "the covariate 'views' of preenrollment_week cannot be used" in failed["reason"]
    wanted = {"branch": "new", "comparison": "difference", "analysis_basis": ENROLLED}
    assert only(rows, statistic="population_ratio_unadjusted", **wanted)["status"] == "ok"


def test_pre_treatments_change_both_parts_of_a_ratio(tmp_path: Path) -> None:
    branches, columns = _clicks(400)
    laboratory = Laboratory.of(tmp_path, unit_table(branches, columns))
    filled = replace(OF_RATE, pre_treatments=(PreTreatment("zero_fill"),))
    few = (("threshold", 4),)
    censored = replace(
        OF_RATE, pre_treatments=(PreTreatment("censor_values_above_threshold", few),)
    )
    for summary, kept in (
        (filled, lambda x, y: (x or 0, y or 0)),
        (censored, lambda x, y: (x, y) if None not in (x, y) and x < 4 and y < 4 else None),
    ):
        rows = laboratory.estimate([summary], configured(RATE, "clicks", "views"))
        row = only(rows, branch="new", comparison=None, analysis_basis=ENROLLED)
        found = [
            pair
            for b, x, y in zip(branches, columns["clicks"], columns["views"], strict=True)
            if b == "new" and (pair := kept(x, y)) is not None
        ]
        x, y = (np.minimum(v, np.quantile(v, 0.995)) for v in np.array(found).T)
        assert row["units"] == len(found)
        assert row["point"] == pytest.approx(x.mean() / y.mean(), rel=0.01)


def test_a_part_of_a_ratio_that_is_not_there_is_a_reason(tmp_path: Path) -> None:
    branches, columns = _clicks(40)
    columns.pop("views")
    laboratory = Laboratory.of(tmp_path, unit_table(branches, columns))
    (row, _) = laboratory.estimate([OF_RATE], configured(RATE, "clicks", "views"))
    assert (row["status"], row["metric"]) == ("failed", "rate")
    assert "'views' was not computed" in row["reason"]
    failure = Failure(
        Stage.METRICS,
        "no such column: prize",
        "QueryError",
        WEEK.period,
        WEEK.index,
        metric="clicks",
    )
    configuration = configured(RATE, "clicks", "views")
    rows = laboratory.estimate([OF_RATE], configuration, failures=[failure])
    assert {row["reason"] for row in rows} == {"no such column: prize"}
    views = make_metric("views", analysis_bases=(AnalysisBasis.EXPOSURES,))
    rows = laboratory.estimate([OF_RATE], configured(RATE, "clicks", views))
    reason = only(rows, analysis_basis=ENROLLED)["reason"]
    assert reason == "the metric 'views' is not computed on basis 'enrollments'"


def test_a_metric_without_sql_is_only_a_ratio(golden: Laboratory) -> None:
    rows = golden.estimate([Summary("rate", "sum")], configured(RATE))
    assert {row["exception_type"] for row in rows} == {"StatisticNotAvailableError"}
    assert all("no value per unit" in row["reason"] for row in rows)


def test_relations_that_are_not_there_are_reasons(tmp_path: Path) -> None:
    laboratory = Laboratory.of(tmp_path / "one", unit_table(["control"], {"spend": [1.0]}))
    for file in (tmp_path / "one").rglob("*.parquet"):
        file.unlink()
    rows = laboratory.estimate([MEAN], configured("spend"), include_counts=True)
    assert {row["status"] for row in rows} == {"failed"}
    assert {row["metric"] for row in rows} == {"identity", "spend"}
    assert all(row["reason"] for row in rows)


def test_infinite_values_are_named_beside_the_number(tmp_path: Path) -> None:
    values = [1.0, 2.0, np.inf, 4.0, np.nan, 6.0]
    table = unit_table(["control"] * 3 + ["new"] * 3, {"spend": np.array(values)})
    rows = Laboratory.of(tmp_path, table).estimate([Summary("spend", "sum")], configured("spend"))
    row = only(rows, branch="control", analysis_basis=ENROLLED)
    assert (row["point"], row["status"]) == (3.0, "ok")
    assert row["reason"] == "1 unit left out: the value is infinite or not a number"


def test_names_of_any_kind(tmp_path: Path) -> None:
    odd = "a`b'; DROP TABLE x --\""
    table = unit_table([odd] * 3 + ["new"] * 3, {odd: np.arange(6), "seg 'ment": [True] * 6})
    laboratory = Laboratory.of(tmp_path, table)
    configuration = configured(odd, segments=["seg 'ment"], branches=[odd, "new"])
    rows = laboratory.estimate([Summary(odd, "sum")], configuration)
    row = only(rows, segment="seg 'ment", branch=odd, analysis_basis=ENROLLED)
    assert (row["metric"], row["point"]) == (odd, 3.0)
