"""What a query says wrong comes back as one readable sentence, without a stack trace."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pyarrow as pa
import pytest
from sqlglot import exp

from jetstream_assets.errors import QueryError
from jetstream_assets.warehouse.tables import ResultTable, all_slices
from jetstream_assets_tests.warehouse.laboratory import PROVENANCE, a_slice, query

if TYPE_CHECKING:
    from jetstream_assets_tests.warehouse.laboratory import Laboratory


def refusal(laboratory: Laboratory, sql: str) -> str:
    """The message of a refused query; the dry run, where it refuses, says the same."""
    laboratory.put("telemetry", "clients_daily", pa.table({"client_id": ["x"], "n": [1]}))
    with pytest.raises(QueryError) as caught:
        laboratory.warehouse.query(query(sql))
    message = str(caught.value)
    assert len(message) < 700
    assert "\n" not in message
    assert "Traceback" not in message
    return message


def test_a_missing_table_names_itself_and_its_neighbours(laboratory: Laboratory) -> None:
    message = refusal(laboratory, "SELECT * FROM telemetry.client_daily")
    assert "telemetry.client_daily does not exist" in message
    assert "Did you mean telemetry.clients_daily?" in message


def test_a_missing_table_in_an_unknown_dataset(laboratory: Laboratory) -> None:
    message = refusal(laboratory, "SELECT * FROM fenix.baseline")
    assert re.search(r"\bfenix(\.baseline)? does not exist", message)
    assert "telemetry" in message


def test_an_empty_table_says_that_it_is_empty(laboratory: Laboratory) -> None:
    laboratory.make_empty("telemetry", "main")
    message = refusal(laboratory, "SELECT * FROM telemetry.main")
    assert re.search("telemetry.main (holds no|does not have a schema)", message)


def test_a_wrong_column_lists_candidates(laboratory: Laboratory) -> None:
    message = refusal(laboratory, "SELECT client FROM telemetry.clients_daily")
    assert re.search(r"\bclient\b", message)
    assert "client_id" in message


@pytest.mark.parametrize(
    ("sql", "found"),
    [
        ("SELECT CAST(client_id AS INT64) FROM telemetry.clients_daily", "x"),
        ("SELECT CAST(client_id AS DATE) FROM telemetry.clients_daily", "x"),
        ("SELECT n / (n - 1) FROM telemetry.clients_daily", "[Dd]ivision by zero"),
        ("SELECT MOD(n, n - 1) FROM telemetry.clients_daily", "[Dd]ivision by zero"),
        ("SELECT no_such_function(n) FROM telemetry.clients_daily", "no_such_function"),
        ("SELECT acme.text.shorten(client_id) FROM telemetry.clients_daily", "acme.text.shorten"),
        ("SELECT client_id, SUM(n) FROM telemetry.clients_daily", "client_id"),
        ("SELECT SUM(client_id) FROM telemetry.clients_daily", "(?i)sum"),
        ("SELECT 9223372036854775807 + n FROM telemetry.clients_daily", "(?i)overflow"),
        ("SELECT (SELECT n FROM UNNEST([1, 2]) AS n)", "(?i)more than one (row|element)"),
    ],
)
def test_refusals_say_what_was_found(laboratory: Laboratory, sql: str, found: str) -> None:
    message = refusal(laboratory, sql)
    assert re.search(found, message), message


def test_only_queries_run(laboratory: Laboratory) -> None:
    for statement in ("DROP TABLE telemetry.main", "CREATE TABLE x AS SELECT 1", "DELETE FROM x"):
        with pytest.raises(QueryError, match="query is expected"):
            laboratory.warehouse.query(query(statement))


def test_an_error_carries_its_statement(laboratory: Laboratory) -> None:
    with pytest.raises(QueryError) as caught:
        laboratory.warehouse.query(query("SELECT nope FROM UNNEST([1]) AS n"))
    assert "nope" in caught.value.sql


def test_a_dry_run_refuses_what_cannot_be_bound(laboratory: Laboratory) -> None:
    laboratory.put("telemetry", "main", pa.table({"a": [1]}))
    for sql in ("SELECT b FROM telemetry.main", "SELECT * FROM telemetry.nope"):
        with pytest.raises(QueryError):
            laboratory.warehouse.dry_run(query(sql))


def test_a_missing_slice_names_the_asset_that_makes_it(laboratory: Laboratory) -> None:
    with pytest.raises(QueryError, match=r"no slice of experiment .* 2024-01-02.*asset metrics"):
        laboratory.read(a_slice(2))
    laboratory.warehouse.replace(a_slice(1), pa.table({"a": [1]}), PROVENANCE)
    with pytest.raises(QueryError, match="2024-01-02"):
        laboratory.read(a_slice(2))


def test_no_slices_at_all_are_an_error_too(laboratory: Laboratory) -> None:
    with pytest.raises(QueryError, match=r"any date.*asset enrollments"):
        laboratory.warehouse.query(
            exp.select("*").from_(all_slices(ResultTable.ENROLLMENTS_FAILURES, "none"))
        )
