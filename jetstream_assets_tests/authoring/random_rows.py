"""Random rows of a table whose columns are inferred, for two ways of computing something from them.

Belongs here: the values, as Python has them and as BigQuery's literals. Does not: what is computed.
"""

from __future__ import annotations

import random
import zlib
from datetime import UTC, date, datetime, timedelta
from typing import Any

from sqlglot import exp

from jetstream_assets.authoring.inferred_columns import Nested, struct_type

ROWS = 12
_NULLS = 0.15
_NUMBERS = (0, 0, 1, 1, 2, 3, 7, 12, -2, 100, 86_400)
_MOST_ELEMENTS = 3
_FIRST = datetime(2024, 1, 1, tzinfo=UTC)
_DAYS = 40
_LONGEST = 60


class RandomRows:
    """Rows that depend on the expression alone.

    Texts are mostly those that the expression compares with, so that its conditions are met.
    """

    def __init__(self, columns: Nested, expression: str, tree: exp.Expr) -> None:
        self.columns = columns or {"nothing": "BIGINT"}
        self.kinds = {name: struct_type(kind) for name, kind in self.columns.items()}
        self._random = random.Random(zlib.crc32(expression.encode()))  # noqa: S311  no secret
        found = (one.name for one in tree.find_all(exp.Literal) if one.is_string)
        self._texts = [*(text for text in found if len(text) < _LONGEST), "", "a", "12"]
        types = [exp.DataType.build(kind, dialect="duckdb") for kind in self.kinds.values()]
        self.rows = [tuple(self._value(kind) for kind in types) for _ in range(ROWS)]

    def for_bigquery(self) -> str:
        """The rows as an array of structs."""
        types = [exp.DataType.build(kind, dialect="duckdb") for kind in self.kinds.values()]
        named = ", ".join(
            f"`{name}` {kind.sql(dialect='bigquery')}"
            for name, kind in zip(self.kinds, types, strict=True)
        )
        rows = (
            ", ".join(_literal(value, kind) for value, kind in zip(row, types, strict=True))
            for row in self.rows
        )
        return "[" + ", ".join(f"STRUCT<{named}>({row})" for row in rows) + "]"

    def for_duckdb(self) -> str:
        """The rows as a list of VALUES."""
        kinds = list(self.kinds.values())
        rows = (
            ", ".join(f"CAST({_given(one)} AS {k})" for one, k in zip(row, kinds, strict=True))
            for row in self.rows
        )
        return ", ".join(f"({row})" for row in rows)

    def _value(self, kind: exp.DataType) -> Any:  # noqa: ANN401, PLR0911  a value of any type
        chance = self._random
        if chance.random() < _NULLS and kind.this not in {exp.DType.ARRAY, exp.DType.STRUCT}:
            return None
        match kind.this:
            case exp.DType.BIGINT:
                return chance.choice(_NUMBERS)
            case exp.DType.BOOLEAN:
                return chance.random() < 1 / 2
            case exp.DType.DATE:
                return _FIRST.date() + timedelta(days=chance.randrange(_DAYS))
            case exp.DType.TIMESTAMPTZ:
                return _FIRST + timedelta(seconds=chance.randrange(_DAYS * 86_400))
            case exp.DType.ARRAY:
                (inner,) = kind.expressions
                return [self._value(inner) for _ in range(chance.randrange(_MOST_ELEMENTS))]
            case exp.DType.STRUCT:
                return {field.name: self._value(field.args["kind"]) for field in kind.expressions}
        return chance.choice(self._texts)


def _literal(value: Any, kind: exp.DataType) -> str:  # noqa: ANN401
    if value is None:
        return "NULL"
    if kind.this == exp.DType.ARRAY:
        (inner,) = kind.expressions
        # Without its type an empty array is one of numbers.
        typed = kind.sql(dialect="bigquery")
        return f"{typed}[{', '.join(_literal(one, inner) for one in value)}]"
    if kind.this == exp.DType.STRUCT:
        inside = (_literal(value[field.name], field.args["kind"]) for field in kind.expressions)
        return f"STRUCT({', '.join(inside)})"
    if isinstance(value, datetime):
        return f"TIMESTAMP '{value:%Y-%m-%d %H:%M:%S}+00'"
    if isinstance(value, date):
        return f"DATE '{value}'"
    return exp.convert(value).sql(dialect="bigquery")


def _given(value: Any) -> str:  # noqa: ANN401
    """A value in DuckDB's SQL; its type is told by a cast."""
    if isinstance(value, list):
        return f"[{', '.join(map(_given, value))}]"
    if isinstance(value, dict):
        return "{" + ", ".join(f"'{name}': {_given(one)}" for name, one in value.items()) + "}"
    if isinstance(value, date):
        return f"'{value}'"
    return exp.convert(value).sql(dialect="duckdb")
