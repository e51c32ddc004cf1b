"""A large organisation's own metrics translate and bind: the dialect covers what they use."""

from __future__ import annotations

import re
import tomllib
from collections import Counter
from functools import partial
from pathlib import Path

import jinja2
import pytest
import sqlglot
from sqlglot import exp
from sqlglot.errors import ParseError

from jetstream_assets.authoring.inferred_columns import inferred_columns, struct_type
from jetstream_assets.errors import QueryError
from jetstream_assets.warehouse.duckdb_errors import as_warehouse_errors
from jetstream_assets.warehouse.duckdb_session import DuckDBSession
from jetstream_assets.warehouse.rendering import render_duckdb

DEFINITIONS = Path(__file__).parents[2] / "../shared/data/metric-hub/definitions"
_ENOUGH = 0.9


def definitions() -> dict[str, str]:
    """Distinct expressions by a metric's name, functions rendered."""
    functions = tomllib.loads((DEFINITIONS / "functions.toml").read_text())["functions"]
    calls = {
        name: partial(_rendered, function["definition"]) for name, function in functions.items()
    }
    found: dict[str, tuple[str, str]] = {}
    for path in sorted(DEFINITIONS.glob("*.toml")):
        for name, metric in tomllib.loads(path.read_text()).get("metrics", {}).items():
            text = jinja2.Template(metric.get("select_expression", "")).render(calls)
            if text:
                found.setdefault(" ".join(text.split()), (f"{path.stem}.{name}", text))
    return dict(found.values())


def _rendered(definition: str, select_expr: str) -> str:
    return definition.replace("{select_expr}", select_expr)


def why_not(session: DuckDBSession, text: str) -> str | None:
    """Why DuckDB cannot bind it over a table with inferred columns; None when it can."""
    try:
        tree = sqlglot.parse_one(text, dialect="bigquery")
        columns = inferred_columns(tree)
        aggregate = exp.select(exp.alias_(tree, "metric")).from_(exp.to_table("ds"))
        row = ", ".join(f'"{name}" {struct_type(kind)}' for name, kind in columns.items())
        with as_warehouse_errors(text):
            cursor = session.cursor()
            cursor.execute(f"CREATE OR REPLACE TEMP TABLE ds ({row or 'nothing BIGINT'})")
            cursor.execute(f"EXPLAIN {render_duckdb(aggregate)}")
    except (QueryError, ParseError) as error:
        return str(error).splitlines()[0][:160]
    return None


@pytest.mark.slow
def test_definitions_bind(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    if not DEFINITIONS.is_dir():
        pytest.skip(f"the organisation's configuration is not at {DEFINITIONS}")
    session = DuckDBSession(tmp_path, 2, "512MB")
    reasons = {name: why_not(session, text) for name, text in definitions().items()}
    failed = {name: reason for name, reason in reasons.items() if reason is not None}
    kinds = Counter(re.sub(r"[\"'].*?[\"']", "'...'", reason)[:70] for reason in failed.values())
    share = 1 - len(failed) / len(reasons)
    with capsys.disabled():
        print(f"\n{len(reasons)} expressions, {share:.1%} bind; the others: {kinds.most_common()}")  # noqa: T201
        for name, reason in failed.items():
            print(f"  {name}: {reason}")  # noqa: T201
    assert len(reasons) > 100
    assert share >= _ENOUGH, failed
