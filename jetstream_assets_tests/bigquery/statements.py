"""Statements that change rows or tables, each in terms of queries over a snapshot.

Belongs here: INSERT, DELETE, UPDATE, MERGE ... ON FALSE, TRUNCATE, and what they affect. Does not:
CREATE, ALTER and DROP (`definitions`), transactions (`transaction`), jobs.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from sqlglot import exp

from jetstream_assets_tests.bigquery.binding import Scope
from jetstream_assets_tests.bigquery.catalog import Catalog
from jetstream_assets_tests.bigquery.definitions import define, is_definition
from jetstream_assets_tests.bigquery.pruning import Scan, partitions_met
from jetstream_assets_tests.bigquery.reading import Engine, Rows
from jetstream_assets_tests.bigquery.refusals import Json, invalid_query, not_served
from jetstream_assets_tests.bigquery.stopping import Stop

if TYPE_CHECKING:
    import pyarrow as pa

    from jetstream_assets_tests.bigquery.tables import Stored
    from jetstream_assets_tests.bigquery.transaction import Transaction

_Change = Callable[..., "Outcome"]
_COERCED = {("INTEGER", "FLOAT"), ("INTEGER", "NUMERIC"), ("NUMERIC", "FLOAT")}


@dataclass(frozen=True)
class Place:
    """Where statements run."""

    catalog: Catalog
    engine: Engine
    project: str
    dataset: str | None
    most_billed: int | None = None
    stop: Stop = field(default_factory=Stop)

    def scope(self, transaction: Transaction) -> Scope:
        """Where the names of one statement are looked for."""
        return Scope(self.project, self.dataset, transaction.find, self.most_billed)


@dataclass(frozen=True)
class Outcome:
    """What a statement did: the rows of a query, the number of rows that were changed."""

    kind: str
    rows: Rows | None = None
    scans: list[Scan] = field(default_factory=list)
    changed: Json = field(default_factory=dict)
    read: list[Json] = field(default_factory=list)


def run(tree: exp.Expr, place: Place, transaction: Transaction) -> Outcome:
    """Run a statement within a transaction."""
    scope = place.scope(transaction)
    if isinstance(tree, exp.Query):
        rows = place.engine.rows(tree, scope, place.stop)
        return Outcome("SELECT", rows, rows.scans, read=[key.resource for key in scope.read])
    if is_definition(tree):
        return Outcome(define(tree, place, scope))
    change = _CHANGES.get(type(tree))
    if change is None:
        raise not_served(f"statements such as {tree.key.upper()}")
    return change(tree, place, scope, transaction)


def _insert(tree: exp.Insert, place: Place, scope: Scope, transaction: Transaction) -> Outcome:
    schema = tree.this
    table = schema.this if isinstance(schema, exp.Schema) else schema
    stored = scope.table(scope.key(table))
    names = [one.name for one in schema.expressions] if isinstance(schema, exp.Schema) else None
    content = tree.expression
    if isinstance(content, exp.Values):
        content = _values_query(content)
    found = place.engine.rows(content, place.scope(transaction), place.stop)
    rows = _positioned(found, stored, names)
    transaction.append(stored, rows)
    changed = {"insertedRowCount": str(rows.num_rows)}
    return Outcome("INSERT", None, found.scans, changed)


def _values_query(values: exp.Values) -> exp.Expr:
    rows: list[exp.Query] = [
        exp.select(*(exp.alias_(one.copy(), f"f{n}_") for n, one in enumerate(row.expressions)))
        for row in values.expressions
    ]
    first, *more = rows
    return exp.union(first, *more, distinct=False) if more else first


def _positioned(found: Rows, stored: Stored, names: list[str] | None) -> pa.Table:
    """The rows of an INSERT, whose columns are matched by place."""
    known = {one["name"].lower(): one for one in stored.fields}
    names = names or [one["name"] for one in stored.fields]
    if len(names) != len(found.fields):
        raise invalid_query(
            f"Inserted row has wrong column count; Has {len(found.fields)}, expected {len(names)}"
        )
    for place, (name, field_) in enumerate(zip(names, found.fields, strict=True), 1):
        if name.lower() not in known:
            raise invalid_query(f"Column {name} is not present in table {stored.key}")
        wanted = known[name.lower()]["type"]
        is_null = found.rows.column(place - 1).null_count == found.rows.num_rows
        pair = (field_["type"], wanted)
        if field_["type"] != wanted and pair not in _COERCED and not is_null:
            raise invalid_query(
                f"Query column {place} has type {field_['type']} which cannot be inserted into "
                f"column {name}, which has type {wanted}"
            )
    return found.rows.rename_columns([known[name.lower()]["name"] for name in names])


def _delete(tree: exp.Delete, place: Place, scope: Scope, transaction: Transaction) -> Outcome:
    if tree.args.get("where") is None:
        raise invalid_query("DELETE must have a WHERE clause")
    condition = tree.args["where"].this
    stored, kept, made = _rows_without(tree.this, condition, place, scope, transaction)
    transaction.put(made)
    return Outcome("DELETE", None, kept.scans, _deleted(stored, made))


def _deleted(before: Stored, after: Stored) -> Json:
    return {"deletedRowCount": str(before.rows.num_rows - after.rows.num_rows)}


def _rows_without(
    table: exp.Table, condition: exp.Expr, place: Place, scope: Scope, transaction: Transaction
) -> tuple[Stored, Rows, Stored]:
    """A table, its rows that do not meet a condition among those that may, and the table then.

    Partitions in which no row may meet it are not touched.
    """
    stored = scope.table(scope.key(table))
    is_simple = condition.find(exp.Query) is None
    touched = partitions_met(stored, condition) if is_simple else list(stored.partitions)
    is_gone = exp.Coalesce(this=exp.Paren(this=condition.copy()), expressions=[exp.false()])
    query = exp.select("*").from_(table.copy()).where(exp.Not(this=is_gone))
    inner = place.scope(transaction)
    inner.read[stored.key] = stored.part(touched)
    found = place.engine.rows(query, inner, place.stop)
    others = {name: rows for name, rows in stored.partitions.items() if name not in touched}
    return stored, found, stored.with_partitions(others).appended(found.rows)


def _truncate(tree: exp.TruncateTable, _: Place, scope: Scope, transaction: Transaction) -> Outcome:
    stored = scope.table(scope.key(tree.expressions[0]))
    transaction.put(stored.with_rows(stored.rows.slice(0, 0)))
    return Outcome("TRUNCATE_TABLE", changed={"deletedRowCount": str(stored.rows.num_rows)})


def _update(tree: exp.Update, place: Place, scope: Scope, transaction: Transaction) -> Outcome:
    if tree.args.get("where") is None:
        raise invalid_query("UPDATE must have a WHERE clause")
    if tree.args.get("from_"):
        raise not_served("UPDATE ... FROM")
    stored = scope.table(scope.key(tree.this))
    condition = tree.args["where"].this
    changed = [
        exp.alias_(
            exp.Case().when(condition.copy(), one.expression.copy()).else_(one.this.copy()),
            one.this.name,
            quoted=True,
        )
        for one in tree.expressions
    ]
    query = exp.select(exp.Star(replace=changed)).from_(tree.this.copy())
    found = place.engine.rows(query, place.scope(transaction), place.stop)
    count = exp.select(exp.alias_(exp.CountIf(this=condition.copy()), "n")).from_(tree.this.copy())
    number = place.engine.rows(count, place.scope(transaction), place.stop).rows
    transaction.put(stored.with_rows(found.rows))
    counted = {"updatedRowCount": str(number.column("n")[0].as_py())}
    return Outcome("UPDATE", None, found.scans, counted)


def _merge(tree: exp.Merge, place: Place, scope: Scope, transaction: Transaction) -> Outcome:
    """MERGE ... ON FALSE: rows of the target that meet a condition go, all of the source come."""
    if not (
        isinstance(tree.args["on"].unnest(), exp.Boolean) and not tree.args["on"].unnest().this
    ):
        raise not_served("MERGE with a condition other than ON FALSE")
    table, source, stored = tree.this, tree.args["using"], scope.table(scope.key(tree.this))
    gone: list[exp.Expr] = []
    names: list[str] | None = None
    values: list[exp.Expr] = [exp.Star()]
    is_inserted = False
    for when in tree.args["whens"].expressions:
        if when.args.get("source"):
            if when.args["then"].name.upper() != "DELETE":
                raise not_served("WHEN NOT MATCHED BY SOURCE THEN UPDATE")
            gone.append(when.args.get("condition") or exp.true())
        else:
            is_inserted, then = True, when.args["then"]
            if isinstance(then.expression, exp.Tuple):
                names = [one.name for one in then.this.expressions]
                values = [one.copy() for one in then.expression.expressions]
    select = exp.select(*values).from_(source.copy())
    found = place.engine.rows(select, place.scope(transaction), place.stop)
    condition = exp.or_(*gone) if gone else exp.false()
    _, kept, made = _rows_without(table, condition, place, scope, transaction)
    inserted = _positioned(found, stored, names) if is_inserted else found.rows.slice(0, 0)
    transaction.put(made.appended(inserted) if is_inserted else made)
    counts = {"insertedRowCount": str(inserted.num_rows), **_deleted(stored, made)}
    return Outcome("MERGE", None, found.scans + kept.scans, counts)


_CHANGES: dict[type[exp.Expr], _Change] = {
    exp.Insert: _insert,
    exp.Delete: _delete,
    exp.Update: _update,
    exp.Merge: _merge,
    exp.TruncateTable: _truncate,
}
