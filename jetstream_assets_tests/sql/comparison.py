"""Answers of a query against answers of the oracle, column by column."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterable

METRICS_KEY = ("period", "window_index", "analysis_basis", "analysis_id")


def assert_same_answers(
    found: Iterable[dict[str, Any]], expected: Iterable[dict[str, Any]], key: tuple[str, ...]
) -> None:
    """Equal rows by key. What the oracle has no answer for must be NULL in the query's row."""
    by_key = {tuple(row[column] for column in key): row for row in expected}
    rows = {tuple(row[column] for column in key): row for row in found}
    assert rows.keys() == by_key.keys()
    assert rows
    for place, row in rows.items():
        assert by_key[place].keys() <= row.keys()
        wanted = {column: by_key[place].get(column) for column in row}
        assert row == pytest.approx(wanted), place
