"""The same as `test_states` asks of some random metrics, asked of many."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jetstream_assets_tests.sql import expressions
from jetstream_assets_tests.sql.test_states import assert_equal
from jetstream_assets_tests.sql.unit_days import Row, UnitDays, session, split_metric

if TYPE_CHECKING:
    import duckdb


@pytest.fixture(scope="module")
def cursor(tmp_path_factory: pytest.TempPathFactory) -> duckdb.DuckDBPyConnection:
    return session(tmp_path_factory.mktemp("warehouse")).cursor()


@pytest.mark.slow
@settings(
    max_examples=120,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow],
)
@given(st.lists(expressions.metrics, min_size=6, max_size=6), expressions.rows)
def test_days_give_what_the_window_gives_at_length(
    cursor: duckdb.DuckDBPyConnection, texts: list[str], rows: list[Row]
) -> None:
    days = UnitDays(cursor, expressions.UNITS, rows)
    for text in texts:
        column = split_metric(text)
        if not isinstance(column, str):
            assert_equal(days.from_days(column), days.over_window(text), text)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(st.lists(expressions.metrics, min_size=20, max_size=20))
def test_most_random_metrics_are_split(texts: list[str]) -> None:
    """Else the comparison above would compare little."""
    refused = [found for found in map(split_metric, texts) if isinstance(found, str)]
    assert len(refused) <= len(texts) // 2, refused
