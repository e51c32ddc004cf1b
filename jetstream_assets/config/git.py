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
from pathlib import Path

from jetstream_assets.errors import ConfigError

_SECONDS = 120.0
_URL = re.compile(r"(https?|ssh|git|file)://.+|[\w.-]+@[\w.-]+:.+")
_REFERENCE = re.compile(r"[A-Za-z0-9_][\w./@~^-]*")
# A repository's own configuration could name programs to run.
_SAFE = ("-c", "core.fsmonitor=false", "-c", "core.hooksPath=/dev/null", "-c", "gc.auto=0")


def is_url(location: str) -> bool:
    """Whether a location is a repository's URL rather than a path."""
    return _URL.fullmatch(location) is not None


def redacted(location: str) -> str:
    """A location without user name and password, for messages."""
    return re.sub(r"(?<=://)[^/@]+@", "", location)


def commit_of(directory: Path, ref: str) -> str:
    """The commit hash of a reference in a local repository.

    Raises:
        ConfigError: The directory is no repository, or has no such reference.
    """
    _check_reference(str(directory), ref)
    arguments = ["rev-parse", "--verify", "--end-of-options", f"{ref}^{{commit}}"]
    return _git(str(directory), arguments, directory).decode().strip()


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
    location = redacted(url)
    if ref is not None:
        _check_reference(location, ref)
    with tempfile.TemporaryDirectory(prefix="jetstream-config-") as name:
        _git(location, ["init", "--quiet", "--bare", name], None)
        directory = Path(name)
        fetch = ["fetch", "--quiet", "--depth=1", "--no-tags", "--", url, ref or "HEAD"]
        _git(location, fetch, directory)
        commit = commit_of(directory, "FETCH_HEAD")
        return commit, files_at(directory, commit)


def _check_reference(location: str, ref: str) -> None:
    if _REFERENCE.fullmatch(ref) is None or ".." in ref:
        raise ConfigError(
            location, "", f"{ref!r} is no branch, tag or commit.", "Name one, such as 'main'."
        )


def _git(location: str, arguments: list[str], directory: Path | None) -> bytes:
    """What a git command prints.

    Raises:
        ConfigError: Git is absent, takes too long, or fails; the message has its last line.
    """
    where = ["-C", str(directory)] if directory is not None else []
    try:
        # The arguments are ours, apart from values that stand behind `--` or are checked.
        done = subprocess.run(  # noqa: S603
            ["git", *_SAFE, *where, *arguments],  # noqa: S607 # git is found where it is installed
            capture_output=True,
            check=False,
            timeout=_SECONDS,
            env=_environment(),
            stdin=subprocess.DEVNULL,
        )
    except FileNotFoundError as error:
        raise ConfigError(location, "", "git is not installed.", "Install it.") from error
    except subprocess.TimeoutExpired as error:
        raise ConfigError(
            location, "", f"git {arguments[0]} took more than {_SECONDS:.0f} seconds."
        ) from error
    if done.returncode != 0:
        raise ConfigError(location, "", f"git {arguments[0]} failed: {_last_line(done.stderr)}")
    return done.stdout


def _last_line(stderr: bytes) -> str:
    lines = [line for line in stderr.decode(errors="replace").splitlines() if line.strip()]
    fatal = [line for line in lines if line.startswith(("fatal:", "error:"))]
    return redacted((fatal or lines or ["it said nothing"])[0])


def _environment() -> dict[str, str]:
    """The environment of a git that asks no questions and speaks to servers only."""
    return {
        "GIT_SSH_COMMAND": "ssh -oBatchMode=yes",
        **os.environ,
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_ALLOW_PROTOCOL": "file:git:http:https:ssh",
        "GIT_OPTIONAL_LOCKS": "0",
        "LC_ALL": "C",
    }
