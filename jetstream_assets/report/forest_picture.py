"""A small picture of intervals, for places that show Markdown.

Belongs here: an SVG of the relative differences of `essentials`. Does not: the plots of the page
and of notebooks, which people work with.
"""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING
from xml.etree.ElementTree import Element, SubElement, tostring

from jetstream_assets.report.readable import printable

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from jetstream_assets.report.essentials import Essential

_ROW, _NAMES, _WIDTH, _EDGE = 22, 260, 240, 12
_INKS = ("#0072b2", "#d55e00", "#009e73", "#aa4499", "#b27300")
_GREY = "#808890"
_MOST_ROWS = 24
_LONGEST_NAME = 36


def forest_markdown(found: Sequence[Essential]) -> str:
    """The picture as an image that Markdown holds itself; empty without a row that has bounds."""
    rows = [one for one in found if _bounds(one) is not None][:_MOST_ROWS]
    if not rows:
        return ""
    body = base64.b64encode(tostring(_picture(rows))).decode()
    return f"![relative differences with their intervals](data:image/svg+xml;base64,{body})\n"


def _bounds(one: Essential) -> tuple[float, float, float] | None:
    numbers = [one.relative.get(name) for name in ("lower", "point", "upper")]
    lower, point, upper = numbers
    if lower is None or point is None or upper is None:
        return None
    return float(lower), float(point), float(upper)


def _picture(rows: Sequence[Essential]) -> Element:
    """An axis with zero in its middle, and a row for each metric and branch."""
    bounds = [_bounds(one) or (0.0, 0.0, 0.0) for one in rows]
    reach = max(max(abs(number) for number in three) for three in bounds) or 1.0
    height, middle = _ROW * len(rows) + _ROW, _NAMES + _WIDTH / 2
    size = {"width": f"{_NAMES + _WIDTH}", "height": f"{height}"}
    svg = Element(
        "svg", {"xmlns": "http://www.w3.org/2000/svg", "font-family": "sans-serif", **size}
    )
    _line(svg, (middle, 0), (middle, height - _ROW + 4), _GREY, 1)
    branches = list(dict.fromkeys(one.branch for one in rows))
    for number, (one, three) in enumerate(zip(rows, bounds, strict=True)):
        ink = _INKS[branches.index(one.branch) % len(_INKS)]
        y = number * _ROW + _ROW / 2
        lower, point, upper = (middle + share / reach * (_WIDTH / 2 - _EDGE) for share in three)
        _text(svg, (0, y + 4), f"{one.metric.friendly_name or one.metric.name}, {one.branch}", ink)
        _line(svg, (lower, y), (upper, y), ink, 3)
        SubElement(svg, "circle", {"cx": f"{point:.1f}", "cy": f"{y}", "r": "5", "fill": ink})
    for share, anchor in _ends(reach):
        x = middle + share / reach * (_WIDTH / 2 - _EDGE)
        _text(svg, (x, height - 4), f"{share:+.1%}" if share else "0", _GREY, anchor)
    return svg


def _ends(reach: float) -> Iterator[tuple[float, str]]:
    yield -reach, "start"
    yield 0.0, "middle"
    yield reach, "end"


def _line(
    svg: Element, start: tuple[float, float], end: tuple[float, float], ink: str, width: int
) -> None:
    places = {"x1": start[0], "y1": start[1], "x2": end[0], "y2": end[1]}
    shown = {name: f"{place:.1f}" for name, place in places.items()}
    SubElement(svg, "line", {**shown, "stroke": ink, "stroke-width": str(width)})


def _text(
    svg: Element, place: tuple[float, float], text: str, ink: str, anchor: str = "start"
) -> None:
    shown = printable(text)
    shown = shown if len(shown) <= _LONGEST_NAME else f"{shown[: _LONGEST_NAME - 1]}…"
    x, y = (f"{number:.1f}" for number in place)
    options = {"x": x, "y": y, "fill": ink, "font-size": "12", "text-anchor": anchor}
    SubElement(svg, "text", options).text = shown
