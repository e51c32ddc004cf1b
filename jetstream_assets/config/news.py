"""What came to a configuration since a commit that is known: its head, and what asks for results.

Belongs here: the head of a location, the files there, and which of the commits in between carry a
marker in their message. Does not: what the files mean (`change`).
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from jetstream_assets.config import git
from jetstream_assets.config.location import Files, is_bare, read_files

if TYPE_CHECKING:
    from collections.abc import Iterator

# More commits than this between two looks are taken as one, of which only the newest speaks.
_DEPTH = 50


@dataclass(frozen=True)
class News:
    """The files of the head, and what of its commits is marked.

    Args:
        files: The files of the head.
        marked: The marked commits since the known one, oldest first.
        unmarked: For every other commit the files before and after it. Empty when none is marked,
            and then everything since the known commit asks for results.
    """

    files: Files
    marked: tuple[str, ...] = ()
    unmarked: tuple[tuple[Files, Files], ...] = ()


def head_commit(location: str, ref: str | None) -> str:
    """The name of the state that is at a location now; a remote is asked and not fetched.

    Raises:
        ConfigError: There is nothing at the location, or git cannot give the reference.
    """
    directory = Path(location)
    if not (location and directory.is_dir()) and git.is_url(location):
        return git.remote_commit(location, ref)
    if location and directory.is_dir() and (ref is not None or is_bare(directory)):
        return git.commit_of(directory, ref or "HEAD")
    return read_files(location, ref).commit


def read_news(location: str, ref: str | None, known: str, marker: str) -> News:
    """The files at a location, with what the messages of the commits since ``known`` say.

    A history that does not lead from the known commit to the head (a force-push, too many commits)
    is taken as one commit with the message of the head. A directory that no commit describes says
    nothing.

    Raises:
        ConfigError: There is nothing at the location, or git cannot give the reference.
    """
    with _repository(location, ref) as (directory, commit):
        if directory is None:
            return News(read_files(location, ref))
        line: tuple[str, ...] = (commit,)
        start: str | None = None
        if git.is_ancestor(directory, known, commit):
            start, line = known, git.line_of_commits(directory, known, commit)
        pairs = list(zip((start, *line), line, strict=False))
        marked = [marker in git.messages(directory, new, old) for old, new in pairs]
        files = Files(git.files_at(directory, commit), commit)
        if not any(marked) or all(marked):
            return News(files, line if all(marked) else ())
        asking = (pair for pair, is_marked in zip(pairs, marked, strict=True) if not is_marked)
        return News(
            files,
            tuple(new for new, is_marked in zip(line, marked, strict=True) if is_marked),
            tuple((_files(directory, str(old)), _files(directory, new)) for old, new in asking),
        )


@contextmanager
def _repository(location: str, ref: str | None) -> Iterator[tuple[Path | None, str]]:
    """A local repository that has the head, and the head; no repository where none has it."""
    directory = Path(location)
    if location and directory.is_dir():
        commit = head_commit(location, ref)
        yield (None if commit.startswith("files:") else directory), commit
    elif git.is_url(location):
        with git.fetched(location, ref, depth=_DEPTH) as found:
            yield found
    else:
        yield None, ""


def _files(directory: Path, commit: str) -> Files:
    return Files(git.files_at(directory, commit), commit)
