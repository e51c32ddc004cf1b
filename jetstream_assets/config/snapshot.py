"""A configuration repository at one state as one document, so that it is fetched once.

Belongs here: the document's text and back. Does not: where it is kept (`orchestration`), reading a
repository's location (`location`).
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

from jetstream_assets.config.location import Files
from jetstream_assets.config.repository import ConfigurationRepository, repository_of
from jetstream_assets.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping

# Bytes that are no UTF-8 survive as themselves, so that the file's mistake is told later.
_BYTES = "surrogateescape"


@dataclass(frozen=True)
class Snapshot:
    """A repository as it was stored, and the day (UTC) on which it last was."""

    repository: ConfigurationRepository
    stored_on: date


def snapshot_json(snapshot: Snapshot) -> bytes:
    """The document: equal bytes for an equal snapshot."""
    repository = snapshot.repository
    contents = {d.path: d.content for group in repository.documents.values() for d in group}
    document = {
        "commit": repository.commit,
        "location": repository.location,
        "stored_on": snapshot.stored_on.isoformat(),
        "files": {
            path: content.decode(errors=_BYTES)
            for path, content in sorted(contents.items())
            if isinstance(content, bytes)
        },
        "unreadable": {
            path: content.problem
            for path, content in sorted(contents.items())
            if isinstance(content, ConfigError)
        },
    }
    return json.dumps(document, indent=1).encode()


def read_snapshot(body: bytes, name: str) -> Snapshot:
    """The snapshot of a document that `snapshot_json` wrote.

    Raises:
        ConfigError: The document ``name`` is not one.
    """
    try:
        found = json.loads(body)
        files = Files(_contents(found["files"], found["unreadable"]), found["commit"])
        stored_on = date.fromisoformat(found["stored_on"])
        return Snapshot(repository_of(files, found["location"]), stored_on)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise ConfigError(
            name, "", "It is no stored configuration.", "Remove the document."
        ) from error


def _contents(
    files: Mapping[str, str], unreadable: Mapping[str, str]
) -> dict[str, bytes | ConfigError]:
    read: dict[str, bytes | ConfigError] = {
        path: text.encode(errors=_BYTES) for path, text in files.items()
    }
    return read | {path: ConfigError(path, "", problem) for path, problem in unreadable.items()}
