"""What BigQuery means, DuckDB can say; sqlglot alone would say something slightly different.

Belongs here: the translation of trees from BigQuery's dialect to DuckDB's where sqlglot's own
gives an error or, worse, another number: one function a gap, listed in `_FIXES`. Does not: arrays
in FROM (`duckdb_arrays`), functions of an organisation (`duckdb_functions`), the SQL of the macros
that are called here (`duckdb_macros`), tables (`parquet_relations`).

The gaps, each tested by execution against hand-computed BigQuery results:

- ``COUNTIF`` of no rows is 0, DuckDB's ``count_if`` is NULL.
- ``array[OFFSET(n)]`` counts from 0, DuckDB from 1.
- ``MAX_BY`` keeps a NULL at the largest key, DuckDB's ``arg_max`` skips it.
- ``EXTRACT(DAYOFWEEK)`` counts from Sunday = 1, DuckDB from Sunday = 0; ``WEEK`` starts on Sunday.
- ``DATE_ADD`` of a DATE is a DATE, DuckDB's is a TIMESTAMP; DATE + BIGINT has no operator.
- ``TIMESTAMP_DIFF`` counts whole intervals, DuckDB's ``date_diff`` counts boundaries.
- ``CAST(FLOAT64 AS INT64)`` rounds halves away from zero, DuckDB to even; ``'1.5'`` is no INT64.
- ``CAST(1.0 AS STRING)`` is '1', DuckDB's is '1.0'.
- JSON functions give NULL for text that is no JSON, DuckDB an error.
- ``0.1`` is a FLOAT64, in DuckDB a DECIMAL.
- ``LIKE`` escapes with a backslash, DuckDB's only when told to.
- ``SUBSTR(x, 0, n)`` starts at the first character, DuckDB's one before it.
- ``SAFE.f(x)`` is NULL where f fails.
- Division by zero is an error in both, by a setting of the connection (`duckdb_session`).
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from sqlglot import exp

from jetstream_assets.warehouse.duckdb_arrays import correlated_array, list_aggregate, unnest
from jetstream_assets.warehouse.duckdb_functions import organisation_function

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

_CALENDAR_UNITS = {"MONTH": 1, "QUARTER": 3, "YEAR": 12}
_CAST_MACROS = {
    exp.DataType.Type.BIGINT: "TO_INT64",
    exp.DataType.Type.BOOLEAN: "TO_BOOL",
    exp.DataType.Type.TEXT: "TO_STRING",
}
_BOOLEAN_NODES = (exp.Predicate, exp.Connector, exp.Not, exp.Boolean, exp.LogicalOr, exp.LogicalAnd)


def to_duckdb(tree: exp.Expr, own_macros: Collection[str] = ()) -> exp.Expr:
    """A copy of the tree that sqlglot renders as DuckDB SQL with BigQuery's meaning.

    Args:
        tree: A query or an expression in BigQuery's dialect; it is not changed.
        own_macros: Names of macros beyond the shipped ones (`duckdb_own_macros`).

    Raises:
        QueryError: The tree calls an organisation's function that has no DuckDB macro.
    """
    named = partial(organisation_function, own=own_macros)
    fixes = _FIXES | dict.fromkeys((exp.Anonymous, exp.Column, exp.Dot), named)
    holder = exp.Paren(this=tree.copy())
    # Deepest first, so that every fix finds its arguments translated.
    for node in reversed(list(holder.walk())):
        fix = fixes.get(type(node))
        if fix is not None and node is not holder:
            node.replace(fix(node))
    translated: exp.Expr = holder.this
    return translated.pop()


def _call(name: str, *arguments: exp.Expr) -> exp.Anonymous:
    return exp.Anonymous(this=name, expressions=list(arguments))


def _count_if(node: exp.CountIf) -> exp.Expr:
    condition = node.this
    if isinstance(condition, exp.Distinct):
        met = exp.Case().when(condition.expressions[0].copy(), exp.true())
        return exp.Count(this=exp.Distinct(expressions=[met]))
    return exp.Filter(this=exp.Count(this=exp.Star()), expression=exp.Where(this=condition.copy()))


def _logical_or(node: exp.LogicalOr) -> exp.Expr:
    return _call("BOOL_OR", node.this.copy())


def _logical_and(node: exp.LogicalAnd) -> exp.Expr:
    return _call("BOOL_AND", node.this.copy())


def _max_by(node: exp.ArgMax) -> exp.Expr:
    return _call("ARG_MAX_NULL", node.this.copy(), node.expression.copy())


def _min_by(node: exp.ArgMin) -> exp.Expr:
    return _call("ARG_MIN_NULL", node.this.copy(), node.expression.copy())


def _extract(node: exp.Extract) -> exp.Expr:
    part, value = node.name.upper(), node.expression.copy()
    if part == "DAYOFWEEK":
        return exp.Paren(this=exp.Add(this=node.copy(), expression=exp.Literal.number(1)))
    if part == "WEEK":
        return exp.cast(_call("STRFTIME", value, exp.Literal.string("%U")), "BIGINT")
    if part == "ISOWEEK":
        return exp.Extract(this=exp.var("WEEK"), expression=value)
    if part in {"DATE", "TIME"}:
        return exp.cast(value, part)
    return node


def _date_add(node: exp.DateAdd) -> exp.Expr:
    return _shifted_date(node, node.expression.copy())


def _date_sub(node: exp.DateSub) -> exp.Expr:
    amount = node.expression
    if isinstance(amount, exp.Literal):
        return _shifted_date(node, exp.Neg(this=exp.Literal.number(amount.name)))
    return _shifted_date(node, exp.Neg(this=exp.Paren(this=amount.copy())))


def _shifted_date(node: exp.DateAdd | exp.DateSub, amount: exp.Expr) -> exp.Expr:
    unit = node.unit.name.upper() if node.unit else "DAY"
    start = _as_date(node.this.copy())
    if isinstance(amount, exp.Literal):
        amount = exp.Literal.number(amount.name)
    if unit in _CALENDAR_UNITS:
        months = _times(amount, _CALENDAR_UNITS[unit])
        return exp.cast(exp.Add(this=start, expression=_call("TO_MONTHS", months)), "DATE")
    if unit not in {"DAY", "WEEK"}:
        return node  # hours and less: the operand is a TIMESTAMP
    days = _times(amount, 7 if unit == "WEEK" else 1)
    if isinstance(days, exp.Neg) and isinstance(days.this, exp.Literal):
        return exp.Paren(this=exp.Sub(this=start, expression=days.this))
    return exp.Paren(this=exp.Add(this=start, expression=days))


def _times(amount: exp.Expr, factor: int) -> exp.Expr:
    """The amount as an INTEGER, which is the type that DuckDB adds to a DATE."""
    number = amount.this if isinstance(amount, exp.Neg) else amount
    if isinstance(number, exp.Literal):
        literal = exp.Literal.number(int(number.name) * factor)
        return exp.Neg(this=literal) if isinstance(amount, exp.Neg) else literal
    whole = exp.cast(amount, "INT")
    if factor == 1:
        return whole
    return exp.Mul(this=whole, expression=exp.Literal.number(factor))


def _as_date(value: exp.Expr) -> exp.Expr:
    return value if _is_date(value) else _call("AS_DATE", value)


def _is_date(node: exp.Expr) -> bool:
    """Whether the translated expression is a DATE for certain."""
    inner = node.unnest()
    if isinstance(inner, exp.Cast):
        return bool(inner.to.this == exp.DataType.Type.DATE)
    if isinstance(inner, exp.Add | exp.Sub):
        return _is_date(inner.this)
    return isinstance(inner, exp.CurrentDate | exp.TsOrDsToDate | exp.Date) or (
        isinstance(inner, exp.Anonymous) and inner.name.upper() == "AS_DATE"
    )


def _plus_days(node: exp.Add | exp.Sub) -> exp.Expr:
    """DATE plus or minus a whole number of days that is not a literal.

    Types are unknown here, so a column counts as a DATE by its name (``date`` or ``..._date``).
    """
    for date_side, days_side in (("this", "expression"), ("expression", "this")):
        value, days = node.args[date_side], node.args[days_side]
        if not _looks_like_date(value) or _looks_like_date(days):
            continue
        if not isinstance(days.unnest(), exp.Literal | exp.Interval | exp.Cast | exp.Neg):
            days.replace(exp.cast(days.copy(), "INT"))
        return node
    return node


def _looks_like_date(node: exp.Expr) -> bool:
    inner = node.unnest()
    if isinstance(inner, exp.Min | exp.Max | exp.AnyValue):
        return _looks_like_date(inner.this)
    if isinstance(inner, exp.Column):
        return inner.name.lower() == "date" or inner.name.lower().endswith("_date")
    return _is_date(inner)


def _date_trunc(node: exp.DateTrunc) -> exp.Expr:
    unit = node.args["unit"].name.upper()
    if unit in {*_CALENDAR_UNITS, "ISOWEEK"}:
        part = exp.Literal.string("WEEK" if unit == "ISOWEEK" else unit)
        return exp.cast(_call("DATE_TRUNC", part, _as_date(node.this.copy())), "DATE")
    return node


def _timestamp_diff(node: exp.TimestampDiff) -> exp.Expr:
    later, earlier = (
        exp.cast(side.copy(), "TIMESTAMPTZ") if isinstance(side, exp.Literal) else side.copy()
        for side in (node.this, node.expression)
    )
    unit = exp.Literal.string(node.text("unit").upper())
    return _call("DATE_SUB", unit, earlier, later)


def _cast(node: exp.Cast) -> exp.Expr:
    kind = node.to.this
    if kind == exp.DataType.Type.DECIMAL and not node.to.expressions:
        node.set("to", exp.DataType.build("DECIMAL(38, 9)"))  # BigQuery's NUMERIC
        return node
    is_certain = isinstance(node.this.unnest(), (*_BOOLEAN_NODES, exp.Count))
    macro = _CAST_MACROS.get(kind)
    if macro is None or is_certain or isinstance(node.this, exp.Null):
        return node
    is_safe = isinstance(node, exp.TryCast) and macro != "TO_STRING"  # which never fails
    return _call(f"SAFE_{macro}" if is_safe else macro, node.this.copy())


def _json_scalar(node: exp.JSONExtractScalar) -> exp.Expr:
    return _call("JSON_SCALAR", *_json_argument(node))


def _json_part(node: exp.JSONExtract) -> exp.Expr:
    return _call("JSON_PART", *_json_argument(node))


def _json_list(node: exp.JSONExtractArray) -> exp.Expr:
    return _call("JSON_LIST", *_json_argument(node))


def _json_text_list(node: exp.JSONValueArray) -> exp.Expr:
    return _call("JSON_TEXT_LIST", *_json_argument(node))


def _json_argument(node: exp.Expr) -> tuple[exp.Expr, exp.Expr]:
    """The document and the path; ``doc['key']`` becomes a path, for text and JSON columns alike."""
    document, path = node.this.copy(), node.args.get("expression")
    keys: list[exp.Expr] = []
    while isinstance(document, exp.Bracket) and _is_text_key(document):
        keys.insert(0, exp.JSONPathKey(this=document.expressions[0].name))
        document = document.this
    parts = path.expressions[1:] if isinstance(path, exp.JSONPath) else []
    if path is not None and not isinstance(path, exp.JSONPath):
        return document, path.copy()
    steps = [exp.JSONPathRoot(), *keys, *(part.copy() for part in parts)]
    return document, exp.JSONPath(expressions=steps)


def _bracket(node: exp.Bracket) -> exp.Expr:
    """``array[OFFSET(n)]`` counts from 0; sqlglot adds the 1 only where it knows n's type."""
    if node.args.get("offset") != 0 or isinstance(node.expressions[0], exp.Literal):
        return node
    position = exp.Add(this=node.expressions[0].copy(), expression=exp.Literal.number(1))
    safe = node.args.get("safe")
    return exp.Bracket(this=node.this.copy(), expressions=[position], offset=1, safe=safe)


