"""The order of the tests changes nothing but when they run."""

from __future__ import annotations

from itertools import groupby, pairwise
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from jetstream_assets_tests.order import begun_in_order

ROOT = Path(__file__).parent


def _items(*files: str) -> list[Any]:
    return [
        SimpleNamespace(path=ROOT / file, name=f"{file}::{number}")
        for file in files
        for number in range(3)
    ]


def test_every_test_is_run_once_and_files_stay_whole() -> None:
    items = _items(*(f"sql/test_{n}.py" for n in range(20)), "k8s/test_a.py", "ui/test_b.py")
    ordered = begun_in_order(items)
    assert sorted(item.name for item in ordered) == sorted(item.name for item in items)
    files = [path for path, _ in groupby(item.path for item in ordered)]
    assert len(files) == len(set(files)) == 22
    assert [item for item in ordered if "sql" in item.path.parts] == items[:60]


def test_those_that_wait_are_spread_and_none_is_last() -> None:
    computing = [f"sql/test_{n}.py" for n in range(20)]
    items = _items(*(f"k8s/test_{n}.py" for n in range(3)), *computing, "processes/test_z.py")
    files = [path for path, _ in groupby(item.path for item in begun_in_order(items))]
    places = [number for number, path in enumerate(files) if path.parent.name != "sql"]
    assert files[0].parent.name == "processes"
    assert all(later - earlier > 2 for earlier, later in pairwise(places))
    assert places[-1] < 16


def test_without_any_of_a_kind_the_order_stays() -> None:
    for files in (["sql/test_a.py", "sql/test_b.py"], ["k8s/test_a.py"], []):
        items = _items(*files)
        assert begun_in_order(items) == items
