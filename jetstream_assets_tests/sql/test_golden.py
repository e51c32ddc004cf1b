"""The SQL of every case, as files to read in a review. `UPDATE_GOLDEN=1 pytest ...` writes them."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from jetstream_assets.experiments.metrics import AnalysisBasis
from jetstream_assets.sql.enrollments import enrollments_query
from jetstream_assets.sql.metrics import metric_probe, metrics_query
from jetstream_assets.warehouse.rendering import render_bigquery, render_duckdb
from jetstream_assets_tests.sql.cases import enrollment_cases, enrollments_slice, metrics_cases
from jetstream_assets_tests.sql.statistics_cases import statistics_questions

if TYPE_CHECKING:
    from sqlglot import exp

GOLDEN = Path(__file__).parent / "golden"
RENDERERS = {"bigquery": render_bigquery, "duckdb": render_duckdb}


def _questions() -> dict[str, exp.Select]:
    found = {f"enrollments-{n}": enrollments_query(of) for n, of in enrollment_cases().items()}
    for name, case in metrics_cases().items():
        of = case.configuration
        reference = enrollments_slice(of).reference
        found[f"metrics-{name}"] = metrics_query(of, case.windows, reference)
    case = metrics_cases()["several-windows"]
    of, basis = case.configuration, AnalysisBasis.EXPOSURES
    reference = enrollments_slice(of).reference
    found["probe"] = metric_probe(of, case.windows[-1], basis, "hits", reference)
    return found | statistics_questions()


QUESTIONS = _questions()


@pytest.mark.parametrize("dialect", RENDERERS)
@pytest.mark.parametrize("name", QUESTIONS)
def test_sql_is_the_golden_file(name: str, dialect: str) -> None:
    path = GOLDEN / f"{name}.{dialect}.sql"
    sql = RENDERERS[dialect](QUESTIONS[name]) + "\n"
    if os.environ.get("UPDATE_GOLDEN"):
        path.write_text(sql)
    assert path.is_file(), f"{path.name} is missing; write it with UPDATE_GOLDEN=1"
    assert sql == path.read_text(), f"{path.name} differs; read the change, then UPDATE_GOLDEN=1"


def test_every_golden_file_has_a_question() -> None:
    expected = {f"{name}.{dialect}.sql" for name in QUESTIONS for dialect in RENDERERS}
    assert {path.name for path in GOLDEN.glob("*.sql")} == expected