def _is_text_key(node: exp.Bracket) -> bool:
    return len(node.expressions) == 1 and bool(node.expressions[0].is_string)


def _number(node: exp.Literal) -> exp.Expr:
    if node.is_string or "." not in node.name or "e" in node.name.lower():
        return node
    return exp.Literal.number(f"{node.name}e0")


def _like(node: exp.Like) -> exp.Expr:
    pattern = node.expression
    if isinstance(node.parent, exp.Escape):
        return node
    if isinstance(pattern, exp.Literal | exp.RawString) and "\\" not in pattern.name:
        return node
    return exp.Escape(this=node.copy(), expression=exp.Literal.string("\\"))


def _substring(node: exp.Substring) -> exp.Expr:
    start = node.args.get("start")
    if isinstance(start, exp.Literal) and start.name == "0":
        start.replace(exp.Literal.number(1))
    return node


def _safe(node: exp.SafeFunc) -> exp.Expr:
    return _call("TRY", node.this.copy())


def _ordered(node: exp.Ordered) -> exp.Expr:
    if node.args.get("nulls_first") is None:
        # BigQuery sorts NULL as the smallest value.
        node.set("nulls_first", not node.args.get("desc"))
    return node


_FIXES: dict[type[exp.Expr], Callable[..., exp.Expr]] = {
    exp.Add: _plus_days,
    exp.ArgMax: _max_by,
    exp.ArgMin: _min_by,
    exp.ArrayAgg: list_aggregate,
    exp.Bracket: _bracket,
    exp.Cast: _cast,
    exp.CountIf: _count_if,
    exp.DateAdd: _date_add,
    exp.DateSub: _date_sub,
    exp.DateTrunc: _date_trunc,
    exp.Extract: _extract,
    exp.IgnoreNulls: list_aggregate,
    exp.JSONExtract: _json_part,
    exp.JSONExtractArray: _json_list,
    exp.JSONExtractScalar: _json_scalar,
    exp.JSONValueArray: _json_text_list,
    exp.Like: _like,
    exp.Literal: _number,
    exp.LogicalAnd: _logical_and,
    exp.LogicalOr: _logical_or,
    exp.Ordered: _ordered,
    exp.SafeFunc: _safe,
    exp.Sub: _plus_days,
    exp.Substring: _substring,
    exp.Table: correlated_array,
    exp.TimestampDiff: _timestamp_diff,
    exp.TryCast: _cast,
    exp.Unnest: unnest,
}
