"""Columns of many slices in one table: by their names while types agree, else beside."""

from __future__ import annotations

from google.cloud.bigquery import SchemaField

from jetstream_assets.warehouse.bigquery_columns import (
    StoredColumn,
    added,
    decoded,
    encoded,
    kind_of,
    placed,
)

TABLE = [
    SchemaField("experiment", "STRING"),
    SchemaField("date", "DATE"),
    SchemaField("part", "STRING"),
    SchemaField("clicks", "INTEGER"),
]


def test_types_are_those_of_sql() -> None:
    pair = [SchemaField("k", "STRING"), SchemaField("v", "FLOAT")]
    fields = {
        "INT64": SchemaField("a", "INTEGER"),
        "ARRAY<BOOL>": SchemaField("a", "BOOLEAN", mode="REPEATED"),
        "ARRAY<STRUCT<`k` STRING, `v` FLOAT64>>": SchemaField(
            "a", "RECORD", mode="REPEATED", fields=pair
        ),
        "TIMESTAMP": SchemaField("a", "TIMESTAMP"),
    }
    assert [kind_of(field) for field in fields.values()] == list(fields)


def test_a_column_goes_where_its_name_and_type_are() -> None:
    content = [SchemaField("Clicks", "INTEGER"), SchemaField("spend", "FLOAT")]
    columns = placed(content, TABLE)
    assert [(c.name, c.column) for c in columns] == [("Clicks", "Clicks"), ("spend", "spend")]
    assert [(f.name, f.field_type) for f in added(content, columns, TABLE)] == [("spend", "FLOAT")]


def test_a_column_of_another_type_stands_beside_and_stays_there() -> None:
    content = [SchemaField("clicks", "FLOAT", mode="REQUIRED")]
    columns = placed(content, TABLE)
    assert columns == (StoredColumn("clicks", "clicks__float64", "FLOAT64"),)
    (more,) = added(content, columns, TABLE)
    assert (more.name, more.mode) == ("clicks__float64", "NULLABLE")
    wider = [*TABLE, more]
    assert placed(content, wider) == columns
    assert added(content, columns, wider) == []


def test_columns_that_tell_slices_apart_are_nobody_elses() -> None:
    content = [SchemaField("date", "DATE"), SchemaField("part", "STRING")]
    names = [stored.column for stored in placed(content, TABLE)]
    assert names == ["date__date", "part__string"]


def test_columns_are_remembered_in_order() -> None:
    columns = placed([SchemaField("é\"'", "STRING"), SchemaField("clicks", "DATE")], TABLE)
    assert decoded(encoded(columns)) == columns
