"""Which tables a tree reads, and which slices a reference in it names.

Belongs here: what every adapter needs to put its own relations in a tree's place. Does not: where a
table's bytes are (adapters), how a reference is written (`tables`).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

from sqlglot import exp

from jetstream_assets.warehouse.tables import ONLY_PART, SLICES_CATALOG, ResultTable

if TYPE_CHECKING:
    from collections.abc import Iterator

_ALL_DAYS = "*"
_MADE_BY = {
    ResultTable.PLAN_FAILURES: "analysis_plan",
    **dict.fromkeys((ResultTable.ENROLLMENTS, ResultTable.ENROLLMENTS_FAILURES), "enrollments"),
    **dict.fromkeys((ResultTable.ENROLLMENT_EVENTS, ResultTable.EXPOSURE_EVENTS), "enrollments"),
    **dict.fromkeys((ResultTable.METRICS, ResultTable.METRICS_FAILURES), "metrics"),
}


@dataclass(frozen=True)
class SlicesNamed:
    """What a reference in a tree names; ``days`` is None where it names all slices."""

    table: str
    experiment: str
    dataset: str
    days: tuple[date, ...] | None
    part: str


def is_slice(table: exp.Table) -> bool:
    """Whether a table in a tree is a reference to slices."""
    return table.catalog == SLICES_CATALOG


def slices_named(table: exp.Table) -> SlicesNamed:
    """What a reference names; see `tables.slice_table`."""
    name, _, key = table.name.partition("/")
    experiment, _, place = key.rpartition("@")
    listed, _, part = place.partition("+")
    days = None if listed == _ALL_DAYS else tuple(map(date.fromisoformat, listed.split(",")))
    return SlicesNamed(name, experiment, table.db, days, part or ONLY_PART)


def missing_slice(named: SlicesNamed, day: date | None, place: str) -> str:
    """The sentence on a slice that is not there; ``day`` is None where there is none at all."""
    is_known = named.table in set(ResultTable)
    made_by = _MADE_BY.get(ResultTable(named.table), named.table) if is_known else named.table
    return (
        f"Table {named.table} has no slice of experiment {named.experiment!r} for "
        f"{day or 'any date'}: there is none in {place}. "
        f"Materialize the asset {made_by} of that experiment and date first."
    )


def named_tables(tree: exp.Expr) -> Iterator[exp.Table]:
    """The tables that a tree reads: no names of WITH, no table functions."""
    for table in tree.find_all(exp.Table):
        is_name = isinstance(table.this, exp.Identifier | exp.Dot)
        if is_name and not (len(table.parts) == 1 and _is_with_name(table)):
            yield table


def _is_with_name(table: exp.Table) -> bool:
    """Whether a WITH around the table defines its name before it is used."""
    node: exp.Expr | None = table
    inside: exp.Expr | None = None
    while node is not None:
        if isinstance(node, exp.CTE):
            inside = node
        if table.name.lower() in _with_names(node.args.get("with_"), inside):
            return True
        node = node.parent
    return False


def _with_names(clause: exp.With | None, inside: exp.Expr | None) -> Iterator[str]:
    """Names that a WITH defines before the definition ``inside``; all when it is recursive."""
    for definition in clause.expressions if clause else ():
        if definition is inside and clause and not clause.recursive:
            return
        yield definition.alias.lower()
