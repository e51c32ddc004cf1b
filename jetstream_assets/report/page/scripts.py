"""What runs and styles a page, all of it in the page, and nothing else allowed to run.

Belongs here: reading the files beside this module, and the policy that names them by their hashes.
Does not: templates (`rendering`).
"""

from __future__ import annotations

import base64
import hashlib
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING

from markupsafe import Markup

if TYPE_CHECKING:
    from collections.abc import Sequence

# The order in which they are needed: each uses what stands before it.
_PAGE = (
    "dom",
    "format",
    "embedded",
    "state",
    "records",
    "palette",
    "forest",
    "figures",
    "metrics",
    "exposure",
    "series",
    "segments",
    "distributions",
    "downloads",
    "page",
)


@cache
def style() -> Markup:
    """The style sheet of all pages."""
    return _inline("page.css")


@cache
def page_scripts() -> tuple[Markup, ...]:
    """The scripts of an experiment's page: the charting library, and the page's own as one."""
    own = "\n".join(_inline(f"page/{name}.js") for name in _PAGE)
    return _inline("charts.js"), Markup(f'"use strict";\n{own}')  # noqa: S704  # our own files


@cache
def index_scripts() -> tuple[Markup, ...]:
    """The script of the page of all experiments."""
    return (_inline("index.js"),)


def policy(scripts: Sequence[str]) -> str:
    """A Content-Security-Policy under which these scripts run, and no other, and nothing is loaded.

    Styles may stand in attributes: the charting library writes them.
    """
    hashes = (hashlib.sha256(script.encode()).digest() for script in scripts)
    allowed = " ".join(f"'sha256-{base64.b64encode(found).decode()}'" for found in hashes)
    return (
        f"default-src 'none'; script-src {allowed}; style-src 'unsafe-inline'; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )


def _inline(name: str) -> Markup:
    """A file of ours, to stand in a page as it is."""
    path = files("jetstream_assets.report.page").joinpath("static", *name.split("/"))
    return Markup(path.read_text(encoding="utf-8"))  # noqa: S704  # our own files
