from __future__ import annotations

import tomllib
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tomli_w import dumps

from jetstream_assets.authoring.positions import broken_place, positions
from jetstream_assets.config.wording import dotted_key

if TYPE_CHECKING:
    from collections.abc import Iterator

TEXT = b"""\xef\xbb\xbf# a comment
[experiment]
segments = ["a",   "b"]
power = { effect = 0.1, "odd.name" = 2 }
[metrics.clicks.statistics.binomial]
[metrics."a b"]
 x.y = 1
[[rows]]
"""


@pytest.mark.parametrize(
    ("key", "place"),
    [
        ("experiment", (2, 2)),
        ("experiment.segments", (3, 1)),
        ("experiment.segments.1", (3, 20)),
        ("experiment.power.effect", (4, 11)),
        ('experiment.power."odd.name"', (4, 25)),
        ("metrics.clicks.statistics.binomial", (5, 2)),
        ("metrics.clicks.statistics.binomial.nothing", (5, 2)),
        ('metrics."a b".x.y', (7, 2)),
        ("rows", (8, 3)),
        ("nothing", (0, 0)),
        ("", (0, 0)),
    ],
)
def test_a_key_is_found_where_it_is_written(key: str, place: tuple[int, int]) -> None:
    assert positions(TEXT).of(key) == place


def test_a_broken_file_has_the_place_of_the_break() -> None:
    with pytest.raises(tomllib.TOMLDecodeError) as caught:
        tomllib.loads("a = 1\nb = = 2")
    assert broken_place(str(caught.value)) == (2, 5)
    assert broken_place("something else") == (0, 0)
    assert positions(b"\xff").of("a") == (0, 0)


NAMES = st.text("ab-_ .é\"'", min_size=1, max_size=5)
TABLES = st.recursive(
    st.integers(0, 9) | st.text("x\n", max_size=3) | st.lists(st.integers(0, 9), max_size=3),
    lambda values: st.dictionaries(NAMES, values, max_size=3),
    max_leaves=8,
)


@settings(max_examples=60, deadline=None)
@given(st.dictionaries(NAMES, TABLES, max_size=4))
def test_every_key_of_any_file_has_a_place(document: dict[str, Any]) -> None:
    text = dumps(document)
    found = positions(text.encode())
    for key in _keys(document, ()):
        line, column = found.of(dotted_key(key))
        assert (line, column) != (0, 0)
        assert len(text.split("\n")[line - 1].encode()) >= column


def _keys(value: object, prefix: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    if isinstance(value, dict):
        for name, below in value.items():
            if '"' not in name:
                yield (*prefix, name)
                yield from _keys(below, (*prefix, name))
