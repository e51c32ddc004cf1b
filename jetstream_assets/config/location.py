"""A configuration lies in a directory, in a git repository, or behind a URL: files and a commit.

Belongs here: reading the files' bytes and naming their state. Does not: what they say
(`repository`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from jetstream_assets.config import git
from jetstream_assets.config.git_access import redacted
from jetstream_assets.config.layout import DIRECTORIES, PATTERNS
from jetstream_assets.errors import ConfigError

# One word for a state that no commit names: a plain directory, or changes not committed.
_DIGEST_PREFIX = "files:"


@dataclass(frozen=True)
class Files:
    """Files by path relative to the configuration's root, and the name of their state.

    A file that cannot be read is an error instead of its bytes. ``commit`` is a commit hash, or
    ``files:`` and a digest of all contents.
    """

    contents: Mapping[str, bytes | ConfigError]
    commit: str


def read_files(location: str, ref: str | None) -> Files:
    """The TOML files at a location.

    Args:
        location: A directory, a local git repository, or a repository's URL.
        ref: A branch, tag or commit; None for the files as they are, or a URL's default branch.

    Raises:
        ConfigError: There is nothing at the location, or git cannot give the reference.
    """
    directory = Path(location)
    if location and directory.is_dir():
        return _of_directory(directory) if ref is None else _of_reference(directory, ref)
    if git.is_url(location):
        commit, contents = git.fetched_files(location, ref)
        return Files(contents, commit)
    raise ConfigError(
        redacted(location),
        "",
        "There is no such directory, and it is not the URL of a git repository.",
        "Give a directory, or a URL such as https://host/owner/repository.",
    )


def is_bare(directory: Path) -> bool:
    """Whether a directory is a git repository without files of its own."""
    return (directory / "HEAD").is_file() and (directory / "objects").is_dir()


def _of_reference(directory: Path, ref: str) -> Files:
    commit = git.commit_of(directory, ref)
    return Files(git.files_at(directory, commit), commit)


def _of_directory(directory: Path) -> Files:
    if is_bare(directory):
        return _of_reference(directory, "HEAD")  # a bare repository has no files beside git's own
    paths = sorted(
        path
        for prefix in DIRECTORIES
        for pattern in PATTERNS
        for path in directory.glob(prefix + pattern)
        if path.is_file()
    )
    contents = {path.relative_to(directory).as_posix(): _read(path, directory) for path in paths}
    commit = git.clean_commit(directory, frozenset(contents))
    return Files(contents, commit or _digest(contents))


def _read(path: Path, directory: Path) -> bytes | ConfigError:
    try:
        return path.read_bytes()
    except OSError as error:
        name = path.relative_to(directory).as_posix()
        return ConfigError(name, "", f"The file cannot be read: {error.strerror}.")


def _digest(contents: Mapping[str, bytes | ConfigError]) -> str:
    digest = hashlib.sha256()
    for path, content in sorted(contents.items()):
        found = content if isinstance(content, bytes) else b""
        # Lengths keep one file's end from being read as the next file's start.
        for part in (path.encode(errors="surrogateescape"), found):
            digest.update(len(part).to_bytes(8, "big"))
            digest.update(part)
    return _DIGEST_PREFIX + digest.hexdigest()[:40]
