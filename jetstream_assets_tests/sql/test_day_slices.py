"""Sources whose rows follow from their day's rows, and those that look at other days."""

from __future__ import annotations

import pytest

from jetstream_assets.errors import QueryError
from jetstream_assets.experiments.metrics import DataSource
from jetstream_assets.sql.day_slices import days_of, undividable


def source(relation: str, day: str = "submission_date") -> DataSource:
    return DataSource("some", relation, submission_date_column=day)


WITHIN_A_DAY = [
    "project.dataset.table",
    "(SELECT * FROM t)",
    "(SELECT *, DATE(submission_timestamp) AS submission_date FROM t WHERE x > 1)",
    "(SELECT * FROM t, UNNEST(events) AS event)",
    "(SELECT * FROM t CROSS JOIN t.events)",
    "(WITH a AS (SELECT * FROM t) SELECT * FROM a)",
    "(SELECT submission_date, x FROM t UNION ALL SELECT submission_date, x FROM u)",
    "(SELECT submission_date, x FROM t UNION DISTINCT SELECT submission_date, x FROM u)",
    # groups by the day: its name, its position, an alias, all that is no aggregate
    "(SELECT submission_date, SUM(x) AS x FROM t GROUP BY submission_date)",
    "(SELECT c, submission_date, SUM(x) AS x FROM t GROUP BY 1, 2)",
    "(SELECT c, DATE(submission_timestamp) AS d, SUM(x) AS x FROM t GROUP BY c, d)",
    "(SELECT c, DATE(t.made_at) AS submission_date, SUM(x) AS x FROM t GROUP BY 1, 2)",
    "(SELECT c, CAST(submission_timestamp AS DATE) AS d, SUM(x) AS x FROM t GROUP BY c, 2)",
    "(SELECT TIMESTAMP_TRUNC(submission_timestamp, DAY) AS d, SUM(x) AS x FROM t GROUP BY d)",
    "(SELECT c, Submission_Date, SUM(x) AS x FROM t GROUP BY ALL)",
    "(SELECT DISTINCT submission_date, c FROM t)",
    "(SELECT DISTINCT * FROM t)",
    # an aggregate over an array is of one row
    "(SELECT *, (SELECT SUM(a) FROM UNNEST(many) AS a) AS total FROM t)",
    "(SELECT * FROM t WHERE EXISTS(SELECT 1 FROM UNNEST(many) AS a WHERE a > 1))",
    # joins of one day
    "(SELECT t.* FROM t JOIN u USING (c, submission_date))",
    "(SELECT t.* FROM t LEFT JOIN u ON t.c = u.c AND t.submission_date = u.submission_date)",
    "(SELECT t.* FROM t JOIN u ON DATE(t.submission_timestamp) = u.submission_date)",
    # windows of one day
    "(SELECT *, ROW_NUMBER() OVER (PARTITION BY c, submission_date ORDER BY x) AS n FROM t)",
    "(SELECT * FROM t QUALIFY 1 = RANK() OVER (PARTITION BY submission_date, c ORDER BY x))",
]
ACROSS_DAYS = {
    "window": [
        "(SELECT *, ROW_NUMBER() OVER (PARTITION BY c ORDER BY x) AS n FROM t)",
        "(SELECT * FROM t QUALIFY 1 = ROW_NUMBER() OVER (PARTITION BY c ORDER BY x))",
        "(SELECT *, SUM(x) OVER (PARTITION BY c ORDER BY submission_date) AS s FROM t)",
        "(SELECT * FROM (SELECT *, MAX(x) OVER () AS most FROM t))",
    ],
    "when it is asked": [
        "(SELECT * FROM t WHERE submission_date > DATE_SUB(CURRENT_DATE(), INTERVAL 9 DAY))",
        "(SELECT *, CURRENT_TIMESTAMP() AS now FROM t)",
        "(SELECT * FROM t WHERE RAND() < 0.1)",
        "(SELECT *, GENERATE_UUID() AS id FROM t)",
        "(SELECT * FROM t TABLESAMPLE SYSTEM (10 PERCENT))",
    ],
    "LIMIT": ["(SELECT * FROM t LIMIT 10)", "(SELECT * FROM (SELECT * FROM t LIMIT 9) AS u)"],
    "groups rows": [
        "(SELECT c, MIN(submission_date) AS submission_date FROM t GROUP BY c)",
        "(SELECT c, MIN(submission_date) AS submission_date FROM t GROUP BY 1)",
        "(SELECT c, MIN(submission_date) AS submission_date FROM t GROUP BY ALL)",
        "(SELECT MIN(submission_date) AS submission_date FROM t)",
        "(SELECT c, DATE_TRUNC(submission_date, WEEK) AS submission_date FROM t GROUP BY 1, 2)",
        "(SELECT EXTRACT(YEAR FROM submission_date) AS y, SUM(x) AS x FROM t GROUP BY y)",
        "(SELECT c, submission_date, SUM(x) AS x FROM t GROUP BY ROLLUP (c, submission_date))",
        "(SELECT c, SUM(x) AS x FROM t GROUP BY 7)",
        "(SELECT DISTINCT c FROM t)",
        "(SELECT DISTINCT * EXCEPT (submission_date) FROM t)",
        "(WITH a AS (SELECT c, MAX(x) AS x FROM t GROUP BY c) SELECT * FROM a)",
    ],
    "joins rows": [
        "(SELECT t.* FROM t JOIN u USING (c))",
        "(SELECT t.* FROM t LEFT JOIN u ON t.c = u.c)",
        "(SELECT t.* FROM t JOIN u ON t.c = u.c AND t.submission_date > u.submission_date)",
        "(SELECT t.* FROM t JOIN u ON t.c = u.c OR t.submission_date = u.submission_date)",
        "(SELECT * FROM t, u)",
        "(SELECT * FROM t CROSS JOIN dataset.u)",
    ],
    "another query": [
        "(SELECT * FROM t WHERE submission_date = (SELECT MAX(submission_date) FROM t))",
        "(SELECT * FROM t WHERE c IN (SELECT c FROM u))",
        "(SELECT * FROM t WHERE x = 1 AND c NOT IN (SELECT c FROM u WHERE submission_date > 'x'))",
        "(SELECT * FROM t WHERE EXISTS(SELECT 1 FROM u WHERE u.c = t.c))",
        "(SELECT *, (SELECT name FROM names AS n WHERE n.c = t.c) AS name FROM t)",
    ],
}


