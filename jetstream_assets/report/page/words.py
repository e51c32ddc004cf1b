"""Values as words of a page.

Belongs here: the filters of the templates. Does not: numbers of statistics, which the page's own
script writes (`static/page/format.js`) as `report.readable` does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from markupsafe import Markup, escape

from jetstream_assets.report.readable import NOT_AVAILABLE, number_text, printable, size_text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from jetstream_assets.report.overview_schema import WindowRecord

_MOST_LISTED = 8
_PERIODS = {
    "preenrollment_weekly": "Week before enrollment",
    "preenrollment_days28": "28 days before enrollment",
    "daily": "Day",
    "weekly": "Week",
    "days28": "28 days",
    "overall": "Overall",
}


def words(name: object) -> str:
    """A name in lower case with underscores as words."""
    return printable(str(name)).replace("_", " ")


def shown(value: object) -> str:
    """A value of a table: numbers with few digits, text on one line, ``n/a`` for nothing."""
    if value is None:
        return NOT_AVAILABLE
    if isinstance(value, int | float) and not isinstance(value, bool):
        return number_text(float(value))
    return printable(str(value))


def term(fact: tuple[str, object]) -> list[object]:
    """A named fact as the two cells of a row."""
    name, value = fact
    return [words(name), value]


def listed(names: Sequence[str]) -> str:
    """The first names, and how many more there are."""
    more = len(names) - _MOST_LISTED
    told = ", ".join(printable(name) for name in names[:_MOST_LISTED])
    return f"{told} and {more} more" if more > 0 else told


def window(record: WindowRecord) -> str:
    """A window's name with its days since the anchor date, such as ``Week 2 (days 7 to 13)``."""
    start, end = record.start, record.end
    days = f"day {start}" if start == end else f"days {start} to {end}"
    until = ", provisional" if record.is_provisional else ""
    return f"{_PERIODS[record.period]} {record.window_index} ({days}{until})"


def by_period(windows: Iterable[WindowRecord]) -> list[tuple[str, list[WindowRecord]]]:
    """The windows of each period under its name, in the order of the periods."""
    found: dict[str, list[WindowRecord]] = {}
    for one in windows:
        found.setdefault(_PERIODS[one.period], []).append(one)
    return list(found.items())


def link(address: str, text: str) -> Markup:
    """A link to an address of the web or of a file beside the page; of any other, the text alone.

    An address of another scheme could run something when it is followed.
    """
    if urlsplit(address).scheme not in {"", "http", "https"} or address.startswith("//"):
        return escape(text)
    return Markup('<a href="{}">{}</a>').format(address, text)


FILTERS: dict[str, Callable[..., object]] = {
    "words": words,
    "shown": shown,
    "term": term,
    "listed": listed,
    "window": window,
    "groupby_period": by_period,
    "size": size_text,
}
