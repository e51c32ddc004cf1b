from __future__ import annotations

import json
import math
from datetime import date
from typing import TYPE_CHECKING, Any

import pytest

from jetstream_assets.experiments.experiment import Branch, Experiment
from jetstream_assets.experiments.windows import Period
from jetstream_assets.report.statistics_export import DuplicateRecordError, statistics_documents
from jetstream_assets_tests.report.consumer import Statistic, Statistics
from jetstream_assets_tests.report.rows import statistics_rows

if TYPE_CHECKING:
    import pyarrow as pa

    from jetstream_assets.report.store import Document

EXPERIMENT = Experiment(
    slug="my-exp",
    branches=(Branch("control"), Branch("treatment")),
    start_date=date(2024, 1, 1),
    end_date=None,
    enrollment_period=7,
)
GOLDEN = """[
{"metric":"active_hours","statistic":"mean","branch":"control","ci_width":0.95,"point":10.375,\
"lower":8.5,"upper":12.0,"segment":"all","analysis_basis":"enrollments","window_index":"1",\
"units":40,"covariate":"preenrollment_week.active_hours"},
{"metric":"cards","statistic":"deciles","parameter":"0.1","branch":"treatment",\
"comparison":"relative_uplift","comparison_to_branch":"control","ci_width":0.95,"point":0.02,\
"lower":-0.01,"upper":0.05,"segment":"all","analysis_basis":"enrollments","window_index":"3"}
]
"""


def only(rows: pa.Table) -> Document:
    [document] = statistics_documents(EXPERIMENT, rows)
    return document


def records(rows: pa.Table) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(only(rows).body)
    return found


def test_a_document_is_the_one_written_by_hand() -> None:
    decile = {
        "window_index": 3,
        "metric": "cards",
        "statistic": "deciles",
        "parameter": 0.1,
        "branch": "treatment",
        "comparison": "relative_uplift",
        "comparison_to_branch": "control",
        "ci_width": 0.95,
        "point": 0.02,
        "lower": -0.01,
        "upper": 0.05,
        "date": date(2024, 1, 28),
    }
    mean = {
        "branch": "control",
        "ci_width": 0.95,
        "point": 10.375,
        "lower": 8.5,
        "upper": 12.0,
        "units": 40,
        "covariate": "preenrollment_week.active_hours",
    }
    document = only(statistics_rows(decile, mean))
    assert document.name == "statistics/statistics_my_exp_weekly.json"
    assert document.as_of == date(2024, 1, 28)
    assert document.body.decode() == GOLDEN


def test_the_consumer_reads_what_is_exported() -> None:
    read = Statistics.model_validate_json(GOLDEN).root
    document = only(
        statistics_rows(
            {"branch": "a", "point": 1.0, "parameter": 2.04, "statistic": "empirical_cdf"},
            {"branch": "b", "point": 0, "metric": "identity", "statistic": "count", "units": 0},
        )
    )
    read += Statistics.model_validate_json(document.body).root
    assert [(s.branch, s.parameter, s.window_index) for s in read] == [
        ("control", None, "1"),
        ("treatment", 0.1, "3"),
        ("a", 2.04, "1"),
        ("b", None, "1"),
    ]


def test_the_consumer_accepts_keys_of_our_own() -> None:
    # When this fails, `units` and `covariate` must leave the records.
    assert Statistic.model_config.get("extra", "ignore") == "ignore"


def test_a_provisional_record_says_so_and_a_final_one_keeps_its_shape() -> None:
    rows = statistics_rows(
        {"branch": "a", "point": 1.0},
        {"branch": "a", "point": 2.0, "window_index": 2, "is_provisional": True},
    )
    final, provisional = records(rows)
    assert "is_provisional" not in final
    assert provisional["is_provisional"] is True
    assert provisional.keys() == {*final, "is_provisional"}
    read = Statistics.model_validate_json(only(rows).body).root
    assert [statistic.point for statistic in read] == [1.0, 2.0]


