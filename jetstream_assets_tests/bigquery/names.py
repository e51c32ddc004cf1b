"""Names that BigQuery takes, and the keys of tables.

Belongs here: the rules on names of datasets, tables, columns, labels and jobs. Does not: what is
stored under a name.
"""

from __future__ import annotations

import re
import unicodedata
from typing import NamedTuple

from jetstream_assets_tests.bigquery.refusals import Json, Refusal, invalid

_DATASET = re.compile(r"[A-Za-z0-9_]{1,1024}")
_COLUMN = re.compile(r"[\w\- &%=+:'<>#|]{1,300}")
_LABEL = re.compile(r"[\w-]{0,63}")
_JOB = re.compile(r"[A-Za-z0-9_-]{1,1024}")
_TABLE_CATEGORIES = {"L", "M", "N"}
_MORE_OF_TABLES = {"Pc", "Pd", "Zs"}
_MOST_BYTES = 1024
_MOST_LABELS = 64


class TableKey(NamedTuple):
    """The name of a table, without the partition that a destination may name."""

    project: str
    dataset: str
    table: str

    def __str__(self) -> str:
        return f"{self.project}:{self.dataset}.{self.table}"

    @property
    def resource(self) -> Json:
        """The reference in an answer."""
        return {"projectId": self.project, "datasetId": self.dataset, "tableId": self.table}


def table_key(reference: Json) -> tuple[TableKey, str | None]:
    """A table and the partition behind ``$`` of a reference."""
    name, _, partition = reference["tableId"].partition("$")
    key = TableKey(reference["projectId"], reference["datasetId"], name)
    return key, partition or None


def check_dataset(name: str) -> None:
    """Letters, digits and ``_``."""
    if not _DATASET.fullmatch(name):
        raise invalid(
            f'Invalid dataset ID "{name}". Dataset IDs must be alphanumeric (plus underscores) and '
            "must be at most 1024 characters long."
        )


def check_table(name: str) -> None:
    """Letters, marks, numbers, connectors, dashes and spaces, in 1024 bytes."""
    kinds = {unicodedata.category(letter) for letter in name}
    is_good = all(kind[0] in _TABLE_CATEGORIES or kind in _MORE_OF_TABLES for kind in kinds)
    if not name or not is_good or len(name.encode()) > _MOST_BYTES:
        raise invalid(
            f'Invalid table ID "{name}". Table IDs must be alphanumeric (plus underscores) and '
            "must be at most 1024 characters long. Also, Table decorators cannot be used."
        )


def check_columns(names: list[str]) -> None:
    """Names of columns, of which no two may differ in case only."""
    seen: set[str] = set()
    for name in names:
        if not _COLUMN.fullmatch(name):
            raise invalid(
                f'Invalid field name "{name}". Fields must contain the allowed characters, and be '
                "at most 300 characters long."
            )
        if name.lower() in seen:
            raise invalid(f"Field {name} already exists in schema")
        seen.add(name.lower())


def check_job(name: str) -> None:
    """Letters, digits, ``_`` and ``-``."""
    if not _JOB.fullmatch(name):
        raise invalid(
            f'Invalid job ID "{name}". Job IDs must be alphanumeric (plus underscores and dashes) '
            "and must be at most 1024 characters long."
        )


def check_labels(labels: Json | None) -> None:
    """Keys and values of at most 63 lower case letters, digits, ``_`` and ``-``."""
    for key, value in (labels or {}).items():
        if not key or not _is_label(key) or key[0].isdigit() or key[0] == "-":
            raise _label_refusal("key", key)
        if not _is_label(value or ""):
            raise _label_refusal("value", value)
    if len(labels or {}) > _MOST_LABELS:
        raise invalid(f"Too many labels: at most {_MOST_LABELS} are allowed.")


def _is_label(text: str) -> bool:
    return bool(_LABEL.fullmatch(text)) and text == text.lower()


def _label_refusal(what: str, text: str) -> Refusal:
    return invalid(
        f'Label {what} "{text}" has invalid characters or is too long. Only lower case letters, '
        "digits, underscores and dashes are allowed, at most 63 of them."
    )
