"""Folders of days that a statement cannot need are not opened, and no row is missed by that."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pyarrow as pa
import pytest

from jetstream_assets.errors import WarehouseError
from jetstream_assets_tests.warehouse.laboratory import Laboratory, query, write_parquet

if TYPE_CHECKING:
    from pathlib import Path

DAYS = range(1, 13)
TWO_DAYS = "BETWEEN DATE '2024-01-02' AND DATE '2024-01-03'"
ALL = frozenset(DAYS)


def day_folder(root: Path, table: str, day: int) -> Path:
    return root / "telemetry" / table / f"submission_date=2024-01-{day:02}"


@pytest.fixture
def filled(duckdb: Laboratory, tmp_path: Path) -> Laboratory:
    """Twelve days of two tables with a row a day; ``n`` is the day."""
    for table in ("main", "events"):
        for day in DAYS:
            folder = day_folder(tmp_path / "warehouse", table, day)
            write_parquet(folder, pa.table({"unit": ["a"], "n": [day]}))
    return duckdb


def opened(laboratory: Laboratory, sql: str, table: str = "main") -> set[int]:
    """The days whose folders the statement reads."""
    statement = laboratory.warehouse.sql(query(sql.replace("TWO_DAYS", TWO_DAYS)))
    named = re.findall(rf"/telemetry/{table}/(?:submission_date=2024-01-(\d\d)/)?\*\*/", statement)
    assert named
    return {day for text in named for day in ([int(text)] if text else DAYS)}


def total(laboratory: Laboratory, sql: str) -> int | None:
    found: int | None = laboratory.warehouse.query(query(sql.replace("TWO_DAYS", TWO_DAYS)))["s"][
        0
    ].as_py()
    return found


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT SUM(n) AS s FROM telemetry.main AS ds WHERE ds.submission_date TWO_DAYS",
        "SELECT SUM(n) AS s FROM telemetry.main WHERE main.submission_date TWO_DAYS AND n > 0",
        (
            "SELECT SUM(n) AS s FROM (SELECT * FROM telemetry.main WHERE unit = 'a') AS ds "
            "WHERE ds.submission_date TWO_DAYS"
        ),
        (
            "SELECT SUM(ds.n) AS s FROM (SELECT DISTINCT unit FROM telemetry.main AS e "
            "WHERE e.submission_date TWO_DAYS) AS e "
            "LEFT JOIN telemetry.main AS ds ON ds.unit = e.unit AND ds.submission_date TWO_DAYS"
        ),
    ],
)
def test_only_the_days_of_a_range_are_opened(filled: Laboratory, sql: str) -> None:
    assert opened(filled, sql) == {2, 3}
    assert total(filled, sql) == 5


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("SELECT SUM(n) AS s FROM telemetry.main", 78),
        (
            (
                "SELECT SUM(n) AS s FROM telemetry.main AS ds "
                "WHERE ds.submission_date TWO_DAYS OR ds.n = 12"
            ),
            17,
        ),
        (
            "SELECT SUM(n) AS s FROM telemetry.main AS ds WHERE ds.submission_date NOT TWO_DAYS",
            73,
        ),
        (
            (
                "SELECT SUM(n) AS s FROM telemetry.main AS ds "
                "WHERE ds.submission_date BETWEEN DATE '2024-01-02' AND DATE '2024-01-09'"
            ),
            44,
        ),
        (
            (
                "SELECT SUM(n) AS s FROM telemetry.main AS ds "
                "WHERE ds.submission_date BETWEEN DATE '2025-01-02' AND DATE '2025-01-03'"
            ),
            None,
        ),
        ("SELECT SUM(n) AS s FROM telemetry.main AS ds WHERE ds.n BETWEEN 2 AND 3", 5),
        # The newest row is looked for before the range is.
        (
            (
                "SELECT SUM(n) AS s FROM (SELECT * FROM telemetry.main ORDER BY n DESC LIMIT 1) ds "
                "WHERE ds.submission_date TWO_DAYS"
            ),
            None,
        ),
        # The condition is another table's.
        (
            (
                "SELECT SUM(main.n) AS s FROM telemetry.main JOIN telemetry.events AS ds "
                "ON ds.unit = main.unit AND ds.submission_date TWO_DAYS"
            ),
            156,
        ),
        # A join that keeps every row of the table keeps those of other days.
        (
            (
                "SELECT SUM(ds.n) AS s FROM telemetry.events AS e RIGHT JOIN telemetry.main AS ds "
                "ON ds.unit = e.unit AND e.n = ds.n AND ds.submission_date TWO_DAYS"
            ),
            78,
        ),
        (
            (
                "SELECT SUM(ds.n) AS s FROM telemetry.main AS ds LEFT JOIN telemetry.events AS e "
                "ON ds.unit = e.unit AND e.n = ds.n AND ds.submission_date TWO_DAYS"
            ),
            78,
        ),
    ],
)
def test_every_day_is_opened_where_others_matter(
    filled: Laboratory, sql: str, expected: int | None
) -> None:
    assert opened(filled, sql) == ALL
    assert total(filled, sql) == expected


RANGE = "SELECT SUM(n) AS s FROM telemetry.main AS ds WHERE ds.submission_date TWO_DAYS"


@pytest.mark.parametrize(
    "other",
    [
        pa.table({"unit": ["a"], "n": [0.5]}),
        pa.table({"unit": ["a"], "n": [0], "more": [1]}),
        pa.table({"n": [0], "unit": ["a"]}),
    ],
)
def test_files_with_other_columns_or_types_are_read_with_all_others(
    filled: Laboratory, tmp_path: Path, other: pa.Table
) -> None:
    assert opened(filled, RANGE) == {2, 3}
    write_parquet(day_folder(tmp_path / "warehouse", "main", 12), other)
    assert opened(filled, RANGE) == ALL
    assert total(filled, RANGE) == 5


def test_a_damaged_file_is_named_whatever_its_day(filled: Laboratory, tmp_path: Path) -> None:
    (file,) = day_folder(tmp_path / "warehouse", "main", 12).glob("*.parquet")
    file.write_bytes(b"PAR1 damaged PAR1")
    assert opened(filled, RANGE) == ALL
    with pytest.raises(WarehouseError, match="2024-01-12"):
        total(filled, RANGE)


def test_a_folder_that_is_no_day_is_read(filled: Laboratory, tmp_path: Path) -> None:
    folder = tmp_path / "warehouse" / "telemetry" / "main" / "submission_date=unknown"
    write_parquet(folder, pa.table({"unit": ["a"], "n": [100]}))
    assert opened(filled, RANGE) == ALL


def test_a_day_that_comes_is_seen(filled: Laboratory, tmp_path: Path) -> None:
    assert total(filled, RANGE) == 5
    write_parquet(
        day_folder(tmp_path / "warehouse", "main", 3),
        pa.table({"unit": ["b"], "n": [9]}),
        "part-1.parquet",
    )
    assert total(filled, RANGE) == 14
