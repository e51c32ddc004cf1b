"""A snippet of SQL is data until it is parsed; from then on it is a tree, never text again.

Belongs here: parsing what a configuration wrote (one expression, one query, one relation, one
column path) and the few scalar trees that every question uses. Does not: data sources and their
joins (`sources`), whole questions (`enrollments`, `metrics`).

Every function that parses raises `QueryError`, since a snippet that cannot be parsed can never be
answered by a warehouse: the cell that asked stores it as its reason.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, TypeVar, cast

from sqlglot import exp
from sqlglot.dialects.dialect import Dialect
from sqlglot.errors import ParseError, SqlglotError, TokenError

from jetstream_assets.errors import QueryError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import date

DIALECT = "bigquery"

_Tree = TypeVar("_Tree", bound=exp.Expr)


def parse_expression(text: str, what: str) -> exp.Expr:
    """One SQL expression without alias, such as a metric's aggregate.

    Args:
        text: The snippet in BigQuery's dialect.
        what: Who wrote it, for the message: ``metric 'spend'``.

    Raises:
        QueryError: The text is empty, not SQL, several expressions, an alias or a statement.
    """
    return _parsed(text, exp.Condition, exp.Expr, what, "one expression without an alias")


def parse_query(text: str, what: str) -> exp.Query:
    """One query (SELECT, WITH or a set operation), in parentheses or not.

    Raises:
        QueryError: The text is empty, not SQL, several statements or not a query.
    """
    return _parsed(text, None, exp.Query, what, "one query and no other statement")


def parse_relation(text: str, what: str) -> exp.Expr:
    """A table name or a query in parentheses, without alias.

    Raises:
        QueryError: The text is anything else.
    """
    allowed = "a table name or one query in parentheses"
    if text.lstrip().startswith("("):
        return _parsed(text, None, exp.Subquery, what, allowed)
    return _parsed(text, exp.Table, exp.Table, what, allowed)


def parse_column_path(text: str, table: str, what: str) -> exp.Expr:
    """A column, or a field inside one (``client_info.client_id``), of the relation ``table``.

    Raises:
        QueryError: The text is not a path of names.
    """
    path = _parsed(text, exp.Condition, exp.Expr, what, "a column's name, dots allowed")
    parts = path.parts if isinstance(path, (exp.Column, exp.Dot)) else []
    if not parts or not all(isinstance(part, exp.Identifier) for part in parts):
        raise QueryError(f"{what}: {text!r} is not a column's name (dots allowed)", text)
    column: exp.Expr = exp.column(parts[0].copy(), table=table)
    for part in parts[1:]:
        column = exp.Dot(this=column, expression=part.copy())
    return column


def template(text: str, **values: exp.Expr) -> exp.Select:
    """A SELECT of this package's own, with trees in the places of its ``:name`` placeholders."""
    # Filling copies what was parsed. The result is copied once more, since a value that is used
    # twice would be one node with two parents.
    filled = cast("exp.Select", exp.replace_placeholders(_built_in(text), **values).copy())
    # A placeholder in FROM is a table's name to the parser, so a table is now in a table.
    for outer in list(filled.find_all(exp.Table)):
        if isinstance(outer.this, exp.Table):
            inner = outer.this
            inner.set("alias", outer.args.get("alias"))
            outer.replace(inner)
    return filled


@lru_cache(maxsize=128)
def _built_in(text: str) -> exp.Select:
    return _parsed(text, None, exp.Select, "a built-in query", "one SELECT")


def name(text: str) -> exp.Identifier:
    """A quoted identifier for a name that a configuration chose."""
    return exp.to_identifier(text, quoted=True)


def text_literal(text: str) -> exp.Expr:
    """A string as data, whatever it contains."""
    return exp.Literal.string(text)


def date_literal(day: date) -> exp.Expr:
    """A DATE."""
    return exp.cast(exp.Literal.string(day.isoformat()), exp.DType.DATE)


def int64(number: int | exp.Expr) -> exp.Expr:
    """An INT64; dialects disagree on the width of a bare number and of a sum."""
    return exp.cast(exp.convert(number), exp.DType.BIGINT)


def string(value: exp.Expr) -> exp.Expr:
    """The value as STRING, so that numeric ids of units can be compared with stored ones."""
    return exp.cast(value, exp.DType.TEXT)


def map_value(mapping: exp.Expr, key: str) -> exp.Expr:
    """The value of ``key`` in an array of (key, value) structs; NULL where there is none."""
    function = exp.Anonymous(this="get_key", expressions=[mapping, text_literal(key)])
    return exp.Dot.build([exp.to_identifier("mozfun"), exp.to_identifier("map"), function])


def between_days(day: exp.Expr, anchor: exp.Expr, start: int, end: int) -> exp.Expr:
    """Whether ``day`` lies ``start`` to ``end`` days after ``anchor``, both inclusive.

    Counting days, instead of adding an interval to the anchor, keeps DATE a DATE in every dialect.
    """
    distance = exp.DateDiff(this=day, expression=anchor, unit=exp.var("DAY"))
    return exp.Between(this=distance, low=exp.convert(start), high=exp.convert(end))


def between_dates(day: exp.Expr, first: date, last: date) -> exp.Expr:
    """Whether ``day`` lies between two constant dates, both inclusive; scans prune on it."""
    return exp.Between(this=day, low=date_literal(first), high=date_literal(last))


def check_distinct(names: Iterable[str], what: str) -> None:
    """Refuse two columns of one name; warehouses do not tell upper from lower case.

    Raises:
        QueryError: A name occurs twice.
    """
    seen: set[str] = set()
    for column in names:
        if column.lower() in seen:
            raise QueryError(f"{what}: the column {column!r} would exist twice; rename one")
        seen.add(column.lower())


def _parsed(
    text: str,
    into: type[exp.Expr] | None,
    kind: type[_Tree],
    what: str,
    allowed: str,
) -> _Tree:
    dialect = Dialect.get_or_raise(DIALECT)
    try:
        trees = dialect.parse_into(into, text) if into else dialect.parse(text)
    except SqlglotError as error:
        raise QueryError(f"{what}: {_reason(error)}; allowed is {allowed}", text) from None
    found = [tree for tree in trees if tree is not None]
    if len(found) != 1 or not isinstance(found[0], kind):
        raise QueryError(f"{what}: {text.strip()[:80]!r} is not {allowed}", text)
    return found[0]


def _reason(error: SqlglotError) -> str:
    if isinstance(error, ParseError) and error.errors:
        first = error.errors[0]
        place = f"line {first['line']}, column {first['col']}"
        description = str(first["description"]).split(" <Token", maxsplit=1)[0]
        return f"SQL is wrong at {place} near {first['highlight']!r} ({description})"
    if isinstance(error, TokenError):
        return "SQL cannot be read, such as for a quote that is never closed"
    return f"SQL is wrong ({error})"
