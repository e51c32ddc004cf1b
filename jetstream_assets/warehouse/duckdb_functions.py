"""A function with dots in its name belongs to an organisation; here it is a macro.

Belongs here: how ``mozfun.map.get_key(...)``, ```moz-fx-data-shared-prod`.udf.get_key(...)`` and
their spellings become calls of a DuckDB macro. Does not: what the macros do (`duckdb_macros`).
"""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING

from sqlglot import exp

from jetstream_assets.errors import QueryError
from jetstream_assets.warehouse.duckdb_macros import ORGANISATION_MACROS

if TYPE_CHECKING:
    from collections.abc import Collection


def organisation_function(
    node: exp.Dot | exp.Column | exp.Anonymous, *, own: Collection[str]
) -> exp.Expr:
    """The call of a macro for a function with a dotted name; other nodes as they are.

    The macro's name is the function's with underscores. The project is dropped, except for
    ``mozfun``, whose functions lie in data sets named after types (map, json, date).

    Args:
        node: A part of a tree.
        own: Names of macros beyond the shipped ones.

    Raises:
        QueryError: There is no such macro.
    """
    function = node if isinstance(node, exp.Anonymous) else _called(node)
    if function is None:
        return node
    parts = [*_prefix(node), *_name(function).split(".")]
    if len(parts) == 1:
        return node
    name = _macro_name(parts)
    if name not in ORGANISATION_MACROS and name not in own:
        close = difflib.get_close_matches(name, [*ORGANISATION_MACROS, *own], n=3)
        guess = f" Did you mean {' or '.join(close)}?" if close else ""
        raise QueryError(
            f"Function {'.'.join(parts)} is not known to the embedded warehouse: there is no macro "
            f"{name}.{guess} Write the expression without it, or define the macro in the SQL file "
            f"that JETSTREAM_DUCKDB_MACROS names: CREATE MACRO {name}(...) AS ..."
        )
    arguments = [argument.copy() for argument in function.expressions]
    return exp.Anonymous(this=name, expressions=arguments)


def _called(node: exp.Dot | exp.Column) -> exp.Anonymous | None:
    """The function at the end of a path; inside ARRAY_AGG the parser makes the path a column."""
    last = node.expression if isinstance(node, exp.Dot) else node.this
    return last if isinstance(last, exp.Anonymous) and not isinstance(node, exp.Anonymous) else None


def _prefix(node: exp.Expr) -> list[str]:
    if isinstance(node, exp.Column):
        return [part.name for part in node.parts[:-1]]
    names: list[str] = []
    if isinstance(node, exp.Dot):
        left = node.this
        while isinstance(left, exp.Dot):
            names.insert(0, left.expression.name)
            left = left.this
        if isinstance(left, exp.Column):
            names[:0] = [part.name for part in left.parts]
        else:
            names.insert(0, left.name)
    return [piece for name in names for piece in name.split(".")]


def _name(function: exp.Anonymous) -> str:
    name = function.this
    return name.name if isinstance(name, exp.Identifier) else str(name)


def _macro_name(parts: list[str]) -> str:
    lowered = [part.lower() for part in parts]
    kept = lowered if lowered[0] == "mozfun" else lowered[-2:]
    return "_".join(kept)
