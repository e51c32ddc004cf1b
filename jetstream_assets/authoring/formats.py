"""Findings as text for people, as JSON for programs, as annotations of a pull request.

Belongs here: the three formats. Does not: which one is wanted (`cli.check`).
"""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING

from jetstream_assets.authoring.findings import Severity
from jetstream_assets.report.readable import printable, size_text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from jetstream_assets.authoring.findings import Checked, Finding


def text_lines(checked: Checked) -> Iterator[str]:
    """A line for each finding as compilers write it, then the costs."""
    for one in checked.findings:
        place = f"{one.path}:{one.line}:{one.column}" if one.line else one.path
        key = f" {one.key}:" if one.key else ""
        yield printable(f"{place}: {one.severity}:{key} {one.message}")
    for cost in checked.costs:
        refused = f", {cost.refused} refused" if cost.refused else ""
        yield printable(
            f"{cost.path}: {cost.statements} statements{refused}, {size_text(cost.bytes_read)}"
        )


def json_text(checked: Checked) -> str:
    """``{"files": [{"path", "errors": [...], "warnings": [...]}], "costs": [...]}``.

    Every checked file is there, and every other one that a finding is about.
    """
    paths = sorted({*checked.paths, *(one.path for one in checked.findings)})
    files = [
        {
            "path": path,
            "errors": [_entry(f) for f in _of(checked, path, Severity.ERROR)],
            "warnings": [_entry(f) for f in _of(checked, path, Severity.WARNING)],
        }
        for path in paths
    ]
    return json.dumps({"files": files, "costs": [asdict(cost) for cost in checked.costs]}, indent=2)


def github_lines(checked: Checked, folder: str) -> Iterator[str]:
    """Workflow commands that GitHub shows beside the lines of a pull request.

    Args:
        checked: What was found.
        folder: The repository of the configuration, from the root of the checkout; empty for that.
    """
    for one in checked.findings:
        path = f"{folder}/{one.path}" if folder else one.path
        places = {"file": path, "line": one.line, "col": one.column, "title": one.key}
        told = ",".join(f"{name}={_property(value)}" for name, value in places.items() if value)
        yield f"::{one.severity} {told}::{_data(one.message)}"


def _of(checked: Checked, path: str, severity: Severity) -> list[Finding]:
    return [one for one in checked.findings if (one.path, one.severity) == (path, severity)]


def _entry(one: Finding) -> dict[str, object]:
    return {"line": one.line, "column": one.column, "key": one.key, "message": one.message}


def _data(value: object) -> str:
    """Text that cannot end the command or begin another."""
    text = printable(str(value))
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(value: object) -> str:
    return _data(value).replace(":", "%3A").replace(",", "%2C")
