"""What real expressions give on DuckDB is what Google's own evaluator gives for them."""

from __future__ import annotations

import math
import re
from collections import Counter
from pathlib import Path
from typing import Any

import duckdb
import pytest
import sqlglot
from sqlglot import exp

from jetstream_assets.authoring.binding import over_inferred_row
from jetstream_assets.config.named_metrics import named_metrics
from jetstream_assets.config.repository import open_configuration
from jetstream_assets.errors import QueryError
from jetstream_assets.warehouse.duckdb_session import DuckDBSession
from jetstream_assets.warehouse.rendering import render_bigquery, render_duckdb
from jetstream_assets_tests.authoring.evaluator import NotEvaluated, evaluated
from jetstream_assets_tests.authoring.random_rows import RandomRows

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[2] / "../shared/data/metric-hub"
# As it is published: the value of the first pair with the key.
_GET_KEY = "(SELECT pair.value FROM UNNEST(:map) AS pair WHERE pair.key = :key LIMIT 1)"


def test_they_are_equal_wherever_there_is_an_answer(tmp_path: Path) -> None:
    if not ROOT.is_dir():
        pytest.skip(f"the real configuration is not here: no {ROOT}")
    cursor = DuckDBSession(tmp_path, 1, "512MB").cursor()
    counted: Counter[str] = Counter()
    different = []
    for text in _expressions():
        query, tables = over_inferred_row(text)
        rows = RandomRows(tables["ds"], text, query)
        try:
            wanted = evaluated(_standard(query, rows))
            found = _on_duckdb(query, rows, cursor)
        except (NotEvaluated, QueryError, duckdb.BinderException) as error:
            counted[type(error).__name__] += 1
            continue
        counted["equal"] += 1
        if not _is_same(found, wanted):
            different.append((text, wanted, found))
    assert different == []
    # What is left calls functions of the organisation, or has columns whose types are not inferred.
    assert counted["equal"] >= 670, counted


def _expressions() -> list[str]:
    repository = open_configuration(str(ROOT))
    meant = (named.meant for named in named_metrics(repository))
    texts = (one.select_expression for one in meant if not isinstance(one, str))
    return list(dict.fromkeys(text for text in texts if text is not None))


def _standard(query: exp.Select, rows: RandomRows) -> str:
    """The query in the language of the evaluator, with its rows."""
    inlined = query.transform(_without_get_key)
    ds = f"SELECT * FROM UNNEST({rows.for_bigquery()})"  # noqa: S608  values of the test's own
    return f"WITH ds AS ({ds}) {render_bigquery(inlined)}"


def _without_get_key(node: exp.Expr) -> exp.Expr:
    if not isinstance(node, exp.Dot) or not isinstance(node.expression, exp.Anonymous):
        return node
    if not render_bigquery(node).lower().startswith("mozfun.map.get_key("):
        return node
    mapping, key = node.expression.expressions
    texts = {"map": render_bigquery(mapping), "key": render_bigquery(key)}
    text = re.sub(r":(map|key)", lambda found: texts[found[1]], _GET_KEY)
    return sqlglot.parse_one(text, dialect="bigquery")


def _on_duckdb(query: exp.Select, rows: RandomRows, cursor: duckdb.DuckDBPyConnection) -> Any:  # noqa: ANN401  any value of SQL
    columns = ", ".join(f'"{name}" {kind}' for name, kind in rows.kinds.items())
    cursor.execute(f"CREATE OR REPLACE TEMP TABLE ds ({columns})")
    cursor.execute(f"INSERT INTO ds VALUES {rows.for_duckdb()}")  # noqa: S608  the test's own
    ((found,),) = cursor.execute(render_duckdb(query)).fetchall()
    return found


def _is_same(one: Any, other: Any) -> bool:  # noqa: ANN401
    if isinstance(one, float) and isinstance(other, float | int):
        return math.isclose(one, other, rel_tol=1e-9) or (math.isnan(one) and math.isnan(other))
    if isinstance(one, list) and isinstance(other, list):
        pairs = zip(one, other, strict=False)
        return len(one) == len(other) and all(_is_same(a, b) for a, b in pairs)
    return bool(one == other)
