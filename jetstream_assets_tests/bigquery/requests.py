"""What came in and what goes out, as the routes see it.

Belongs here: requests and answers without sockets, and their record. Does not: routes, sockets.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

from jetstream_assets_tests.bigquery.refusals import Json


@dataclass(frozen=True)
class Request:
    """A request; ``query`` has the last value of each parameter, ``headers`` lower-case names."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes = field(repr=False)

    @property
    def json(self) -> Json:
        """The body as JSON; an empty one is an empty object."""
        told: Json = json.loads(self.body or b"{}")
        return told

    def number(self, name: str, default: int) -> int:
        """A number of the query."""
        return int(self.query.get(name) or default)


@dataclass(frozen=True)
class Reply:
    """An answer."""

    status: int = 200
    body: Json | None = None
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def content(self) -> bytes:
        """The bytes of the body."""
        return b"" if self.body is None else json.dumps(self.body).encode()


@dataclass(frozen=True)
class Recorded:
    """A request that was answered with a status, or with None where the connection was cut."""

    request: Request
    status: int | None
