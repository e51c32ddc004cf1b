"""DuckDB's errors in the words and with the reasons of BigQuery.

Belongs here: the sentences that callers may look for, as the service writes them. Does not: errors
that never reach DuckDB. A place in the statement (`at [1:8]`) is always the first one.
"""

from __future__ import annotations

import re
from contextlib import contextmanager
from typing import TYPE_CHECKING

import duckdb
import pyarrow as pa

from jetstream_assets.errors import QueryError
from jetstream_assets.warehouse.duckdb_errors import shortened
from jetstream_assets_tests.bigquery.refusals import Refusal, invalid_query

if TYPE_CHECKING:
    from collections.abc import Iterator

_UNKNOWN = (
    re.compile(r'Referenced column "(?P<name>[^"]+)" (?:was )?not found'),
    re.compile(r'does not have a column named "(?P<name>[^"]+)"'),
)
_CANDIDATE = re.compile(r'Candidate bindings: "(?P<name>[^"]+)"')
_NO_FUNCTION = re.compile(r"Function with name \"?(?P<name>\w+)\"? does not exist")
_CONVERSION = re.compile(r"Could not convert string '(?P<text>[^']*)' to (?P<kind>\w+)")
_SENTENCES = (
    (re.compile("[Dd]ivision by zero"), "division by zero"),
    (re.compile("More than one row"), "Scalar subquery produced more than one element"),
)
_KINDS = {"BIGINT": "int64", "DATE": "date", "DOUBLE": "double", "BOOLEAN": "bool"}


@contextmanager
def as_bigquery_says() -> Iterator[None]:
    """Turn errors of the translation and of DuckDB into refusals."""
    try:
        yield
    except Refusal:
        raise
    except QueryError as error:
        raise invalid_query(f"Function not found: {error}") from error
    except duckdb.InterruptException:
        raise
    except duckdb.OutOfMemoryException as error:
        message = "Resources exceeded during query execution: Not enough resources."
        raise Refusal("resourcesExceeded", message) from error
    except (duckdb.InternalException, duckdb.FatalException, duckdb.IOException) as error:
        raise Refusal("internalError", shortened(str(error))) from error
    except (duckdb.Error, pa.ArrowException) as error:
        raise invalid_query(_sentence(shortened(str(error)))) from error


def _sentence(message: str) -> str:
    for pattern in _UNKNOWN:
        if found := pattern.search(message):
            near = _CANDIDATE.search(message)
            guess = f"; Did you mean {near['name'].split('.')[-1]}?" if near else ""
            return f"Unrecognized name: {found['name']}{guess} at [1:8]"
    if found := _NO_FUNCTION.search(message):
        return f"Function not found: {found['name']} at [1:8]"
    if found := _CONVERSION.search(message):
        kind = _KINDS.get(found["kind"], found["kind"].lower())
        return (
            f"Bad {kind} value: {found['text']}"
            if kind != "date"
            else (f"Invalid date: '{found['text']}'")
        )
    for pattern, sentence in _SENTENCES:
        if pattern.search(message):
            return sentence
    return message
