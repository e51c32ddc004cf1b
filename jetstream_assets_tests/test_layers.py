from __future__ import annotations

import ast
import re
import tomllib
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import jetstream_assets

if TYPE_CHECKING:
    from collections.abc import Iterator

PACKAGE = "jetstream_assets"
ROOT = Path(jetstream_assets.__file__).parent
# Lowest first. A room imports from lower floors and from itself, not from its neighbours.
FLOORS = (
    ("errors",),
    ("experiments",),
    ("sql", "statistics", "warehouse"),
    ("config", "report", "simulation", "analysis"),
    ("orchestration", "authoring"),
    ("definitions",),
    ("cli", "results"),
)
FLOOR_OF = {room: number for number, rooms in enumerate(FLOORS) for room in rooms}
# Notebooks load it, and nothing else does: it stands on the highest floor.
ROOMS_OF_NOTEBOOKS = {"results"}
ROOMS_WITH_DAGSTER = {"orchestration", "definitions", "cli"}
_SETTINGS = tomllib.loads((ROOT.parent / "pyproject.toml").read_text())
HEAVY = tuple(
    _SETTINGS["tool"]["ruff"]["lint"]["flake8-tidy-imports"]["banned-module-level-imports"]
)


@dataclass(frozen=True)
class Import:
    """One imported name, as far as it is a module.

    ``at_load`` is whether loading the importing module loads it: not inside a function, not only
    for types.
    """

    importer: str
    line: int
    target: str
    at_load: bool

    def __str__(self) -> str:
        return f"{self.importer}:{self.line} imports {self.target}"


