"""Where in a TOML file a key stands.

Belongs here: lines and columns of keys. Does not: what the file means; the standard library's
parser, which knows that, does not tell positions.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import tree_sitter_toml
from tree_sitter import Language, Node, Parser

if TYPE_CHECKING:
    from collections.abc import Iterator

_BROKEN = re.compile(r"at line (\d+), column (\d+)")
_PART = re.compile(r'"((?:[^"\\]|\\.)*)"|([^.]+)')

Key = tuple[str, ...]
Place = tuple[int, int]


@dataclass(frozen=True)
class Positions:
    """The line and column, counted from 1, of every key of a file."""

    places: Mapping[Key, Place]

    def of(self, key: str) -> Place:
        """Where a dotted key stands, or the longest beginning of it that is written; (0, 0) else.

        Positions in arrays are parts of a key as numbers.
        """
        parts = key_parts(key)
        for length in range(len(parts), 0, -1):
            place = self.places.get(parts[:length])
            if place is not None:
                return place
        return 0, 0


@lru_cache(maxsize=64)
def positions(content: bytes) -> Positions:
    """The positions of a file's keys; none of a file that is no text."""
    try:
        content.decode("utf-8")
    except UnicodeDecodeError:
        return Positions({})
    # A mark at the beginning is no part of the first line.
    body = content.removeprefix(b"\xef\xbb\xbf")
    root = Parser(Language(tree_sitter_toml.language())).parse(body).root_node
    places: dict[Key, Place] = {}
    for key, node in _keys(root, ()):
        places.setdefault(key, (node.start_point.row + 1, node.start_point.column + 1))
    return Positions(places)


def broken_place(message: str) -> Place:
    """Where the standard library's parser says that a file is broken; (0, 0) where it does not."""
    found = _BROKEN.search(message)
    return (int(found[1]), int(found[2])) if found else (0, 0)


def key_parts(key: str) -> Key:
    """The parts of a dotted key; a quoted part may hold dots."""
    return tuple(quoted or bare for quoted, bare in _PART.findall(key))


def _keys(node: Node, prefix: Key) -> Iterator[tuple[Key, Node]]:
    for child in node.named_children:
        if child.type in {"table", "table_array_element"}:
            yield from _table(child, prefix)
        elif child.type == "pair":
            yield from _pair(child, prefix)


def _table(node: Node, prefix: Key) -> Iterator[tuple[Key, Node]]:
    head = node.named_children[0]
    parts = _parts(head)
    for length in range(1, len(parts) + 1):
        yield (*prefix, *parts[:length]), head
    yield from _keys(node, (*prefix, *parts))


def _pair(node: Node, prefix: Key) -> Iterator[tuple[Key, Node]]:
    if not node.named_children:
        return
    head, value = node.named_children[0], node.named_children[-1]
    parts = _parts(head)
    for length in range(1, len(parts) + 1):
        yield (*prefix, *parts[:length]), head
    yield from _value(value, (*prefix, *parts))


def _value(node: Node, prefix: Key) -> Iterator[tuple[Key, Node]]:
    if node.type == "inline_table":
        yield from _keys(node, prefix)
    if node.type == "array":
        elements = [child for child in node.named_children if child.type != "comment"]
        for index, element in enumerate(elements):
            key = (*prefix, str(index))
            yield key, element
            yield from _value(element, key)


def _parts(node: Node) -> Key:
    """The names of a key, unquoted."""
    if node.type == "dotted_key":
        return tuple(part for child in node.named_children for part in _parts(child))
    text = (node.text or b"").decode()
    if node.type != "quoted_key":
        return (text,)
    try:
        return tuple(str(name) for name in tomllib.loads(f"{text} = 0"))
    except tomllib.TOMLDecodeError:
        return (text,)
