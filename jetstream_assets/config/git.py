"""Git is asked for a commit and for the files at a commit; nothing is checked out.

Belongs here: the git commands and their safety. Does not: what the files say.

Locations, references and repositories are untrusted: arguments are lists, what a user gives stands
behind ``--end-of-options`` or ``--``, hooks and helpers of the repository are switched off, and
every command has a time limit.
"""

from __future__ import annotations

import io
import os
import re
import subprocess
import tarfile
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from jetstream_assets.config.git_access import Access, access_to, redacted
from jetstream_assets.config.wording import shown
from jetstream_assets.errors import ConfigError, UnreachableConfigError

if TYPE_CHECKING:
    from collections.abc import Iterator

_SECONDS = 120.0
# What git says of a name that is nothing.
_NO_SUCH_REFERENCE = "Needed a single revision"
# A question about one name, which a sensor asks every minute.
_SECONDS_OF_A_QUESTION = 20.0
_URL = re.compile(r"(https?|ssh|git|file)://.+|[\w.-]+@[\w.-]+:.+")
_HASH = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_REFERENCE = re.compile(r"[A-Za-z0-9_][\w./@~^-]*")
# A repository's own configuration could name programs to run.
_SAFE = ("-c", "core.fsmonitor=false", "-c", "core.hooksPath=/dev/null", "-c", "gc.auto=0")


def is_url(location: str) -> bool:
    """Whether a location is a repository's URL rather than a path."""
    return _URL.fullmatch(location) is not None


def commit_of(directory: Path, ref: str) -> str:
    """The commit hash of a reference in a local repository.

    Raises:
        ConfigError: The directory is no repository, or has no such reference.
    """
    _check_reference(str(directory), ref)
    arguments = ["rev-parse", "--verify", "--end-of-options", f"{ref}^{{commit}}"]
    try:
        return _git(str(directory), arguments, directory).decode().strip()
    except ConfigError as error:
        if _NO_SUCH_REFERENCE not in error.problem:
            raise
        problem = f"There is no branch, tag or commit {shown(ref)}."
        raise ConfigError(str(directory), "", problem, "`git branch -a` lists them.") from None


def clean_commit(directory: Path, files: frozenset[str]) -> str | None:
    """The commit whose files these are, or None when they differ from it or are in no repository.

    ``files`` are paths relative to the directory.
    """
    try:
        tracked = _git(str(directory), ["ls-files", "-z", "--", "."], directory)
        changed = _git(str(directory), ["status", "--porcelain", "-uno", "--", "."], directory)
        if changed or not files or not files <= set(os.fsdecode(tracked).split("\0")):
            return None
        return commit_of(directory, "HEAD")
    except ConfigError:
        return None


def files_at(directory: Path, commit: str) -> dict[str, bytes]:
    """Every TOML file below a directory of a local repository at a commit, by relative path.

    Raises:
        ConfigError: Git cannot read the commit.
    """
    # In a directory below the repository's root, git archives what is below that directory.
    archive = _git(str(directory), ["archive", "--format=tar", commit], directory)
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        return {
            member.name: content.read()
            for member in tar
            if member.name.endswith(".toml") and (content := tar.extractfile(member)) is not None
        }


def fetched_files(url: str, ref: str | None) -> tuple[str, dict[str, bytes]]:
    """The commit and the TOML files of a remote repository, fetched without its history.

    Raises:
        ConfigError: The repository cannot be reached, or has no such reference.
    """
    with fetched(url, ref, depth=1) as (directory, commit):
        return commit, files_at(directory, commit)


@contextmanager
def fetched(url: str, ref: str | None, *, depth: int) -> Iterator[tuple[Path, str]]:
    """A bare repository with the newest ``depth`` commits of a remote one, and the newest.

    The repository is gone when the body ends.

    Raises:
        ConfigError: The repository cannot be reached, or has no such reference.
    """
    access = access_to(url)
    if ref is not None:
        _check_reference(access.shown, ref)
    with tempfile.TemporaryDirectory(prefix="jetstream-config-") as name:
        _git(access.shown, ["init", "--quiet", "--bare", name], None)
        directory = Path(name)
        fetch = ["fetch", "--quiet", f"--depth={depth}", "--no-tags"]
        fetch += ["--", access.url, ref or "HEAD"]
        _git(access.shown, fetch, directory, access)
        yield directory, commit_of(directory, "FETCH_HEAD")


