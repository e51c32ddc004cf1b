"""What queries would read, before anything is computed or paid for."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

import pyarrow as pa
import pytest
from sqlglot import exp

from jetstream_assets.analysis.rehearsal import RehearsalWarehouse
from jetstream_assets.warehouse.tables import slices_table
from jetstream_assets_tests.warehouse.laboratory import PROVENANCE, a_slice, query

if TYPE_CHECKING:
    from jetstream_assets_tests.warehouse.laboratory import Laboratory

TYPES = """
SELECT 1 AS a, 0.5 AS b, 'x' AS c, TRUE AS d, DATE '2024-01-01' AS e,
  TIMESTAMP '2024-01-01 00:00:00+00' AS f, SUM(n) AS g, COUNT(*) / 2 AS h FROM d.t
"""


@pytest.fixture
def rehearsal(laboratory: Laboratory) -> RehearsalWarehouse:
    laboratory.put("d", "t", pa.table({"n": list(range(1000))}))
    return RehearsalWarehouse(laboratory.warehouse, with_estimates=True)


def test_an_estimate_tells_the_columns_and_their_types(rehearsal: RehearsalWarehouse) -> None:
    assert dict(rehearsal.dry_run(query(TYPES)).columns) == {
        "a": "INT64", "b": "FLOAT64", "c": "STRING", "d": "BOOL", "e": "DATE", "f": "TIMESTAMP",
        "g": "INT64", "h": "FLOAT64",
    }  # fmt: skip


def test_what_would_be_read_is_told_although_what_it_needs_is_not_there(
    rehearsal: RehearsalWarehouse,
) -> None:
    first = rehearsal.replace(a_slice(1), query(TYPES), PROVENANCE)
    assert first.bytes_read > 0
    joined = exp.select("s.a", "ds.n", exp.column("h", table="s")).from_("d.t AS ds")
    joined = joined.join(exp.alias_(a_slice(1).reference, "s", table=True), on="s.g = ds.n")
    second = rehearsal.replace(a_slice(2), joined, PROVENANCE)
    assert second.bytes_read == first.bytes_read
    third = rehearsal.replace(
        a_slice(3), exp.select("n + h AS x").from_(a_slice(2).reference), PROVENANCE
    )
    assert third.bytes_read == 0
    assert rehearsal.unknown == 0
    sizes = {target.date.day: r.bytes_read for target, r in rehearsal.replacements.items()}
    assert sizes == {1: first.bytes_read, 2: first.bytes_read, 3: 0}


def test_stored_slices_are_read_beside_those_that_are_not_there(
    laboratory: Laboratory, rehearsal: RehearsalWarehouse
) -> None:
    laboratory.warehouse.replace(a_slice(1), query("SELECT 1 AS a"), PROVENANCE)
    rehearsal.replace(a_slice(2), pa.table({"a": [1]}), PROVENANCE)
    both = slices_table([date(2024, 1, 1), date(2024, 1, 2)], a_slice(1))
    told = rehearsal.replace(a_slice(3), exp.select("a").from_(both), PROVENANCE)
    assert told.bytes_read > 0
    only = rehearsal.replace(a_slice(4), exp.select("a").from_(a_slice(2).reference), PROVENANCE)
    assert only.bytes_read == 0
    assert rehearsal.unknown == 0


def test_what_the_warehouse_refuses_is_counted(rehearsal: RehearsalWarehouse) -> None:
    assert rehearsal.replace(a_slice(1), query("SELECT nope FROM d.t"), PROVENANCE).bytes_read == 0
    assert rehearsal.unknown == 1
