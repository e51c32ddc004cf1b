"""A table that an expression could be about: its columns, with types inferred from their use.

Belongs here: the inference. Does not: binding (`binding`). A wrong type makes an expression fail to
bind; it never makes a wrong one bind.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlglot import exp

if TYPE_CHECKING:
    from collections.abc import Collection

Nested = dict[str, "Nested | str"]


class Elements(Nested):
    """The columns of an array's elements."""


_TABLES = ("ds", "e")
_PAIRS = "STRUCT(key VARCHAR, value {})[]"
_TEXT = (
    exp.Like, exp.RegexpLike, exp.Lower, exp.Upper, exp.StartsWith, exp.EndsWith, exp.Contains,
    exp.Split, exp.Concat, exp.Replace, exp.JSONExtractScalar, exp.JSONExtract, exp.Substring,
    exp.JSONExtractArray, exp.Trim, exp.RegexpExtract, exp.RegexpReplace, exp.Length,
    exp.Cast, exp.TryCast,
)  # fmt: skip
_TRUTH = (exp.LogicalOr, exp.LogicalAnd, exp.CountIf, exp.Not, exp.And, exp.Or, exp.Where)
_SKIPPED = (exp.Paren, exp.Coalesce)
_HISTOGRAMS = {
    "extract", "threshold_count", "json_extract_histogram", "histogram_to_threshold_count",
    "histogram_max_key_with_nonzero_value",
}  # fmt: skip
# Columns of this name hold histograms as text, by key.
_HISTOGRAMS_BY_KEY = "keyed_histograms"


def inferred_columns(tree: exp.Expr) -> Nested:
    """Nested column names and DuckDB types."""
    columns: Nested = {}
    for column in tree.find_all(exp.Column):
        note_column(columns, column, _TABLES)
    return columns


def note_column(columns: Nested, column: exp.Column, tables: Collection[str]) -> None:
    """Add what a column's use tells, unless it is a field of another array's element.

    Args:
        columns: What is known so far.
        column: A part of a tree.
        tables: Names of tables, or of an array's elements, with which the path may begin.
    """
    if not isinstance(column.this, exp.Identifier):
        return
    path, whole = _path(column)
    if path[0].lower() in tables and len(path) > 1:
        path = path[1:]
    elif _is_element(column):
        return
    _put(columns, path, _type([name.lower() for name in path], whole.parent))


def struct_type(columns: Nested | str) -> str:
    """The columns as a DuckDB type, STRUCT(...) where they are nested."""
    if isinstance(columns, str):
        return columns
    fields = ", ".join(
        f"{exp.to_identifier(name, quoted=True).sql(dialect='duckdb')} {struct_type(kind)}"
        for name, kind in columns.items()
    )
    return f"STRUCT({fields})" + ("[]" if isinstance(columns, Elements) else "")


def _put(columns: Nested, path: list[str], kind: str) -> None:
    for name in path[:-1]:
        inner = columns.setdefault(name, {})
        if isinstance(inner, str):
            return
        columns = inner
    known = columns.get(path[-1])
    if known is None or known == "BIGINT":  # the default gives way to a reason
        columns[path[-1]] = kind


def _is_element(column: exp.Column) -> bool:
    """Whether the name is a field or an alias of an UNNEST around it."""
    select = column.find_ancestor(exp.Select)
    while select is not None:
        for array in select.find_all(exp.Unnest):
            if column.find_ancestor(exp.Unnest) is array:
                return False
            alias = array.args.get("alias")
            names = {name.name for name in alias.columns} if alias else {"key", "value"}
            if column.parts[0].name in names | {"key", "value"}:
                return True
        select = select.find_ancestor(exp.Select)
    return False


def _path(column: exp.Column) -> tuple[list[str], exp.Expr]:
    """The names of a path, and its outermost node: from the fifth name on the parser nests it."""
    path: list[str] = [part.name for part in column.parts]
    whole: exp.Expr = column
    while isinstance(whole.parent, exp.Dot) and whole.parent.this is whole:
        whole = whole.parent
        path.append(whole.expression.name)
    return path, whole


def _type(path: list[str], user: exp.Expr | None) -> str:
    while isinstance(user, _SKIPPED):
        user = user.parent
    name, is_histogram = path[-1], _HISTOGRAMS_BY_KEY in path
    if isinstance(user, exp.Anonymous):
        return _PAIRS.format("VARCHAR") if is_histogram else _argument_type(user)
    if isinstance(user, exp.Unnest):
        return _PAIRS.format("VARCHAR" if is_histogram else "BIGINT")
    if name.endswith("timestamp"):
        return "TIMESTAMPTZ"
    if name.endswith("date") and "metric" not in name and "first_run" not in name:
        return "DATE"
    if isinstance(user, _TEXT):
        return "VARCHAR"
    return "VARCHAR[]" if isinstance(user, exp.ArraySize) else _operand_type(user)


def _argument_type(call: exp.Anonymous) -> str:
    function = call.name.lower().split(".")[-1]
    if function == "get_key":
        is_text = isinstance(call.parent, _TEXT) or call.find_ancestor(exp.EQ)
        is_number = call.find_ancestor(exp.Sum, exp.Max) and not is_text
        field = _field_of(call)
        if field is not None:
            return _PAIRS.format(f'STRUCT("{field}" VARCHAR)')
        return _PAIRS.format("BIGINT" if is_number and not _is_histogram(call) else "VARCHAR")
    if function == "keyed_histogram_get_sum":
        return _PAIRS.format("VARCHAR")
    if function == "extract_keyed_scalar_sum":
        return _PAIRS.format("BIGINT")
    if function == "days_since_seen":
        return "BIGINT"
    return "VARCHAR"


def _field_of(call: exp.Anonymous) -> str | None:
    """The field that is taken of what a function gives, whose own name may have dots."""
    whole: exp.Expr = call
    while isinstance(whole.parent, exp.Dot) and whole.parent.expression is whole:
        whole = whole.parent
    return whole.parent.expression.name if isinstance(whole.parent, exp.Dot) else None


def _is_histogram(call: exp.Anonymous) -> bool:
    outer = call.find_ancestor(exp.Anonymous)
    return outer is not None and outer.name.lower() in _HISTOGRAMS


def _operand_type(user: exp.Expr | None) -> str:
    if isinstance(user, exp.EQ | exp.NEQ | exp.In | exp.GT | exp.LT | exp.GTE | exp.LTE):
        others = [node for node in user.find_all(exp.Literal, exp.Boolean) if node.depth]
        if any(isinstance(node, exp.Boolean) for node in others):
            return "BOOLEAN"
        return "VARCHAR" if any(node.is_string for node in others) else "BIGINT"
    if isinstance(user, exp.Is):
        return "BOOLEAN" if isinstance(user.expression, exp.Boolean) else "BIGINT"
    return "BOOLEAN" if isinstance(user, _TRUTH) else "BIGINT"
