from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from jetstream_assets.authoring.binding import Binder, Bound
from jetstream_assets.sql.fragments import parse_query
from jetstream_assets_tests.cli.command import jetstream

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    "text",
    [
        "COALESCE(SUM(x), 0)",
        "COUNTIF(a.b.c = 'd' AND e.branch = 'f')",
        "LOGICAL_OR(mozfun.map.get_key(event_map_values, 'x') = 'y')",
        "SUM(SAFE_CAST(x AS INT64))",
        "COUNT(DISTINCT submission_date)",
        "ARRAY_AGG(x IGNORE NULLS)",
    ],
)
def test_what_bigquery_takes_binds_on_duckdb(tmp_path: Path, text: str) -> None:
    assert Binder(tmp_path).bind(text) == Bound(bigquery=True, duckdb=True, bound=True)


@pytest.mark.parametrize(
    ("text", "reached", "words"),
    [
        ("SUM(", (False, False), ""),
        ("other.udf.nothing(x)", (True, False), "other.udf.nothing"),
        ("SUM('text')", (True, True), "sum"),
    ],
)
def test_how_far_it_comes_and_why_not_further(
    tmp_path: Path, text: str, reached: tuple[bool, bool], words: str
) -> None:
    found = Binder(tmp_path).bind(text)
    assert (found.bigquery, found.duckdb, found.bound) == (*reached, False)
    assert found.reason
    assert words in found.reason


@pytest.mark.parametrize(
    "text",
    [
        "SELECT t.a.b, LOWER(c) AS d FROM x.y.t AS t WHERE day = DATE '2024-01-01'",
        "WITH q AS (SELECT a AS b FROM t WHERE c = 'd') SELECT q.b, u.e FROM q JOIN u USING (b)",
        "SELECT event.name FROM t, UNNEST(t.events) AS event WHERE event.value.branch = 'a'",
        "SELECT event.name FROM t CROSS JOIN UNNEST(payload.events) AS event",
        "SELECT mozfun.map.get_key(t.a.b, 'c').branch FROM t",
        "SELECT COUNT(*) AS n, a AS b FROM t GROUP BY b HAVING n > 1 ORDER BY n",
        "SELECT t.a, v.b, c FROM t JOIN v ON t.c = v.d",
        "SELECT a FROM (SELECT a FROM t) UNION ALL SELECT b FROM `p-q.d.t`",
        'SELECT `odd "name` FROM t',
    ],
)
def test_a_query_binds_to_tables_with_the_columns_that_it_uses(tmp_path: Path, text: str) -> None:
    found = Binder(tmp_path).bind_query(lambda: parse_query(text, "query"))
    assert found == Bound(bigquery=True, duckdb=True, bound=True), found.reason


@pytest.mark.parametrize("text", ["SELECT SUM('b') FROM t", "SELECT q.z FROM (SELECT 1) q"])
def test_a_query_that_is_wrong_does_not_bind(tmp_path: Path, text: str) -> None:
    found = Binder(tmp_path).bind_query(lambda: parse_query(text, "query"))
    assert not found.bound
    assert found.reason


def test_the_command_counts_and_says_why(tmp_path: Path) -> None:
    (tmp_path / "definitions").mkdir()
    (tmp_path / "jetstream").mkdir()
    (tmp_path / "definitions/fenix.toml").write_text(
        '[data_sources.a]\nfrom_expression = "t"\n'
        '[metrics.fine]\ndata_source = "a"\nselect_expression = "SUM(x)"\n'
        "statistics = {binomial = {}}\n"
        '[metrics.strange]\ndata_source = "a"\nselect_expression = "other.udf.f(x)"\n'
    )
    (tmp_path / "jetstream/mine.toml").write_text('[metrics]\nweekly = ["fine"]')
    (tmp_path / "jetstream/broken.toml").write_text("a = ")
    result = jetstream("coverage", "--config", str(tmp_path), "--format", "json")
    assert result.exit_code == 0, result.output
    document = json.loads(result.stdout)
    rows = {row["kind"]: row for row in document["rows"]}
    assert (rows["files"]["found"], rows["files"]["understood"]) == (3, 2)
    assert (rows["experiments"]["found"], rows["experiments"]["understood"]) == (2, 1)
    metrics = rows["metrics"]
    assert (metrics["found"], metrics["bigquery"], metrics["duckdb"], metrics["bound"]) == (
        2,
        2,
        1,
        1,
    )
    assert any("other.udf.f" in reason for _, reason, _ in document["reasons"])
    shown = jetstream("coverage", "--config", str(tmp_path))
    assert "of understood" in shown.output
    assert "not TOML" in " ".join(shown.output.split())
