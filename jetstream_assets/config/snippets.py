"""A SQL snippet is one expression, one table or one query, and never a statement that writes.

Belongs here: checking snippets as they are resolved, so that a mistake is told with its file and
key. Does not: turning them into queries (`sql`), whether their tables and columns exist (the
warehouse).
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING

import sqlglot
from sqlglot import TokenType, exp
from sqlglot.dialects.dialect import Dialect
from sqlglot.errors import ParseError, SqlglotError

from jetstream_assets.config.wording import cut, shown

if TYPE_CHECKING:
    from collections.abc import Callable

    from jetstream_assets.config.layers import Origin

_DIALECT = "bigquery"
_COLUMN_PATH = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*", re.ASCII)
_NAME = re.compile(r"[A-Za-z0-9_]+", re.ASCII)
_WRITES = (exp.DDL, exp.DML, exp.Command)
# Organisations have a few thousand distinct snippets; many experiments share them.
_CACHED = 16_384


def expression(text: str, origin: Origin) -> str:
    """The text, if it is a single expression.

    Raises:
        ConfigError: It is not, or cannot be parsed.
    """
    return _checked(text, origin, _expression_problem)


def relation(text: str, origin: Origin) -> str:
    """The text, if it is a single table or a query in parentheses.

    Raises:
        ConfigError: It is not, or cannot be parsed.
    """
    return _checked(text, origin, _relation_problem)


def query(text: str, origin: Origin) -> str:
    """The text, if it is a single query.

    Raises:
        ConfigError: It is not, or cannot be parsed.
    """
    return _checked(text, origin, _query_problem)


def column(text: str, origin: Origin) -> str:
    """The text, if it is a column or a path to a field in one.

    Raises:
        ConfigError: It is not.
    """
    if _COLUMN_PATH.fullmatch(text) is None:
        raise origin.error(f"{shown(text)} is no column; write names, with dots between fields.")
    return text


def name(text: str, origin: Origin) -> str:
    """The text, if it can name a column of results: letters, digits and underscores.

    Raises:
        ConfigError: It cannot.
    """
    if _NAME.fullmatch(text) is None:
        raise origin.error(f"{shown(text)} is no name; use letters, digits and underscores.")
    return text


def _checked(text: str, origin: Origin, problem_of: Callable[[str], str]) -> str:
    stripped = text.strip()
    problem = problem_of(stripped)
    if problem:
        raise origin.error(problem)
    return stripped


@lru_cache(maxsize=_CACHED)
def _expression_problem(text: str) -> str:
    return _problem(text, _is_expression, "a single SQL expression")


@lru_cache(maxsize=_CACHED)
def _relation_problem(text: str) -> str:
    return _problem(text, _is_relation, "a single table or a query in parentheses")


@lru_cache(maxsize=_CACHED)
def _query_problem(text: str) -> str:
    return _problem(text, _is_query, "a single query")


def _problem(text: str, is_allowed: Callable[[str], bool], allowed: str) -> str:
    try:
        if not text:
            return f"The SQL is empty; it must be {allowed}."
        if _has_semicolon(text):
            return f"The SQL has a semicolon; it must be {allowed}."
        return "" if is_allowed(text) else f"The SQL is not {allowed}."
    except ParseError as error:
        return f"The SQL cannot be parsed, {_position(error)}; it must be {allowed}."
    except SqlglotError as error:
        return f"The SQL cannot be read: {cut(str(error))}; it must be {allowed}."
    except RecursionError:
        return "The SQL is nested too deeply."


def _has_semicolon(text: str) -> bool:
    tokens = Dialect.get_or_raise(_DIALECT).tokenize(text)
    return any(token.token_type == TokenType.SEMICOLON for token in tokens)


def _is_expression(text: str) -> bool:
    tree = sqlglot.parse_one(text, dialect=_DIALECT)
    # `ARRAY_AGG(x IGNORE NULLS)` has its modifier outside of it.
    while isinstance(tree, exp.IgnoreNulls | exp.RespectNulls):
        tree = tree.this
    return isinstance(tree, exp.Condition | exp.Subquery) and not _writes(tree)


def _is_relation(text: str) -> bool:
    select = exp.select("*").from_(text, dialect=_DIALECT)
    source = select.args["from_"].this
    is_one = isinstance(source, exp.Table | exp.Subquery) and not source.args.get("joins")
    return is_one and not _writes(select)


def _is_query(text: str) -> bool:
    tree = sqlglot.parse_one(text, dialect=_DIALECT)
    return isinstance(tree, exp.Query) and not _writes(tree)


def _writes(tree: exp.Expr) -> bool:
    return tree.find(*_WRITES) is not None


def _position(error: ParseError) -> str:
    if not error.errors:
        return str(error)
    first = error.errors[0]
    return f"line {first['line']}, column {first['col']}: {first['description']}"
