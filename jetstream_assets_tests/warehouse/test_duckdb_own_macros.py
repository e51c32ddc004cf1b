"""An organisation's own functions: from its file into statements and into what is stored."""

from __future__ import annotations

import pickle
from typing import TYPE_CHECKING

import pyarrow as pa
import pytest
from sqlglot import exp

from jetstream_assets.errors import QueryError, SettingsError
from jetstream_assets.warehouse.duckdb_own_macros import NO_MACROS, read_macros
from jetstream_assets.warehouse.duckdb_parquet import DuckDBParquetWarehouse
from jetstream_assets_tests.warehouse.laboratory import PROVENANCE, a_slice, query, write_parquet

if TYPE_CHECKING:
    from pathlib import Path

DOUBLED = "CREATE MACRO search_doubled(x) AS x + x;"
ENGINE = "CREATE OR REPLACE MACRO udf_normalize_search_engine(engine) AS upper(engine)"


def _file(folder: Path, text: str) -> Path:
    path = folder / "macros.sql"
    path.write_text(text)
    return path


def _warehouse(folder: Path, text: str | None) -> DuckDBParquetWarehouse:
    macros = NO_MACROS if text is None else read_macros(_file(folder, text))
    return DuckDBParquetWarehouse(folder, threads=1, macros=macros)


@pytest.mark.parametrize(
    ("text", "expression", "expected"),
    [
        (DOUBLED, "mozdata.search.doubled(21)", 42),
        (DOUBLED, "`our-project`.search.Doubled(21)", 42),
        (f"-- ours\n{DOUBLED}\n\n{ENGINE};", "mozdata.udf.normalize_search_engine('ddg')", "DDG"),
        ("CREATE MACRO a_b(x) AS x, (x, y) AS x + y", "p.a.b(1, 2)", 3),
        ("CREATE MACRO a_b(x) AS x; CREATE MACRO a_c(x) AS a_b(x) + 1", "p.a.c(1)", 2),
        ("CREATE MACRO a_b(x) AS json_sum(x)", "p.a.b(1)", SettingsError),
        (None, "p.search.doubled(1)", QueryError),
        ("-- nothing yet", "mozfun.map.get_key([STRUCT('a' AS key, 1 AS value)], 'a')", 1),
    ],
)
def test_a_function_is_the_macro_of_its_last_two_names(
    tmp_path: Path, text: str | None, expression: str, expected: object
) -> None:
    sql = query(f"SELECT {expression} AS value")  # a constant of this file
    if isinstance(expected, type) and issubclass(expected, Exception):
        with pytest.raises(expected):
            _warehouse(tmp_path, text).query(sql)
        return
    warehouse = pickle.loads(pickle.dumps(_warehouse(tmp_path, text)))  # noqa: S301  our own
    assert warehouse.query(sql).to_pylist() == [{"value": expected}]


def test_a_macro_takes_an_aggregate(tmp_path: Path) -> None:
    warehouse = _warehouse(tmp_path, DOUBLED)
    write_parquet(tmp_path / "d" / "t", pa.table({"a": [1, 2]}))
    found = warehouse.query(query("SELECT ours.search.doubled(SUM(a)) AS value FROM d.t"))
    assert found.to_pylist() == [{"value": 6}]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("CREATE MACRO a(b AS b", "cannot be read.*syntax error"),
        ("SELECT 1", "Statement 1 .* type SELECT.*Allowed is CREATE MACRO"),
        (f"{DOUBLED} COPY (SELECT 1) TO '/tmp/x.csv'", "Statement 2 .* type COPY"),
        ("CREATE TABLE t (a INT)", "no new macro of a value"),
        ("CREATE TEMP MACRO a_b(x) AS x", "no new macro of a value"),
        ("CREATE MACRO a_b(x) AS TABLE SELECT x", "no new macro of a value"),
        ("CREATE MACRO udf_get_key(x, y) AS x", "already exists.*CREATE OR REPLACE"),
        ("CREATE OR REPLACE MACRO to_int64(x) AS 7", "would change to_int64"),
        ("CREATE MACRO a_b(x) AS x + unknown", "refused by DuckDB.*unknown"),
        ("CREATE MACRO a_b(x) AS (SELECT count(*) FROM '/etc/passwd')", "refused by DuckDB"),
    ],
)
def test_what_is_no_macro_of_a_value_is_refused(tmp_path: Path, text: str, words: str) -> None:
    path = _file(tmp_path, text)
    with pytest.raises(SettingsError, match=f"(?s){words}") as refused:
        read_macros(path)
    assert str(path) in str(refused.value)


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"macros of .*absent\.sql"):
        read_macros(tmp_path / "absent.sql")
    (tmp_path / "latin.sql").write_bytes(b"-- \xe9")
    with pytest.raises(SettingsError, match=r"latin\.sql"):
        read_macros(tmp_path / "latin.sql")


@pytest.mark.parametrize("by_day", [False, True])
def test_what_other_macros_computed_has_another_version(tmp_path: Path, *, by_day: bool) -> None:
    other = DOUBLED.replace("x + x", "x * 3")
    target = a_slice()
    for written in (None, DOUBLED):
        warehouse = _warehouse(tmp_path, written)
        if by_day:
            days = exp.select("*").from_("d.days")
            write_parquet(tmp_path / "d" / "days", pa.table({"day": [target.date]}))
            warehouse.replace_days({target.date: target}, days, PROVENANCE)
        else:
            warehouse.replace(target, query("SELECT 1 AS a"), PROVENANCE)
        for text in (None, DOUBLED, f"-- a comment\n{DOUBLED}", other):
            stored = _warehouse(tmp_path, text).provenance(target)
            is_same = (text is None) == (written is None) and text != other
            assert (stored == PROVENANCE) is is_same, (written, text)
