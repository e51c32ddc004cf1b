"""Statements that make, alter and drop tables and views.

Belongs here: CREATE TABLE [AS], CREATE VIEW, ALTER TABLE ADD COLUMN, DROP. Does not: statements
that change rows (`statements`). They take effect at once, also within a transaction, where the
real service refuses them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlglot import exp

from jetstream_assets_tests.bigquery.fields import legacy_name, standard_fields
from jetstream_assets_tests.bigquery.refusals import (
    Json,
    already_exists,
    invalid_query,
    not_found,
    not_served,
)
from jetstream_assets_tests.bigquery.tables import Stored, new_table

if TYPE_CHECKING:
    from jetstream_assets_tests.bigquery.binding import Scope
    from jetstream_assets_tests.bigquery.names import TableKey
    from jetstream_assets_tests.bigquery.statements import Place


def is_definition(tree: exp.Expr) -> bool:
    """Whether the statement is one of these."""
    return isinstance(tree, exp.Create | exp.Drop | exp.Alter)


def define(tree: exp.Expr, place: Place, scope: Scope) -> str:
    """Run the statement; returns its type."""
    if isinstance(tree, exp.Create):
        return _create(tree, place, scope)
    if isinstance(tree, exp.Drop):
        return _drop(tree, place, scope)
    return _alter(tree, place, scope)


def _create(tree: exp.Create, place: Place, scope: Scope) -> str:
    kind = str(tree.args["kind"]).upper()
    if kind not in {"TABLE", "VIEW"}:
        raise not_served(f"CREATE {kind}")
    schema = tree.this
    table = schema.this if isinstance(schema, exp.Schema) else schema
    key = scope.key(table)
    if kind == "VIEW":
        resource: Json = {"view": {"query": tree.expression.sql("bigquery"), "useLegacySql": False}}
        planned = place.engine.plan(tree.expression.copy(), scope)
        return _put(tree, place, new_table(key, {**resource, "schema": {"fields": planned.fields}}))
    resource = _properties(tree)
    if tree.expression is None:
        resource["schema"] = {"fields": _columns(schema)}
        return _put(tree, place, new_table(key, resource))
    found = place.engine.rows(tree.expression.copy(), scope, place.stop)
    resource["schema"] = {"fields": found.fields}
    made = new_table(key, resource).with_rows(found.rows)
    return f"{_put(tree, place, made)}_AS_SELECT"


def _put(tree: exp.Create, place: Place, made: Stored) -> str:
    def change(now: Stored | None) -> Stored:
        if now is not None and tree.args.get("exists"):
            return now
        if now is not None and not tree.args.get("replace"):
            raise already_exists("Table", str(made.key))
        return made

    place.catalog.replace(made.key, change)
    return f"CREATE_{str(tree.args['kind']).upper()}"


def _properties(tree: exp.Create) -> Json:
    resource: Json = {}
    properties = tree.args.get("properties")
    for one in properties.expressions if properties else ():
        if isinstance(one, exp.PartitionedByProperty):
            resource["timePartitioning"] = {"type": "DAY", "field": one.this.name}
        elif isinstance(one, exp.Cluster | exp.ClusterProperty):
            resource["clustering"] = {"fields": [column.name for column in one.expressions]}
        elif one.name.lower() == "description":
            resource["description"] = one.args["value"].name
        elif one.name.lower() == "labels":
            pairs = [pair.expressions for pair in one.args["value"].expressions]
            resource["labels"] = {key.name: value.name for key, value in pairs}
        elif one.name.lower() == "require_partition_filter":
            resource["requirePartitionFilter"] = one.args["value"] == exp.true()
        else:
            raise not_served(f"the option {one.name} of CREATE TABLE")
    return resource


def _columns(schema: exp.Expr) -> list[Json]:
    return standard_fields([_column(one) for one in schema.expressions])


def _column(definition: exp.Expr) -> Json:
    return {"name": definition.name, **_kind(definition.args["kind"])}


def _kind(kind: Any) -> Json:  # noqa: ANN401  a DataType
    if kind.this == exp.DataType.Type.ARRAY:
        return {**_kind(kind.expressions[0]), "mode": "REPEATED"}
    if kind.this == exp.DataType.Type.STRUCT:
        return {"type": "RECORD", "fields": [_column(one) for one in kind.expressions]}
    return {"type": legacy_name(kind.sql("bigquery"))}


def _drop(tree: exp.Drop, place: Place, scope: Scope) -> str:
    key = scope.key(tree.this)

    def change(now: Stored | None) -> None:
        if now is None and not tree.args.get("exists"):
            raise not_found("Table", str(key))

    place.catalog.replace(key, change)
    return f"DROP_{str(tree.args['kind']).upper()}"


def _alter(tree: exp.Expr, place: Place, scope: Scope) -> str:
    key = scope.key(tree.this)
    place.catalog.replace(key, lambda now: _with_columns(now, key, tree.args["actions"]))
    return "ALTER_TABLE"


def _with_columns(now: Stored | None, key: TableKey, actions: list[exp.Expr]) -> Stored:
    if now is None:
        raise not_found("Table", str(key))
    for action in actions:
        if not isinstance(action, exp.ColumnDef):
            raise not_served("ALTER TABLE other than ADD COLUMN")
        is_there = action.name.lower() in {one["name"].lower() for one in now.fields}
        if is_there and not action.args.get("exists"):
            raise invalid_query(f"Column already exists: {action.name}")
        if not is_there:
            now = now.with_fields([*now.fields, *standard_fields([_column(action)])])
    return now
