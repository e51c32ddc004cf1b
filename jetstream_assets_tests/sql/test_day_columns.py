"""A source's day is one row's day, through every select that makes it, or it cannot be divided."""

from __future__ import annotations

import pytest

from jetstream_assets.experiments.metrics import DataSource
from jetstream_assets.sql.day_slices import undividable

DAYS = [
    "(SELECT c, DATE(made_at) AS submission_date FROM t)",
    "(SELECT c, CAST(made_at AS DATE) AS submission_date FROM t)",
    "(SELECT c, DATE_TRUNC(made_at, DAY) AS submission_date FROM t)",
    "(SELECT c, made_on AS Submission_Date FROM (SELECT c, DATE(made_at) AS made_on FROM t))",
    "(SELECT * REPLACE (DATE(submission_date) AS submission_date) FROM t)",
    (
        "(SELECT c, COALESCE(a.submission_date, b.submission_date) AS submission_date "
        "FROM a FULL JOIN b USING (c, submission_date))"
    ),
    "(SELECT 'nobody' AS client_id, DATE '2022-01-01' AS submission_date)",
    "(SELECT * FROM a EXCEPT DISTINCT SELECT * FROM b)",
]
NO_DAYS = [
    "(SELECT c, DATE_TRUNC(submission_date, MONTH) AS submission_date FROM t)",
    "(SELECT c, LAST_DAY(submission_date) AS submission_date FROM t)",
    "(SELECT c, DATE_ADD(submission_date, INTERVAL n DAY) AS submission_date FROM t)",
    "(SELECT c, IF(x, DATE '2024-01-01', submission_date) AS submission_date FROM t)",
    "(SELECT c, COALESCE(submission_date, DATE '2024-01-01') AS submission_date FROM t)",
    "(SELECT c, DATE '2024-01-01' AS submission_date FROM t)",
    "(SELECT c, submission_date AS other, MAX(y) AS submission_date FROM t GROUP BY 1, 2)",
    "(SELECT * REPLACE (DATE_TRUNC(submission_date, WEEK) AS submission_date) FROM t)",
    "(SELECT t.* REPLACE (LAST_DAY(submission_date) AS submission_date) FROM t)",
    (
        "(SELECT c, month AS submission_date "
        "FROM (SELECT c, DATE_TRUNC(submission_date, MONTH) AS month FROM t))"
    ),
    "(WITH a AS (SELECT c, LAST_DAY(d) AS e FROM t) SELECT c, DATE(e) AS submission_date FROM a)",
]


@pytest.mark.parametrize("relation", DAYS)
def test_a_day_of_one_row_is_a_day(relation: str) -> None:
    assert undividable(DataSource("some", relation)) == ""


@pytest.mark.parametrize("relation", NO_DAYS)
def test_a_day_of_several_days_is_none(relation: str) -> None:
    assert "submission_date of something else than one row's day" in undividable(
        DataSource("some", relation)
    )


@pytest.mark.parametrize(
    ("relation", "why"),
    [
        ("(SELECT * FROM t UNION ALL SELECT * FROM u LIMIT 9)", "LIMIT"),
        ("((SELECT * FROM t) UNION ALL (SELECT * FROM u LIMIT 9))", "LIMIT"),
        ("(SELECT c, x FROM t UNION DISTINCT SELECT c, x FROM u)", "groups rows"),
        ("(SELECT * FROM t PIVOT(SUM(x) FOR k IN ('a', 'b')))", "in a way"),
        ("(WITH RECURSIVE r AS (SELECT * FROM t UNION ALL SELECT * FROM r) SELECT * FROM r)", "in"),
    ],
)
def test_rows_that_are_made_of_many_are_of_no_day(relation: str, why: str) -> None:
    assert why in undividable(DataSource("some", relation))