def remote_commit(url: str, ref: str | None) -> str:
    """The commit of a reference of a remote repository, which is asked and not fetched.

    Raises:
        ConfigError: The repository cannot be reached, or has no such reference.
    """
    access = access_to(url)
    if ref is not None:
        _check_reference(access.shown, ref)
    if ref is not None and _HASH.fullmatch(ref):
        return ref
    wanted = ref or "HEAD"
    question = ["ls-remote", "--quiet", "--", access.url, wanted, f"{wanted}^{{}}"]
    answer = _git(access.shown, question, None, access, _SECONDS_OF_A_QUESTION)
    lines = (line.split("\t", 1) for line in answer.decode(errors="replace").splitlines())
    found = {name: commit for commit, name in lines}
    # As git resolves a short name; of a tag with a message it is the commit that is meant.
    for name in (wanted, f"refs/{wanted}", f"refs/tags/{wanted}", f"refs/heads/{wanted}"):
        if name in found:
            return found.get(f"{name}^{{}}", found[name])
    raise ConfigError(
        access.shown, "", f"There is no branch or tag {wanted!r}.", "Name one, such as 'main'."
    )


def is_ancestor(directory: Path, older: str, newer: str) -> bool:
    """Whether one commit of a local repository is known to come before another, or is it."""
    if not (_HASH.fullmatch(older) and _HASH.fullmatch(newer)):
        return False
    try:
        _git(str(directory), ["merge-base", "--is-ancestor", older, newer], directory)
    except ConfigError:
        return False
    return True


def line_of_commits(directory: Path, older: str, newer: str) -> tuple[str, ...]:
    """The commits after ``older`` up to ``newer``, oldest first; of a merge only the merge.

    Raises:
        ConfigError: Git cannot read the commits.
    """
    listed = ["rev-list", "--first-parent", "--reverse", newer, f"^{older}"]
    return tuple(_git(str(directory), listed, directory).decode().split())


def messages(directory: Path, newer: str, older: str | None) -> str:
    """The messages of a commit and of all others that are not in the history of ``older``.

    Without ``older`` only that of the commit.

    Raises:
        ConfigError: Git cannot read the commits.
    """
    which = ["--no-walk", newer] if older is None else [newer, f"^{older}"]
    return _git(str(directory), ["log", "--format=%B", *which], directory).decode(errors="replace")


def _check_reference(location: str, ref: str) -> None:
    if _REFERENCE.fullmatch(ref) is None or ".." in ref:
        raise ConfigError(
            location, "", f"{ref!r} is no branch, tag or commit.", "Name one, such as 'main'."
        )


def _git(
    location: str,
    arguments: list[str],
    directory: Path | None,
    access: Access | None = None,
    seconds: float | None = None,
) -> bytes:
    """What a git command prints.

    Raises:
        ConfigError: Git is absent, takes too long, or fails; the message has its last line.
    """
    where = ["-C", str(directory)] if directory is not None else []
    allowed = min(_SECONDS, seconds or _SECONDS)
    try:
        # The arguments are ours, apart from values that stand behind `--` or are checked.
        done = subprocess.run(  # noqa: S603
            ["git", *_SAFE, *where, *arguments],  # noqa: S607 # git is found where it is installed
            capture_output=True,
            check=False,
            timeout=allowed,
            env=_environment() | (access.environment if access is not None else {}),
            stdin=subprocess.DEVNULL,
        )
    except FileNotFoundError as error:
        raise ConfigError(location, "", "git is not installed.", "Install it.") from error
    except subprocess.TimeoutExpired as error:
        # Its text has the whole command; nothing of it is shown.
        raise UnreachableConfigError(
            location, "", f"git {arguments[0]} took more than {allowed:.0f} seconds."
        ) from error
    if done.returncode != 0:
        said = _last_line(done.stderr)
        told = access.without_secrets(said) if access is not None else said
        # What asks a remote repository may succeed later.
        kind = ConfigError if access is None else UnreachableConfigError
        raise kind(location, "", f"git {arguments[0]} failed: {told}")
    return done.stdout


def _last_line(stderr: bytes) -> str:
    lines = [line for line in stderr.decode(errors="replace").splitlines() if line.strip()]
    fatal = [line for line in lines if line.startswith(("fatal:", "error:"))]
    return redacted((fatal or lines or ["it said nothing"])[0])


def _environment() -> dict[str, str]:
    """The environment of a git that asks no questions and speaks to servers only."""
    return {
        "GIT_SSH_COMMAND": "ssh -oBatchMode=yes -oConnectTimeout=15",
        # A server that says nothing for so long is given up.
        "GIT_HTTP_LOW_SPEED_LIMIT": "1",
        "GIT_HTTP_LOW_SPEED_TIME": "20",
        **os.environ,
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_ALLOW_PROTOCOL": "file:git:http:https:ssh",
        "GIT_OPTIONAL_LOCKS": "0",
        "LC_ALL": "C",
    }
