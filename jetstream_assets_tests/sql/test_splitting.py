"""What is kept of each kind of aggregate, how it is merged, and what it is without rows."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import sqlglot
from sqlglot import exp

from jetstream_assets.sql.splitting import split

if TYPE_CHECKING:
    from jetstream_assets.sql.states import Split

DAY, UNIT_ID = exp.column("submission_date", table="ds"), exp.column("client_id", table="ds")
NAMES = ("analysis_id", "branch", "enrollment_date", "exposure_date")

LAST = " IGNORE NULLS ORDER BY y DESC LIMIT 1)[SAFE_OFFSET(0)]"

# An expression; the states that it needs, each as (daily, merge, empty); what is left around them.
SPLIT: dict[str, tuple[list[tuple[str, str, str]], str]] = {
    "SUM(x)": ([("SUM(x)", "sum", "NULL")], "s0"),
    "SUM(COALESCE(x, 0))": ([("SUM(COALESCE(x, 0))", "sum", "0")], "s0"),
    "COUNT(x)": ([("COUNT(x)", "sum", "0")], "s0"),
    "COUNT(*)": ([("COUNT(*)", "sum", "1")], "s0"),
    "COUNT(IF(x IS NULL, 1, NULL))": ([("COUNT(IF(x IS NULL, 1, NULL))", "sum", "1")], "s0"),
    "COUNTIF(x > 1)": ([("COUNTIF(x > 1)", "sum", "0")], "s0"),
    "COUNTIF(x IS NULL)": ([("COUNTIF(x IS NULL)", "sum", "1")], "s0"),
    "COUNTIF(other(x) AND y)": ([("COUNTIF(other(x) AND y)", "sum", "0")], "s0"),
    "MIN(x)": ([("MIN(x)", "min", "NULL")], "s0"),
    "MAX(DISTINCT x)": ([("MAX(x)", "max", "NULL")], "s0"),
    "LOGICAL_OR(x)": ([("LOGICAL_OR(x)", "or", "NULL")], "s0"),
    "LOGICAL_AND(x IS NULL)": ([("LOGICAL_AND(x IS NULL)", "and", "TRUE")], "s0"),
    "ANY_VALUE(x)": ([("ANY_VALUE(x)", "any", "NULL")], "s0"),
    "AVG(x)": ([("SUM(x)", "sum", "NULL"), ("COUNT(x)", "sum", "0")], "SAFE_DIVIDE(s0, s1)"),
    "MAX_BY(x, y)": (
        [("MAX_BY(STRUCT(y AS k, x AS v), y)", "max_by", "NULL")],
        "s0.v",
    ),
    "MIN_BY(x, y)": (
        [("MIN_BY(STRUCT(y AS k, x AS v), y)", "min_by", "NULL")],
        "s0.v",
    ),
    "ARRAY_AGG(x ORDER BY y LIMIT 1)[OFFSET(0)]": (
        [
            (
                "ARRAY_AGG(STRUCT(y AS k, x AS v) IGNORE NULLS ORDER BY y LIMIT 1)[SAFE_OFFSET(0)]",
                "first",
                "NULL",
            )
        ],
        "s0.v",
    ),
    "ARRAY_AGG(x IS NULL ORDER BY y DESC LIMIT 1)[SAFE_OFFSET(0)]": (
        [
            (
                f"ARRAY_AGG(STRUCT(y AS k, (x IS NULL) AS v){LAST}",
                "last",
                "NULL",
            ),
            ("LOGICAL_OR(TRUE)", "or", "FALSE"),
        ],
        "IF(s1, s0.v, TRUE)",
    ),
    # days differ between days, and there is one unit
    "COUNT(DISTINCT submission_date)": (
        [("COUNT(DISTINCT submission_date)", "sum", "0")],
        "s0",
    ),
    "COUNT(DISTINCT IF(x, ds.Submission_Date, NULL))": (
        [("COUNT(DISTINCT IF(x, ds.Submission_Date, NULL))", "sum", "0")],
        "s0",
    ),
    "COUNT(DISTINCT client_id)": (
        [("LOGICAL_OR(NOT (client_id) IS NULL)", "or", "FALSE")],
        "IF(s0, 1, 0)",
    ),
    # the unit's columns: known on the day inside of aggregates, any outside
    "MAX(e.exposure_date)": ([], "(e.exposure_date)"),
    "SUM(IF(branch = 'a', x, 0))": (
        [("SUM(IF(e.branch = 'a', x, 0))", "sum", "IF(e.branch = 'a', NULL, 0)")],
        "s0",
    ),
    "IF(exposure_date IS NULL, NULL, SUM(x))": (
        [("SUM(x)", "sum", "NULL")],
        "IF(e.exposure_date IS NULL, NULL, s0)",
    ),
    # scalars around; equal states are one
    "SAFE_DIVIDE(COALESCE(SUM(x), 0), SUM(x) + COUNT(y))": (
        [("SUM(x)", "sum", "NULL"), ("COUNT(y)", "sum", "0")],
        "SAFE_DIVIDE(COALESCE(s0, 0), s0 + s1)",
    ),
}


def parsed(text: str) -> exp.Expr:
    tree: exp.Expr = sqlglot.parse_one(text, dialect="bigquery")
    return tree


def kept(text: str) -> Split:
    return split(parsed(text), [DAY], [UNIT_ID], NAMES)


@pytest.mark.parametrize("text", SPLIT)
def test_each_aggregate(text: str) -> None:
    found = kept(text)
    states = [
        (s.daily.sql(dialect="bigquery"), str(s.merge), s.empty.sql(dialect="bigquery"))
        for s in found.states
    ]
    # s0 stands for the first merged state, and so on.
    merged = [exp.column(f"s{number}") for number in range(len(states))]
    assert (states, found.value(merged).sql(dialect="bigquery")) == SPLIT[text]


MERGED = {
    "SUM(x)": "SUM(s)",
    "COUNT(x)": "SUM(s)",
    "MIN(x)": "MIN(s)",
    "MAX(x)": "MAX(s)",
    "LOGICAL_OR(x)": "LOGICAL_OR(s)",
    "LOGICAL_AND(x)": "LOGICAL_AND(s)",
    "ANY_VALUE(x)": "ANY_VALUE(s)",
    "MAX_BY(x, y)": "MAX_BY(s, s.k)",
    "MIN_BY(x, y)": "MIN_BY(s, s.k)",
    "ARRAY_AGG(x ORDER BY y LIMIT 1)[OFFSET(0)]": (
        "ARRAY_AGG(s IGNORE NULLS ORDER BY s.k LIMIT 1)[SAFE_OFFSET(0)]"
    ),
    "ARRAY_AGG(x ORDER BY y DESC LIMIT 1)[OFFSET(0)]": (
        "ARRAY_AGG(s IGNORE NULLS ORDER BY s.k DESC LIMIT 1)[SAFE_OFFSET(0)]"
    ),
}


@pytest.mark.parametrize("text", MERGED)
def test_each_merge(text: str) -> None:
    (state,) = kept(text).states
    assert state.merged(exp.column("s")).sql(dialect="bigquery") == MERGED[text]


def test_the_key_tells_computations_apart() -> None:
    keys = {kept(text).states[0].key for text in ("SUM(x)", "COUNT(x)", "MAX(x)", "SUM(ds.x)")}
    assert len(keys) == 4
    assert kept("SUM( x )").states[0].key == kept("1 + SUM(x)").states[0].key


def test_the_expression_is_not_changed() -> None:
    tree = parsed("SAFE_DIVIDE(SUM(branch), AVG(x)) + MAX_BY(x, y)")
    before = tree.copy()
    split(tree, [DAY], [UNIT_ID], NAMES)
    assert tree == before
