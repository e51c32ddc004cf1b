"""Names are untrusted text: they reach their own table and slice, and nothing else."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

import pyarrow as pa
import pytest
from sqlglot import exp

from jetstream_assets.errors import QueryError
from jetstream_assets.warehouse.tables import ResultTable, all_slices
from jetstream_assets_tests.warehouse.laboratory import PROVENANCE, a_slice, query

if TYPE_CHECKING:
    from jetstream_assets_tests.warehouse.laboratory import Laboratory

HOSTILE_SLUGS = [
    "../../x", "..", ".", "/etc/passwd", "a/b", "a%2Fb", "a%b", 'x"; DROP TABLE t; --', "x'y",
    "x`y", "*", "?", "[a]", "a*", "{a,b}", "a@2024-01-01", "@", "a b", "tab\tnew\nline", "ä", "a",
    "日本語", "🦊", "experiment=1", "date=2024-01-01", "~", "-", "", " ", "x" * 200, "x" * 201,
    "é" * 200, "e\u0301", "\u00e9", "A", "123", "true", "\\", "a\\b", "$HOME", "{{x}}", "part-0",
]  # fmt: skip


def test_hostile_slugs_have_slices_of_their_own(laboratory: Laboratory) -> None:
    for number, slug in enumerate(HOSTILE_SLUGS):
        content = pa.table({"number": [number]})
        laboratory.warehouse.replace(a_slice(1, slug), content, PROVENANCE)
    for number, slug in enumerate(HOSTILE_SLUGS):
        target = a_slice(1, slug)
        assert laboratory.read(target).to_pydict() == {"number": [number]}, slug
        assert laboratory.warehouse.slices(ResultTable.METRICS, slug, "jetstream") == (target,)
        assert laboratory.warehouse.provenance(target) == PROVENANCE
        # All slices of an experiment carry its slug as it was written.
        everything = exp.select("*").from_(all_slices(ResultTable.METRICS, slug))
        told = {"number": number, "experiment": slug, "date": date(2024, 1, 1)}
        assert laboratory.warehouse.query(everything).to_pylist() == [told]


@pytest.mark.parametrize(
    "name",
    [
        "`moz-fx-data-shared-prod.telemetry.main-v5`",
        "`moz-fx-data-shared-prod`.telemetry.`main-v5`",
        "`moz-fx-data-shared-prod`.`telemetry`.`main-v5`",
        "telemetry.`main-v5`",
        "`telemetry.main-v5`",
        "mozdata.telemetry.`main-v5`",
    ],
)
def test_a_table_has_many_spellings(laboratory: Laboratory, name: str) -> None:
    for project in (None, "moz-fx-data-shared-prod", "mozdata"):
        laboratory.put("telemetry", "main-v5", pa.table({"a": [7]}), project=project)
    assert laboratory.rows(f"SELECT ds.a FROM {name} AS ds") == [{"a": 7}]  # noqa: S608


def test_an_unaliased_table_goes_by_its_own_name(laboratory: Laboratory) -> None:
    laboratory.put("telemetry", "main", pa.table({"a": [7]}), project="p-x")
    assert laboratory.rows("SELECT main.a FROM `p-x.telemetry.main`") == [{"a": 7}]


def test_names_of_with_are_not_tables(laboratory: Laboratory) -> None:
    laboratory.put("telemetry", "main", pa.table({"a": [1, 2]}))
    rows = laboratory.rows(
        "WITH main AS (SELECT a FROM telemetry.main), doubled AS (SELECT a * 2 AS a FROM Main) "
        "SELECT SUM(doubled.a) AS s, (SELECT COUNT(*) FROM main) AS n FROM doubled"
    )
    assert rows == [{"s": 6, "n": 2}]


def test_arrays_of_a_row_are_not_tables(laboratory: Laboratory) -> None:
    events = [[{"name": "open", "n": 1}, {"name": "close", "n": 2}], [], None]
    laboratory.put("telemetry", "main", pa.table({"id": [1, 2, 3], "events": events}))
    for array in ("ds.events AS e", "UNNEST(ds.events) AS e", "UNNEST(events) e"):
        rows = laboratory.rows(
            f"SELECT id, e.name FROM telemetry.main AS ds, {array} ORDER BY e.n"  # noqa: S608
        )
        assert rows == [{"id": 1, "name": "open"}, {"id": 1, "name": "close"}], array
    counts = laboratory.rows(
        "SELECT id, (SELECT SUM(n) FROM ds.events) AS s FROM telemetry.main AS ds ORDER BY id"
    )
    assert [row["s"] for row in counts] == [3, None, None]


@pytest.mark.parametrize(
    "name", ["`../secret`.`t`", "`..`.`secret`", "`a/../..`.`t`", "`.`.`t`", "`%2e%2e`.`t`"]
)
def test_no_name_leads_out_of_the_warehouse(laboratory: Laboratory, name: str) -> None:
    with pytest.raises(QueryError, match=r"does not exist|no name of a table"):
        laboratory.rows(f"SELECT * FROM {name}")  # noqa: S608


def test_column_names_know_no_case(laboratory: Laboratory) -> None:
    laboratory.put("d", "t", pa.table({"Client_ID": ["x"], "payload": [{"URL": 1}]}))
    tree = query("SELECT client_id, PAYLOAD.url AS u FROM d.t")
    assert laboratory.warehouse.query(tree).column("u").to_pylist() == [1]