def test_each_period_has_a_document_of_its_own_newest_date() -> None:
    rows = statistics_rows(
        {"period": "overall", "branch": "a", "date": date(2024, 2, 5)},
        {"period": "day", "branch": "a", "date": date(2024, 1, 8)},
        {"period": "day", "branch": "a", "window_index": 2, "date": date(2024, 1, 9)},
        {"period": "preenrollment_days28", "branch": "a", "date": date(2024, 1, 8)},
    )
    found = [(d.name, d.as_of) for d in statistics_documents(EXPERIMENT, rows)]
    assert found == [
        ("statistics/statistics_my_exp_daily.json", date(2024, 1, 9)),
        ("statistics/statistics_my_exp_overall.json", date(2024, 2, 5)),
        ("statistics/statistics_my_exp_preenrollment_days28.json", date(2024, 1, 8)),
    ]


@pytest.mark.parametrize("period", list(Period))
def test_every_period_has_a_document(period: Period) -> None:
    assert period.suffix in only(statistics_rows({"period": period.value, "branch": "a"})).name


def test_no_rows_make_no_document() -> None:
    assert list(statistics_documents(EXPERIMENT, statistics_rows())) == []


def test_a_period_without_results_has_an_empty_document() -> None:
    document = only(statistics_rows({"status": "failed", "reason": "x", "exception_type": "E"}))
    assert document.body == b"[]\n"
    assert document.as_of == date(2024, 1, 14)


def test_only_rows_with_meaning_are_records() -> None:
    rows = statistics_rows(
        {"branch": "ok", "point": 1.0},
        {"branch": "ok_without_point"},
        {"branch": "few", "status": "insufficient_data", "point": 2.0, "reason": "few units"},
        {"branch": "none", "status": "insufficient_data", "reason": "no units"},
        {"branch": "failed", "status": "failed", "point": 3.0, "reason": "broken"},
        {"branch": None, "point": 4.0},
    )
    assert [record["branch"] for record in records(rows)] == ["few", "ok", "ok_without_point"]


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_what_json_cannot_say_is_left_out(value: float) -> None:
    [record] = records(
        statistics_rows({"branch": "a", "point": value, "lower": 1.0, "upper": value})
    )
    assert record["lower"] == 1.0
    assert not {"point", "upper"} & record.keys()


@pytest.mark.parametrize(
    ("parameter", "text"),
    [(0.1, "0.1"), (0.0, "0.0"), (0.30000000000000004, "0.3"), (2.04, "2.04"), (-1e-9, "0.0")],
)
def test_parameters_are_short_text(parameter: float, text: str) -> None:
    [record] = records(statistics_rows({"branch": "a", "parameter": parameter}))
    assert record["parameter"] == text


def test_a_curve_on_a_tiny_grid_keeps_its_points() -> None:
    grid = [1e-7, 2e-7, 1.5e-6]
    rows = statistics_rows(*({"branch": "a", "parameter": x, "point": 1.0} for x in grid))
    assert [float(record["parameter"]) for record in records(rows)] == grid


def test_order_does_not_depend_on_the_order_of_rows() -> None:
    rows = statistics_rows(
        *(
            {"branch": branch, "metric": metric, "comparison": comparison}
            for branch in ("b", "a")
            for metric in ("y", "x")
            for comparison in ("difference", None)
        )
    )
    backwards = rows.take(list(range(rows.num_rows))[::-1])
    assert only(rows).body == only(backwards).body
    assert [(r["metric"], r["branch"], r.get("comparison")) for r in records(rows)][:3] == [
        ("x", "a", None),
        ("x", "a", "difference"),
        ("x", "b", None),
    ]


def test_two_rows_of_one_record_are_an_error_that_names_them() -> None:
    rows = statistics_rows(
        {"branch": "a", "parameter": 0.5, "point": 1.0},
        {"branch": "a", "parameter": 0.5, "point": 2.0, "date": date(2024, 1, 21)},
    )
    with pytest.raises(DuplicateRecordError) as caught:
        only(rows)
    for part in ("my-exp", "active_hours", "parameter=0.5", "2024-01-14", "2024-01-21"):
        assert part in str(caught.value)


def test_names_from_outside_stay_what_they_are() -> None:
    hostile = 'a"b\n\\</script>\u2028é🦊'
    [record] = records(statistics_rows({"branch": hostile}))
    assert record["branch"] == hostile
    assert len(only(statistics_rows({"branch": hostile})).body.splitlines()) == 3
