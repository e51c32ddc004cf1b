"""An organisation's functions that are not shipped, from a SQL file of its own.

Belongs here: reading the file and refusing what is no macro of a value. Does not: the macros that
are shipped (`duckdb_macros`), which of them a function's name means (`duckdb_functions`).
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb

from jetstream_assets.errors import SettingsError
from jetstream_assets.warehouse.duckdb_macros import DIALECT_MACROS, create_macros

if TYPE_CHECKING:
    from collections.abc import Iterator

_DIGEST_LENGTH = 12
_ALLOWED = "CREATE MACRO name(arguments) AS expression"
_NO_ACCESS: dict[str, str | bool | int | float | list[str]] = {
    "enable_external_access": False,
    "autoload_known_extensions": False,
}
_MARK = "+macros."
_NONE = "none"
# A temporary macro would be known to the connection that makes it, and to no cursor of it.
_DEFINITIONS = """
SELECT lower(function_name), function_type, list((parameters, macro_definition))
FROM duckdb_functions()
WHERE function_type IN ('macro', 'table_macro')
  AND database_name = 'memory' AND schema_name = 'main'
GROUP BY ALL
"""


@dataclass(frozen=True)
class OwnMacros:
    """Macros beyond the shipped ones.

    Args:
        names: Their names in lower case, such as ``search_monetized``.
        statements: The statements that create them, in the file's order.
        digest: What tells their meaning from that of others; empty when there are none.
    """

    names: frozenset[str] = frozenset()
    statements: tuple[str, ...] = ()
    digest: str = ""

    def create(self, connection: duckdb.DuckDBPyConnection) -> None:
        """Create them in a database that has the shipped ones."""
        for statement in self.statements:
            connection.execute(statement)

    def marked(self, code_version: str) -> str:
        """The version to store with what is computed by these macros, too."""
        return f"{code_version}{_MARK}{self.digest}" if self.digest else code_version

    def unmarked(self, stored: str) -> str:
        """The version of the code alone, where it was stored with these macros.

        Other macros, or having none where there are some now, keep the version different.
        """
        code_version, _, digest = stored.partition(_MARK)
        is_same = digest == self.digest
        return code_version if is_same else f"{code_version}{_MARK}{digest or _NONE}"


NO_MACROS = OwnMacros()


def read_macros(path: str | Path | None) -> OwnMacros:
    """The macros of a file; none without a file.

    Args:
        path: SQL in DuckDB's dialect: nothing but ``CREATE [OR REPLACE] MACRO name(arguments) AS
            expression``. OR REPLACE takes the place of a shipped macro of the organisation's
            functions.

    Raises:
        SettingsError: The file cannot be read, a statement is none of these, DuckDB refuses it, or
            it would change a macro by which BigQuery's own functions are translated.
    """
    if path is None:
        return NO_MACROS
    try:
        text = Path(path).read_text(encoding="utf-8")
        statements = duckdb.extract_statements(text)
    except (OSError, UnicodeDecodeError, duckdb.ParserException) as error:
        raise SettingsError(f"The macros of {path} cannot be read: {error}") from None
    with duckdb.connect(config=_NO_ACCESS) as scratch:
        create_macros(scratch)
        made = [
            one
            for number, statement in enumerate(statements, start=1)
            for one in _made(scratch, statement, f"Statement {number} of the macros of {path}")
        ]
    told = hashlib.sha256(repr(made).encode()).hexdigest()[:_DIGEST_LENGTH] if made else ""
    return OwnMacros(frozenset(name for name, _ in made), tuple(s.query for s in statements), told)


def _made(
    scratch: duckdb.DuckDBPyConnection, statement: duckdb.Statement, what: str
) -> Iterator[tuple[str, str]]:
    """The names and definitions of the macros of values that a statement creates."""
    if statement.type is not duckdb.StatementType.CREATE:
        kind = statement.type.name
        raise SettingsError(f"{what} is a statement of type {kind}. Allowed is {_ALLOWED}.")
    before = _definitions(scratch)
    try:
        scratch.execute(statement)
    except duckdb.Error as error:
        remedy = " CREATE OR REPLACE takes its place." if "already exists" in str(error) else ""
        raise SettingsError(f"{what} is refused by DuckDB: {error}{remedy}") from None
    changed = _definitions(scratch).items() - before.items()
    if not changed or any(kind != "macro" for (_, kind), _ in changed):
        raise SettingsError(f"{what} creates no new macro of a value. Allowed is {_ALLOWED}.")
    for (name, _), definition in changed:
        if name in DIALECT_MACROS:
            raise SettingsError(
                f"{what} would change {name}, by which BigQuery's own functions are translated. "
                "Choose another name."
            )
        yield name, definition


def _definitions(scratch: duckdb.DuckDBPyConnection) -> dict[tuple[str, str], str]:
    found = scratch.execute(_DEFINITIONS).fetchall()
    return {(name, kind): repr(told) for name, kind, told in found}
