"""What is stored comes back: values, types, order, empty and wide tables, provenance."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest
from sqlglot import exp

from jetstream_assets.warehouse.tables import FAILURES_SCHEMA, STATISTICS_SCHEMA, ResultTable
from jetstream_assets.warehouse.tables import all_slices as all_slices_of
from jetstream_assets_tests.warehouse.laboratory import PROVENANCE, SLUG, a_slice, query

if TYPE_CHECKING:
    from jetstream_assets_tests.warehouse.laboratory import Laboratory

VALUES = {
    "integer": pa.array([0, -(2**63), 2**63 - 1, None], pa.int64()),
    "fraction": pa.array([0.1, math.inf, -math.inf, None], pa.float64()),
    "flag": pa.array([True, False, True, None], pa.bool_()),
    "text": pa.array(['it\'s "quoted"; --', "日本 🦊\n\ttabs\\", "", None], pa.string()),
    "day": pa.array([date(1, 1, 1), date(2024, 2, 29), date(9999, 12, 31), None], pa.date32()),
    "moment": pa.array(
        [datetime(2024, 2, 29, 23, 59, 59, 999999, UTC), datetime(1970, 1, 1, tzinfo=UTC)] * 2,
        pa.timestamp("us", tz="UTC"),
    ),
}


def test_values_and_types_come_back_as_they_were(laboratory: Laboratory) -> None:
    table = pa.table(VALUES)
    written = laboratory.warehouse.replace(a_slice(), table, PROVENANCE)
    found = laboratory.read(a_slice())
    assert found.to_pydict() == table.to_pydict()
    assert [field.type for field in found.schema] == [field.type for field in table.schema]
    assert written.rows == 4
    assert written.bytes_written > 0


def test_arrays_come_back_and_are_never_null_elsewhere_than_in_files(
    laboratory: Laboratory,
) -> None:
    """BigQuery stores a NULL array as an empty one, so nothing may depend on which it was."""
    structs = [[{"k": "a", "v": 1.5}, {"k": None, "v": None}], []]
    table = pa.table({"n": pa.array([[1, 2, 3], None], pa.list_(pa.int64())), "s": structs})
    laboratory.warehouse.replace(a_slice(), table, PROVENANCE)
    found = sorted(laboratory.read(a_slice()).to_pylist(), key=lambda row: len(row["s"]))
    assert found[0]["n"] in (None, [])
    assert found[0]["s"] == []
    assert found[1] == {"n": [1, 2, 3], "s": structs[0]}


def test_floats_come_back_to_the_last_bit(laboratory: Laboratory) -> None:
    edges = [5e-324, 1.7976931348623157e308, 0.1 + 0.2, 1 / 3, -0.0, 2.0**53 + 2, math.inf]
    laboratory.warehouse.replace(a_slice(), pa.table({"x": edges}), PROVENANCE)
    found = laboratory.read(a_slice()).column("x").to_pylist()
    assert sorted(map(float.hex, found)) == sorted(map(float.hex, edges))


def test_moments_are_the_same_wherever_they_were_told(laboratory: Laboratory) -> None:
    edges = [
        datetime(1, 1, 1, tzinfo=UTC),
        datetime(9999, 12, 31, 23, 59, 59, 999999, UTC),
        datetime(2024, 3, 31, 1, 30, tzinfo=timezone(timedelta(hours=-5))),
    ]
    table = pa.table({"t": pa.array(edges, pa.timestamp("us", tz="UTC"))})
    laboratory.warehouse.replace(a_slice(), table, PROVENANCE)
    found = laboratory.read(a_slice())
    assert sorted(found.column("t").to_pylist()) == sorted(edges)
    days = exp.select("CAST(t AS DATE) AS d").from_(a_slice().reference).order_by("d")
    rows = laboratory.warehouse.query(days).column("d").to_pylist()
    assert rows == [date(1, 1, 1), date(2024, 3, 31), date(9999, 12, 31)]


def test_columns_with_hyphens_and_other_signs(laboratory: Laboratory) -> None:
    table = pa.table({"with-hyphen": [1], "with space": [2], "ä": [3], "_x": [4], "1st": [5]})
    laboratory.warehouse.replace(a_slice(), table, PROVENANCE)
    assert laboratory.read(a_slice()).to_pylist() == table.to_pylist()


def test_integers_within_a_struct_stay_integers(laboratory: Laboratory) -> None:
    pair = "STRUCT('a' AS k, (SELECT SUM(n) FROM UNNEST([9007199254740993, 0]) AS n) AS v)"
    laboratory.warehouse.replace(a_slice(), query(f"SELECT {pair} AS pair"), PROVENANCE)
    assert laboratory.read(a_slice()).to_pylist() == [{"pair": {"k": "a", "v": 2**53 + 1}}]


def test_nan_is_a_value_and_not_null(laboratory: Laboratory) -> None:
    content = query("SELECT CAST('nan' AS FLOAT64) AS x UNION ALL SELECT NULL")
    laboratory.warehouse.replace(a_slice(), content, PROVENANCE)
    values = laboratory.read(a_slice()).column("x").to_pylist()
    assert [value is None for value in sorted(values, key=lambda v: v is None)] == [False, True]
    assert math.isnan(next(value for value in values if value is not None))


def test_numbers_have_bigquerys_two_types(laboratory: Laboratory) -> None:
    laboratory.put(
        "d",
        "t",
        pa.table(
            {
                "small": pa.array([1, 2], pa.int8()),
                "single": pa.array([0.5, 1.5], pa.float32()),
            }
        ),
    )
    content = query(
        "SELECT SUM(small) AS a, MAX(small) AS b, SUM(single) AS c, MAX(single) AS d, 1 AS e, "
        "0.1 AS f, NULL AS g, COUNT(*) AS h, SUM(small) / 3 AS i FROM d.t"
    )
    laboratory.warehouse.replace(a_slice(), content, PROVENANCE)
    for table in (laboratory.warehouse.query(content), laboratory.read(a_slice())):
        kinds = {field.name: str(field.type) for field in table.schema}
        assert kinds == {
            "a": "int64", "b": "int64", "c": "double", "d": "double", "e": "int64",
            "f": "double", "g": "int64", "h": "int64", "i": "double",
        }  # fmt: skip


@pytest.mark.parametrize("schema", [STATISTICS_SCHEMA, FAILURES_SCHEMA], ids=["statistics", "fail"])
def test_an_empty_slice_keeps_its_schema(laboratory: Laboratory, schema: pa.Schema) -> None:
    written = laboratory.warehouse.replace(a_slice(), schema.empty_table(), PROVENANCE)
    found = laboratory.read(a_slice())
    assert written.rows == found.num_rows == 0
    assert [(f.name, f.type) for f in found.schema] == [(f.name, f.type) for f in schema]


def test_an_empty_query_keeps_its_schema(laboratory: Laboratory) -> None:
    content = query("SELECT 1 AS a, 'x' AS b, DATE '2024-01-01' AS c FROM (SELECT 1) WHERE FALSE")
    laboratory.warehouse.replace(a_slice(), content, PROVENANCE)
    kinds = {field.name: str(field.type) for field in laboratory.read(a_slice()).schema}
    assert kinds == {"a": "int64", "b": "string", "c": "date32[day]"}


def test_very_wide_tables(laboratory: Laboratory) -> None:
    columns = ", ".join(f"{n} AS metric_{n}" for n in range(500))
    laboratory.warehouse.replace(a_slice(), query(f"SELECT {columns}"), PROVENANCE)
    row = laboratory.read(a_slice()).to_pylist()[0]
    assert row == {f"metric_{n}": n for n in range(500)}


def test_a_replacement_is_whole(laboratory: Laboratory) -> None:
    old = pa.table({"a": [1, 2, 3], "gone": ["x", "y", "z"]})
    new = pa.table({"a": ["now text"], "more": [1.5]})
    laboratory.warehouse.replace(a_slice(), old, PROVENANCE)
    laboratory.warehouse.replace(a_slice(), new, replace(PROVENANCE, fingerprint="f2"))
    assert laboratory.read(a_slice()).to_pydict() == new.to_pydict()
    assert laboratory.warehouse.provenance(a_slice()) == replace(PROVENANCE, fingerprint="f2")


def test_a_replacement_by_the_same_changes_nothing(laboratory: Laboratory) -> None:
    content = query("SELECT n, CAST(n AS STRING) AS text FROM UNNEST([1, 2, 2]) AS n")
    for _ in range(3):
        written = laboratory.warehouse.replace(a_slice(), content, PROVENANCE)
        assert written.rows == 3
        found = laboratory.read(a_slice()).to_pylist()
        assert sorted((row["n"], row["text"]) for row in found) == [(1, "1"), (2, "2"), (2, "2")]
    assert laboratory.warehouse.slices(ResultTable.METRICS, SLUG, "jetstream") == (a_slice(),)


def test_a_slice_becomes_empty_and_full_again(laboratory: Laboratory) -> None:
    for numbers in ([1, 2], [], [3]):
        content = pa.table({"n": pa.array(numbers, pa.int64())})
        laboratory.warehouse.replace(a_slice(), content, PROVENANCE)
        found = laboratory.read(a_slice())
        assert sorted(found.column("n").to_pylist()) == numbers
        assert laboratory.warehouse.provenance(a_slice()) == PROVENANCE


def test_a_failed_replacement_leaves_the_old_slice(laboratory: Laboratory) -> None:
    laboratory.warehouse.replace(a_slice(), pa.table({"a": [1]}), PROVENANCE)
    broken = query("SELECT CAST(x AS INT64) AS a FROM (SELECT '1' AS x UNION ALL SELECT 'no')")
    with pytest.raises(Exception, match="no"):
        laboratory.warehouse.replace(a_slice(), broken, replace(PROVENANCE, fingerprint="f2"))
    assert laboratory.read(a_slice()).to_pydict() == {"a": [1]}
    assert laboratory.warehouse.provenance(a_slice()) == PROVENANCE


def test_a_slice_may_be_computed_from_itself(laboratory: Laboratory) -> None:
    laboratory.warehouse.replace(a_slice(), pa.table({"a": [1, 2]}), PROVENANCE)
    for _ in range(3):
        doubled = exp.select("a * 2 AS a").from_(a_slice().reference).order_by("a")
        laboratory.warehouse.replace(a_slice(), doubled, PROVENANCE)
    assert laboratory.read(a_slice()).to_pydict() == {"a": [8, 16]}


def test_provenance_of_what_is_not_there_is_none(laboratory: Laboratory) -> None:
    laboratory.warehouse.replace(a_slice(1), pa.table({"a": [1]}), PROVENANCE)
    assert laboratory.warehouse.provenance(a_slice(2)) is None
    assert laboratory.warehouse.provenance(a_slice(1, table=ResultTable.STATISTICS)) is None


def test_slices_are_listed_by_date_and_kept_apart(laboratory: Laboratory) -> None:
    for target in (
        a_slice(3), a_slice(1), a_slice(2), a_slice(4, "other"), a_slice(5, dataset="private"),
        a_slice(6, table=ResultTable.STATISTICS),
    ):  # fmt: skip
        laboratory.warehouse.replace(target, pa.table({"a": [1]}), PROVENANCE)
    found = laboratory.warehouse.slices(ResultTable.METRICS, SLUG, "jetstream")
    assert found == (a_slice(1), a_slice(2), a_slice(3))
    assert laboratory.warehouse.slices(ResultTable.METRICS, "none", "jetstream") == ()


def test_all_slices_are_one_table_matched_by_name(laboratory: Laboratory) -> None:
    laboratory.warehouse.replace(a_slice(1), pa.table({"a": [1], "b": ["x"]}), PROVENANCE)
    laboratory.warehouse.replace(a_slice(2), pa.table({"c": [1.5], "a": [2]}), PROVENANCE)
    laboratory.warehouse.replace(a_slice(3, "other"), pa.table({"a": [9]}), PROVENANCE)
    everything = exp.select("*").from_(all_slices_of(ResultTable.METRICS, SLUG)).order_by("date")
    expected: list[dict[str, Any]] = [
        {"a": 1, "b": "x", "c": None, "experiment": SLUG, "date": date(2024, 1, 1)},
        {"a": 2, "b": None, "c": 1.5, "experiment": SLUG, "date": date(2024, 1, 2)},
    ]
    assert laboratory.warehouse.query(everything).to_pylist() == expected


def test_a_dry_run_reads_nothing_and_checks_everything(laboratory: Laboratory) -> None:
    laboratory.put("d", "t", pa.table({"a": list(range(1000))}))
    estimate = laboratory.warehouse.dry_run(query("SELECT SUM(a) AS s FROM d.t"))
    assert estimate.bytes_read > 0
    assert "SUM(a)" in estimate.sql
    assert laboratory.warehouse.dry_run(query("SELECT 1 AS a")).bytes_read == 0


def test_an_answer_tells_its_cost(laboratory: Laboratory) -> None:
    table = pa.table({"a": list(range(100_000)), "b": [float(i) for i in range(100_000)]})
    laboratory.put("telemetry", "large", table)
    answer = laboratory.warehouse.answer(query("SELECT SUM(b) AS s FROM telemetry.large"))
    assert answer.rows.to_pylist() == [{"s": float(sum(range(100_000)))}]
    assert answer.bytes_read > 10_000
    assert answer.seconds > 0
    assert "telemetry" in answer.sql
    assert laboratory.warehouse.answer(query("SELECT 1 AS a")).bytes_read == 0


def test_a_count_of_all_rows_has_a_cost_too(laboratory: Laboratory) -> None:
    laboratory.put("d", "t", pa.table({"a": list(range(1000))}))
    count = query("SELECT COUNT(*) AS n FROM d.t")
    assert laboratory.warehouse.answer(count).rows.to_pylist() == [{"n": 1000}]
    written = laboratory.warehouse.replace(a_slice(), count, PROVENANCE)
    assert (written.rows, written.bytes_read >= 0) == (1, True)


def test_bytes_read_are_reported(laboratory: Laboratory) -> None:
    laboratory.put("d", "t", pa.table({"a": list(range(100_000))}))
    written = laboratory.warehouse.replace(
        a_slice(), query("SELECT SUM(a) AS s FROM d.t"), PROVENANCE
    )
    nothing = laboratory.warehouse.replace(a_slice(), query("SELECT 1 AS s"), PROVENANCE)
    assert written.bytes_read > 10_000
    assert nothing.bytes_read < 1000
    assert written.seconds > 0
    assert "SUM(a)" in written.sql
