"""Query parameters, put into the tree as typed literals.

Belongs here: ``@name`` and ``?`` and their values. Does not: other parts of a statement.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlglot import exp

from jetstream_assets_tests.bigquery.fields import legacy_name
from jetstream_assets_tests.bigquery.refusals import Json, invalid_query
from jetstream_assets_tests.bigquery.values import scalar

if TYPE_CHECKING:
    from collections.abc import Iterator

_SQL = {
    "INTEGER": "INT64",
    "FLOAT": "FLOAT64",
    "BOOLEAN": "BOOL",
    "STRING": "STRING",
    "BYTES": "BYTES",
    "DATE": "DATE",
    "TIME": "TIME",
    "DATETIME": "DATETIME",
    "TIMESTAMP": "TIMESTAMP",
    "NUMERIC": "NUMERIC",
}


def with_parameters(tree: exp.Expr, parameters: list[Json]) -> exp.Expr:
    """The tree with the values of parameters; the tree is changed."""
    named = {one["name"].lower(): one for one in parameters if one.get("name")}
    positional: Iterator[Json] = iter([one for one in parameters if not one.get("name")])
    for node in list(tree.find_all(exp.Parameter, exp.Placeholder, bfs=False)):
        if isinstance(node, exp.Parameter):
            found = named.get(node.name.lower())
            if found is None:
                raise invalid_query(f"Query parameter '{node.name}' not found")
        else:
            found = next(positional, None)
            if found is None:
                raise invalid_query("Query parameter number exceeds the number of parameters")
        node.replace(_value(found["parameterType"], found["parameterValue"]))
    return tree


def _value(kind: Json, value: Json) -> exp.Expr:
    name = kind["type"].upper()
    if name == "ARRAY":
        elements = [_value(kind["arrayType"], one) for one in value.get("arrayValues") or ()]
        array = exp.Array(expressions=elements)
        return array if elements else exp.cast(array, _type(kind), dialect="bigquery")
    if name == "STRUCT":
        told = value.get("structValues") or {}
        fields = [
            exp.PropertyEQ(
                this=exp.to_identifier(one["name"], quoted=True),
                expression=_value(one["type"], told[one["name"]]),
            )
            for one in kind["structTypes"]
        ]
        return exp.Struct(expressions=fields)
    text = value.get("value")
    if text is None:
        return exp.cast(exp.Null(), _type(kind), dialect="bigquery")
    return _literal(legacy_name(name), text, _type(kind))


def _type(kind: Json) -> str:
    name = kind["type"].upper()
    if name == "ARRAY":
        return f"ARRAY<{_type(kind['arrayType'])}>"
    return _SQL[legacy_name(name)]


def _literal(kind: str, text: str, sql: str) -> exp.Expr:
    value = scalar(kind, text)
    if kind == "STRING":
        return exp.Literal.string(text)
    if kind == "BYTES":
        return exp.Anonymous(this="FROM_HEX", expressions=[exp.Literal.string(value.hex())])
    if kind == "INTEGER":
        return exp.Paren(this=exp.convert(int(value)))
    if kind == "BOOLEAN":
        return exp.true() if value else exp.false()
    return exp.cast(exp.Literal.string(str(value)), sql, dialect="bigquery")
