from __future__ import annotations

import json
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any

from jetstream_assets.report.errors_export import errors_document
from jetstream_assets_tests.report.consumer import AnalysisErrors
from jetstream_assets_tests.report.rows import failure_rows, statistics_rows

if TYPE_CHECKING:
    import pyarrow as pa

    from jetstream_assets.report.store import Document

DATE = date(2024, 2, 1)
GOLDEN = """[
{"analysis_basis":null,"source":"jetstream","exception":null,"exception_type":null,\
"experiment":"my-exp","filename":"jetstream_assets","func_name":"plan","log_level":"ERROR",\
"message":"no type","metric":null,"segment":null,"statistic":null,\
"timestamp":"2024-01-08T00:00:00+00:00"},
{"analysis_basis":"exposures","source":"jetstream",\
"exception":"QueryError: column spend is missing (week 1)","exception_type":"QueryError",\
"experiment":"my-exp","filename":"jetstream_assets","func_name":"metrics","log_level":"ERROR",\
"message":"column spend is missing (week 1)","metric":"spend","segment":"all","statistic":"mean",\
"timestamp":"2024-01-15T00:00:00+00:00"}
]
"""
SPEND = {
    "period": "week",
    "window_index": 1,
    "analysis_basis": "exposures",
    "segment": "all",
    "metric": "spend",
    "statistic": "mean",
}
UNTYPED = {
    "stage": "plan",
    "message": "no type",
    "exception_type": "",
    "date": date(2024, 1, 7),
}


def document(failures: pa.Table, statistics: pa.Table | None = None) -> Document:
    return errors_document("my-exp", "my_exp", failures, statistics, DATE)


def records(failures: pa.Table, statistics: pa.Table | None = None) -> list[dict[str, Any]]:
    body = document(failures, statistics).body
    AnalysisErrors.model_validate_json(body)
    found: list[dict[str, Any]] = json.loads(body)
    return found


def test_the_document_is_the_one_written_by_hand() -> None:
    made = document(failure_rows(SPEND, UNTYPED))
    assert (made.name, made.as_of) == ("errors/errors_my_exp.json", DATE)
    assert made.body.decode() == GOLDEN


def test_the_consumer_reads_it() -> None:
    read = AnalysisErrors.model_validate_json(GOLDEN).root
    assert [error.timestamp for error in read] == [
        datetime(2024, 1, 8, tzinfo=UTC),
        datetime(2024, 1, 15, tzinfo=UTC),
    ]


def test_no_failures_make_an_empty_document() -> None:
    assert document(failure_rows(), statistics_rows()).body == b"[]\n"


def test_refusals_that_every_experiment_meets_are_no_news() -> None:
    kinds = ["EndedException", "EnrollmentNotCompleteException", "RolloutSkipException"]
    rows = failure_rows(*({"stage": "plan", "exception_type": kind} for kind in kinds))
    assert [record["exception_type"] for record in records(rows)] == ["RolloutSkipException"]


def test_failed_statistics_are_told_once_for_all_branches() -> None:
    failed = {"status": "failed", "reason": "a value is 3", "exception_type": "ValueError"}
    statistics = statistics_rows(
        {**failed, "branch": None},
        {**failed, "branch": "a"},
        {**failed, "branch": "a", "window_index": 2},
        {"status": "insufficient_data", "reason": "two units", "branch": "b"},
        {"branch": "a", "point": 1.0},
    )
    found = records(failure_rows(), statistics)
    assert [(r["message"], r["func_name"], r["statistic"]) for r in found] == [
        ("a value is 3 (week 1)", "statistics", "mean"),
        ("a value is 3 (week 2)", "statistics", "mean"),
    ]


def test_a_failed_statistic_without_a_reason_says_so() -> None:
    [record] = records(failure_rows(), statistics_rows({"status": "failed"}))
    assert record["message"] == "no reason was stored (week 1)"
    assert record["exception_type"] is None


def test_order_does_not_depend_on_the_order_of_rows() -> None:
    rows = failure_rows(SPEND, UNTYPED, {"date": date(2023, 12, 31)}, {"metric": "b"})
    backwards = rows.take(list(range(rows.num_rows))[::-1])
    assert document(rows).body == document(backwards).body
    assert records(rows)[0]["timestamp"] == "2024-01-01T00:00:00+00:00"
