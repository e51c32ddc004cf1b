"""Walking a table's folders finds what the pattern that DuckDB reads it by matches."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

import pytest

from jetstream_assets.warehouse.parquet_files import Days, day_of_folders, files_below

if TYPE_CHECKING:
    from pathlib import Path

JANUARY = Days(date(2024, 1, 1), date(2024, 1, 31))


def _write(root: Path, *names: str) -> None:
    for name in names:
        file = root / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()


def _found(folder: Path, days: Days | None = None) -> list[str]:
    return sorted(path.removeprefix(f"{folder}/") for path in files_below(str(folder), days))


def test_every_parquet_file_below_a_folder_is_found(tmp_path: Path) -> None:
    _write(tmp_path, "a.parquet", "x/b.parquet", "x/y=1/c.parquet", "x/d.csv", "x/.e.parquet")
    _write(tmp_path, "named.parquet/f.parquet", ".hidden/g.parquet")
    assert _found(tmp_path) == [
        *(".hidden/g.parquet", "a.parquet", "named.parquet/f.parquet"),
        *("x/b.parquet", "x/y=1/c.parquet"),
    ]
    assert {tmp_path / name for name in _found(tmp_path)} == {
        file for file in tmp_path.glob("**/[!.]*.parquet") if file.is_file()
    }


def test_a_link_to_a_file_is_a_file_and_one_to_a_folder_is_not_followed(tmp_path: Path) -> None:
    _write(tmp_path, "other/a.parquet", "table/b.parquet")
    (tmp_path / "table" / "linked.parquet").symlink_to(tmp_path / "other" / "a.parquet")
    (tmp_path / "table" / "folder").symlink_to(tmp_path / "other")
    assert _found(tmp_path / "table") == ["b.parquet", "linked.parquet"]
    (tmp_path / "whole").symlink_to(tmp_path / "table")
    assert _found(tmp_path / "whole") == ["b.parquet", "linked.parquet"]


@pytest.mark.parametrize("name", ["nowhere", "file.parquet"])
def test_where_there_is_no_folder_there_are_no_files(tmp_path: Path, name: str) -> None:
    _write(tmp_path, "file.parquet")
    assert _found(tmp_path / name) == []


def test_folders_of_other_days_are_left_out_and_all_else_is_found(tmp_path: Path) -> None:
    _write(tmp_path, "day=2023-12-31/a.parquet", "day=2024-01-01/b.parquet")
    _write(tmp_path, "day=2024-01-31/c.parquet", "day=2024-02-01/d.parquet")
    _write(tmp_path, "undated.parquet", "region=eu/day=2024-01-02/e.parquet")
    _write(tmp_path, "region=eu/day=2024-03-02/f.parquet", "day=soon/g.parquet")
    assert _found(tmp_path, JANUARY) == [
        *("day=2024-01-01/b.parquet", "day=2024-01-31/c.parquet", "day=soon/g.parquet"),
        *("region=eu/day=2024-01-02/e.parquet", "undated.parquet"),
    ]


def test_the_first_folder_with_a_day_decides(tmp_path: Path) -> None:
    _write(tmp_path, "day=2024-01-05/loaded=2024-02-09/a.parquet")
    _write(tmp_path, "day=2024-02-05/loaded=2024-01-09/b.parquet")
    assert _found(tmp_path, JANUARY) == ["day=2024-01-05/loaded=2024-02-09/a.parquet"]
    assert day_of_folders("day=2024-01-05/loaded=2024-02-09") == date(2024, 1, 5)
    assert day_of_folders("region=eu/day=2024-01-05") == date(2024, 1, 5)
    assert day_of_folders("region=eu/day=2024-13-05") is None
