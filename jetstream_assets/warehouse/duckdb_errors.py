"""DuckDB's exceptions, as ours: what the query says is wrong, or the warehouse is in trouble.

Belongs here: the table of exception classes and the shortening of messages. Does not: messages
about tables that are not there (`parquet_relations`), which never reach DuckDB.
"""

from __future__ import annotations

import re
from contextlib import contextmanager
from typing import TYPE_CHECKING

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from jetstream_assets.errors import QueryError, WarehouseError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

# Asking again gives the same answer.
REFUSALS: tuple[type[duckdb.Error], ...] = (
    duckdb.ParserException,
    duckdb.SyntaxException,
    duckdb.BinderException,
    duckdb.CatalogException,
    duckdb.ConversionException,
    duckdb.OutOfRangeException,
    duckdb.TypeMismatchException,
    duckdb.InvalidTypeException,
    duckdb.InvalidInputException,  # division by zero and damaged Parquet files, too
    duckdb.NotImplementedException,
    duckdb.NotSupportedError,
    duckdb.ConstraintException,
    duckdb.DependencyException,
    duckdb.PermissionException,  # a file outside of the warehouse
    duckdb.SequenceException,
    duckdb.SerializationException,
)
# The machine, the disk or the process is at fault; asking again may work.
TROUBLES: tuple[type[duckdb.Error], ...] = (
    duckdb.IOException,
    duckdb.HTTPException,
    duckdb.OutOfMemoryException,
    duckdb.ConnectionException,
    duckdb.TransactionException,
    duckdb.InterruptException,
    duckdb.ResourceInUseException,
    duckdb.InternalException,
    duckdb.FatalException,
)
# After these every further statement of the connection fails.
BROKEN: tuple[type[duckdb.Error], ...] = (duckdb.InternalException, duckdb.FatalException)

_TOO_SHORT = "Could not read enough bytes"
_LONGEST = 600
_LOCATION = re.compile(r"\n\s*\nLINE \d+:.*", re.DOTALL)
_KIND = re.compile(r"^[A-Z][A-Za-z ]+ Error: ")
_SETTING_ADVICE = re.compile(r"\s*Use (TRY\(|\"?SET ).*", re.DOTALL)


def _no_files() -> frozenset[str]:
    return frozenset()


@contextmanager
def as_warehouse_errors(
    sql: str, files: Callable[[], frozenset[str]] = _no_files
) -> Iterator[None]:
    """Turn DuckDB's exceptions into `QueryError` and `WarehouseError`.

    Args:
        sql: The statement, for the error.
        files: The files that the statement reads; asked for when one of them seems damaged.
    """
    try:
        yield
    except REFUSALS as refusal:
        raise QueryError(_refusal(refusal), sql) from refusal
    except duckdb.Error as trouble:
        message = shortened(str(trouble))
        # The Parquet reader raises the bare class for pages that it cannot decode.
        if type(trouble) is duckdb.Error:
            raise QueryError(_damage(_damaged(files()), message), sql) from trouble
        if _TOO_SHORT in message:
            raise QueryError(_damage("A Parquet file", message), sql) from trouble
        # TROUBLES, and any class that a later DuckDB may add.
        raise WarehouseError(f"DuckDB is in trouble: {message}") from trouble


def _damage(what: str, message: str) -> str:
    return f"{what} is damaged: {message}. Write it again or remove it."


def _damaged(files: frozenset[str]) -> str:
    """Which of the files cannot be read, by reading them one by one."""
    for file in sorted(files):
        try:
            with pq.ParquetFile(file) as parquet:
                for _ in parquet.iter_batches():
                    pass
        except (OSError, pa.ArrowException):
            return f"Parquet file {file}"
    return "A Parquet file of the tables that are named"


def _refusal(error: duckdb.Error) -> str:
    message = shortened(str(error))
    if isinstance(error, duckdb.InvalidInputException) and ".parquet'" in message.replace('"', "'"):
        return _damage("A Parquet file", message)
    if isinstance(error, duckdb.PermissionException):
        return f"SQL may read the warehouse's tables only, no files: {message}"
    return message


def shortened(message: str) -> str:
    """DuckDB's message in one or two lines: no class name, no position, no stack trace."""
    text = message.split("Stack Trace:", maxsplit=1)[0]
    text = _SETTING_ADVICE.sub("", _LOCATION.sub("", text))
    text = " ".join(_KIND.sub("", text.strip()).split())
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]} ..."
