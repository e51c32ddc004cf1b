from __future__ import annotations

import ast
from pathlib import Path
from typing import TYPE_CHECKING

import jetstream_assets

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(jetstream_assets.__file__).parent
MOST_LINES_OF_A_FILE = 400
MOST_LINES_OF_A_FUNCTION = 60


def long_files(root: Path) -> Iterator[str]:
    for path in sorted(root.rglob("*.py")):
        lines = len(path.read_text().splitlines())
        if lines > MOST_LINES_OF_A_FILE:
            yield f"{path.relative_to(root)} has {lines} lines"


def long_functions(root: Path) -> Iterator[str]:
    for path in sorted(root.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                lines = _lines(node)
                if lines > MOST_LINES_OF_A_FUNCTION:
                    where = f"{path.relative_to(root)}:{node.lineno}"
                    yield f"{where} {node.name} has {lines} lines"


def _lines(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """The lines from ``def`` to the end, without the docstring: it is to be as long as needed."""
    lines = (node.end_lineno or node.lineno) - node.lineno + 1
    first = node.body[0]
    if ast.get_docstring(node, clean=False) is None:
        return lines
    return lines - ((first.end_lineno or first.lineno) - first.lineno + 1)


def test_no_file_is_too_long() -> None:
    assert list(long_files(ROOT)) == []


def test_no_function_is_too_long() -> None:
    assert list(long_functions(ROOT)) == []


def test_what_is_too_long_is_found(tmp_path: Path) -> None:
    body = "    x = 1\n"
    docstring = '    """A\n' + "    line\n" * 50 + '    """\n'
    fits = "def fits():\n" + docstring + body * 59
    long = "class A:\n    async def long(self):\n" + f"    {body}" * 60
    (tmp_path / "a.py").write_text(fits + long)
    (tmp_path / "b.py").write_text("\n" * 400)
    (tmp_path / "c.py").write_text("\n" * 401)
    assert list(long_functions(tmp_path)) == ["a.py:114 long has 61 lines"]
    assert list(long_files(tmp_path)) == ["c.py has 401 lines"]