@pytest.mark.parametrize("relation", WITHIN_A_DAY)
def test_days_are_apart(relation: str) -> None:
    assert undividable(source(relation)) == ""


@pytest.mark.parametrize(
    ("why", "relation"), [(why, text) for why, texts in ACROSS_DAYS.items() for text in texts]
)
def test_other_days_matter(why: str, relation: str) -> None:
    reason = undividable(source(relation))
    assert reason.startswith("The data source some ")
    assert why in reason


def test_the_day_has_the_name_that_the_source_says() -> None:
    grouped = "(SELECT c, made_on, SUM(x) AS x FROM t GROUP BY c, made_on)"
    assert "groups rows" in undividable(source(grouped))
    assert undividable(source(grouped, "made_on")) == ""
    assert undividable(source(grouped, "Made_On")) == ""


def test_what_is_no_relation_is_an_error() -> None:
    with pytest.raises(QueryError):
        undividable(source("(SELECT"))


@pytest.mark.parametrize(
    "relation",
    [
        "(SELECT *, DATE(submission_timestamp) AS submission_date FROM t)",
        "(SELECT p.*, DATE(p.submission_timestamp) AS submission_date FROM t AS p)",
        "(SELECT *, DATE(submission_timestamp) AS submission_date FROM t, UNNEST(many) AS a)",
    ],
)
def test_the_day_is_also_what_the_source_makes_it_of(relation: str) -> None:
    texts = [tree.sql(dialect="bigquery") for tree in days_of(source(relation))]
    assert texts == ["ds.submission_date", "DATE(ds.submission_timestamp)"]


@pytest.mark.parametrize(
    "relation",
    [
        "project.dataset.table",
        "(SELECT c, DATE(submission_timestamp) AS submission_date FROM t)",
        "(SELECT * EXCEPT (ts), DATE(ts) AS submission_date FROM t)",
        "(SELECT p.*, DATE(q.submission_timestamp) AS submission_date FROM p JOIN q USING (c))",
        "(SELECT *, DATE(submission_timestamp) AS submission_date FROM p JOIN q USING (c))",
        "(SELECT *, DATE(f(submission_timestamp)) AS submission_date FROM t)",
        "(SELECT *, DATE(submission_timestamp) AS other FROM t)",
    ],
)
def test_what_the_source_does_not_show_is_not_the_day(relation: str) -> None:
    texts = [tree.sql(dialect="bigquery") for tree in days_of(source(relation))]
    assert texts == ["ds.submission_date"]


def test_the_day_is_told_in_the_sources_words() -> None:
    assert [tree.sql() for tree in days_of(source("t", "made.day"))] == ["ds.made.day"]
