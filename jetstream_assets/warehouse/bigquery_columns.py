"""Columns of slices in a table that holds many slices: a name for each, whatever its type.

Belongs here: types as text, where the columns of new content go, and reading them from there.
Does not: the tables themselves (`bigquery_tables`).

Slices of one table may differ in their columns, and a column of one name may have had another type
in an older slice. The first type that a name has goes by the name itself; a later one has its type
in its name. Each slice remembers which of its columns is where.
"""

from __future__ import annotations

import json
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlglot import exp

from jetstream_assets.warehouse.bigquery_names import column_name

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from google.cloud.bigquery import SchemaField

# Columns that tell slices apart; they are no columns of a slice.
EXPERIMENT, DATE, PART = "experiment", "date", "part"
OWN_COLUMNS = (EXPERIMENT, DATE, PART)

_NUMBERS = frozenset({"INT64", "FLOAT64", "NUMERIC", "BIGNUMERIC"})
_STANDARD = {"INTEGER": "INT64", "FLOAT": "FLOAT64", "BOOLEAN": "BOOL", "RECORD": "STRUCT"}


@dataclass(frozen=True)
class StoredColumn:
    """A column of a slice: its name, the table's column that holds it, its type."""

    name: str
    column: str
    kind: str


def encoded(columns: Iterable[StoredColumn]) -> str:
    """The columns of a slice as text, in order."""
    return json.dumps([[c.name, c.column, c.kind] for c in columns])


def decoded(text: str) -> tuple[StoredColumn, ...]:
    """The columns of a slice from their text."""
    return tuple(StoredColumn(*told) for told in json.loads(text))


def kind_of(field: SchemaField) -> str:
    """The type of a column as BigQuery's SQL writes it."""
    kind = _STANDARD.get(field.field_type, field.field_type)
    if kind == "STRUCT":
        inside = ", ".join(f"`{part.name}` {kind_of(part)}" for part in field.fields)
        kind = f"STRUCT<{inside}>"
    return f"ARRAY<{kind}>" if field.mode == "REPEATED" else kind


def placed(
    content: Sequence[SchemaField], table: Sequence[SchemaField]
) -> tuple[StoredColumn, ...]:
    """Where the columns of new content go in a table: where their name and type are, or beside.

    Args:
        content: The columns of a slice that is to be stored.
        table: The columns that the table has.
    """
    kinds = {field.name.lower(): kind_of(field) for field in table}
    kinds |= dict.fromkeys(OWN_COLUMNS, "")
    found = []
    for field in content:
        kind = kind_of(field)
        chosen = _column(field.name, kind, kinds)
        kinds[chosen.lower()] = kind
        found.append(StoredColumn(field.name, chosen, kind))
    return tuple(found)


def _column(name: str, kind: str, kinds: dict[str, str]) -> str:
    if kinds.get(name.lower(), kind) == kind:
        return name
    others = {other for other, of in kinds.items() if of != kind}
    return column_name(name, kind, others)


def added(
    content: Sequence[SchemaField],
    columns: Sequence[StoredColumn],
    table: Sequence[SchemaField],
) -> list[SchemaField]:
    """The columns that a table lacks, each without demand for values."""
    from google.cloud.bigquery import SchemaField

    present = {field.name.lower() for field in table}
    return [
        SchemaField(
            stored.column,
            field.field_type,
            mode="REPEATED" if field.mode == "REPEATED" else "NULLABLE",
            fields=field.fields,
        )
        for field, stored in zip(content, columns, strict=True)
        if stored.column.lower() not in present
    ]


def united(slices: Iterable[Sequence[StoredColumn]]) -> dict[str, tuple[StoredColumn, ...]]:
    """The columns of several slices by their name, each with all places that it has."""
    found: dict[str, dict[str, StoredColumn]] = defaultdict(dict)
    names: dict[str, str] = {}
    for columns in slices:
        for stored in columns:
            name = names.setdefault(stored.name.lower(), stored.name)
            found[name].setdefault(stored.column.lower(), stored)
    return {name: tuple(places.values()) for name, places in found.items()}


def selected(name: str, places: Sequence[StoredColumn]) -> exp.Expr:
    """A column by its name; values of several types become one that holds them all."""
    columns = [exp.column(place.column, quoted=True) for place in places]
    if len(places) == 1:
        is_itself = places[0].column == name
        return columns[0] if is_itself else exp.alias_(columns[0], name, quoted=True)
    kinds = {place.kind for place in places}
    common = "FLOAT64" if kinds <= _NUMBERS else "STRING"
    values = [exp.cast(column, common, dialect="bigquery") for column in columns]
    return exp.alias_(exp.Coalesce(this=values[0], expressions=values[1:]), name, quoted=True)
