"""What is wrong in a file by itself: no TOML, wrong types, keys that nothing reads.

Belongs here: findings that need no other file. Does not: what names refer to (`meaning`).
"""

from __future__ import annotations

import tomllib
from typing import TYPE_CHECKING

from pydantic import ValidationError

from jetstream_assets.authoring.findings import Finding, Severity
from jetstream_assets.authoring.positions import broken_place, positions
from jetstream_assets.config.wording import every_problem

if TYPE_CHECKING:
    from collections.abc import Iterator

    from jetstream_assets.config.document import Document
    from jetstream_assets.config.schema.base import Table


def written_findings(document: Document[Table]) -> Iterator[Finding]:
    """Every mistake of a file; the first alone where it cannot be read, none of another tool's."""
    if document.is_foreign:
        return
    problem = document.problem
    if problem is None:
        for unknown in document.unknown_keys:
            message = f"The key is not known and is ignored. {unknown.suggestion}"
            yield found_at(document, unknown.key, message.strip(), Severity.WARNING)
        return
    problems = list(_problems(document)) or [(problem.key, f"{problem.problem} {problem.remedy}")]
    for key, sentence in problems:
        yield found_at(document, key, sentence.strip())


def found_at(
    document: Document[Table], key: str, message: str, severity: Severity = Severity.ERROR
) -> Finding:
    """A finding at a key of a file."""
    content = document.content
    line, column = positions(content).of(key) if isinstance(content, bytes) and key else (0, 0)
    if not key:
        line, column = broken_place(message)
    return Finding(document.path, line, column, severity, key, message)


def _problems(document: Document[Table]) -> Iterator[tuple[str, str]]:
    """Every value that is not allowed, where the file is TOML."""
    if not isinstance(document.content, bytes):
        return
    try:
        document.model.model_validate(tomllib.loads(document.content.decode("utf-8-sig")))
    except ValidationError as error:
        yield from every_problem(error)
    except (UnicodeDecodeError, tomllib.TOMLDecodeError, RecursionError):
        return
