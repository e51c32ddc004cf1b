"""Names in BigQuery, made of untrusted text: tables, columns, labels, jobs.

Belongs here: which names are allowed, and one for every text. Does not: what is stored under them.
"""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Container

# Two underscores part a table's name from its experiment's, and no experiment's name has two in
# sequence except before a digest: so no table of one experiment is named like one of another.
SEPARATOR = "__"
MANIFEST = "slices"
SCRATCH = "scratch"

_PLAIN_SLUG = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
_LONGEST_SLUG = 200
_DATASET = re.compile(r"[A-Za-z0-9_]{1,1024}")
_PROJECT = re.compile(r"[A-Za-z0-9.:-]{1,128}")
# Letters, marks, digits, connectors, dashes and spaces.
_TABLE = re.compile(r"[\w\u0300-\u036f \u2010-\u2015-]{1,1024}(\$[0-9]+)?")
_NOT_PLAIN = re.compile(r"[^a-z0-9]+")
_NO_LABEL = re.compile(r"[^a-z0-9_-]")
_LONGEST_LABEL = 63
_DIGEST = 16
_SHORT_DIGEST = 8
_JOB_DIGEST = 40


def digest(*texts: str) -> str:
    """A digest that differs when any of the texts does."""
    told = hashlib.sha256()
    for text in texts:
        encoded = text.encode("utf-8", "surrogatepass")
        told.update(f"{len(encoded)}:".encode() + encoded)
    return told.hexdigest()


def experiment_name(slug: str) -> str:
    """The part of tables' names that stands for an experiment, one to one.

    A slug of small letters, digits and single hyphens has underscores in their place, as the
    original wrote it; any other is a readable rest and a digest.
    """
    if _PLAIN_SLUG.fullmatch(slug) and len(slug) <= _LONGEST_SLUG:
        return slug.replace("-", "_")
    readable = _NOT_PLAIN.sub("_", slug.lower())[:_LONGEST_SLUG].strip("_") or "x"
    return f"{readable}{SEPARATOR}{digest(slug)[:_DIGEST]}"


def table_name(table: str, slug: str) -> str:
    """The table that holds all slices of a result table and an experiment."""
    return f"{table}{SEPARATOR}{experiment_name(slug)}"


def is_dataset(text: str) -> bool:
    """Whether a text may name a dataset."""
    return _DATASET.fullmatch(text) is not None


def is_table_path(parts: list[str]) -> bool:
    """Whether ``[project, dataset, table]`` or its end may name a table."""
    rules = (_PROJECT, _DATASET, _TABLE)[-len(parts) :]
    return 0 < len(parts) <= len(rules) and all(
        rule.fullmatch(part) for rule, part in zip(rules, parts, strict=True)
    )


def column_name(name: str, kind: str, taken: Container[str]) -> str:
    """A free name for a column whose own name is taken by one of another type.

    Args:
        name: The column's own name.
        kind: Its type as text.
        taken: Names in small letters that other columns have.
    """
    readable = _NOT_PLAIN.sub("_", kind.lower()).strip("_")[:_DIGEST]
    found = f"{name}{SEPARATOR}{readable}"
    if found.lower() not in taken:
        return found
    return f"{found}_{digest(name, kind)[:_SHORT_DIGEST]}"


def label_value(text: str) -> str:
    """A label's value for any text: itself where it is allowed, else a readable rest and a digest.

    Values have up to 63 small letters, digits, ``_`` and ``-``.
    """
    plain = _NO_LABEL.sub("_", text.lower())
    if plain == text and len(text) <= _LONGEST_LABEL:
        return text
    kept = plain[: _LONGEST_LABEL - _SHORT_DIGEST - 1]
    return f"{kept}-{digest(text)[:_SHORT_DIGEST]}"


def job_name(kind: str, *decisive: str) -> str:
    """The start of a job's id, the same whenever all that decides its result is.

    Args:
        kind: A word for people who read the list of jobs.
        decisive: Everything that decides what the job does.
    """
    return f"jetstream-{label_value(kind)}-{digest(*decisive)[:_JOB_DIGEST]}"