class _Imports(ast.NodeVisitor):
    """Every import of a module, wherever it stands."""

    def __init__(self, importer: str, *, is_package: bool, modules: set[str]) -> None:
        self.importer = importer
        self.package = importer if is_package else importer.rpartition(".")[0]
        self.modules = modules
        self.at_load = True
        self.found: list[Import] = []

    def visit_Import(self, node: ast.Import) -> None:
        for alias in node.names:
            self._add(node.lineno, alias.name)

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        base = node.module or ""
        if node.level:
            parents = self.package.split(".")
            above = ".".join(parents[: len(parents) - node.level + 1])
            base = f"{above}.{base}".rstrip(".")
        for alias in node.names:
            whole = f"{base}.{alias.name}"
            # Of another distribution it cannot be told whether the name is a module or in one.
            is_ours = base.partition(".")[0] == PACKAGE
            self._add(node.lineno, base if is_ours and whole not in self.modules else whole)

    def visit_If(self, node: ast.If) -> None:
        self.visit(node.test)
        self._later(node.body, is_later="TYPE_CHECKING" in ast.unparse(node.test))
        self._later(node.orelse, is_later=False)

    def visit_FunctionDef(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        self._later(node.body, is_later=True)

    visit_AsyncFunctionDef = visit_FunctionDef  # noqa: N815 - the name that NodeVisitor looks for

    def _later(self, body: list[ast.stmt], *, is_later: bool) -> None:
        before, self.at_load = self.at_load, self.at_load and not is_later
        for statement in body:
            self.visit(statement)
        self.at_load = before

    def _add(self, line: int, target: str) -> None:
        self.found.append(Import(self.importer, line, target, self.at_load))


def module_name(root: Path, path: Path) -> str:
    parts = (PACKAGE, *path.relative_to(root).with_suffix("").parts)
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports(root: Path) -> list[Import]:
    paths = {module_name(root, path): path for path in sorted(root.rglob("*.py"))}
    found: list[Import] = []
    for name, path in paths.items():
        is_package = path.name == "__init__.py"
        visitor = _Imports(name, is_package=is_package, modules=set(paths))
        visitor.visit(ast.parse(path.read_text()))
        found.extend(visitor.found)
    return found


def room(module: str) -> str | None:
    """The room that a module is in; None for the package itself and for others' modules."""
    top, _, rest = module.partition(".")
    return rest.partition(".")[0] or None if top == PACKAGE else None


def is_or_is_in(module: str, package: str) -> bool:
    return module == package or module.startswith(f"{package}.")


def upward(found: list[Import]) -> Iterator[str]:
    for one in found:
        source, target = room(one.importer), room(one.target)
        if target is None or source == target:
            continue
        if source is None:
            yield f"{one}: the package itself imports nothing of its rooms"
        elif FLOOR_OF.get(target, 99) >= FLOOR_OF.get(source, -1):
            yield f"{one}: {source} may not import {target}"


def misplaced_dagster(found: list[Import]) -> Iterator[str]:
    for one in found:
        is_dagster = one.target.partition(".")[0].startswith("dagster")
        if is_dagster and room(one.importer) not in ROOMS_WITH_DAGSTER:
            yield f"{one}: Dagster belongs in {sorted(ROOMS_WITH_DAGSTER)}"


def heavy(found: list[Import]) -> Iterator[str]:
    for one in found:
        is_loaded = one.at_load and room(one.importer) not in ROOMS_OF_NOTEBOOKS
        if is_loaded and any(is_or_is_in(one.target, library) for library in HEAVY):
            yield f"{one} when it is loaded: import it in the function that uses it"


def circles(found: list[Import]) -> Iterator[str]:
    graph: dict[str, set[str]] = {}
    for one in found:
        if one.target.partition(".")[0] == PACKAGE:
            graph.setdefault(one.importer, set()).add(one.target)
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        yield "these modules import in a circle: " + " <- ".join(error.args[1])


RULES = (upward, misplaced_dagster, heavy, circles)


@pytest.fixture(scope="module")
def found() -> list[Import]:
    return imports(ROOT)


@pytest.mark.parametrize("rule", RULES)
def test_the_package_keeps_its_rules(rule: type, found: list[Import]) -> None:
    assert list(rule(found)) == []


def test_the_imports_are_really_read(found: list[Import]) -> None:
    targets = {one.target for one in found}
    assert f"{PACKAGE}.experiments.windows" in targets
    assert {room(one.importer) for one in found} - {None} <= set(FLOOR_OF)


def test_the_map_names_every_room_in_the_order_of_the_floors() -> None:
    text = (jetstream_assets.__doc__ or "").partition("Rooms, lowest floor first")[2]
    lines = re.findall(r"^    ([a-z]+/?(?:, [a-z]+/?)*) ", text, flags=re.MULTILINE)
    named = [room.rstrip("/") for line in lines for room in line.split(", ")]
    assert sorted(named) == sorted(FLOOR_OF)
    assert sorted(named, key=FLOOR_OF.__getitem__) == named


PLANTED = {
    "a neighbour": (upward, "sql/a.py", "from jetstream_assets.warehouse import base"),
    "a neighbour, for types": (
        upward,
        "config/a.py",
        "if TYPE_CHECKING:\n    from jetstream_assets.report.store import Document",
    ),
    "upwards, in a method": (
        upward,
        "errors.py",
        "class A:\n    async def f(self):\n        import jetstream_assets.warehouse.base",
    ),
    "upwards, relative": (upward, "experiments/a.py", "from ..sql import fragments"),
    "upwards, of the package": (upward, "sql/a.py", "from jetstream_assets import cli"),
    "a room that is on no floor": (upward, "cli/a.py", "import jetstream_assets.attic.b"),
    "from a room on no floor": (upward, "attic/b.py", "import jetstream_assets.errors"),
    "the package imports a room": (upward, "__init__.py", "from . import errors"),
    "dagster below": (misplaced_dagster, "report/a.py", "from dagster import asset"),
    "dagster's family, in a function": (
        misplaced_dagster,
        "analysis/a.py",
        "def f():\n    import dagster_gcp.gcs",
    ),
    "heavy": (heavy, "statistics/a.py", "import scipy.stats"),
    "heavy, by its parent": (heavy, "warehouse/a.py", "from google import cloud"),
    "heavy, in a condition": (
        heavy,
        "cli/a.py",
        "try:\n    import pandas as pd\nfinally:\n    x = 1",
    ),
    "heavy, where types are not checked": (
        heavy,
        "cli/a.py",
        "if TYPE_CHECKING:\n    x = 1\nelse:\n    import dask",
    ),
    "a circle": (
        circles,
        "sql/a.py",
        "def f():\n    from jetstream_assets.sql.fragments import g",
    ),
}


@pytest.fixture
def house(tmp_path: Path) -> Path:
    """A small package without a fault."""
    for path, text in {
        "__init__.py": "",
        "errors.py": "",
        "experiments/__init__.py": "",
        "experiments/plan.py": "from jetstream_assets import errors",
        "sql/fragments.py": "from . import a",
        "sql/a.py": "from ..experiments.plan import thing",
        "warehouse/base.py": "def f():\n    import scipy, google.cloud.bigquery",
        "report/store.py": "import numpy\nfrom jetstream_assets.sql import a",
        "orchestration/assets.py": "from dagster import asset",
        "cli/__init__.py": "import jetstream_assets.orchestration.assets, rich",
    }.items():
        _plant(tmp_path, path, text)
    return tmp_path


def test_a_house_without_a_fault_passes(house: Path) -> None:
    assert [text for rule in RULES for text in rule(imports(house))] == []


@pytest.mark.parametrize("planted", PLANTED)
def test_a_planted_fault_is_found_by_its_rule_alone(house: Path, planted: str) -> None:
    expected, path, text = PLANTED[planted]
    _plant(house, path, text)
    found = imports(house)
    assert [rule.__name__ for rule in RULES if list(rule(found))] == [expected.__name__]


def _plant(root: Path, path: str, text: str) -> None:
    (root / path).parent.mkdir(parents=True, exist_ok=True)
    (root / path).write_text(text)
